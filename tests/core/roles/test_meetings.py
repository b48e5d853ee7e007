"""The place at the relay where strangers meet: three notes, each written once, for a while and not without end."""

from dataclasses import dataclass, field

import pytest

from escrow.e2ee.linking import LIFETIME
from escrow.errors import EscrowError, Reason
from escrow.ids import Millis
from escrow.roles.calls import GetNotes, LeaveNote
from escrow.roles.machine import Draft
from escrow.roles.relay.meetings import MOST_NOTE, PLACES, Meetings
from escrow.store.memory import MemoryStore
from tests.core.roles.town import MINUTE, Town

MEETING, OTHER = b"m" * 16, b"o" * 16
START = Millis(1000)


@dataclass
class Board:
    """The relay's meetings, and a clock."""

    meetings: Meetings = field(default_factory=Meetings)
    draft: Draft = field(default_factory=lambda: Draft(MemoryStore()))
    now: Millis = START

    def leave(self, place: int, note: bytes, meeting: bytes = MEETING) -> None:
        self.meetings.leave(self.draft, LeaveNote(meeting, place, note), self.now)

    def read(self, meeting: bytes = MEETING) -> tuple[bytes, ...]:
        return self.meetings.read(self.draft, GetNotes(meeting), self.now).notes

    def kept(self) -> list[bytes]:
        return [key for key, _ in self.draft.scan(b"meeting")]


def refusal(board: Board, place: int, note: bytes, meeting: bytes = MEETING) -> Reason:
    before = dict(board.draft.scan(b""))
    with pytest.raises(EscrowError) as refused:
        board.leave(place, note, meeting)
    assert dict(board.draft.scan(b"")) == before
    return refused.value.reason


def test_notes_are_read_in_their_order_and_by_everybody_who_knows_the_name() -> None:
    board = Board()
    for place, note in enumerate((b"one", b"two", b"three")):
        board.leave(place, note)
        assert board.read() == (b"one", b"two", b"three")[: place + 1]
    board.leave(0, b"another", OTHER)
    assert board.read(OTHER) == (b"another",)


@pytest.mark.spec("LNK-3")
def test_a_place_is_written_once_and_the_same_note_again_is_the_same_note() -> None:
    board = Board()
    board.leave(0, b"one")
    board.leave(1, b"two")
    board.leave(1, b"two")
    assert refusal(board, 1, b"too late") is Reason.CODE_USED
    assert refusal(board, 0, b"another beginning") is Reason.CODE_USED
    assert board.read() == (b"one", b"two")


def test_what_follows_a_gap_is_not_shown() -> None:
    board = Board()
    board.leave(0, b"one")
    board.leave(2, b"three")
    assert board.read() == (b"one",)
    board.leave(1, b"two")
    assert board.read() == (b"one", b"two", b"three")


def test_only_the_first_note_opens_a_meeting() -> None:
    board = Board()
    assert refusal(board, 1, b"two") is Reason.NOT_FOUND
    with pytest.raises(EscrowError) as refused:
        board.read()
    assert refused.value.reason is Reason.NOT_FOUND


def test_a_meeting_ends_and_leaves_nothing_behind() -> None:
    board = Board()
    board.leave(0, b"one")
    board.now = Millis(board.now + LIFETIME - 1)
    assert board.read() == (b"one",)
    board.now = Millis(board.now + 1)
    with pytest.raises(EscrowError):
        board.read()
    assert refusal(board, 1, b"two") is Reason.NOT_FOUND
    board.meetings.purge(board.draft, board.now)
    assert board.kept() == [b"meeting-count"]
    board.leave(0, b"another")
    assert board.read() == (b"another",), "the name is free again"


def test_there_are_so_many_meetings_at_a_time_and_no_more() -> None:
    board = Board(Meetings(most=3))
    for n in range(3):
        board.leave(0, b"one", bytes([n]) * 16)
    assert refusal(board, 0, b"one") is Reason.RATE_LIMITED
    board.leave(1, b"two", bytes(16))
    board.now = Millis(board.now + LIFETIME)
    board.leave(0, b"one")
    assert len(board.kept()) == 4, "name, note and end of one meeting, and the count"


@pytest.mark.parametrize(
    ("place", "note", "meeting", "reason"),
    [
        (PLACES, b"", MEETING, Reason.MALFORMED),
        (-1, b"", MEETING, Reason.MALFORMED),
        (0, bytes(MOST_NOTE + 1), MEETING, Reason.TOO_LARGE),
        (0, b"", b"short", Reason.MALFORMED),
    ],
)
def test_what_is_no_note_is_refused(place: int, note: bytes, meeting: bytes, reason: Reason) -> None:
    assert refusal(Board(), place, note, meeting) is reason


def test_the_relay_answers_strangers_and_forgets_in_time() -> None:
    town = Town()
    newcomer = f"newcomer/{MEETING.hex()}"
    town.ask("relay", LeaveNote(MEETING, 0, b"commitment"), newcomer)
    assert town.ask("relay", GetNotes(MEETING), "device/" + "ab" * 32 + "/1").notes == (b"commitment",)
    town.advance(11 * MINUTE)
    town.tick("relay")
    assert not [key for key, _ in town.store("relay").scan(b"meeting/")]
