"""Where two devices meet that do not know each other yet: three notes under a random name, for ten minutes.

Anybody may read and write them, so they prove nothing; what makes a linking safe stands in ``e2ee.linking``. Each place
is written once, which leaves a stranger who guesses a name nothing to do but to spoil one meeting.
"""

from dataclasses import dataclass

from escrow.e2ee.linking import LIFETIME, MEETING_SIZE
from escrow.encoding import expect, number, u8, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import Done, GetNotes, LeaveNote, Notes
from escrow.roles.machine import Draft

PLACES = 3
MOST_NOTE = 4096
MOST_MEETINGS = 10_000
"""Meetings at one time: 120 MB of notes."""

_OPENED = b"meeting/"
_NOTE = b"meeting-note/"
_ENDS = b"meeting-ends/"
_COUNT = b"meeting-count"


@dataclass(frozen=True, slots=True)
class Meetings:
    """The meetings in a relay's state; ``most`` of them at a time."""

    most: int = MOST_MEETINGS

    def answer(self, draft: Draft, call: LeaveNote | GetNotes, now: Millis) -> Done | Notes:
        """``leave`` or ``read``."""
        return self.leave(draft, call, now) if isinstance(call, LeaveNote) else self.read(draft, call, now)

    def leave(self, draft: Draft, call: LeaveNote, now: Millis) -> Done:
        """Take a note; the same one again is taken as before.

        ``MalformedError``, ``NOT_FOUND`` (no such meeting, and this is not the note that opens one), ``CODE_USED``
        (another note is there), ``RATE_LIMITED`` (too many meetings).
        """
        expect(call.meeting, MEETING_SIZE, "the name of a meeting")
        if not 0 <= call.place < PLACES:
            raise MalformedError(f"a meeting has {PLACES} places")
        if len(call.note) > MOST_NOTE:
            raise MalformedError("a note", Reason.TOO_LARGE)
        if not _is_open(draft, call.meeting, now):
            if call.place:
                raise RefusedError(Reason.NOT_FOUND, "there is no such meeting, or it is over")
            self._open(draft, call.meeting, now)
        place = _NOTE + call.meeting + u8(call.place)
        # SPEC LNK-3: a place at a meeting is written once.
        if draft.get(place) not in (None, call.note):
            raise RefusedError(Reason.CODE_USED)
        draft.put(place, call.note)
        return Done()

    def read(self, draft: Draft, call: GetNotes, now: Millis) -> Notes:
        """Everything at a meeting up to the first empty place; ``NOT_FOUND``."""
        expect(call.meeting, MEETING_SIZE, "the name of a meeting")
        if not _is_open(draft, call.meeting, now):
            raise RefusedError(Reason.NOT_FOUND, "there is no such meeting, or it is over")
        notes = []
        for place in range(PLACES):
            note = draft.get(_NOTE + call.meeting + u8(place))
            if note is None:
                break
            notes.append(note)
        return Notes(tuple(notes))

    def purge(self, draft: Draft, now: Millis) -> None:
        """Forget the meetings that are over."""
        for key, _ in list(draft.scan(_ENDS)):
            if number(key[len(_ENDS) : -MEETING_SIZE]) > now:
                break
            meeting = key[-MEETING_SIZE:]
            for gone in (key, _OPENED + meeting, *(note for note, _ in list(draft.scan(_NOTE + meeting)))):
                draft.delete(gone)
            draft.put(_COUNT, u64(_count(draft) - 1))

    def _open(self, draft: Draft, meeting: bytes, now: Millis) -> None:
        self.purge(draft, now)
        if _count(draft) >= self.most:
            raise RefusedError(Reason.RATE_LIMITED, "too many devices are being linked")
        draft.put(_OPENED + meeting, u64(now + LIFETIME))
        draft.put(_ENDS + u64(now + LIFETIME) + meeting, b"")
        draft.put(_COUNT, u64(_count(draft) + 1))


def _is_open(draft: Draft, meeting: bytes, now: Millis) -> bool:
    ends = draft.get(_OPENED + meeting)
    return ends is not None and number(ends) > now


def _count(draft: Draft) -> int:
    return number(draft.get(_COUNT) or b"")
