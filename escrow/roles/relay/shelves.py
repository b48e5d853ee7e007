"""The prekeys that lie at the relay: for each device one bundle, and one row of one-time keys of each kind.

A device numbers its prekeys upwards and never uses a number twice. So the highest number seen is all that has to be
remembered for no key to be handed out twice, also if its owner publishes it again: what is kept for a device is
bounded, however long it lives. Who may publish is ``prekeys``' business; nobody needs to trust any of it.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from escrow.crypto.sign import SIGNATURE_SIZE
from escrow.e2ee.bundle import Prekey, VerifiedBundle
from escrow.e2ee.keys import Purpose
from escrow.encoding import number, u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.calls import PrekeyBundle, PrekeyStock
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack

SHARE = 5
"""One-time keys of a kind that one account gets of one device in a day. It needs one for each mode and device of its
own; whoever asks for more would empty the row for everybody else, and gets the last-resort key instead."""
DAY = 24 * 3600 * 1000

_SHELF = b"bundle/"
_SHARE = b"share/"
_ROWS = {Purpose.ONE_TIME_PREKEY: b"prekey/ec/", Purpose.KEM_ONE_TIME: b"prekey/kem/"}

Row = Sequence[tuple[Prekey, bytes]]
"""One-time keys of one kind, as read and as signed, in the order of their numbers."""


class Shelf(Struct, frozen=True):
    """What lies there for one device. ``signed`` numbers its bundle, which expires at ``not_after`` (ms).

    ``one_time`` is the first number of the rows that lie there, ``last`` the highest that any row ever had.
    """

    bundle: bytes
    signed: int
    not_after: int
    one_time: int = 0
    last: int = 0
    ec_left: int = 0
    kem_left: int = 0


def stock(view: Read | Draft, place: bytes) -> PrekeyStock | None:
    """What its owner is told; None if nothing lies there. ``place``: account 32, device u32."""
    shelf = _shelf(view, place)
    return None if shelf is None else PrekeyStock(shelf.signed, shelf.one_time, shelf.ec_left, shelf.kem_left)


def fill(draft: Draft, place: bytes, bundle: bytes, verified: VerifiedBundle, ec: Row, kem: Row) -> None:
    """Put a bundle and rows in the place of those with lower numbers. What came before changes nothing.

    Raises ``MalformedError`` for rows out of order, ``RefusedError(BUNDLE_INVALID)`` for a number that was used for
    something else.
    """
    shelf = _shelf(draft, place)
    not_after = min(verified.signed.not_after, verified.kem.not_after)
    if shelf is None:
        shelf = Shelf(bundle, verified.signed.number, not_after)
    elif verified.signed.number > shelf.signed:
        shelf = replace(shelf, bundle=bundle, signed=verified.signed.number, not_after=not_after)
    elif verified.signed.number == shelf.signed and bundle != shelf.bundle:
        raise RefusedError(Reason.BUNDLE_INVALID, "a number that stands for another bundle")
    draft.put(_SHELF + place, pack(_with_rows(draft, place, shelf, ec, kem)))


def _with_rows(draft: Draft, place: bytes, shelf: Shelf, ec: Row, kem: Row) -> Shelf:
    if any(key.number >= later.number for row in (ec, kem) for (key, _), (later, _) in pairwise(row)):
        raise MalformedError("one-time keys out of order")
    numbers = [key.number for row in (ec, kem) for key, _ in row]
    if not numbers or max(numbers) <= shelf.last:
        return shelf
    if min(numbers) <= shelf.last:
        raise RefusedError(Reason.BUNDLE_INVALID, "one-time keys with used numbers among new ones")
    for prefix, row in zip(_ROWS.values(), (ec, kem), strict=True):
        for old, _ in list(draft.scan(prefix + place)):
            draft.delete(old)
        for key, signed in row:
            draft.put(prefix + place + u32(key.number), signed)
    return replace(shelf, one_time=min(numbers), last=max(numbers), ec_left=len(ec), kem_left=len(kem))


def take(draft: Draft, place: bytes, asker: AccountId, now: Millis) -> PrekeyBundle:
    """The bundle and one one-time key of each kind, which is gone with that.

    Raises ``RefusedError``: NOT_FOUND, PREKEYS_EXPIRED.
    """
    shelf = _shelf(draft, place)
    if shelf is None:
        raise RefusedError(Reason.NOT_FOUND, "the device has published no prekeys")
    # SPEC PRK-3: an expired bundle is not handed out.
    if shelf.not_after <= now:
        raise RefusedError(Reason.PREKEYS_EXPIRED)
    # SPEC PRK-4: beyond its share an account gets no one-time keys.
    if not _within_share(draft, place, asker, now):
        return PrekeyBundle(shelf.bundle, b"", b"")
    ec, ec_gone = _take_first(draft, Purpose.ONE_TIME_PREKEY, place, now)
    kem, kem_gone = _take_first(draft, Purpose.KEM_ONE_TIME, place, now)
    shelf = replace(shelf, ec_left=shelf.ec_left - ec_gone, kem_left=shelf.kem_left - kem_gone)
    draft.put(_SHELF + place, pack(shelf))
    return PrekeyBundle(shelf.bundle, ec, kem)


def _shelf(view: Read | Draft, place: bytes) -> Shelf | None:
    data = view.get(_SHELF + place)
    return None if data is None else unpack(data, Shelf)


def _take_first(draft: Draft, purpose: Purpose, place: bytes, now: Millis) -> tuple[bytes, int]:
    """The first key of a row that is still good, or nothing; and how many have left the row with that."""
    gone = 0
    for slot, signed in draft.scan(_ROWS[purpose] + place):
        draft.delete(slot)
        gone += 1
        if Prekey.decode(signed[:-SIGNATURE_SIZE], purpose).not_after > now:
            return signed, gone
    return b"", gone


def _within_share(draft: Draft, place: bytes, asker: AccountId, now: Millis) -> bool:
    """Count a question. What was counted on other days is forgotten."""
    today = _SHARE + place + u64(now // DAY)
    for name, _ in list(draft.scan(_SHARE + place)):
        if not name.startswith(today):
            draft.delete(name)
    count = number(draft.get(today + asker) or u32(0))
    if count < SHARE:
        draft.put(today + asker, u32(count + 1))
    return count < SHARE
