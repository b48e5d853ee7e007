"""A disclosure opens the warrant that was sealed, field by field, and never a person (LOG-05, LOG-09)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.encoding import join
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import T, Tag
from escrow.warrant import strict
from escrow.warrant.disclosure import HIDDEN, PUBLIC, Disclosure
from escrow.warrant.documents import FIELDS
from escrow.warrant.sealing import make_leaf
from tests.core.warrant.office import BOTH_LOCKS, SALT, TARGET, envelope, warrant

PAYLOAD = warrant()
DSSE = envelope(strict.encode(PAYLOAD), *BOTH_LOCKS)
LEAF = make_leaf(PAYLOAD, DSSE, SALT)
WHOLE = Disclosure.of(PAYLOAD, DSSE, SALT)


@given(st.sets(st.sampled_from(PUBLIC), min_size=1))
def test_any_public_fields_open_alone(names: set[str]) -> None:
    shown = Disclosure.decode(Disclosure.of(PAYLOAD, DSSE, SALT, names).encode())
    shown.check(LEAF)
    assert shown.names == names
    for name in names:
        assert strict.encode(shown.value(name)) == strict.encode(getattr(PAYLOAD, name))


def test_a_complete_disclosure_names_nobody() -> None:
    assert WHOLE.names == set(FIELDS) - HIDDEN
    assert TARGET.hex().encode() not in WHOLE.encode()
    assert TARGET not in WHOLE.encode()


@pytest.mark.spec("DSC-2")
@pytest.mark.parametrize("name", sorted(HIDDEN))
def test_people_are_not_disclosed(name: str) -> None:
    with pytest.raises(RefusedError, match="ENTRY_REFUSED"):
        Disclosure.of(PAYLOAD, DSSE, SALT, ("kind", name)).check(LEAF)


@pytest.mark.spec("DSC-2")
@given(st.integers(0, len(WHOLE.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, mask: int) -> None:
    data = WHOLE.encode()
    with pytest.raises(EscrowError):
        Disclosure.decode(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]).check(LEAF)


def test_a_field_that_contradicts_the_leaf_is_refused_although_it_was_sealed() -> None:
    """An authority that sealed a leaf and a warrant that differ cannot disclose them as one."""
    lying = replace(LEAF, nondisclosure_until=LEAF.nondisclosure_until + 1)
    with pytest.raises(RefusedError) as refused:
        WHOLE.check(lying)
    assert (refused.value.reason, refused.value.detail) == (Reason.SEAL_MISMATCH, "nondisclosure_until")
    Disclosure.of(PAYLOAD, DSSE, SALT, ("urgent",)).check(lying)


def test_another_warrant_does_not_open_the_leaf() -> None:
    other = warrant(max_capsules=101)
    with pytest.raises(RefusedError, match="SEAL_MISMATCH"):
        Disclosure.of(other, DSSE, SALT).check(LEAF)
    with pytest.raises(RefusedError, match="SEAL_MISMATCH"):
        Disclosure.of(PAYLOAD, DSSE, bytes(32)).check(LEAF)


@pytest.mark.parametrize("case", ["none", "twice", "out of order", "unknown", "no letters"])
def test_fields_stand_in_order_each_once(case: str) -> None:
    one, two = WHOLE.openings[:2]
    openings = {"none": (), "twice": (one, one), "out of order": (two, one)}.get(case, (one,))
    data = replace(WHOLE, openings=openings).encode()
    if case in ("unknown", "no letters"):
        name = b"nothing" if case == "unknown" else b"\xff"
        part = T(Tag.OPENED_FIELD, name, b"1", bytes(16), b"")
        data = T(Tag.DISCLOSURE, *(bytes(32),) * 4, join(part))
    with pytest.raises(MalformedError):
        Disclosure.decode(data)
