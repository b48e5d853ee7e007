"""The whole story in the World: what is promised holds for every workload, and when parts of the deployment fail."""

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.schemes import CommitteeContext
from escrow.capsule.schemes.pq import SLOT_SIZE, Pq
from escrow.errors import Reason
from escrow.ids import Party
from escrow.roles.agency.commands import GetOpened, Report
from escrow.roles.device.commands import GetInbox, GetStatus, Send, Sync
from escrow.secret import Secret
from escrow.store import MemoryStore
from escrow.warrant.policy import SchemeName
from escrow.world.founding import APPROVERS, DAY, HOUR, ISSUERS, MINUTE, Terms
from escrow.world.loop import complete
from escrow.world.world import World
from escrow_lab.demo import warrants
from escrow_lab.demo.messages import account_of, lab_time
from escrow_lab.demo.story import OFFICER
from escrow_lab.demo.trace import Row, Trace
from escrow_lab.demo.workload import ESCROW, PLAIN, Workload, from_trace, story
from escrow_lab.demo.world_stage import WorldStage
from tests.core.capsule.slots import with_slot
from tests.world.telling import down, founded, tell

PEOPLE = ("1", "2", "3", "4")
SHORT = replace(story(), messages=tuple(m for m in story().messages if m.time < 4 * 24 * 3600))
"""The story's first four days: enough for its warrant."""


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_story_goes_as_promised(seed: int) -> None:
    work = story(seed)
    summary, _ = tell(work, founded(work, seed))
    assert summary.as_promised
    assert summary.messages_sent == summary.messages_delivered == len(work.messages)
    assert summary.messages_escrowed == sum(message.mode == ESCROW for message in work.messages)
    assert summary.opened == summary.in_scope == len(work.in_scope) > 0
    assert len(summary.custodians_released) == 5
    assert summary.custodians_missing == []


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """A few people who write to each other over some days, and any warrant on one of them that covers something."""
    times = sorted(draw(st.lists(st.integers(0, 5 * 24 * 3600), min_size=4, max_size=12)))
    pairs = st.permutations(PEOPLE).map(lambda order: (order[0], order[1]))
    rows = tuple(Row(*draw(pairs), time) for time in times)
    texts = draw(st.lists(st.text(min_size=1, max_size=40).filter(_sendable), min_size=1, max_size=4))
    covered = draw(st.sampled_from(rows))
    start = draw(st.integers(0, covered.time))
    end = draw(st.integers(covered.time + 1, 6 * 24 * 3600))
    return from_trace(Trace(rows, 0), texts, target=covered.source, start=start, end=end)


def _sendable(text: str) -> bool:
    return all(not 0xD800 <= ord(letter) < 0xE000 for letter in text)


@settings(max_examples=4)
@given(workloads())
def test_any_trace_is_delivered_and_exactly_its_scope_is_opened(work: Workload) -> None:
    summary, _ = tell(work)
    assert summary.as_promised
    assert summary.messages_delivered == summary.messages_escrowed == len(work.messages)
    assert summary.opened == len(work.in_scope) > 0


def test_a_warrant_that_covers_nothing_opens_nothing_and_everything_is_tried_all_the_same() -> None:
    rows = (Row("a", "b", 0), Row("b", "a", 5), Row("b", "a", 3_000_000))
    summary, events = tell(from_trace(Trace(rows, 0), None))
    assert summary.as_promised
    assert summary.opened == summary.in_scope == 0
    assert set(events.facts["expired"]["answers"].values()) == {Reason.EXPIRED.name}


@pytest.mark.parametrize("scheme", get_args(SchemeName))
def test_the_story_is_the_same_under_every_scheme(scheme: SchemeName) -> None:
    summary, events = tell(SHORT, founded(SHORT, terms=Terms(scheme=scheme)))
    assert summary.as_promised
    assert summary.opened == len(SHORT.in_scope) > 0
    assert set(events.facts["expired"]["answers"].values()) == {Reason.EXPIRED.name}


@pytest.mark.parametrize(("start", "end", "beside"), [(17, 30, 3), (25, 26, 2)])
def test_where_keys_open_epochs_the_summary_counts_what_they_opened_beside_the_window(
    start: int, end: int, beside: int
) -> None:
    """Bob writes twice a day, at one and at six in the afternoon; hours from the start of the third day."""
    work = replace(SHORT, start=SHORT.start + 3600 * start, end=SHORT.start + 3600 * end)
    summary, _ = tell(work, founded(work, terms=Terms(scheme="ibe")))
    assert summary.as_promised
    assert (summary.over_collected, summary.opened) == (beside, beside + len(work.in_scope))


@pytest.mark.parametrize("scheme", ["pq", "hybrid-ed25519"])
@pytest.mark.parametrize(("slots", "reason"), [((2,), "CAPSULE_MALFORMED"), ((1, 2, 5), "NOT_ENOUGH_SHARES")])
def test_a_capsule_that_its_sender_spoilt_keeps_no_other_from_being_opened(
    scheme: SchemeName, slots: tuple[int, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No honest receiver shows it; the relay cannot tell; a warrant opens the rest and blames no custodian."""
    world, stage = _after_the_messages(SHORT, Terms(scheme=scheme))
    mallory, victim = stage.device(SHORT.target), next(user for user in SHORT.users if user != SHORT.target)
    honest = Pq.encapsulate

    def spoilt(self: Pq, ctx: CommitteeContext, label: bytes, seed: Secret) -> bytes:
        capsule = honest(self, ctx, label, seed)
        for index in slots:
            capsule = with_slot(capsule, index, bytes(SLOT_SIZE))
        return capsule

    with monkeypatch.context() as client:
        client.setattr(Pq, "encapsulate", spoilt)
        complete(mallory.run(Send(victim, ESCROW, "nobody reads this")))
    complete(stage.device(victim).run(Sync()))
    inbox: Any = complete(stage.device(victim).ask(stage.device(victim).party, GetInbox(0)))
    assert "nobody reads this" not in [each.text for each in inbox.messages]
    world.advance(DAY)
    world.settle()

    account = complete(account_of(mallory))
    terms = warrants.Terms(account, (lab_time(SHORT.start), stage.now), stage.now, stage.now + 2 * DAY)
    application = complete(warrants.apply(stage, OFFICER, terms))
    complete(warrants.sign(stage, application, "issuer", ISSUERS[0]))
    complete(warrants.sign(stage, application, "approver", APPROVERS[0]))
    complete(stage.settle())
    complete(stage.advance_to(stage.now + 5 * MINUTE))
    report = complete(warrants.execute(stage, OFFICER, application.warrant_id))
    assert report.opened == report.produced - 1 > 0
    assert set(_outcomes(report).values()) == {"released"}
    agency = complete(stage.agency(OFFICER))
    opened: Any = complete(agency.ask(agency.party, GetOpened(application.warrant_id)))
    assert [each.reason for each in opened.items if each.reason] == [reason]


@pytest.mark.parametrize("missing", [("custodian/2",), ("custodian/1", "custodian/4")])
def test_any_three_custodians_open_and_the_missing_are_named(missing: tuple[str, ...]) -> None:
    summary, events = tell(SHORT, sealed=down(*missing), opened=down())
    assert summary.as_promised
    assert summary.custodians_missing == list(missing)
    assert len(summary.custodians_released) == 5 - len(missing)
    assert all(party in dict(events.told)["released"] for party in missing)


def test_with_three_custodians_down_nothing_opens_until_one_is_back() -> None:
    world, stage, warrant_id = _sealed_warrant()
    three = ("custodian/1", "custodian/3", "custodian/5")
    down(*three)(world)
    report = complete(warrants.execute(stage, OFFICER, warrant_id))
    assert report.opened == 0
    assert {request.reason for request in report.requests} == {Reason.NOT_ENOUGH_SHARES.name}
    assert _outcomes(report) == {
        party: "missing" if party in three else "released" for party in world.genesis.custodian_keys
    }
    down(*three[1:])(world)
    report = complete(warrants.execute(stage, OFFICER, warrant_id))
    assert report.opened == report.produced == len(SHORT.in_scope)
    assert _outcomes(report)["custodian/1"] == "released"


def test_one_witness_is_not_missed() -> None:
    summary, _ = tell(SHORT, committee=down("witness/2"))
    assert summary.as_promised
    assert len(summary.custodians_released) == 5


def test_without_a_quorum_of_witnesses_messages_wait_and_none_is_lost() -> None:
    world = founded(SHORT)
    world.make_committee_key()
    alice, bob = world.register("alice"), world.register("bob")
    said = Counter[tuple[str, int]]()
    for day in range(3):
        (down("witness/1", "witness/2") if day == 1 else down())(world)
        for mode in (PLAIN, ESCROW):
            complete(alice.run(Send("bob", mode, f"day {day}")))
            said[f"day {day}", mode] += 1
        world.advance(DAY)
    for _ in range(2):
        complete(alice.run(Sync()))
        complete(bob.run(Sync()))
    status: Any = complete(alice.ask(alice.party, GetStatus()))
    inbox: Any = complete(bob.ask(bob.party, GetInbox(0)))
    assert (status.queued, status.unanswered) == (0, 0)
    assert Counter((each.text, each.mode) for each in inbox.messages) == said


def test_without_a_quorum_of_witnesses_nothing_is_sealed() -> None:
    world, stage = _after_the_messages()
    down("witness/1", "witness/2")(world)
    warrant_id = _apply_and_sign(stage)
    complete(stage.advance_to(stage.now + HOUR))
    report = complete(warrants.execute(stage, OFFICER, warrant_id))
    assert (report.produced, report.opened) == (0, 0)
    down()(world)
    complete(stage.settle())
    complete(stage.advance_to(stage.now + 5 * MINUTE))
    report = complete(warrants.execute(stage, OFFICER, warrant_id))
    assert report.opened == report.produced == len(SHORT.in_scope)


def test_without_a_quorum_of_witnesses_nothing_is_released() -> None:
    world, stage, warrant_id = _sealed_warrant()
    down("witness/1", "witness/2")(world)
    complete(stage.advance_to(stage.now + HOUR))
    report = complete(warrants.execute(stage, OFFICER, warrant_id))
    assert report.opened == 0
    assert "released" not in _outcomes(report).values()
    down()(world)
    report = complete(warrants.execute(stage, OFFICER, warrant_id))
    assert report.opened == report.produced == len(SHORT.in_scope)


def test_one_seed_tells_one_story() -> None:
    (first, told), (second, again) = tell(SHORT), tell(SHORT)
    assert told.told == again.told
    assert told.facts == again.facts
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)


def test_with_seeded_ports_one_seed_makes_one_state_byte_for_byte() -> None:
    first, second, other = (_fingerprint(seed) for seed in (1, 1, 2))
    assert first == second
    assert all(first[party] != other[party] for party in first)


# -- scenes ---------------------------------------------------------------------------------------


def _after_the_messages(work: Workload = SHORT, terms: Terms | None = None) -> tuple[World, WorldStage]:
    """A World in which a workload has been said, a day later."""
    world = founded(work, terms=terms)
    stage = WorldStage(world)
    world.make_committee_key()
    complete(stage.register(work.users))
    for message in work.messages:
        world.advance_to(lab_time(message.time))
        complete(stage.device(message.source).run(Send(message.target, message.mode, message.text)))
        complete(stage.device(message.target).run(Sync()))
    world.advance(DAY)
    world.settle()
    return world, stage


def _apply_and_sign(stage: WorldStage) -> bytes:
    account = complete(account_of(stage.device(SHORT.target)))
    terms = warrants.Terms(account, (lab_time(SHORT.start), lab_time(SHORT.end)), stage.now, stage.now + 2 * DAY)
    application = complete(warrants.apply(stage, OFFICER, terms))
    complete(warrants.sign(stage, application, "issuer", ISSUERS[0]))
    complete(warrants.sign(stage, application, "approver", APPROVERS[0]))
    return application.warrant_id


def _sealed_warrant() -> tuple[World, WorldStage, bytes]:
    """The same, with a warrant of both locks that is in force."""
    world, stage = _after_the_messages()
    warrant_id = _apply_and_sign(stage)
    complete(stage.settle())
    complete(stage.advance_to(stage.now + 5 * MINUTE))
    return world, stage, warrant_id


def _outcomes(report: Report) -> dict[str, str]:
    return {each.custodian: each.outcome for request in report.requests for each in request.custodians}


def _fingerprint(seed: int) -> dict[str, str]:
    """A digest of everything that each part, each device and the agency has stored after the short story."""
    work = replace(SHORT, messages=SHORT.messages[:14])
    world = founded(work, seed, seeded=True)
    tell(work, world)
    names = {node.party: Party(name) for name, node in world.devices.items()}
    stores = {names.get(party, party): node.store for party, node in world.network.nodes.items()}
    return {name: _digest(store) for name, store in stores.items() if isinstance(store, MemoryStore)}


def _digest(store: MemoryStore) -> str:
    values, streams = store.snapshot()
    return sha256(repr((sorted(values.items()), sorted(streams.items()))).encode()).hexdigest()
