"""Two locks, different people, counted from the signed bytes (WAR-05, CUST-4)."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.warrant import dsse, strict
from escrow.warrant.documents import PAYLOAD_TYPE
from escrow.warrant.locks import Locks, check_locks
from tests.core.warrant.office import BOTH_LOCKS, GENESIS, changed, envelope, warrant

PAYLOAD = strict.encode(warrant())
ISSUERS, APPROVERS = {"ida", "ivan"}, {"anna", "abe", "ada"}
OFFICES = ["authority", "relay", "custodian/1", "root/0"]


def refusal(data: bytes, *, urgent_allowed: bool = False) -> Reason:
    with pytest.raises(EscrowError) as refused:
        check_locks(data, GENESIS, urgent_allowed=urgent_allowed)
    return refused.value.reason


def test_both_locks_open_the_exact_bytes() -> None:
    locks = check_locks(envelope(PAYLOAD, *BOTH_LOCKS), GENESIS)
    assert locks == Locks(PAYLOAD, frozenset({"ida"}), frozenset({"anna", "abe"}), approved=True)


@given(
    st.lists(st.sampled_from(sorted(ISSUERS | APPROVERS) + OFFICES + ["mallory"]), max_size=6),
    st.booleans(),
)
def test_people_count_once_in_their_own_role_and_nobody_else_counts(signers: list[str], urgent_allowed: bool) -> None:
    issuers, approvers = set(signers) & ISSUERS, set(signers) & APPROVERS
    data = envelope(PAYLOAD, *signers)
    if issuers and (len(approvers) >= 2 or urgent_allowed):
        event("accepted")
        locks = check_locks(data, GENESIS, urgent_allowed=urgent_allowed)
        assert locks == Locks(PAYLOAD, frozenset(issuers), frozenset(approvers), approved=len(approvers) >= 2)
        return
    event("refused")
    reason = refusal(data, urgent_allowed=urgent_allowed)
    if "mallory" in signers:
        assert reason is Reason.SIGNATURE_INVALID
    elif set(signers) & set(OFFICES):
        assert reason is Reason.ROLE_KEY_UNAUTHORISED
    else:
        assert reason is Reason.LOCKS_INCOMPLETE


@pytest.mark.spec("WRT-4")
@pytest.mark.parametrize(
    ("signers", "reason"),
    [
        ((), Reason.LOCKS_INCOMPLETE),
        (("ida",), Reason.LOCKS_INCOMPLETE),
        (("ida", "ivan"), Reason.LOCKS_INCOMPLETE),
        (("ida", "ida", "ida"), Reason.LOCKS_INCOMPLETE),
        (("anna", "abe", "ada"), Reason.LOCKS_INCOMPLETE),
        (("ida", "anna"), Reason.LOCKS_INCOMPLETE),
        (("ida", "anna", "anna"), Reason.LOCKS_INCOMPLETE),
        (("ida", "anna", "authority"), Reason.ROLE_KEY_UNAUTHORISED),
        (("ida", "anna", "mallory"), Reason.SIGNATURE_INVALID),
    ],
)
def test_less_than_both_locks_is_refused(signers: tuple[str, ...], reason: Reason) -> None:
    assert refusal(envelope(PAYLOAD, *signers)) is reason


@pytest.mark.spec("WRT-4")
def test_one_person_with_a_key_in_each_role_does_not_hold_both_locks() -> None:
    twin = changed(GENESIS.approvers.people[0], person="ida")
    registry = changed(GENESIS, approvers=changed(GENESIS.approvers, people=(twin, *GENESIS.approvers.people[1:])))
    with pytest.raises(RefusedError) as refused:
        check_locks(envelope(PAYLOAD, *BOTH_LOCKS), registry)
    assert refused.value.reason is Reason.SEPARATION_OF_DUTIES
    assert check_locks(envelope(PAYLOAD, "ivan", "anna", "abe"), registry).approved


def test_other_signatures_beside_complete_locks_are_ignored() -> None:
    assert check_locks(envelope(PAYLOAD, "mallory", *BOTH_LOCKS, "relay"), GENESIS).approved


def test_an_urgent_warrant_opens_with_the_first_lock_alone_but_is_not_approved() -> None:
    assert not check_locks(envelope(PAYLOAD, "ida"), GENESIS, urgent_allowed=True).approved
    assert refusal(envelope(PAYLOAD, "anna", "abe"), urgent_allowed=True) is Reason.LOCKS_INCOMPLETE


def test_signatures_over_another_type_open_nothing() -> None:
    data = envelope(PAYLOAD, *BOTH_LOCKS, payload_type="application/vnd.escrow.policy.v1+json")
    assert refusal(data) is Reason.SIGNATURE_INVALID
    renamed = dsse.Envelope(PAYLOAD_TYPE, PAYLOAD, dsse.Envelope.parse(data).signatures)
    assert refusal(renamed.encode()) is Reason.SIGNATURE_INVALID


ENVELOPE = envelope(PAYLOAD, *BOTH_LOCKS)


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_a_changed_byte_of_the_payload_closes_both_locks(place: int, mask: int) -> None:
    payload = PAYLOAD[:place] + bytes([PAYLOAD[place] ^ mask]) + PAYLOAD[place + 1 :]
    forged = dsse.Envelope(PAYLOAD_TYPE, payload, dsse.Envelope.parse(ENVELOPE).signatures)
    assert refusal(forged.encode()) is Reason.SIGNATURE_INVALID


@given(st.integers(0, 2), st.integers(0, 511))
def test_a_changed_bit_of_a_signature_closes_its_lock(which: int, bit: int) -> None:
    signatures = list(dsse.Envelope.parse(ENVELOPE).signatures)
    sig = int.from_bytes(signatures[which].sig, "big") ^ 1 << bit
    signatures[which] = dsse.Signature(signatures[which].keyid, sig.to_bytes(64, "big"))
    forged = dsse.Envelope(PAYLOAD_TYPE, PAYLOAD, tuple(signatures))
    assert refusal(forged.encode()) is Reason.SIGNATURE_INVALID


def test_what_is_no_envelope_is_malformed() -> None:
    with pytest.raises(MalformedError):
        check_locks(PAYLOAD, GENESIS)
