"""Asking for messages again that came and will not open, and taking what is said again: only as asked, and once.

The question is a message to the sender, in the same mode as what is missing, hence escrowed where that was. It is asked
when nothing more is being fetched, so that what merely came out of order is not asked for; once for a message, and not
without bound: whoever sends what cannot be opened, or names a sender who did not, makes nobody busy.
"""

import hashlib
from collections.abc import Collection, Iterator

from msgspec import Struct
from msgspec.structs import replace

from escrow.e2ee.content import NeedRetry, Original, Retry
from escrow.e2ee.keys import Identity
from escrow.encoding import u8
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.device.beginning import renew
from escrow.roles.device.settling import settle as settle_name
from escrow.roles.device.state import ESCROW, load_me, say, session_with
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack

MOST_A_DAY = NeedRetry.MOST
"""Messages that are asked for of one device in one mode within a day."""
DAY = 24 * 3600 * 1000
PLAIN_ID = 16
"""Bytes of the name of a message without escrow."""
REMEMBERED = 30 * DAY
"""How long we know what was asked for and whether it came, in ms: after that nobody says it again."""

_AGAIN = b"again/"

WANTED, ASKED, CAME, ANSWERED = "wanted", "asked", "came", "answered"


class Wanted(Struct, frozen=True):
    """What will not open: from whom, in which mode, and the name under which it is settled once it was shown.

    ``chain`` is the one it goes on in, if it does; ``broken``: the session did not open it. ``time`` (ms) is when
    it was asked for, or before that when it came.
    """

    sender: Identity
    mode: int
    settles: bytes
    chain: bytes
    broken: bool
    time: int
    state: str = WANTED


def want(draft: Draft, name: bytes, wanted: Wanted) -> None:
    """Note that the sender is to be asked for ``name`` (32 bytes), unless that was done."""
    place = _place(name, wanted.sender, wanted.mode)
    if draft.get(place) is None:
        draft.put(place, pack(wanted))


def wants(view: Read | Draft) -> bool:
    """Whether there is anything to ask, or to forget."""
    return next(iter(view.scan(_AGAIN, limit=1)), None) is not None


def ask(draft: Draft, late: Collection[bytes], now: Millis) -> None:
    """Forget what is past; ask each sender for what is wanted, but for what goes on in one of the chains ``late``."""
    known = []
    for place, one in list(_all(draft)):
        if now < one.time + REMEMBERED:
            known.append((place, one))
        else:
            draft.delete(place)
    for senders, mode in sorted({(one.sender.encode(), one.mode) for _, one in known}):
        theirs = [(place, one) for place, one in known if (one.sender.encode(), one.mode) == (senders, mode)]
        # SPEC RTY-4: nobody is asked without bound.
        today = sum(one.state != WANTED and now < one.time + DAY for _, one in theirs)
        due = [each for each in theirs if each[1].state == WANTED and each[1].chain not in late]
        _ask(draft, due[: max(0, MOST_A_DAY - today)], now)


def settle(draft: Draft, name: bytes, sender: Identity | None, mode: int) -> None:
    """What may have been wanted came by itself."""
    if sender is None:
        return
    place = _place(name, sender, mode)
    data = draft.get(place)
    if data is None:
        return
    wanted = unpack(data, Wanted)
    if wanted.state == WANTED:
        draft.delete(place)
    elif wanted.state == ASKED:
        draft.put(place, pack(replace(wanted, state=CAME)))


def give_up(draft: Draft, name: bytes) -> None:
    """What has this name is not waited for any more, so nobody is asked for it who was not yet."""
    for place, data in list(draft.scan(_AGAIN + name)):
        if unpack(data, Wanted).state == WANTED:
            draft.delete(place)


def take(draft: Draft, sender: Identity, mode: int, again: Retry, now: Millis) -> Original | None:
    """What was said again, if it has not come by itself in the meantime.

    Raises ``RefusedError``: RETRY_UNSOLICITED for what was not asked for, of this device in this mode, or was answered
    before; CONTENT_INVALID under another name than its own, or none.
    """
    place = _place(again.of, sender, mode)
    data = draft.get(place)
    wanted = None if data is None else unpack(data, Wanted)
    # SPEC RTY-3: a repetition that nobody asked for is refused, and so is a second one.
    if wanted is None or wanted.state not in (ASKED, CAME):
        raise RefusedError(Reason.RETRY_UNSOLICITED)
    if again.id != again.of if mode == ESCROW else len(again.id) != PLAIN_ID:
        raise RefusedError(Reason.CONTENT_INVALID, "a repetition under another name")
    draft.put(place, pack(replace(wanted, state=ANSWERED)))
    settle_name(draft, wanted.settles, now)
    return again.content if wanted.state == ASKED else None


def _ask(draft: Draft, due: list[tuple[bytes, Wanted]], now: Millis) -> None:
    if not due:
        return
    sender, mode = due[0][1].sender, due[0][1].mode
    names = tuple(place[len(_AGAIN) : len(_AGAIN) + 32] for place, _ in due)
    if sender.account != load_me(draft).keys.account:  # a conversation is with somebody else
        say(draft, sender.account.hex(), mode, NeedRetry(names))
    if any(one.broken for _, one in due) and session_with(draft, sender, mode) is not None:
        renew(draft, sender, mode)
    for place, one in due:
        draft.put(place, pack(replace(one, state=ASKED, time=now)))


def _all(view: Read | Draft) -> Iterator[tuple[bytes, Wanted]]:
    for place, data in view.scan(_AGAIN):
        yield place, unpack(data, Wanted)


def _place(name: bytes, sender: Identity, mode: int) -> bytes:
    return _AGAIN + name + hashlib.sha256(sender.encode() + u8(mode)).digest()
