"""WAR-05: locks count people, each once and in one role; nothing else that signs counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Reason, RefusedError
from escrow.warrant import dsse, strict
from escrow.warrant.documents import PAYLOAD_TYPE
from escrow.warrant.locks import check_locks, count_signers
from tests.claims.measures import Census
from tests.core.warrant.office import GENESIS, changed, envelope, key, lock, warrant

pytestmark = pytest.mark.claim("WAR-05")

PAYLOAD = strict.encode(warrant())
ISSUERS, APPROVERS = {"ida", "ivan"}, {"anna", "abe", "ada"}
STRANGERS = ["agency", "relay", "custodian/1", "root/0", "eve"]
ONE_ISSUER, TWO_APPROVERS = 1, 2


@given(st.lists(st.sampled_from([*sorted(ISSUERS | APPROVERS), *STRANGERS]), max_size=8))
def test_a_warrant_passes_exactly_with_enough_different_people_in_each_role(census: Census, signers: list[str]) -> None:
    whole = len(ISSUERS & set(signers)) >= ONE_ISSUER and len(APPROVERS & set(signers)) >= TWO_APPROVERS
    signed = envelope(PAYLOAD, *signers)
    if whole:
        locks = check_locks(signed, GENESIS)
        assert locks.payload == PAYLOAD
        assert locks.issuers | locks.approvers == (ISSUERS | APPROVERS) & set(signers)
        census("accepted")
        return
    with pytest.raises(RefusedError) as refused:
        check_locks(signed, GENESIS)
    assert refused.value.reason in {Reason.LOCKS_INCOMPLETE, Reason.ROLE_KEY_UNAUTHORISED, Reason.SIGNATURE_INVALID}
    census("refused")


@given(st.sampled_from(["anna", "ida"]), st.lists(st.text(max_size=5), min_size=2, max_size=6))
def test_one_signature_under_many_hints_is_one(census: Census, who: str, hints: list[str]) -> None:
    sig = dsse.sign(PAYLOAD_TYPE, PAYLOAD, key(who)).sig
    other = dsse.sign(PAYLOAD_TYPE, PAYLOAD, key("ida"))
    copies = tuple(dsse.Signature(hint, sig) for hint in hints)
    with pytest.raises(RefusedError) as refused:
        check_locks(dsse.Envelope(PAYLOAD_TYPE, PAYLOAD, (other, *copies)).encode(), GENESIS)
    assert refused.value.reason is Reason.LOCKS_INCOMPLETE
    census("refused")


def test_a_person_with_a_key_in_each_role_holds_neither_lock(census: Census) -> None:
    both = changed(GENESIS, approvers=lock(1, "ida", "anna"))
    with pytest.raises(RefusedError) as refused:
        count_signers([key("ida").public], both)
    assert refused.value.reason is Reason.SEPARATION_OF_DUTIES
    census("refused")


@given(st.binary(max_size=20))
def test_a_signature_of_another_document_is_none(census: Census, other: bytes) -> None:
    made = tuple(dsse.sign(PAYLOAD_TYPE, other, key(name)) for name in ("ida", "anna", "abe"))
    with pytest.raises(RefusedError) as refused:
        check_locks(dsse.Envelope(PAYLOAD_TYPE, PAYLOAD, made).encode(), GENESIS)
    assert refused.value.reason is Reason.SIGNATURE_INVALID
    census("refused")
