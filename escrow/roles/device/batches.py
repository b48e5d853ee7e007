"""Prekeys that were made together, and how a device writes them down: secrets, numbers, and when they go.

When a batch is made, replaced and erased is ``prekeeping``'s business.
"""

from typing import NamedTuple

from msgspec import Struct

from escrow.e2ee.bundle import PrekeySecret
from escrow.e2ee.keys import Purpose
from escrow.encoding import number, u8, u32
from escrow.ids import Millis
from escrow.roles.device.state import prekey_key
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack

GRACE = 30 * 24 * 3600 * 1000
"""How long a replaced batch is kept for what is under way, in ms, as Signal's clients keep theirs."""

_BATCH = b"batch/"
_NEXT = b"next-prekey"


class Kind(NamedTuple):
    """The two kinds of batches: their byte in the store, and the purposes of their keys."""

    byte: int
    purposes: tuple[Purpose, Purpose]


LASTING = Kind(0, (Purpose.SIGNED_PREKEY, Purpose.KEM_LAST_RESORT))
ONE_TIME = Kind(1, (Purpose.ONE_TIME_PREKEY, Purpose.KEM_ONE_TIME))


class Batch(Struct, frozen=True):
    """Prekeys with the numbers ``first`` to ``first + count - 1``, made at ``made``; times in ms, 0: not yet.

    ``bundle`` is the signed static part (lasting keys only). ``replaced``: others were seen in its place. After its
    grace: ``emptied``, the mailbox was empty; ``last_call``, what is fetched from then on is the last that it is for;
    ``called``, and that was fetched.
    """

    first: int
    count: int
    made: Millis
    not_after: int
    bundle: bytes
    replaced: int = 0
    emptied: bool = False
    last_call: int = 0
    called: bool = False

    @property
    def ends(self) -> int:
        """When its grace ends: nobody honest has begun anything with it for that long."""
        return min(self.replaced or self.not_after, self.not_after) + GRACE


def begun(view: Read | Draft) -> bool:
    """Whether any prekeys were ever made."""
    return view.get(_NEXT) is not None


def take_numbers(draft: Draft, count: int) -> int:
    """The first of ``count`` numbers that no prekey has had."""
    first = number(draft.get(_NEXT) or u32(1))
    draft.put(_NEXT, u32(first + count))
    return first


def batches(view: Read | Draft, kind: Kind) -> list[Batch]:
    """All that are not erased, oldest first."""
    return [unpack(data, Batch) for _, data in view.scan(_BATCH + u8(kind.byte))]


def newest(view: Read | Draft, kind: Kind) -> Batch | None:
    """The one that was made last, if it is not erased."""
    found = view.last(_BATCH + u8(kind.byte))
    return None if found is None else unpack(found[1], Batch)


def keep(draft: Draft, kind: Kind, batch: Batch, before: Batch | None = None) -> None:
    """Write a batch down, if it is not as it was ``before``."""
    if batch != before:
        draft.put(_BATCH + u8(kind.byte) + u32(batch.first), pack(batch))


def keep_secrets(draft: Draft, secrets: tuple[PrekeySecret, ...]) -> None:
    """Write the secrets of a batch down, before anything of it is offered."""
    for secret in secrets:
        draft.put(prekey_key(secret.purpose, secret.number), pack(secret))


def erase(draft: Draft, kind: Kind, batch: Batch) -> None:
    """Forget a batch and what is left of its secrets."""
    # SPEC PRK-7: what nothing under way can need any more is erased.
    for purpose in kind.purposes:
        for place in range(batch.first, batch.first + batch.count):
            draft.delete(prekey_key(purpose, place))
    draft.delete(_BATCH + u8(kind.byte) + u32(batch.first))
