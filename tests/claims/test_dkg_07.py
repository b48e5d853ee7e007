"""DKG-07: wherever a handover stops, one generation is usable in full; none counts before everybody has it."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.documents import ShareGeneration
from escrow.committee.messages import Kind
from escrow.committee.succession import verify_successor
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.errors import EscrowError, Reason, UnavailableError
from escrow.ids import Party
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.state import SUCCESSOR, load_holding
from escrow.roles.custodian.succeeding import AGAIN
from escrow.roles.machine import Event
from escrow.store.memory import MemoryStore
from escrow.world.world import World
from tests.claims.measures import Census, effort
from tests.core.committee.succession import Handover, made
from tests.core.roles.test_erasing import CUSTODIANS
from tests.core.roles.test_erasing import made as made_world
from tests.core.roles.test_handing_over import NEW, ordered, settle, shares

pytestmark = pytest.mark.claim("DKG-07")

PEOPLE = (2, 3, 4)


@effort(0.2)
@given(st.integers(0, 40), st.sampled_from(PEOPLE))
def test_wherever_it_stops_either_generation_is_whole(census: Census, steps: int, lost: int) -> None:
    """After some steps one new member is lost with all that it has not said."""
    story = Handover(made(3, 2), PEOPLE, 2)
    public = EDWARDS25519.decode(story.before.key.public)
    for _ in range(steps):
        if story.mail or story.read < len(story.log):
            story.read_letter() if story.mail else story.read_entry()
    story.corrupt, story.tamper = frozenset((lost,)), lambda *_: ()
    story.settle()
    counted = [payload for kind, _, payload in story.log if kind is Kind.SHARE_GENERATION]
    if not counted:
        # Nobody was told to erase anything: the old shares are where they were.
        assert not any(story.ended.get(person) for person in story.honest)
        if story.record.dealers:
            with pytest.raises(EscrowError):
                verify_successor(story.record.outcome, story.before.generation, public)
        census("the old one")
        return
    generation = ShareGeneration.decode(counted[0])
    verify_successor(generation, story.before.generation, public)
    for index, person in enumerate(PEOPLE, start=1):
        held = [state.share for state in story.history[person] if state.share is not None]
        assert held, "whoever acknowledged has stored its share before"
        assert EDWARDS25519.base_mul(Scalar.decode(held[0].expose())) == generation.share_key(EDWARDS25519, index)
    census("the new one")


@effort(0.1)
@given(st.integers(0, 12), st.sampled_from(CUSTODIANS))
def test_running_custodians_keep_the_old_share_until_the_new_one_is_in_force(
    census: Census, rounds: int, crashed: Party
) -> None:
    world, key_hash = made_world()
    world.run(world["custodian/1"], Refresh(1000))
    for _ in range(rounds):
        world.settle()
    store = world.store(crashed)
    world.add(crashed, world.role_of(crashed)).store = store
    held = [load_holding(world.store(custodian), key_hash) for custodian in CUSTODIANS]
    numbers = set()
    for one in held:
        assert one is not None
        assert one.share is not None, "whatever happens, everybody can serve one of the two"
        numbers.add(one.generation.number)
        held_key = EDWARDS25519.base_mul(Scalar.decode(one.share.expose()))
        assert held_key == one.generation.share_key(EDWARDS25519, one.index)
    census("the new one" if max(numbers) else "the old one")
    for _ in range(12):
        world.settle()
    after = load_holding(world.store(crashed), key_hash)
    assert after is not None
    assert after.generation.number == 1


def crash(world: World, party: Party, step_number: int, *, committed: bool) -> MemoryStore:
    """Let ``party`` end in its step of that number from now on, before it is durable or right behind that.

    Returns its disk. What the process might still have done goes to another, and nobody hears of it.
    """
    node, disk, left = world[party], world.store(party), itertools.count(step_number, -1)
    step = node.step

    async def until_then(event: Event) -> Any:
        if (more := next(left)) > 0 or (more == 0 and committed):
            result = await step(event)
            if more > 0:
                return result
        node.store = MemoryStore()
        world.network.down.add(party)
        raise UnavailableError(Reason.PROCESS_DIED, party)

    node.step = until_then  # type: ignore[method-assign]
    return disk


@effort(0.1)
@given(st.integers(0, 70), st.sampled_from(("custodian/1", "custodian/3", "custodian/4")), st.booleans(), st.booleans())
def test_shares_pass_to_others_whole_or_not_at_all_wherever_one_of_them_crashes(
    census: Census, step_number: int, crashed: str, committed: bool, away: bool
) -> None:
    """Somebody who goes, stays, or comes ends at any of its steps, and is back at once or in a while."""
    world, key_hash, roots = ordered()
    roots.give(roots.order(key_hash, NEW, 2))
    party = Party(crashed)
    disk = crash(world, party, step_number, committed=committed)
    settle(world)
    world.add(party, world.role_of(party)).store = disk
    # Whichever generation the log shows, each of its members holds its share of it, or will when it has read so far.
    newest = roots.newest(key_hash)
    names = {one.public: one.id for one in map(roots.member, range(1, 6))}
    for index, member in enumerate(newest.members, start=1):
        store = world.store(names[member])
        mine, secret = load_holding(store, key_hash), store.get(SUCCESSOR + key_hash + newest.hash)
        if mine is not None and mine.share is not None and mine.generation.hash == newest.hash:
            secret = mine.share.expose()
        assert secret is not None
        assert EDWARDS25519.base_mul(Scalar.decode(secret)) == newest.share_key(EDWARDS25519, index)
    census("the new one" if newest.number else "the old one")
    if not away:
        world.network.down.clear()
    settle(world, 2)
    world.network.down.clear()
    world.advance(61_000)
    settle(world, 3)
    world.advance(AGAIN)
    settle(world)
    assert roots.newest(key_hash).number == 1
    assert sorted(shares(world, key_hash)) == ["custodian/3", "custodian/4", "custodian/5"]
