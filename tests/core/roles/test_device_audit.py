"""EPO-07: each end looks for its receipts in the log, and says who left one out; who is out of reach is not blamed."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from escrow.capsule.receipt import IngestRoot, Receipt, verify_receipt
from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.roles.calls import Append, Call, GetIngestPaths, GetRecord, IngestPaths, Record, Reply
from escrow.roles.device.audit import omitted
from escrow.roles.device.state import PLAIN
from escrow.tlog.entry import Entry, EntryType
from escrow.world.founding import DAY, HOUR
from tests.core.roles.phones import Phones, flipped, friends

ENDS = ("alice", "bob")
OMITTED = ("INGEST_OMITTED", ("relay",))
IN_TIME = 2 * DAY
"""After this the receipts of now are due, and the root that covers them is long logged."""


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    yield at
    at.reset()


def audited(at: Phones) -> list[GetIngestPaths]:
    """The questions that devices put to the relay from here on."""
    asked: list[GetIngestPaths] = []

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, GetIngestPaths):
            asked.append(call)
        return call

    at.world.network.on_call = on_call
    return asked


def waiting(at: Phones, name: str) -> int:
    """Receipts that are still to be looked up."""
    return sum(key.startswith(b"audit/") for key in at.state(name))


def logs(at: Phones, change: Callable[[IngestRoot], IngestRoot]) -> None:
    """The relay logs other roots than those of its tree."""
    origin = at.world.genesis.log.origin

    def lied(data: bytes) -> bytes:
        entry = Entry.decode(data)
        root = change(IngestRoot.decode(entry.payload))
        return Entry.make(EntryType.INGEST_ROOT, root.encode(), at.relay_key, origin)

    def on_call(caller: Party, _to: Party, call: Call) -> Call:
        if caller == "relay" and isinstance(call, Append):
            return Append(tuple(map(lied, call.entries)))
        return call

    at.world.network.on_call = on_call


def answers(at: Phones, change: Callable[[IngestPaths], IngestPaths]) -> None:
    """The relay shows other paths than those of its tree."""

    def on_reply(_origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
        return change(reply) if isinstance(reply, IngestPaths) else reply

    at.world.network.on_reply = on_reply


def say_and_wait(at: Phones, *texts: str) -> None:
    for text in texts or ("for the record",):
        at.send("alice", "bob", text)
    at.sync("bob")
    at.world.advance(IN_TIME)


@pytest.mark.spec("RCV-12")
def test_receipts_that_are_in_the_log_are_looked_up_together_and_forgotten(at: Phones) -> None:
    asked, due = audited(at), [waiting(at, name) for name in ENDS]
    say_and_wait(at, "one", "two", "three")
    assert [waiting(at, name) for name in ENDS] == [count + 3 for count in due]
    at.sync(*ENDS)
    assert [len(call.places) for call in asked] == [count + 3 for count in due], "one question each"
    assert [waiting(at, name) for name in ENDS] == [0, 0]
    at.sync(*ENDS)
    assert len(asked) == 2
    assert [at.alarms(name) for name in ENDS] == [[], []]


def test_nothing_is_asked_before_the_promised_time_nor_without_a_receipt(at: Phones) -> None:
    asked = audited(at)
    at.send("alice", "bob", "not for the record", PLAIN)
    at.send("alice", "bob", "for the record")
    at.sync(*ENDS)
    at.world.advance(at.world.genesis.mmd_ms - HOUR)
    at.sync()
    assert asked == []
    at.world.advance(IN_TIME)
    at.sync("carol")
    assert asked == [], "she has written and read nothing"


def test_receipts_are_looked_up_at_most_once_in_the_time_of_the_promise(at: Phones) -> None:
    asked = audited(at)
    for _ in range(24):
        at.send("alice", "bob", "every third hour")
        at.sync("bob")
        at.world.advance(3 * HOUR)
        at.sync("alice")
    assert len(asked) == 2 * len(ENDS), "in three days, the first of which nothing is due"
    at.world.advance(IN_TIME)
    at.sync(*ENDS)
    assert [waiting(at, name) for name in ENDS] == [0, 0]


LEFT_OUT: list[Callable[[IngestRoot], IngestRoot]] = [
    lambda root: replace(root, root=flipped(root.root)),
    lambda root: replace(root, size=1),
    lambda root: replace(root, root=bytes(32), size=root.size + 1),
]


@pytest.mark.spec("RCV-12")
@pytest.mark.parametrize("change", LEFT_OUT)
def test_a_root_that_leaves_a_receipt_out_is_noticed_at_both_ends_once_and_the_proof_is_kept(
    at: Phones, change: Callable[[IngestRoot], IngestRoot]
) -> None:
    due = [waiting(at, name) for name in ENDS]
    logs(at, change)
    say_and_wait(at)
    for _ in range(2):
        at.sync(*ENDS)
    for name, count in zip(ENDS, due, strict=True):
        alarms = at.status(name).alarms
        proofs = omitted(at.store(name))
        assert at.alarms(name) == [OMITTED] * len(proofs), "each once"
        assert 1 <= len(proofs) <= count + 1
        assert waiting(at, name) == 0
        for proof in proofs:
            receipt, frame = verify_receipt(
                proof.receipt, proof.path, proof.frame, proof.relay_sig, at.relay_key.public)  # fmt: skip
            assert frame.include_by < at.world.now
            assert any(receipt.submit_hash.hex() in alarm.detail for alarm in alarms)


@pytest.mark.spec("RCV-12")
def test_a_relay_that_logs_no_root_at_all_is_named(at: Phones) -> None:
    def on_call(caller: Party, to: Party, call: Call) -> Call:
        if caller == "relay" and isinstance(call, Append):
            raise UnavailableError(Reason.UNAVAILABLE, to)
        return call

    at.world.network.on_call = on_call
    say_and_wait(at)
    at.sync(*ENDS)
    for name in ENDS:
        assert set(at.alarms(name)) == {OMITTED}
        assert omitted(at.store(name))


NONSENSE: list[Callable[[IngestPaths], IngestPaths]] = [
    lambda _: IngestPaths(()),
    lambda reply: IngestPaths(tuple(b"" for _ in reply.paths)),
    lambda reply: IngestPaths(tuple(path + bytes(32) for path in reply.paths)),
    lambda reply: IngestPaths(tuple(path[:-1] for path in reply.paths)),
    lambda reply: IngestPaths(tuple(map(flipped, reply.paths))),
    lambda reply: IngestPaths(tuple(path[32:] + path[:32] for path in reply.paths)),
]


@pytest.mark.spec("RCV-12")
@pytest.mark.parametrize("change", NONSENSE)
def test_a_path_that_does_not_lead_to_the_root_counts_as_none(
    at: Phones, change: Callable[[IngestPaths], IngestPaths]
) -> None:
    answers(at, change)
    say_and_wait(at)
    at.sync(*ENDS)
    for name in ENDS:
        assert set(at.alarms(name)) == {OMITTED}


def test_only_what_is_missing_is_held_against_the_relay(at: Phones) -> None:
    """One bad path among good ones costs nobody's proof but its own."""
    answers(at, lambda reply: IngestPaths((*reply.paths[:-1], flipped(reply.paths[-1]))))
    say_and_wait(at, "one", "two", "three")
    at.sync("bob")
    assert at.alarms("bob") == [OMITTED]
    (proof,) = omitted(at.store("bob"))
    places = [Receipt.decode(one.receipt).ingest_seq for one in omitted(at.store("bob"))]
    assert places == [Receipt.decode(proof.receipt).ingest_seq]


def refuse(at: Phones, reason: Reason) -> None:
    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, GetIngestPaths):
            raise RefusedError(reason)
        return call

    at.world.network.on_call = on_call


@pytest.mark.spec("RCV-12")
def test_a_relay_that_refuses_to_show_a_receipt_is_named(at: Phones) -> None:
    refuse(at, Reason.NOT_FOUND)
    say_and_wait(at)
    at.sync(*ENDS)
    for name in ENDS:
        assert set(at.alarms(name)) == {OMITTED}
        assert "NOT_FOUND" in at.status(name).alarms[0].detail


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.UNAUTHENTICATED])
def test_a_refusal_that_says_nothing_about_the_receipt_blames_nobody(at: Phones, reason: Reason) -> None:
    refuse(at, reason)
    say_and_wait(at)
    at.sync(*ENDS)
    assert [at.alarms(name) for name in ENDS] == [[], []]
    assert [at.status(name).overdue > 0 for name in ENDS] == [True, True]


@pytest.mark.parametrize("away", ["log", "relay"])
def test_nobody_is_blamed_for_being_out_of_reach_and_the_audit_is_made_up_for(at: Phones, away: str) -> None:
    say_and_wait(at)
    at.world.network.down.add(Party(away))
    for _ in range(3):
        at.sync(*ENDS)
    assert [at.alarms(name) for name in ENDS] == [[], []]
    assert all(waiting(at, name) for name in ENDS)
    assert all(at.status(name).overdue == (waiting(at, name) if away == "relay" else 0) for name in ENDS)
    at.world.network.down.clear()
    at.sync(*ENDS)
    assert [waiting(at, name) for name in ENDS] == [0, 0]
    assert [at.status(name).overdue for name in ENDS] == [0, 0]
    assert [at.alarms(name) for name in ENDS] == [[], []]


def test_a_receipt_dated_later_than_the_root_above_it_is_noticed(at: Phones) -> None:
    logs(at, lambda root: replace(root, time=1))
    say_and_wait(at)
    at.sync(*ENDS)
    for name in ENDS:
        assert set(at.alarms(name)) == {("RECEIPT_INVALID", ("relay",))}
        assert omitted(at.store(name))


def test_a_log_that_shows_another_root_than_the_relays_convinces_nobody(at: Phones) -> None:
    """A root that the relay has not signed proves nothing: neither inclusion nor omission."""

    stranger = at.me("carol").keys.signing_key

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, GetRecord) and call.entry_type == EntryType.INGEST_ROOT and isinstance(reply, Record):
            root = replace(IngestRoot.decode(Entry.decode(reply.entry).payload), size=1)
            forged = Entry.make(EntryType.INGEST_ROOT, root.encode(), stranger, at.world.genesis.log.origin)
            return Record(reply.index, forged, reply.path)
        return reply

    at.world.network.on_reply = on_reply
    say_and_wait(at)
    at.sync(*ENDS)
    for name in ENDS:
        assert [culprits for _, culprits in at.alarms(name)] == [()], "the log's answer proves nothing"
        assert waiting(at, name)
