"""A committee over time: shares are refreshed, a period follows another, and what has retired opens for nobody."""

from dataclasses import replace

import pytest

from escrow.roles.agency.state import RELEASED
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.state import load_holding
from escrow.roles.ledger import Ledger
from escrow.warrant.policy import SchemeName
from escrow.world.founding import APPROVERS, ISSUERS
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
