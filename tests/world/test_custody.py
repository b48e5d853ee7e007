"""A committee over time: shares are refreshed, a period follows another, and what has retired opens for nobody."""

from dataclasses import replace

import pytest

from escrow.ids import Party
from escrow.roles.agency.state import RELEASED
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.state import load_holding
from escrow.roles.ledger import Ledger
from escrow.warrant.policy import SchemeName
from escrow.world.founding import APPROVERS, ISSUERS
from tests.core.roles.roots import Roots
from tests.core.roles.scene import DAY, HOUR, MINUTE, TERMS, Scene

SCHEMES: tuple[SchemeName, ...] = ("tdh2-ed25519", "tdh2-ristretto255")


def warrant(at: Scene) -> bytes:
    """A new one on Bob, for all that he has written so far; executed."""
    found = at.apply(not_after=at.world.now + 5 * DAY)
    at.sign("issuer", ISSUERS[0], found)
    at.sign("approver", APPROVERS[0], found)
    at.settle()
    at.pass_time(2 * MINUTE)
    at.execute(found)
    at.settle()
    return found


def refresh(at: Scene, period: int) -> None:
    at.world.run(at.world["custodian/2"], Refresh(period))
    at.settle(9)


def key_of(at: Scene, period: int) -> bytes:
    logged = Ledger(at.world.genesis).committee_key(at.world.store("log"), at.world.genesis.policy.hash, period)
    assert logged is not None
    return logged.key.hash


@pytest.mark.parametrize("scheme", SCHEMES)
def test_messages_of_two_periods_and_three_generations_open_until_their_period_retires(scheme: SchemeName) -> None:
    if scheme == "tdh2-ristretto255":
        pytest.importorskip("rbcl")
    at = Scene(replace(TERMS, scheme=scheme, epochs_per_period=12, retention=20 * DAY))
    world, policy = at.world, at.world.genesis.policy
    first = policy.period_of(policy.epoch_of(world.now))
    before = key_of(at, first)
    assert sorted(at.opened(warrant(at))) == ["one", "three", "two"]

    refresh(at, first)
    refresh(at, first)
    assert key_of(at, first) == before
    assert sorted(at.opened(warrant(at))) == ["one", "three", "two"]

    while policy.period_of(policy.epoch_of(world.now)) == first:
        at.pass_time(DAY)
    at.settle(9)
    second = key_of(at, first + 1)
    assert second != before
    at.say(at.bob, "alice", "four")
    at.pass_time(HOUR)
    refresh(at, first + 1)
    assert sorted(at.opened(warrant(at))) == ["four", "one", "three", "two"]

    at.pass_time(policy.retire_at(first) - world.now)
    at.settle(6)
    everybody = frozenset(world.genesis.custodian_keys.values())
    assert Ledger(world.genesis).erased(world.store("relay"), before) == everybody
    for custodian in at.custodians:
        old, new = (load_holding(world.store(custodian), key) for key in (before, second))
        assert old is not None
        assert new is not None
        assert old.share is None
        assert new.share is not None
    late = warrant(at)
    assert at.opened(late) == ["four"]
    said = {outcome.outcome for request in at.report(late).requests for outcome in request.custodians}
    assert said == {RELEASED, "PERIOD_RETIRED"}


def test_a_committee_is_handed_to_others_and_messages_of_before_and_after_open() -> None:
    at = Scene(replace(TERMS, custodians=5, threshold=3, epochs_per_period=12, retention=20 * DAY, effect_delay=HOUR))
    world, policy, roots = at.world, at.world.genesis.policy, Roots(at.world)
    period = policy.period_of(policy.epoch_of(world.now))
    key = key_of(at, period)
    for index in (6, 7):
        world.enlist(index)
    at.settle()
    order = roots.give(roots.order(key, (2, 4, 6, 7), 2, effective_at=world.now + HOUR))
    at.pass_time(HOUR)
    at.settle(12)
    newest = roots.newest(key)
    assert (newest.number, newest.n, newest.threshold) == (1, 4, 2)
    assert (newest.members, newest.threshold) == order.committee
    at.say(at.bob, "alice", "four")
    at.pass_time(HOUR)

    # Two of the new four are enough, and one of them is new; of the old ones all may be gone.
    world.network.down |= {Party(f"custodian/{index}") for index in (1, 2, 3, 5, 7)}
    found = warrant(at)
    assert sorted(at.opened(found)) == ["four", "one", "three", "two"]
    released = {one.custodian for request in at.report(found).requests for one in request.custodians
                if one.outcome == RELEASED}  # fmt: skip
    assert released == {"custodian/4", "custodian/6"}
    world.network.down.clear()
    at.settle(3)

    # The next period's key is made by those whom the policy names, and they hold it.
    while policy.period_of(policy.epoch_of(world.now)) == period:
        at.pass_time(DAY)
    at.settle(9)
    assert roots.newest(key_of(at, period + 1)).members == tuple(world.genesis.custodian_keys.values())
    at.pass_time(policy.retire_at(period) - world.now)
    at.settle(6)
    assert Ledger(world.genesis).erased(world.store("relay"), key) == frozenset(newest.members)
    assert at.opened(warrant(at)) == []
