"""Proposal, key and share generation: read strictly, and worth nothing without every custodian's signature."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.documents import (
    CommitteeKey,
    CommitteeProposal,
    ShareGeneration,
    verify_generation,
    verify_key,
)
from escrow.committee.parts import second_generator
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from tests.core.committee.council import documents, identity, proposal_of, settled

KEY, GENERATION = documents(settled(3, 2))
PROPOSAL = proposal_of(3, 2)
OTHER_KEY, OTHER_GENERATION = documents(settled(3, 2, 1))
Document = CommitteeProposal | CommitteeKey | ShareGeneration


@pytest.mark.parametrize("document", [PROPOSAL, KEY, GENERATION])
@given(st.data())
def test_a_document_is_read_as_it_was_written_and_not_otherwise(document: Document, data: st.DataObject) -> None:
    encoded = document.encode()
    assert type(document).decode(encoded) == document
    at = data.draw(st.integers(0, len(encoded) - 1))
    changed = encoded[:at] + bytes([encoded[at] ^ data.draw(st.integers(1, 255))]) + encoded[at + 1 :]
    for other in (changed, encoded[:at], encoded + b"\x00"):
        try:
            read = type(document).decode(other)
        except MalformedError:
            continue
        assert read.encode() == other


def authorise(kind: type[CommitteeKey | ShareGeneration], encoded: bytes) -> None:
    if issubclass(kind, CommitteeKey):
        verify_key(kind.decode(encoded), PROPOSAL)
    else:
        verify_generation(kind.decode(encoded), KEY, PROPOSAL)


@pytest.mark.parametrize("document", [KEY, GENERATION])
@given(st.data())
def test_no_changed_byte_of_a_signed_document_is_authorised(
    document: CommitteeKey | ShareGeneration, data: st.DataObject
) -> None:
    encoded = document.encode()
    at = data.draw(st.integers(0, len(encoded) - 1))
    changed = encoded[:at] + bytes([encoded[at] ^ data.draw(st.integers(1, 255))]) + encoded[at + 1 :]
    with pytest.raises(EscrowError):
        authorise(type(document), changed)


@given(st.binary(max_size=200))
def test_noise_is_no_document(noise: bytes) -> None:
    for kind in (CommitteeProposal, CommitteeKey, ShareGeneration):
        with pytest.raises(MalformedError):
            kind.decode(noise)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, threshold=0),
        lambda p: replace(p, threshold=4),
        lambda p: replace(p, members=()),
        lambda p: replace(p, members=(p.members[0], p.members[0], p.members[1])),
        lambda p: replace(p, members=(*p.members[:2], bytes([1]) + bytes(31))),
        lambda p: replace(p, members=(*p.members[:2], p.members[2][:31])),
    ],
)
def test_an_impossible_committee_is_refused(change: Callable[[CommitteeProposal], CommitteeProposal]) -> None:
    with pytest.raises(MalformedError):
        CommitteeProposal.decode(change(PROPOSAL).encode())


def unauthorised(call: Callable[[], None]) -> None:
    with pytest.raises(RefusedError) as refused:
        call()
    assert refused.value.reason is Reason.COMMITTEE_UNAUTHORISED


def test_one_signature_missing_is_too_many() -> None:
    for at in range(3):
        fewer = KEY.certificate[:at] + KEY.certificate[at + 1 :]
        unauthorised(lambda fewer=fewer: verify_key(replace(KEY, certificate=fewer), PROPOSAL))  # type: ignore[misc]
        doubled = (*fewer, fewer[0])
        unauthorised(lambda doubled=doubled: verify_key(replace(KEY, certificate=doubled), PROPOSAL))  # type: ignore[misc]
    unauthorised(lambda: verify_generation(replace(GENERATION, acknowledgements=()), KEY, PROPOSAL))


def test_a_key_is_certified_for_its_end_and_its_generators() -> None:
    evil = EDWARDS25519.base_mul(Scalar(7))
    unauthorised(lambda: verify_key(replace(KEY, retire_at=KEY.retire_at + 1), PROPOSAL))
    unauthorised(lambda: verify_key(replace(KEY, gamma=evil.encode()), PROPOSAL))
    derived = second_generator(KEY.proposal_hash, evil).encode()
    unauthorised(lambda: verify_key(replace(KEY, public=evil.encode(), gamma=derived), PROPOSAL))
    unauthorised(lambda: verify_key(KEY, proposal_of(3, 2, period=5)))
    unauthorised(lambda: verify_key(KEY, proposal_of(3, 3)))


def test_share_keys_of_whoever_logs_first_are_not_authorised() -> None:
    swapped = (GENERATION.verification[1], GENERATION.verification[0], GENERATION.verification[2])
    unauthorised(lambda: verify_generation(replace(GENERATION, verification=swapped), KEY, PROPOSAL))
    unauthorised(lambda: verify_generation(OTHER_GENERATION, KEY, PROPOSAL))
    unauthorised(lambda: verify_generation(replace(GENERATION, number=1), KEY, PROPOSAL))
    unauthorised(lambda: verify_generation(replace(GENERATION, threshold=1), KEY, PROPOSAL))


def test_the_hash_of_a_key_does_not_depend_on_who_collected_the_signatures() -> None:
    assert replace(KEY, certificate=()).hash == KEY.hash != OTHER_KEY.hash
    assert replace(GENERATION, acknowledgements=()).hash == GENERATION.hash != OTHER_GENERATION.hash


def test_members_are_found_by_key_and_shares_by_index() -> None:
    assert [PROPOSAL.index_of(identity(i).public) for i in (1, 2, 3, 4)] == [1, 2, 3, None]
    assert GENERATION.share_key(EDWARDS25519, 3) == EDWARDS25519.decode(GENERATION.verification[2])
    for index in (0, 4, -1):
        with pytest.raises(MalformedError):
            GENERATION.share_key(EDWARDS25519, index)
