"""LOG-09: when secrecy is over a warrant is disclosed though its authority is silent, unless both locks extend it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ids import Party
from escrow.roles.ledger import Ledger
from escrow.tlog.entry import EntryType
from escrow.warrant.disclosure import PUBLIC, Disclosure
from escrow.warrant.postponing import Postponement
from tests.claims.measures import Census, effort
from tests.core.roles.scene import DAY, HOUR, Scene, scene

pytestmark = pytest.mark.claim("LOG-09")


def disclosed(at: Scene) -> bool:
    return Ledger(at.world.genesis).disclosed(at.world.store("relay"), at.tag) >= set(PUBLIC)


@effort(0.12)
@given(st.sets(st.integers(1, 3)), st.sampled_from((0, 1, 2)), st.integers(1, 3))
def test_whoever_has_served_discloses(census: Census, served: set[int], locks: int, days: int) -> None:
    at = scene().rewind("ready")
    for custodian in served:
        assert at.why_not(custodian=custodian) == ""
    at.settle()
    at.world.network.down.add(Party("authority"))
    until = at.payload.nondisclosure_until + days * DAY
    kind = EntryType.NONDISCLOSURE_EXTENDED
    said = Postponement.signed(kind, at.tag, until, *at.locks[:locks])
    taken = at.log("authority", kind, said.encode()) == ("",)
    assert taken == (locks == 2)
    at.pass_time(at.payload.nondisclosure_until - HOUR - at.world.now)
    assert not disclosed(at)
    at.pass_time(2 * HOUR)
    assert disclosed(at) == (bool(served) and not taken)
    census("extended" if taken else "disclosed" if served else "nobody served")
    if taken and served:
        at.pass_time(days * DAY)
        assert disclosed(at)
    seal = Ledger(at.world.genesis).seal(at.world.store("relay"), at.tag)
    for entry in at.entries(EntryType.DISCLOSURE):
        assert seal is not None
        Disclosure.decode(entry.payload).check(seal.leaf)
