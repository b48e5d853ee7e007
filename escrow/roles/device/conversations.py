"""Which conversation a message belongs to: found by its tag, begun by whoever writes first, pinned for ever.

A conversation's mode never changes. Writing to the same peer in the other mode is another conversation, and the
screen says which is which.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.e2ee.conversation import Conversation
from escrow.e2ee.keys import Identity
from escrow.encoding import u8
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId
from escrow.roles.device.state import ESCROW, Me
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.warrant.genesis import Genesis

NO_LINEAGE = bytes(32)
"""What stands for the policy where there is no escrow."""


class Held(Struct, frozen=True):
    """A conversation of a pair. Its first version travels with every message until the peer has written in it."""

    conversation: Conversation
    peer: AccountId
    confirmed: bool

    @property
    def genesis(self) -> bytes | None:
        """What still has to travel along."""
        return None if self.confirmed else self.conversation.encode()


def lineage_of(genesis: Genesis, mode: int) -> bytes:
    """The policy lineage that a conversation of this mode is pinned to."""
    return genesis.policy.lineage_hash if mode == ESCROW else NO_LINEAGE


def with_peer(draft: Draft, genesis: Genesis, me: Me, peer: AccountId, mode: int, coins: Coins) -> Held:
    """The conversation in use with ``peer`` in ``mode``; a new one if there is none."""
    in_use = draft.get(b"with/" + peer + u8(mode))
    if in_use is not None:
        return unpack(draft.get(in_use) or b"", Held)
    secret = Secret(coins.take("conversation", 32))
    lineage = lineage_of(genesis, mode)
    conversation = Conversation.start(me.keys.signing_key, me.keys.account, secret, mode, lineage, (peer,))
    return _keep(draft, Held(conversation, peer, confirmed=False))


def adopt(draft: Draft, genesis: Genesis, me: Me, sender: Identity, mode: int, data: bytes) -> Held:
    """Take over the conversation that ``sender`` has begun; the same one twice is one.

    Raises ``RefusedError``: SENDER_INCONSISTENT unless the sender signed a pair of us two, MODE_MISMATCH unless it has
    the session's mode and lineage.
    """
    try:
        conversation = Conversation.decode(data, sender.signing)
    except (MalformedError, RefusedError) as error:
        raise RefusedError(Reason.SENDER_INCONSISTENT, error.detail) from error
    if (conversation.mode, conversation.lineage) != (mode, lineage_of(genesis, mode)):
        raise RefusedError(Reason.MODE_MISMATCH, "a conversation of another mode or policy")
    if conversation.admin != sender.account or set(conversation.members) != {me.keys.account, sender.account}:
        raise RefusedError(Reason.SENDER_INCONSISTENT, "the roster of another conversation")
    held = Held(conversation, sender.account, confirmed=True)
    known = draft.get(_place(held))
    return _keep(draft, held) if known is None else unpack(known, Held)


def confirm(draft: Draft, held: Held) -> None:
    """The peer has written in this conversation: it has the first version."""
    if not held.confirmed:
        draft.put(_place(held), pack(replace(held, confirmed=True)))


def all_held(view: Read | Draft) -> Iterator[Held]:
    """Every conversation of this device."""
    for _, data in view.scan(b"conv/"):
        yield unpack(data, Held)


def held_with(view: Read | Draft, peer: AccountId, mode: int) -> list[Held]:
    """The conversations with ``peer`` in ``mode``; ``ROSTER_UNKNOWN``, deferred: the first version may be late."""
    found = [unpack(data, Held) for _, data in view.scan(b"conv/" + peer + u8(mode))]
    if not found:
        raise DeferredError(Reason.ROSTER_UNKNOWN)
    return found


def _keep(draft: Draft, held: Held) -> Held:
    draft.put(_place(held), pack(held))
    in_use = b"with/" + held.peer + u8(held.conversation.mode)
    if draft.get(in_use) is None:
        draft.put(in_use, _place(held))
    return held


def _place(held: Held) -> bytes:
    return b"conv/" + held.peer + u8(held.conversation.mode) + held.conversation.id
