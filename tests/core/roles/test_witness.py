"""Witnesses: one tree per size, time that never goes back, and what that is worth when some of them are corrupt."""

from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import EscrowError, Reason, RefusedError
from escrow.roles.calls import AddCheckpoint, Cosigned, GetHead
from escrow.roles.machine import CatchUp, Tick
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import EMPTY_ROOT, leaf_hash, root_of
from escrow.tlog.note import Note
from escrow.tlog.quorum import Head, verify_head
from escrow.tlog.tree import append, consistency
from escrow.tlog.witnessing import Request
from escrow.world.loop import complete
from tests.core.roles.town import Town


class Branch:
    """What a log with the log's own key could show: a tree of its choice."""

    def __init__(self, town: Town, *leaves: bytes) -> None:
        self.town = town
        self.leaves = list(leaves)
        _, self.nodes = append(0, [leaf_hash(leaf) for leaf in leaves], lambda *_: b"")

    def note(self, size: int) -> bytes:
        stated = Checkpoint(self.town.genesis.log.origin, size, root_of(self.leaves[:size]))
        return checkpoint.sign(stated, self.town.genesis.log_key.name, self.town.key("log"))

    def request(self, old: int, size: int) -> AddCheckpoint:
        proof = consistency(old, size, lambda level, index: self.nodes[level, index]) if 0 < old < size else ()
        return AddCheckpoint(Request.of(old, proof, self.note(size)).encode())


def cosigned(town: Town, witness: str, call: AddCheckpoint) -> Cosigned:
    reply = town.ask(witness, call, "log")
    assert isinstance(reply, Cosigned)
    return reply


def time_in(town: Town, line: bytes, note: bytes) -> int:
    witness = town.genesis.witness_rule.witnesses[0]
    time = cosignature.time_of(Note.parse(cosignature.attach(note, line, witness)), witness)
    assert time is not None
    return time


def test_a_witness_cosigns_what_extends_its_record_and_says_when() -> None:
    town = Town()
    branch = Branch(town, b"a", b"b", b"c")
    line = cosigned(town, "witness/1", branch.request(0, 2)).line
    assert time_in(town, line, branch.note(2)) == town.now // 1000
    assert cosigned(town, "witness/1", branch.request(2, 3)).line
    assert cosigned(town, "witness/1", branch.request(3, 3)).line, "the same again is fine"


def test_a_witness_never_cosigns_two_trees_of_one_size() -> None:
    town = Town()
    mine, other = Branch(town, b"a", b"b", b"c"), Branch(town, b"a", b"x", b"c")
    cosigned(town, "witness/1", mine.request(0, 2))
    before = town.store("witness/1").snapshot()
    for request in (other.request(2, 2), other.request(2, 3)):
        with pytest.raises(EscrowError) as caught:
            town.ask("witness/1", request)
        assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert town.store("witness/1").snapshot() == before


def test_two_requests_against_one_record_do_not_roll_it_back() -> None:
    town = Town()
    branch = Branch(town, b"a", b"b", b"c")
    ahead, behind = branch.request(0, 3), branch.request(0, 2)
    assert cosigned(town, "witness/1", ahead).line
    assert cosigned(town, "witness/1", behind) == Cosigned(b"", 3)
    assert cosigned(town, "witness/1", branch.request(0, 3)) == Cosigned(b"", 3)


def test_time_never_goes_back_whatever_the_clock_does() -> None:
    town = Town()
    branch = Branch(town, b"a", b"b")
    first = time_in(town, cosigned(town, "witness/1", branch.request(0, 1)).line, branch.note(1))
    town.clock._now -= 3_600_000
    second = time_in(town, cosigned(town, "witness/1", branch.request(1, 2)).line, branch.note(2))
    assert second == first


def test_a_witness_refuses_other_logs_other_keys_and_other_questions() -> None:
    town = Town()
    branch = Branch(town, b"a")
    stranger = checkpoint.sign(Checkpoint("elsewhere", 0, EMPTY_ROOT), "elsewhere", town.key("log"))
    unsigned = checkpoint.sign(
        Checkpoint(town.genesis.log.origin, 1, root_of([b"a"])), town.genesis.log_key.name, town.key("relay")
    )
    for call, reason in (
        (AddCheckpoint(Request.of(0, (), stranger).encode()), Reason.NOT_FOUND),
        (AddCheckpoint(Request.of(0, (), unsigned).encode()), Reason.SIGNATURE_INVALID),
        (AddCheckpoint(b"old 0\n\n"), Reason.MALFORMED),
        (AddCheckpoint(branch.request(0, 1).request.replace(b"old 0", b"old 7")), Reason.MALFORMED),
        (GetHead(0, 0), Reason.PERMISSION_DENIED),
    ):
        with pytest.raises(EscrowError) as caught:
            town.ask("witness/1", call)
        assert caught.value.reason is reason
    assert not list(town.store("witness/1").scan(b""))


def test_nothing_is_due_at_a_witness() -> None:
    town = Town()
    for event in (Tick(), CatchUp()):
        assert complete(town.network.nodes["witness/1"].step(event)) is None  # type: ignore[index]
    assert not list(town.store("witness/1").scan(b""))


class Views:
    """Two readers are shown two branches of one log; some witnesses sign whatever they are shown."""

    def __init__(self, corrupt: frozenset[int]) -> None:
        self.town = Town()
        self.corrupt = corrupt
        self.branches = (Branch(self.town, b"a", b"left"), Branch(self.town, b"a", b"right"))
        self.notes = [branch.note(2) for branch in self.branches]
        for n in range(1, 5):
            cosigned(self.town, f"witness/{n}", self.branches[0].request(0, 1))

    def show(self, side: int, witness: int) -> None:
        key = self.town.genesis.witness_rule.witnesses[witness - 1]
        if witness in self.corrupt:
            text = Note.parse(self.notes[side]).text
            line = cosignature.sign(text, key.name, self.town.key(f"witness/{witness}"), self.town.now // 1000)
        else:
            try:
                line = cosigned(self.town, f"witness/{witness}", self.branches[side].request(1, 2)).line
            except EscrowError:
                return
        if line:
            self.notes[side] = cosignature.attach(self.notes[side], line, key)

    def heads(self) -> list[Head]:
        found = []
        for note in self.notes:
            with suppress(RefusedError):
                found.append(verify_head(note, self.town.genesis.log_key, self.town.genesis.witness_rule))
        return found


@given(
    st.frozensets(st.integers(1, 4), max_size=1), st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), max_size=12)
)
def test_with_a_quorum_of_three_of_four_one_corrupt_witness_makes_no_split_view(
    corrupt: frozenset[int], shown: list[tuple[int, int]]
) -> None:
    views = Views(corrupt)
    for side, witness in shown:
        views.show(side, witness)
    assert len(views.heads()) < 2


@pytest.mark.parametrize("corrupt", [frozenset(pair) for pair in combinations(range(1, 5), 2)])
def test_two_corrupt_witnesses_of_four_make_one(corrupt: frozenset[int]) -> None:
    """The bound is tight: the same attack succeeds where the design says that it must."""
    views = Views(corrupt)
    left, right = sorted(set(range(1, 5)) - corrupt)
    for side, honest in ((0, left), (1, right)):
        for witness in (*corrupt, honest):
            views.show(side, witness)
    assert len({head.root for head in views.heads()}) == 2
