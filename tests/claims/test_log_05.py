"""LOG-05: a sealed leaf fits one warrant and shows nothing of it but what is coarse on purpose."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Reason, RefusedError
from escrow.tlog.merkle import leaf_hash, verify_inclusion
from escrow.warrant import strict
from escrow.warrant.documents import FIELDS, Target
from escrow.warrant.sealing import check_commit, check_leaf, field_leaf, field_opening, field_root, make_leaf
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds
from tests.core.warrant.office import BOTH_LOCKS, DAY, OTHER, TARGET, envelope, warrant

pytestmark = pytest.mark.claim("LOG-05")

TARGETS = ((Target(account=OTHER.hex(), device=None),), (Target(account=TARGET.hex(), device=3),))

changes: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "targets": st.sampled_from(TARGETS),
        "instrument_sha256": st.binary(min_size=32, max_size=32).map(bytes.hex),
        "max_capsules": st.integers(100, 999),
        "not_after": st.integers(11 * DAY, 15 * DAY - 1),
        "direction": st.just("CONVERSATION_OF"),
    },
)


def sealed(**what: Any) -> tuple[Any, bytes]:
    payload = warrant(**what)
    return payload, envelope(strict.encode(payload), *BOTH_LOCKS)


@effort(0.5)
@given(seeds, seeds, changes)
def test_a_disclosure_fits_exactly_one_warrant(census: Census, salt: bytes, other: bytes, what: dict[str, Any]) -> None:
    payload, dsse = sealed()
    leaf, root = make_leaf(payload, dsse, salt), field_root(payload)
    check_commit(leaf, salt, dsse, root)
    check_leaf(leaf, payload, dsse, salt)
    census("accepted")
    changed, its_dsse = sealed(**what)
    attempts = [(its_dsse, salt, field_root(changed))] if changed != payload else []
    attempts += [(dsse, other, root)] if other != salt else []
    attempts += [(dsse, salt, field_root(changed))] if field_root(changed) != root else []
    for said, opening, claimed in attempts:
        with pytest.raises(RefusedError) as refused:
            check_commit(leaf, opening, said, claimed)
        assert refused.value.reason is Reason.SEAL_MISMATCH
        census("refused")


@effort(0.5)
@given(seeds, changes)
def test_leaves_of_different_warrants_look_alike(census: Census, salt: bytes, what: dict[str, Any]) -> None:
    (payload, dsse), (changed, its_dsse) = sealed(), sealed(**what)
    one, two = make_leaf(payload, dsse, salt), make_leaf(changed, its_dsse, salt)
    assert len(one.encode()) == len(two.encode())
    shown = {name: getattr(one, name) for name in type(one).__dataclass_fields__ if name != "commit"}
    assert shown == {name: getattr(two, name) for name in shown}
    assert (one.commit == two.commit) == (dsse == its_dsse)
    for account in (TARGET, OTHER):
        assert account not in one.encode() + two.encode()
    census("alike")


@pytest.mark.parametrize("name", FIELDS)
def test_one_field_is_shown_without_the_others(census: Census, name: str) -> None:
    payload, _ = sealed()
    opened, place, root = field_opening(payload, name), FIELDS.index(name), field_root(payload)
    leaf = field_leaf(name, opened.value, opened.salt)
    verify_inclusion(leaf_hash(leaf), place, len(FIELDS), opened.path, root)
    lie = strict.encode("something else") if json.loads(opened.value) != "something else" else b"null"
    with pytest.raises(RefusedError):
        verify_inclusion(leaf_hash(field_leaf(name, lie, opened.salt)), place, len(FIELDS), opened.path, root)
    census("field")
