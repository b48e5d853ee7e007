"""LOG-06: a monitor names each sealed warrant whose secrecy is over and that nobody has disclosed, and no other."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.ids import Party
from escrow.roles.monitor.commands import Alarm
from escrow.tlog.entry import EntryType
from escrow.warrant.disclosure import PUBLIC, Disclosure
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.postponing import Postponement
from escrow.warrant.sealing import seal_tag
from tests.claims.measures import Census, effort
from tests.core.roles.onlooker import Onlooker
from tests.core.roles.scene import DAY, MINUTE, SALT, Scene, scene

pytestmark = pytest.mark.claim("LOG-06")

fates = st.tuples(
    st.integers(2, 5),  # days until its secrecy ends
    st.sampled_from(("nothing", "a part", "everything", "put off")),
)


@effort(0.3)
@example([(2, "put off")], 3)
@given(st.lists(fates, min_size=1, max_size=3), st.integers(1, 8))
def test_exactly_what_is_overdue_is_named(census: Census, warrants: list[tuple[int, str]], days: int) -> None:
    at = scene().rewind("ready")
    limits, begin = at.world.genesis.policy.limits, at.world.now
    expected = set()
    payloads = [sealed(at, number, begin + until * DAY) for number, (until, _) in enumerate(warrants)]
    for (payload, envelope), (_, fate) in zip(payloads, warrants, strict=True):
        until = payload.nondisclosure_until + happen(at, payload, envelope, fate)
        if fate != "everything" and at.world.now + days * DAY >= until + limits.disclosure_grace:
            expected.add(leaf_tag(payload))
    # From here on nobody but the log and its witnesses does anything.
    at.world.network.down.update([Party("authority"), Party("relay"), *at.custodians])
    at.world.clock._now = at.world.now + days * DAY
    at.settle()
    found = Onlooker(at).look().findings().findings
    ours = {leaf_tag(payload) for payload, _ in payloads}
    named = {one.about for one in found if one.alarm == Alarm.NOT_DISCLOSED} & ours
    assert named == expected
    for tag in ours:
        census("overdue" if tag in named else "not overdue")


def sealed(at: Scene, number: int, until: int) -> tuple[WarrantPayload, bytes]:
    warrant_id = bytes([0x40 + number]) * 16
    payload = at.rewritten(warrant_id=warrant_id.hex(), not_after=at.world.now + DAY, nondisclosure_until=until)
    return payload, at.sealed_by_force(payload, *at.locks, wait=MINUTE).dsse


def happen(at: Scene, payload: WarrantPayload, envelope: bytes, fate: str) -> int:
    """What somebody logs about it; by how much that puts the end of secrecy off."""
    if fate in ("a part", "everything"):
        names = PUBLIC if fate == "everything" else PUBLIC[:3]
        said = Disclosure.of(payload, envelope, SALT, names).encode()
        assert at.log("authority", EntryType.DISCLOSURE, said) == ("",)
    if fate != "put off":
        return 0
    until = payload.nondisclosure_until + DAY
    said = Postponement.signed(EntryType.NONDISCLOSURE_EXTENDED, leaf_tag(payload), until, *at.locks).encode()
    assert at.log("authority", EntryType.NONDISCLOSURE_EXTENDED, said) == ("",)
    return DAY


def leaf_tag(payload: WarrantPayload) -> bytes:
    return seal_tag(payload.id)


def test_a_monitor_that_never_looked_before_names_it_as_well(census: Census) -> None:
    at = scene().rewind("ready")
    payload, _ = sealed(at, 0, at.world.now + 2 * DAY)
    at.world.network.down.update([Party("authority"), *at.custodians])
    at.world.clock._now = payload.nondisclosure_until + at.world.genesis.policy.limits.disclosure_grace
    at.settle()
    assert leaf_tag(payload) in {one.about for one in Onlooker(at).look().findings().findings}
    census("overdue")
