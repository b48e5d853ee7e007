"""EPO-08: after ``retire_at`` a custodian's files hold no share, nor what could make one; nothing moves the time."""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee import dkg
from escrow.encoding import u64
from escrow.errors import RefusedError
from escrow.ids import Millis
from escrow.roles.authorised import check_committee_key, proposal_for
from escrow.roles.custodian.role import Custodian
from escrow.roles.custodian.state import CERTIFIED, RUN, load_holding
from escrow.roles.machine import Tick, Writes
from escrow.roles.state import pack
from escrow.store.sqlite import SqliteStore
from tests.claims.measures import Census, effort
from tests.claims.test_epo_06 import disks
from tests.core.roles.test_erasing import CUSTODIANS

pytestmark = pytest.mark.claim("EPO-08")


@effort(0.1)
@given(st.integers(0, 2), st.integers(0, 10**9), st.binary(min_size=32, max_size=32))
def test_the_files_hold_nothing_of_the_period(census: Census, place: int, late: int, other: bytes) -> None:
    world, key_hash, before = disks()
    role, end = world.role_of(CUSTODIANS[place]), world.genesis.policy.retire_at(1000)
    kept, _ = before[place].snapshot()
    holding = load_holding(before[place], key_hash)
    assert holding is not None
    assert holding.share is not None
    secret = holding.share.expose()
    # A key that was certified and never counted, and a run that never ended, would give shares away as well.
    assert isinstance(role, Custodian)
    run, _ = dkg.begin(role.identity, place + 1, proposal_for(world.genesis, 1000), 1, end, end - 1, other)
    assert run.transport is not None
    secrets = secret, run.transport.expose()
    more = {CERTIFIED + u64(1000) + other: secret, RUN + u64(1000): pack(run)}

    async def story(folder: Path) -> None:
        def found() -> bool:
            return any(one in path.read_bytes() for path in folder.iterdir() for one in secrets)

        store = SqliteStore(folder / "state.db")
        await store.commit(lambda _: (Writes(kept | more), None))
        assert found()
        census("before")
        await store.commit(lambda view: role.handle(view, Tick(), Millis(end + late), bytes(32)))
        assert not found()
        await store.close()
        assert not found()
        census("nothing left")

    with TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))


@effort(0.2)
@given(st.integers(-(10**11), 2**40).filter(bool))
def test_no_other_end_is_taken_whoever_signs_it(census: Census, by: int) -> None:
    world, key_hash, before = disks()
    holding = load_holding(before[0], key_hash)
    assert holding is not None
    check_committee_key(world.genesis, 1000, holding.key_bytes)
    moved = replace(holding.key, retire_at=holding.key.retire_at + by)
    roles = [role for role in map(world.role_of, CUSTODIANS) if isinstance(role, Custodian)]
    signed = replace(moved, certificate=tuple(role.identity.sign(moved.statement) for role in roles))
    with pytest.raises(RefusedError, match="COMMITTEE_UNAUTHORISED"):
        check_committee_key(world.genesis, 1000, signed.encode())
    census("the end stays")
