"""MSG-21: who stands between two devices that are being linked shows two strings, but for one guess in a million."""

import hashlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.e2ee.linking import Invitation, NewKeys, Reveal, short_string
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import GetNotes, LeaveNote, Notes
from escrow.roles.device import enrolment, hosting, joining
from escrow.roles.device.linking import Stage
from escrow.roles.machine import Draft
from escrow.secret import Secret
from escrow.store.memory import MemoryStore
from tests.claims.measures import Census
from tests.core.roles.town import START, founded

pytestmark = pytest.mark.claim("MSG-21")

NOW = Millis(START)
GENESIS = founded().genesis
MANY = 400
"""Tries that somebody has who may choose again: enough to hit any first digit."""

seeds = st.binary(min_size=32, max_size=32)


@dataclass
class Side:
    """One device, which hears only what its postman brings."""

    coins: Coins
    draft: Draft = field(default_factory=lambda: Draft(MemoryStore()))

    def left(self, place: int) -> bytes:
        """What it has left at the meeting."""
        return next(todo.call.note for todo in self.draft.owed(LeaveNote)
                    if isinstance(todo.call, LeaveNote) and todo.call.place == place)  # fmt: skip

    def join(self) -> bytes:
        joining.begin(self.draft, NOW, self.coins)
        return self.left(0)

    def host(self, code: str) -> None:
        enrolment.register(self.draft, GENESIS, "alice", self.coins)
        hosting.begin(self.draft, code, NOW)

    @property
    def code(self) -> str:
        new = joining.load(self.draft)
        assert new is not None
        return new.code

    def hear(self, meeting: bytes, *notes: bytes) -> None:
        joining.on_notes(self.draft, GENESIS, GetNotes(meeting), Notes(notes))
        hosting.on_notes(self.draft, GENESIS, GetNotes(meeting), Notes(notes), self.coins)

    def screen(self) -> tuple[str, str]:
        """The stage, and the string."""
        new, host = joining.load(self.draft), hosting.load(self.draft)
        if host is not None:
            shown = hosting.report(self.draft, host)
        else:
            assert new is not None
            shown = joining.report(new)
        return shown.stage, shown.string


def pair(seed: bytes) -> tuple[Side, Side, bytes, bytes]:
    """A new device and a first one, the commitment, and the meeting."""
    new, host = Side(Coins(seed)), Side(Coins(bytes(one ^ 1 for one in seed)))
    commitment = new.join()
    host.host(new.code)
    known = joining.load(new.draft)
    assert known is not None
    return new, host, commitment, known.meeting


def keys(coins: Coins) -> NewKeys:
    return NewKeys(*(Secret(coins.take("evil", 32)) for _ in range(3)))


@given(seeds)
def test_with_nobody_between_both_screens_show_one_string(census: Census, seed: bytes) -> None:
    new, host, commitment, meeting = pair(seed)
    host.hear(meeting, commitment)
    new.hear(meeting, commitment, host.left(1))
    host.hear(meeting, commitment, host.left(1), new.left(2))
    assert new.screen() == host.screen()
    assert new.screen()[0] == Stage.COMPARE
    census("same")


@given(seeds, st.sampled_from(("both", "only the new keys")))
def test_with_somebody_between_the_screens_differ(census: Census, seed: bytes, exchanged: str) -> None:
    """All that can be chosen in time is chosen: keys and nonce, on one side or on both.

    Six digits are the same once in a million times, and twice in a row in no lifetime.
    """
    strings = [between(seed, exchanged), between(hashlib.sha256(seed).digest(), exchanged)]
    assert any(ours != theirs for ours, theirs in strings)
    census("differ")
    if any(ours[0] == theirs[0] for ours, theirs in strings):
        census("one digit guessed")


def between(seed: bytes, exchanged: str) -> tuple[str, str]:
    """What the two screens show when somebody has exchanged keys between them."""
    new, host, commitment, meeting = pair(seed)
    evil = Coins(bytes(one ^ 2 for one in seed))
    mine = keys(evil)
    host.hear(meeting, mine.offer.commitment(meeting))
    told = host.left(1)
    if exchanged == "both":
        other = Side(evil)
        other.host(new.code)
        other.hear(meeting, commitment)
        told = other.left(1)
    new.hear(meeting, commitment, told)
    reveal = Reveal.make(mine, Invitation.decode(host.left(1))).encode()
    host.hear(meeting, mine.offer.commitment(meeting), host.left(1), reveal)
    (stage, ours), (theirs_stage, theirs) = new.screen(), host.screen()
    assert stage == theirs_stage == Stage.COMPARE
    return ours, theirs


@given(seeds)
def test_an_opening_for_another_account_contradicts_itself(census: Census, seed: bytes) -> None:
    """Only the account is exchanged: the new device proves its keys for that one, and is of no use to this."""
    new, host, commitment, meeting = pair(seed)
    other = Side(Coins(bytes(one ^ 2 for one in seed)))
    other.host(new.code)
    for side in (host, other):
        side.hear(meeting, commitment)
    new.hear(meeting, commitment, other.left(1))
    host.hear(meeting, commitment, host.left(1), new.left(2))
    assert host.screen() == (Stage.FAILED, "")
    census("contradicts itself")


@given(seeds)
def test_whoever_knows_the_string_may_not_open_other_keys_to_fit_it(census: Census, seed: bytes) -> None:
    """The first digit stands for all six: whoever may choose again hits it."""
    new, host, commitment, meeting = pair(seed)
    evil = Coins(bytes(one ^ 2 for one in seed))
    mine = keys(evil)
    host.hear(meeting, mine.offer.commitment(meeting))
    invited = host.left(1)
    new.hear(meeting, commitment, invited)
    wanted = new.screen()[1][0]
    fitting = next(
        tried for tried in (replace(mine, nonce=Secret(evil.take("try", 32))) for _ in range(MANY))
        if short_string(meeting, invited, tried.offer)[0] == wanted)  # fmt: skip
    reveal = Reveal.make(fitting, Invitation.decode(invited))
    with pytest.raises(RefusedError) as refused:
        reveal.device(meeting, mine.offer.commitment(meeting), Invitation.decode(invited))
    assert refused.value.reason is Reason.LINK_INVALID
    host.hear(meeting, mine.offer.commitment(meeting), invited, reveal.encode())
    assert host.screen() == (Stage.FAILED, "")
    census("no second choice")


@given(seeds)
def test_whoever_knows_the_opened_keys_may_not_invite_again_to_fit_them(census: Census, seed: bytes) -> None:
    new, host, commitment, meeting = pair(seed)
    host.hear(meeting, commitment)
    invited = host.left(1)
    new.hear(meeting, commitment, invited)
    string, offer = new.screen()[1], Reveal.decode(new.left(2)).offer
    evil, wanted = Coins(bytes(one ^ 2 for one in seed)), "0" if string[0] != "0" else "1"
    honest = Invitation.decode(invited)
    tried = (replace(honest, nonce=evil.take("try", 32)).encode() for _ in range(MANY))
    fitting = next(one for one in tried if short_string(meeting, one, offer)[0] == wanted)
    new.hear(meeting, commitment, fitting)
    assert new.screen() == (Stage.COMPARE, string)
    census("no second invitation")


@given(seeds)
def test_whoever_does_not_hold_the_keys_is_not_linked(census: Census, seed: bytes) -> None:
    """The offer of another, in full and under the right commitment, and a proof of one's own."""
    _, host, _, meeting = pair(seed)
    evil = Coins(bytes(one ^ 2 for one in seed))
    mine, borrowed = keys(evil), keys(evil).offer
    host.hear(meeting, borrowed.commitment(meeting))
    invited = host.left(1)
    proof = Reveal.make(mine, Invitation.decode(invited)).proof
    host.hear(meeting, borrowed.commitment(meeting), invited, Reveal(borrowed, proof).encode())
    assert host.screen() == (Stage.FAILED, "")
    census("not its keys")
