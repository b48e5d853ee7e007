"""Groups as their admin makes them: begun, added to, taken from; each time one step, and then a message that says so.

Names are resolved before anything changes, and a change is made before it is announced: what is sealed after it is
sealed under it. Whoever is taken out is told nothing and cannot compute the tags of what follows.
"""

from escrow.crypto.coins import Coins
from escrow.e2ee.content import NewRoster, Text
from escrow.e2ee.conversation import MOST_MEMBERS, MOST_TITLE, PAIR, Conversation
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.device.commands import ChangeGroup, CreateGroup
from escrow.roles.device.conversations import Held, begin, claim_name, held_group, lineage_of, move_on
from escrow.roles.device.directory import account_of
from escrow.roles.device.state import Change, Me, Queued, load_me
from escrow.roles.machine import Draft, Read
from escrow.roles.state import unpack
from escrow.secret import Secret
from escrow.warrant.genesis import Genesis

SIGN = "#"
"""What the name of a group begins with, so that it is nobody's."""


def is_group(name: str) -> bool:
    """Whether a name is that of a group; an account whose name looks like one is reached by its id."""
    return name.startswith(SIGN)


def mode_of(view: Read | Draft, name: str) -> int:
    """The mode of a group, also of one whose beginning is still queued; ``NOT_FOUND``."""
    held = held_group(view, name)
    if held is not None:
        return held.conversation.mode
    for _, data in view.scan(b"queue/"):
        message = unpack(data, Queued)
        if message.to == name and isinstance(message.content, Change) and message.content.begins:
            return message.mode
    raise RefusedError(Reason.NOT_FOUND, f"no group is called {name} here")


def planned(draft: Draft, call: CreateGroup | ChangeGroup) -> tuple[int, Change]:
    """The group's mode and the change that is to be queued; a new group's name is kept for it.

    ``USAGE`` for what is no name, ``NAME_TAKEN``, ``NOT_FOUND``, ``PERMISSION_DENIED`` if it is somebody else's group,
    ``MalformedError`` for what is no text.
    """
    Text(call.name).encode()
    if isinstance(call, CreateGroup):
        _claim(draft, call.name)
        return call.mode, Change(call.members, (), begins=True)
    held = held_group(draft, call.name)
    if held is not None and held.conversation.admin != load_me(draft).keys.account:
        raise RefusedError(Reason.PERMISSION_DENIED, f"only its admin changes {call.name}")
    return mode_of(draft, call.name), Change(call.add, call.remove)


def _claim(draft: Draft, name: str) -> None:
    title = name.removeprefix(SIGN)
    form = title.isprintable() and title == title.strip() and 0 < len(title.encode()) <= MOST_TITLE
    if not is_group(name) or not form:
        raise RefusedError(Reason.USAGE, f"a group is called {SIGN} and 1 to {MOST_TITLE} printable bytes")
    if not claim_name(draft, name):
        raise RefusedError(Reason.NAME_TAKEN, name)


def carry_out(draft: Draft, genesis: Genesis, message: Queued, change: Change, now: Millis, coins: Coins) -> NewRoster:
    """Make the change; return what announces it.

    Raises ``DEVICE_UNKNOWN``, deferred, while the relay is being asked for names, and ``RefusedError`` for a change
    that cannot be.
    """
    me = load_me(draft)
    added, removed = _accounts(draft, change.add), _accounts(draft, change.remove)
    if added is None or removed is None:
        raise DeferredError(Reason.DEVICE_UNKNOWN)
    if change.begins:
        held = _begin(draft, genesis, me, message, added, now, coins)
    else:
        held = _change(draft, me, message, added, removed, now, coins)
    return NewRoster(held.conversation.version)


def _begin(
    draft: Draft, genesis: Genesis, me: Me, message: Queued, members: set[AccountId], now: Millis, coins: Coins
) -> Held:
    _check_size(members | {me.keys.account})
    secret, title = Secret(coins.take("conversation", 32)), message.to.removeprefix(SIGN)
    lineage = lineage_of(genesis, message.mode)
    key, admin = me.keys.signing_key, me.keys.account
    conversation = Conversation.start(key, admin, secret, message.mode, lineage, members, title)
    return begin(draft, me, conversation, message.to, now)


def _change(
    draft: Draft,
    me: Me,
    message: Queued,
    added: set[AccountId],
    removed: set[AccountId],
    now: Millis,
    coins: Coins,
) -> Held:
    held = held_group(draft, message.to)
    if held is None:
        raise RefusedError(Reason.NOT_FOUND, f"no group is called {message.to} here")
    conversation = held.conversation
    before = set(conversation.members)
    members = (before | added) - removed
    if conversation.admin != me.keys.account:
        raise RefusedError(Reason.PERMISSION_DENIED, f"only its admin changes {message.to}")
    if not removed <= before or me.keys.account in removed or added & removed or members == before:
        raise RefusedError(Reason.USAGE, "members are added who are none, and others than the admin removed who are")
    _check_size(members)
    secret = Secret(coins.take("conversation", 32)) if removed else conversation.secret
    return move_on(draft, held, conversation.change(me.keys.signing_key, members, secret), now)


def _check_size(members: set[AccountId]) -> None:
    if not PAIR <= len(members) <= MOST_MEMBERS:
        raise RefusedError(Reason.USAGE, f"a group has {PAIR} to {MOST_MEMBERS} members")


def _accounts(draft: Draft, names: tuple[str, ...]) -> set[AccountId] | None:
    """The accounts behind names; None while the relay is being asked for some."""
    found = [account_of(draft, name) for name in names]
    known = {account for account in found if account is not None}
    return known if None not in found else None
