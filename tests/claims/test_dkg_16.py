"""DKG-16: no coordinator. Custodians, and whoever else reads the log, come from it alone to one and the same end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.encoding import u64
from escrow.ids import Party
from escrow.roles.custodian.state import MADE, load_holding
from escrow.roles.onlooker.role import runs_of
from escrow.roles.onlooker.standing import State
from escrow.world.world import World
from tests.claims.measures import Census, effort
from tests.core.roles.test_erasing import CUSTODIANS
from tests.core.roles.test_generation import SHORT, START
from tests.core.roles.test_handing_over import NEW, PERIOD, ordered, settle, shares
from tests.core.roles.test_onlooker import ME, look

pytestmark = pytest.mark.claim("DKG-16")


@effort(0.06)
@given(st.integers(0, 5), st.none() | st.sampled_from(CUSTODIANS), st.booleans())
def test_a_key_is_made_in_the_same_run_for_everybody(
    census: Census, rounds: int, away: Party | None, silence: bool
) -> None:
    """Somebody goes away after some rounds, perhaps for so long that the others name it and begin anew."""
    world = World(terms=SHORT, start=START)
    settle(world, rounds)
    if away is not None:
        world.network.down.add(away)
        settle(world, 3)
        world.advance(61_000 if silence else 1000)
        settle(world, 3)
        world.network.down.clear()
    settle(world, 10)
    told = look(world, "dkg", PERIOD)
    runs = runs_of(world.store(ME), PERIOD)
    assert runs is not None
    assert told.state is State.DONE
    for custodian in CUSTODIANS:
        key_hash = world.store(custodian).get(MADE + u64(PERIOD))
        holding = None if key_hash is None else load_holding(world.store(custodian), key_hash)
        assert holding is not None
        assert holding.run == runs.record.run == len(runs.failed)
    assert {index for _, index in runs.failed} <= {0 if away is None else CUSTODIANS.index(away) + 1}
    census("after another run" if runs.failed else "at once")


@effort(0.06)
@given(st.sampled_from(range(4)), st.none() | st.sampled_from(("custodian/1", "custodian/3", "custodian/5")))
def test_shares_pass_on_to_the_same_end_for_everybody(census: Census, rounds: int, away: str | None) -> None:
    world, key_hash, roots = ordered()
    roots.give(roots.order(key_hash, NEW, 2))
    settle(world, rounds)
    if away is not None:
        world.network.down.add(Party(away))
    settle(world, 6)
    world.advance(61_000)
    settle(world, 6)
    told = look(world, "handover", PERIOD)
    newest = roots.newest(key_hash)
    for party in (one for one in world.network.nodes if one.startswith("custodian/") and one != away):
        seen = roots.ledger.generation(world.store(party), key_hash)
        assert seen is not None
        assert seen.hash == newest.hash
    if told.state is State.FAILED:
        assert newest.number == 0
        assert told.culprits == (away,), "nobody else was silent"
        census("named who broke it")
        return
    assert newest.number == 1
    assert told.state in (State.ERASING, State.DONE)
    assert told.missing == (() if away not in ("custodian/1", "custodian/3") or told.state is State.DONE else (away,))
    assert set(shares(world, key_hash)) >= {"custodian/4"}
    census("done")
