"""EPO-06: once n-t+1 custodians have erased, all that is left opens nothing of the period."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.group import Scalar
from escrow.crypto.sharing import interpolate_scalars
from escrow.crypto.suites import group_of
from escrow.roles.custodian.state import load_holding
from escrow.store.memory import MemoryStore
from escrow.world.world import World
from tests.claims.measures import Census, effort
from tests.core.roles.test_erasing import CUSTODIANS, made, retire

pytestmark = pytest.mark.claim("EPO-06")


@cache
def disks() -> tuple[World, bytes, list[MemoryStore]]:
    """A world whose period has retired, its key's hash, and the disks as they were before."""
    world, key_hash = made()
    before = []
    for custodian in CUSTODIANS:
        copy = MemoryStore()
        copy.restore(world.store(custodian).snapshot())
        before.append(copy)
    retire(world)
    return world, key_hash, before


@effort(0.2)
@given(st.sets(st.integers(0, 2)))
def test_a_coalition_with_every_disk_that_is_left_has_less_than_the_key(census: Census, cheats: set[int]) -> None:
    """``cheats`` kept a copy of their disk; all the others have erased, and their disks are taken too."""
    world, key_hash, before = disks()
    found: dict[int, Scalar] = {}
    public, threshold = b"", 0
    for place, custodian in enumerate(CUSTODIANS):
        holding = load_holding(before[place] if place in cheats else world.store(custodian), key_hash)
        assert holding is not None
        public, threshold = holding.key.public, holding.generation.threshold
        if holding.share is not None:
            found[holding.index] = Scalar.decode(holding.share.expose())
    assert set(found) == {place + 1 for place in cheats}
    opened = bool(found) and group_of(1).base_mul(interpolate_scalars(found)).encode() == public
    assert opened == (len(cheats) >= threshold)
    census("too many kept theirs" if opened else "erased")
