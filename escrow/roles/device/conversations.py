"""Which conversation a message belongs to: found by its tag, begun by whoever writes first, pinned for ever.

A conversation's mode never changes. Writing to the same peer in the other mode is another conversation, and the
screen says which is which. Earlier versions of a group are kept, because what was sent under them may be fetched late.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from escrow.capsule.label import Label
from escrow.crypto.coins import Coins
from escrow.e2ee.conversation import Conversation
from escrow.e2ee.keys import Identity
from escrow.e2ee.roster import conv_tag
from escrow.encoding import u8, u64
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.device.state import ESCROW, Me
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.warrant.genesis import Genesis

NO_LINEAGE = bytes(32)
"""What stands for the policy where there is no escrow."""
KEPT_VERSIONS = 64
"""Earlier versions of a group that a device keeps."""


class Confirmed(Struct, frozen=True):
    """A device that has written under a version, and so has it."""

    account: bytes
    device: int
    version: int


class Held(Struct, frozen=True):
    """A conversation in its newest version, and what this device knows about the others in it.

    ``name`` is the group's name here, empty for a pair; ``since`` when the version came: the time of the receipt with
    which it was announced, or our own. ``told`` are the places (``Identity.place``) that a pair's was last written to.
    """

    conversation: Conversation
    name: str
    since: int
    confirmed: tuple[Confirmed, ...] = ()
    told: tuple[bytes, ...] = ()

    def peer(self, me: Me) -> AccountId:
        """The other one of a pair."""
        return next(member for member in self.conversation.members if member != me.keys.account)

    def has_version(self, account: bytes, device: int) -> bool:
        """Whether a device is known to have the newest version."""
        return Confirmed(account, device, self.conversation.version) in self.confirmed

    def travelling(self, account: bytes, device: int) -> bytes | None:
        """The version, if it still has to travel to a device."""
        return None if self.has_version(account, device) else self.conversation.encode()


def lineage_of(genesis: Genesis, mode: int) -> bytes:
    """The policy lineage that a conversation of this mode is pinned to."""
    return genesis.policy.lineage_hash if mode == ESCROW else NO_LINEAGE


def with_peer(
    draft: Draft,
    genesis: Genesis,
    me: Me,
    peer: AccountId,
    recipients: Iterable[Identity],
    mode: int,
    now: Millis,
    coins: Coins,
) -> Held:
    """The conversation in use with ``peer`` in ``mode``, to be written to ``recipients``; else a new one."""
    devices = (*recipients, me.keys.identity)
    told = tuple(sorted(device.place for device in devices))
    in_use = draft.get(_pair(peer, mode))
    if in_use is not None:
        held = held_by_id(draft, in_use)
        if held.told == told or _outlasts(held, devices):
            return held if held.told == told else _keep(draft, replace(held, told=told))
        draft.delete(_pair(peer, mode))
    secret = Secret(coins.take("conversation", 32))
    lineage = lineage_of(genesis, mode)
    conversation = Conversation.start(me.keys.signing_key, me.keys.account, secret, mode, lineage, (peer,))
    return _keep(draft, replace(begin(draft, me, conversation, "", now), told=told))


def _outlasts(held: Held, devices: Iterable[Identity]) -> bool:
    """Whether a pair's conversation goes on when devices have changed.

    A device that was removed must not know the tags of what follows; and one that was added must be able to see who
    began what it is told about.
    """
    # SPEC LNK-9: nothing is written in a conversation that a removed device knows, or has begun.
    gone = set(held.told) - {device.place for device in devices}
    admin = held.conversation.admin
    return not gone and held.conversation.is_signed_by(one.signing for one in devices if one.account == admin)


def begin(draft: Draft, me: Me, conversation: Conversation, name: str, since: int) -> Held:
    """Hold a conversation that is new here; a pair has no name."""
    held = Held(conversation, name, since)
    if name:
        draft.put(_group(name), conversation.id)
    elif draft.get(_pair(held.peer(me), conversation.mode)) is None:
        draft.put(_pair(held.peer(me), conversation.mode), conversation.id)
    return _keep(draft, held)


def free_name(view: Read | Draft, conversation: Conversation) -> str:
    """What to call a conversation that others have begun: its title, unless another is called that already."""
    name, place = f"#{conversation.title}", 2
    while view.get(_group(name)) is not None:
        name, place = f"#{conversation.title}-{place}", place + 1
    return "" if conversation.is_pair else name


def claim_name(draft: Draft, name: str) -> bool:
    """Keep a name for a group that is still to begin; False if it has been given."""
    free = draft.get(_group(name)) is None
    if free:
        draft.put(_group(name), b"")
    return free


def release_name(draft: Draft, name: str) -> None:
    """The group does not begin."""
    draft.delete(_group(name))


def move_on(draft: Draft, held: Held, following: Conversation, since: int) -> Held:
    """Go over to a later version; who is confirmed for it will show."""
    draft.put(_past(held.conversation.id, held.conversation.version), pack(held.conversation))
    oldest = held.conversation.version - KEPT_VERSIONS
    if oldest >= 0:
        draft.delete(_past(held.conversation.id, oldest))
    return _keep(draft, replace(held, conversation=following, since=since, confirmed=()))


def remember_past(draft: Draft, version: Conversation) -> None:
    """Keep an earlier version that came late, and that its members are in the conversation, who may be in no other."""
    _index(draft, version)
    draft.put(_past(version.id, version.version), pack(version))


def confirm(draft: Draft, held: Held, account: bytes, device: int, version: int) -> None:
    """A device has written in this conversation, under ``version``."""
    if version == held.conversation.version and not held.has_version(account, device):
        mark = Confirmed(account, device, version)
        draft.put(_place(held.conversation.id), pack(replace(held, confirmed=(*held.confirmed, mark))))


def all_held(view: Read | Draft) -> Iterator[Held]:
    """Every conversation of this device."""
    for _, data in view.scan(b"conv/"):
        yield unpack(data, Held)


def known_held(view: Read | Draft, name: bytes) -> Held | None:
    """The conversation with this id, if this device is in it."""
    data = view.get(_place(name))
    return None if data is None else unpack(data, Held)


def held_by_id(view: Read | Draft, name: bytes) -> Held:
    """The conversation with this id; ``ROSTER_UNKNOWN``, deferred: its first version may be late."""
    held = known_held(view, name)
    if held is None:
        raise DeferredError(Reason.ROSTER_UNKNOWN)
    return held


def held_group(view: Read | Draft, name: str) -> Held | None:
    """The group that is called so here."""
    data = view.get(_group(name))
    return held_by_id(view, data) if data else None


def version_of(view: Read | Draft, held: Held, version: int) -> Conversation | None:
    """One version of a conversation, if this device has it (still)."""
    if version == held.conversation.version:
        return held.conversation
    data = view.get(_past(held.conversation.id, version))
    return None if data is None else unpack(data, Conversation)


def find(view: Read | Draft, sender: AccountId, label: Label) -> tuple[Held, Conversation]:
    """The conversation whose tag an account's label carries, in the version that the label names.

    ``ROSTER_UNKNOWN``, deferred: that version may be late. ``ROSTER_STALE``: it is too old to be known. ``CONV_TAG``:
    no conversation with the account has this tag.
    """
    shared = [held_by_id(view, name) for _, name in view.scan(b"with/" + sender + u8(ESCROW))]
    for held in shared:
        version = version_of(view, held, label.roster_version)
        if version and conv_tag(version.secret, label.policy_hash, label.epoch) == label.conv_tag:
            return held, version
    if not shared or any(label.roster_version > held.conversation.version for held in shared):
        raise DeferredError(Reason.ROSTER_UNKNOWN)
    known = all(version_of(view, held, label.roster_version) for held in shared)
    raise RefusedError(Reason.CONV_TAG if known else Reason.ROSTER_STALE)


def check_member(held: Held, sender: AccountId, time: int, grace_ms: int) -> None:
    """Who has left may have written before that was known, and not later: ``ROSTER_STALE``."""
    # SPEC RCV-16: whoever has left is not heard after the grace.
    if sender not in held.conversation.members and time >= held.since + grace_ms:
        raise RefusedError(Reason.ROSTER_STALE, "its sender has left the conversation")


def _keep(draft: Draft, held: Held) -> Held:
    conversation = held.conversation
    draft.put(_place(conversation.id), pack(held))
    _index(draft, conversation)
    return held


def _index(draft: Draft, conversation: Conversation) -> None:
    for member in conversation.members:
        draft.put(b"with/" + member + u8(conversation.mode) + conversation.id, conversation.id)


def _place(name: bytes) -> bytes:
    return b"conv/" + name


def _past(name: bytes, version: int) -> bytes:
    return b"past/" + name + u64(version)


def _pair(peer: AccountId, mode: int) -> bytes:
    return b"pair/" + peer + u8(mode)


def _group(name: str) -> bytes:
    return b"group/" + name.encode()
