"""The seal says nothing about the warrant, and fits one warrant only (LOG-05, WAR-17)."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.encoding import join, u8
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tlog.merkle import leaf_hash, verify_inclusion
from escrow.warrant import strict
from escrow.warrant.documents import FIELDS, Target
from escrow.warrant.sealing import (
    SealedLeaf,
    WarrantClass,
    check_commit,
    check_leaf,
    commitment,
    field_leaf,
    field_opening,
    field_root,
    make_leaf,
    seal_tag,
)
from tests.core.warrant.office import BOTH_LOCKS, DAY, OTHER, SALT, TARGET, changed, envelope, warrant

PAYLOAD = warrant()
DSSE = envelope(strict.encode(PAYLOAD), *BOTH_LOCKS)
LEAF = make_leaf(PAYLOAD, DSSE, SALT)


def test_an_honest_leaf_fits_its_warrant() -> None:
    check_leaf(SealedLeaf.decode(LEAF.encode()), PAYLOAD, DSSE, SALT)
    check_commit(LEAF, SALT, DSSE, field_root(PAYLOAD))
    assert LEAF.warrant_class is WarrantClass.HISTORICAL


@given(st.binary(min_size=32, max_size=32), st.lists(st.sampled_from(("ida", "anna", "abe")), max_size=3))
def test_the_tag_follows_from_the_id_alone(salt: bytes, signers: list[str]) -> None:
    resealed = make_leaf(PAYLOAD, envelope(strict.encode(PAYLOAD), *signers), salt)
    assert resealed.seal_tag == seal_tag(bytes.fromhex("11" * 16)) == LEAF.seal_tag
    assert (resealed.commit == LEAF.commit) == (salt == SALT and tuple(signers) == BOTH_LOCKS)


@given(st.integers(1, 3), st.integers(0, 6), st.integers(1, 1000), st.binary(min_size=32, max_size=32))
def test_the_length_of_a_leaf_does_not_depend_on_the_warrant(
    targets: int, tags: int, capsules: int, salt: bytes
) -> None:
    payload = warrant(
        targets=tuple(Target(account=OTHER.hex(), device=n) for n in range(targets)),
        conv_tags=tuple(f"{n:064x}" for n in range(tags)) or None,
        max_capsules=capsules,
    )
    assert len(make_leaf(payload, strict.encode(payload), salt).encode()) == len(LEAF.encode())


DIFFERENT: dict[str, Any] = {
    "seal_tag": bytes(32),
    "commit": bytes(32),
    "authority": bytes(32),
    "warrant_class": WarrantClass.PROSPECTIVE,
    "count_bucket": 2,
    "urgent": True,
    "approve_by": 1,
    "nondisclosure_until": 41 * DAY,
    "policy_hash": bytes(32),
    "activation_delay": 0,
}


@pytest.mark.spec("WRT-11")
@pytest.mark.parametrize("name", SealedLeaf.__dataclass_fields__)
def test_a_leaf_that_differs_in_any_field_is_refused(name: str) -> None:
    other = SealedLeaf.decode(replace(LEAF, **{name: DIFFERENT[name]}).encode())
    with pytest.raises(RefusedError) as refused:
        check_leaf(other, PAYLOAD, DSSE, SALT)
    assert (refused.value.reason, refused.value.detail) == (Reason.SEAL_MISMATCH, name)


@given(st.data())
def test_a_leaf_fits_no_other_payload_envelope_salt_or_fields(data: st.DataObject) -> None:
    other = changed(PAYLOAD, instrument_sha256=data.draw(st.binary(min_size=32, max_size=32)).hex())
    salt = data.draw(st.binary(min_size=32, max_size=32).filter(lambda drawn: drawn != SALT))
    for payload, dsse, with_salt in ((other, DSSE, SALT), (PAYLOAD, DSSE + b" ", SALT), (PAYLOAD, DSSE, salt)):
        with pytest.raises(RefusedError):
            check_leaf(LEAF, payload, dsse, with_salt)
        with pytest.raises(RefusedError):
            check_commit(LEAF, with_salt, dsse, field_root(payload))


@given(st.integers(0, len(LEAF.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_of_a_leaf_is_refused(place: int, mask: int) -> None:
    data = LEAF.encode()
    with pytest.raises(EscrowError):
        check_leaf(
            SealedLeaf.decode(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]), PAYLOAD, DSSE, SALT
        )


def test_a_leaf_of_another_form_is_malformed() -> None:
    for data in (b"", LEAF.encode()[:-1], LEAF.encode() + b"\0"):
        with pytest.raises(MalformedError):
            SealedLeaf.decode(data)


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_opens_alone_and_only_to_its_value(name: str) -> None:
    opening = field_opening(PAYLOAD, name)
    place, root = FIELDS.index(name), field_root(PAYLOAD)

    def shown(value: bytes, salt: bytes, path: tuple[bytes, ...]) -> None:
        verify_inclusion(leaf_hash(field_leaf(name, value, salt)), place, len(FIELDS), path, root)

    shown(*opening)
    with pytest.raises(RefusedError):
        shown(opening.value + b"0", opening.salt, opening.path)
    with pytest.raises(RefusedError):
        shown(opening.value, bytes(16), opening.path)


def test_the_spelling_that_was_signed_does_not_change_the_fields() -> None:
    assert field_opening(PAYLOAD, "targets").value == b'[{"account":"%s","device":null}]' % TARGET.hex().encode()
    assert commitment(SALT, DSSE, field_root(PAYLOAD)) == LEAF.commit
    assert hashlib.sha256(DSSE).digest() not in LEAF.encode()


def test_an_unknown_class_and_a_third_urgency_are_malformed() -> None:
    data = LEAF.encode()
    shown = u8(LEAF.warrant_class), u8(LEAF.count_bucket), u8(LEAF.urgent)
    for wrong in ((u8(3), shown[1], shown[2]), (shown[0], shown[1], u8(2))):
        assert data.count(join(*shown)) == 1
        with pytest.raises(MalformedError):
            SealedLeaf.decode(data.replace(join(*shown), join(*wrong)))
