"""Running custodians refresh their shares: the key stays, messages from before open, one generation is whole."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from escrow.committee.documents import CommitteeKey, ShareGeneration
from escrow.committee.succession import HandoverProposal
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import interpolate_scalars
from escrow.crypto.suites import group_of
from escrow.errors import RefusedError
from escrow.ids import Party
from escrow.roles.agency.commands import Execute, GetOpened, GetReport
from escrow.roles.authorised import check_generation
from escrow.roles.calls import DeliverDealing, GetCommittee
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.role import Custodian
from escrow.roles.custodian.state import HANDOVER, SUCCESSOR, Holding, load_holding
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.policy import SchemeName
from escrow.world.world import World
from tests.core.roles.scene import Scene, scene
from tests.core.roles.test_erasing import CUSTODIANS, made, retire, values
from tests.core.roles.test_generation import SHORT, START

PERIOD = 1000


def holding(world: World, custodian: Party, key_hash: bytes) -> Holding:
    found = load_holding(world.store(custodian), key_hash)
    assert found is not None
    return found


def shares(world: World, key_hash: bytes) -> dict[Party, bytes]:
    found = {custodian: holding(world, custodian, key_hash).share for custodian in CUSTODIANS}
    return {custodian: share.expose() for custodian, share in found.items() if share is not None}


def generations(world: World, key_hash: bytes) -> list[int]:
    return [holding(world, custodian, key_hash).generation.number for custodian in CUSTODIANS]


def refresh(world: World, by: str = "custodian/1", period: int = PERIOD, rounds: int = 9) -> None:
    world.run(world[by], Refresh(period))
    for _ in range(rounds):
        world.settle()


def is_key(key: CommitteeKey, some: dict[int, bytes]) -> bool:
    secret = interpolate_scalars({index: Scalar.decode(share) for index, share in some.items()})
    return group_of(1).base_mul(secret).encode() == key.public


def test_a_refresh_gives_everybody_another_share_of_the_same_key() -> None:
    world, key_hash = made()
    before, old = shares(world, key_hash), holding(world, CUSTODIANS[0], key_hash).generation
    refresh(world)
    assert generations(world, key_hash) == [1, 1, 1]
    after, key = shares(world, key_hash), holding(world, CUSTODIANS[0], key_hash).key
    assert key.hash == key_hash
    assert is_key(key, {1: after[CUSTODIANS[0]], 3: after[CUSTODIANS[2]]})
    assert not is_key(key, {1: after[CUSTODIANS[0]], 3: before[CUSTODIANS[2]]})
    served = [world.ask(custodian, GetCommittee()) for custodian in CUSTODIANS]
    assert served == [served[0]] * 3
    check_generation(world.genesis, key, PERIOD, served[0].generation)
    ledger, everybody = Ledger(world.genesis), frozenset(world.genesis.custodian_keys.values())
    for follower in (Party("log"), Party("relay"), *CUSTODIANS):
        newest = ledger.generation(world.store(follower), key_hash)
        assert newest is not None
        assert newest.number == 1
        assert ledger.erased(world.store(follower), key_hash, old.hash) == everybody
        assert ledger.erased(world.store(follower), key_hash) == frozenset()


@pytest.mark.spec("HND-11")
def test_old_shares_are_gone_when_the_new_ones_are_in_force_and_not_before() -> None:
    world, key_hash = made()
    before = shares(world, key_hash)
    world.run(world["custodian/2"], Refresh(PERIOD))
    ledger = Ledger(world.genesis)
    for _ in range(12):
        for custodian in CUSTODIANS:
            counted = ledger.generation(world.store(custodian), key_hash)
            assert counted is not None
            kept = any(before[custodian] in value for value in values(world.store(custodian)))
            assert kept == (counted.number == 0)
        world.settle()
    assert generations(world, key_hash) == [1, 1, 1]
    for custodian in CUSTODIANS:
        for prefix in (HANDOVER, SUCCESSOR):
            assert not list(world.store(custodian).scan(prefix))


def test_refreshes_follow_each_other() -> None:
    world, key_hash = made()
    for turn, by in enumerate(CUSTODIANS, start=1):
        refresh(world, by)
        assert generations(world, key_hash) == [turn] * 3


def test_two_proposals_at_once_make_one_generation() -> None:
    world, key_hash = made()
    world.run(world["custodian/1"], Refresh(PERIOD))
    refresh(world, "custodian/2", rounds=12)
    assert generations(world, key_hash) == [1, 1, 1]


@pytest.mark.parametrize("crash", range(1, 9, 2))
def test_a_custodian_that_crashed_goes_on_where_it_was(crash: int) -> None:
    world, key_hash = made()
    world.run(world["custodian/1"], Refresh(PERIOD))
    for _ in range(crash):
        world.settle()
    party = CUSTODIANS[1]
    store = world.store(party)
    world.add(party, world.role_of(party)).store = store
    for _ in range(9):
        world.settle()
    assert generations(world, key_hash) == [1, 1, 1]


@pytest.mark.parametrize("rounds", range(4))
def test_whoever_goes_away_one_generation_is_in_force_and_what_is_stuck_is_given_up(rounds: int) -> None:
    world, key_hash = made()
    before = shares(world, key_hash)
    world.run(world["custodian/1"], Refresh(PERIOD))
    for _ in range(rounds):
        world.settle()
    world.network.down.add(CUSTODIANS[2])
    for _ in range(6):
        world.settle()
    world.advance(61_000)
    for _ in range(6):
        world.settle()
    present = {custodian: share for custodian, share in shares(world, key_hash).items() if custodian != CUSTODIANS[2]}
    counted = Ledger(world.genesis).generation(world.store("log"), key_hash)
    assert counted is not None
    assert all((share == before[custodian]) == (counted.number == 0) for custodian, share in present.items())
    assert is_key(holding(world, CUSTODIANS[0], key_hash).key, dict(enumerate(present.values(), start=1)))
    assert not list(world.store(CUSTODIANS[0]).scan(HANDOVER)), "done, or given up"
    world.network.down.clear()
    for _ in range(3):
        world.settle()
    refresh(world, rounds=12)
    assert generations(world, key_hash) == [counted.number + 1] * 3


def test_a_refresh_is_asked_for_by_the_custodians_own_people_and_of_a_key_that_is_alive() -> None:
    world, _ = made()
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        world.ask("custodian/1", Refresh(PERIOD), "custodian/2")
    with pytest.raises(RefusedError, match="NO_COMMITTEE_KEY"):
        world.run(world["custodian/1"], Refresh(PERIOD + 5))
    retire(world)
    with pytest.raises(RefusedError, match="PERIOD_RETIRED"):
        world.run(world["custodian/1"], Refresh(PERIOD))
    fresh = World(terms=SHORT, start=START)
    with pytest.raises(RefusedError, match="NO_COMMITTEE_KEY"):
        fresh.run(fresh["custodian/1"], Refresh(PERIOD))


def test_at_the_end_of_the_period_a_handover_ends_too_and_nothing_of_any_generation_is_left() -> None:
    world, key_hash = made()
    first = shares(world, key_hash)
    refresh(world)
    second = shares(world, key_hash)
    world.run(world["custodian/1"], Refresh(PERIOD))
    for _ in range(5):
        world.settle()
    third = [value for custodian in CUSTODIANS for _, value in world.store(custodian).scan(SUCCESSOR)]
    retire(world)
    for custodian in CUSTODIANS:
        kept = values(world.store(custodian))
        assert not any(share in value for share in (*first.values(), *second.values(), *third) for value in kept)
        assert not list(world.store(custodian).scan(HANDOVER))
    assert Ledger(world.genesis).erased(world.store("log"), key_hash) == frozenset(
        world.genesis.custodian_keys.values()
    )


def filed(world: World, entry_type: EntryType, payload: bytes) -> bool:
    """Whether a follower of the log files what a custodian logs."""
    role = world.role_of(CUSTODIANS[0])
    assert isinstance(role, Custodian)
    entry = Entry.make(entry_type, payload, role.identity, world.genesis.log.origin)
    return Ledger(world.genesis).follow(Draft(world.store("relay")), entry, world.now) is not None


@pytest.mark.spec("HND-10")
def test_other_members_and_another_threshold_need_more_than_a_custodians_word() -> None:
    world, key_hash = made()
    held = holding(world, CUSTODIANS[0], key_hash).generation
    good = HandoverProposal(1, held.hash, held.members, held.threshold, bytes(16))
    assert filed(world, EntryType.HANDOVER_PROPOSAL, good.encode())
    for wrong in (
        replace(good, threshold=1),
        replace(good, threshold=3),
        replace(good, members=held.members[:2]),
        replace(good, members=held.members[::-1]),
        replace(good, suite=2),
        replace(good, generation_hash=bytes(32)),
    ):
        assert not filed(world, EntryType.HANDOVER_PROPOSAL, wrong.encode())
    refresh(world)
    assert not filed(world, EntryType.HANDOVER_PROPOSAL, good.encode()), "a generation has one successor"


def successors(held: ShareGeneration, world: World) -> Iterator[ShareGeneration]:
    """What all members might sign together, and still nobody takes."""
    roles = [role for role in map(world.role_of, CUSTODIANS) if isinstance(role, Custodian)]
    keys = {role.identity.public: role.identity for role in roles}

    def signed(changed: ShareGeneration) -> ShareGeneration:
        statement = changed.statement
        return replace(changed, acknowledgements=tuple(keys[member].sign(statement) for member in changed.members))

    later = replace(held, number=held.number + 1)
    yield signed(replace(later, number=held.number + 2))
    yield signed(replace(later, number=held.number))
    yield signed(replace(later, threshold=1, verification=(later.verification[0],) * 3))
    yield signed(replace(later, members=held.members[:2], verification=held.verification[:2]))
    yield signed(replace(later, verification=held.verification[::-1]))
    yield signed(replace(later, committee_key_hash=bytes(32)))
    yield replace(signed(later), acknowledgements=signed(later).acknowledgements[:2])


def test_followers_and_readers_take_no_generation_that_no_handover_makes() -> None:
    world, key_hash = made()
    refresh(world)
    held = holding(world, CUSTODIANS[0], key_hash)
    for wrong in successors(held.generation, world):
        assert not filed(world, EntryType.SHARE_GENERATION, wrong.encode())
    same = replace(held.generation, committee_key_hash=bytes(32))
    with pytest.raises(RefusedError, match="COMMITTEE_UNAUTHORISED"):
        check_generation(world.genesis, held.key, PERIOD, same.encode())
    for wrong in list(successors(held.generation, world))[2:5]:
        with pytest.raises(RefusedError, match="COMMITTEE_UNAUTHORISED"):
            check_generation(world.genesis, held.key, PERIOD, wrong.encode())


def test_parts_come_from_members_only() -> None:
    world, key_hash = made()
    world.run(world["custodian/1"], Refresh(PERIOD))
    world.settle()
    held = holding(world, CUSTODIANS[0], key_hash).generation
    proposal = HandoverProposal(1, held.hash, held.members, held.threshold, bytes(16))
    place = next(
        index
        for index, data in enumerate(world.store("log").records("log/leaves", start=0, limit=10_000))
        if Entry.decode(data).type is EntryType.HANDOVER_PROPOSAL
    )
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        world.ask("custodian/1", DeliverDealing(proposal.hash, place, bytes(48)), "witness/1")


@pytest.mark.parametrize("scheme", ["pq", "hybrid-ed25519"])
def test_a_scheme_whose_shares_lie_in_the_capsules_is_not_refreshed(scheme: SchemeName) -> None:
    world = World(terms=replace(SHORT, scheme=scheme), start=START)
    world.make_committee_key()
    logged = Ledger(world.genesis).committee_key(world.store("log"), world.genesis.policy.hash, PERIOD)
    assert logged is not None
    with pytest.raises(RefusedError, match="SUITE_MISMATCH"):
        world.run(world["custodian/1"], Refresh(PERIOD))
    held = holding(world, CUSTODIANS[0], logged.key.hash)
    suite = world.genesis.policy.suite
    old = held.generation
    proposal = HandoverProposal(suite, old.hash, old.members, old.threshold, bytes(16))
    assert not filed(world, EntryType.HANDOVER_PROPOSAL, proposal.encode())
    for wrong in (one for one in successors(held.generation, world) if one.number):
        assert not filed(world, EntryType.SHARE_GENERATION, wrong.encode())
        with pytest.raises(RefusedError):
            check_generation(world.genesis, held.key, PERIOD, wrong.encode())
    refreshed_by_all = replace(held.generation, number=1)
    with pytest.raises(RefusedError, match="SUITE_MISMATCH"):
        check_generation(world.genesis, held.key, PERIOD, refreshed_by_all.encode())
    retire(world)
    for custodian in CUSTODIANS:
        assert holding(world, custodian, logged.key.hash).share is None


# -- under a warrant --------------------------------------------------------------------------


def executed(at: Scene) -> list[str]:
    """The texts that the agency has after it has asked for them."""
    world = at.world
    world.run(world["agency/police"], Execute(at.warrant_id))
    at.settle()
    opened = world.run(world["agency/police"], GetOpened(at.warrant_id, 0, 100))
    return sorted(item.text for item in opened.items if not item.reason)


def refreshed(at: Scene) -> None:
    policy = at.world.genesis.policy
    refresh(at.world, period=policy.period_of(policy.epoch_of(at.start)))


def test_what_was_written_before_a_refresh_opens_after_it() -> None:
    at = scene().rewind("ready")
    refreshed(at)
    assert executed(at) == ["one", "three", "two"]


def test_an_agency_that_asked_before_and_after_blames_nobody() -> None:
    at = scene().rewind("ready")
    world = at.world
    world.network.down |= {CUSTODIANS[1], CUSTODIANS[2]}
    assert executed(at) == []
    world.network.down.clear()
    refreshed(at)
    assert executed(at) == ["one", "three", "two"]
    (request,) = world.run(world["agency/police"], GetReport(at.warrant_id)).requests
    assert request.culprits == ()


def test_an_agency_whose_view_is_older_than_the_answers_reads_them_when_the_log_tells() -> None:
    at = scene().rewind("ready")
    world = at.world
    world.network.down |= set(CUSTODIANS)
    assert executed(at) == []
    world.network.down.clear()
    refreshed(at)
    assert executed(at) == ["one", "three", "two"]
