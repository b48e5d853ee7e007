"""Custodians make the committee's key by themselves, from the log alone."""

from typing import Any

import pytest

from escrow.errors import BehindError, RefusedError
from escrow.ids import Party
from escrow.roles.authorised import check_committee_key, check_generation, proposal_for
from escrow.roles.calls import DeliverDealing, GetCommittee
from escrow.roles.custodian.state import load_holding
from escrow.roles.ledger import Ledger
from escrow.world.founding import Terms
from escrow.world.world import World

DAY = 86_400_000
SHORT = Terms(
    custodians=3,
    threshold=2,
    witnesses=1,
    quorum=1,
    epoch_length=DAY,
    epochs_per_period=4,
    retention=DAY,
    epoch_origin=0,
)
START = 4 * DAY * 1000 + 1000


def committee(world: World, custodian: int) -> Any:
    return world.ask(f"custodian/{custodian}", GetCommittee())


def test_all_custodians_serve_one_key_that_everybody_can_check() -> None:
    world = World(terms=SHORT, start=START)
    world.make_committee_key()
    first = world.ask("custodian/1", GetCommittee())
    assert [committee(world, index) for index in (1, 2, 3)] == [first] * 3
    key = check_committee_key(world.genesis, 1000, first.committee_key)
    check_generation(world.genesis, key, 1000, first.generation)
    logged = Ledger(world.genesis).committee_key(world.store("log"), world.genesis.policy.hash, 1000)
    assert logged is not None
    assert logged.key == key


def test_before_there_is_a_key_a_custodian_says_so() -> None:
    world = World(terms=SHORT, start=START)
    assert (committee(world, 1).committee_key, committee(world, 1).generation) == (b"", b"")


def test_the_next_period_has_its_key_before_it_begins() -> None:
    world = World(terms=SHORT, start=START)
    world.make_committee_key()
    world.advance(3 * DAY + 1000)
    for _ in range(12):
        world.settle()
    ledger, policy = Ledger(world.genesis), world.genesis.policy
    keys = [ledger.committee_key(world.store("log"), policy.hash, period) for period in (1000, 1001)]
    assert None not in keys
    now = committee(world, 1)
    world.advance(DAY)
    assert committee(world, 1) != now


def test_a_share_is_erased_when_its_period_retires() -> None:
    world = World(terms=SHORT, start=START)
    world.make_committee_key()
    logged = Ledger(world.genesis).committee_key(world.store("log"), world.genesis.policy.hash, 1000)
    assert logged is not None
    for days, kept in ((4, True), (1, False)):
        world.advance(days * DAY)
        world.settle()
        holding = load_holding(world.store("custodian/2"), logged.key.hash)
        assert holding is not None
        assert (holding.share is not None) == kept


def test_a_silent_custodian_is_named_and_the_run_begins_again_with_it() -> None:
    world = World(terms=SHORT, start=START)
    world.network.down.add(Party("custodian/3"))
    for _ in range(8):
        world.settle()
    assert not committee(world, 1).generation
    world.advance(61_000)
    for _ in range(4):
        world.settle()
    assert committee(world, 1).run >= 1
    world.network.down.clear()
    world.make_committee_key()
    assert len({committee(world, index).committee_key for index in (1, 2, 3)}) == 1


@pytest.mark.parametrize("crash", range(1, 9, 2))
def test_a_custodian_that_crashed_goes_on_where_it_was(crash: int) -> None:
    world = World(terms=SHORT, start=START)
    for _ in range(crash):
        world.settle()
    party = Party("custodian/2")
    store = world.store(party)
    world.add(party, world.role_of(party)).store = store
    world.make_committee_key()
    assert committee(world, 2) == committee(world, 1)


def test_dealings_come_from_members_and_of_runs_that_have_begun() -> None:
    world = World(terms=SHORT, start=START)
    proposal = proposal_for(world.genesis, 1000)
    call = DeliverDealing(proposal.hash, 0, bytes(100))
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        world.ask("custodian/1", call, "witness/1")
    with pytest.raises(BehindError):
        world.ask("custodian/1", call, "custodian/2")


def test_only_the_proposal_that_the_policy_admits_begins_a_run() -> None:
    world = World(terms=SHORT, start=START)
    world.make_committee_key()
    entries = world.store("log").length("log/leaves")
    for _ in range(5):
        world.settle()
    assert world.store("log").length("log/leaves") == entries, "a finished period is not begun again"
    ledger = Ledger(world.genesis)
    assert ledger.proposal(world.store("log"), proposal_for(world.genesis, 1000).hash) is not None
    assert ledger.proposal(world.store("log"), bytes(32)) is None


def test_a_custodian_needs_the_key_that_the_genesis_names() -> None:
    world = World(terms=SHORT, start=START)
    role = world.role_of(Party("custodian/1"))
    with pytest.raises(AssertionError):
        type(role)(world.genesis, 2, role.identity)  # type: ignore[attr-defined,call-arg]
