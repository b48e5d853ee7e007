"""Every error arrives as what it was; what is not ours arrives as unreachable."""

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import (
    BehindError,
    DeferredError,
    DeviationError,
    EscrowError,
    IntegrityError,
    MalformedError,
    Reason,
    RefusedError,
    UnavailableError,
)
from escrow.rpc.status import DETAILS_KEY, code_of, from_rpc, sent_by_peer, to_status, trailers

ERRORS = st.one_of(
    st.builds(MalformedError, st.text(max_size=40), st.sampled_from(Reason)),
    st.builds(
        lambda reason, detail, culprits: DeviationError(reason, detail, culprits=culprits),
        st.sampled_from(Reason),
        st.text(max_size=40),
        st.sets(st.sampled_from(["relay", "custodian/1", "custodian/2"]), min_size=1),
    ),
    *(
        st.builds(kind, st.sampled_from(Reason), st.text(max_size=40))
        for kind in (RefusedError, DeferredError, UnavailableError, BehindError, IntegrityError)
    ),
)


def failed(code: grpc.StatusCode, *metadata: tuple[str, bytes]) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(*metadata), "details", None)


@given(ERRORS)
def test_an_error_survives_the_wire(error: EscrowError) -> None:
    arrived = from_rpc(failed(code_of(error), *trailers(error)), "relay")
    assert type(arrived) is type(error)
    assert (arrived.reason, arrived.detail, arrived.culprits) == (error.reason, error.detail, error.culprits)


@given(st.sampled_from(Reason))
def test_no_designed_refusal_is_unknown_and_only_bugs_are_internal(reason: Reason) -> None:
    code = code_of(RefusedError(reason))
    assert code not in {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN}
    assert (code is grpc.StatusCode.INTERNAL) == (reason.kind.name == "UNEXPECTED")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError(Reason.UNAUTHENTICATED), grpc.StatusCode.UNAUTHENTICATED),
        (RefusedError(Reason.PERMISSION_DENIED), grpc.StatusCode.PERMISSION_DENIED),
        (RefusedError(Reason.LOCKS_INCOMPLETE), grpc.StatusCode.FAILED_PRECONDITION),
        (RefusedError(Reason.EXPIRED), grpc.StatusCode.FAILED_PRECONDITION),
        (RefusedError(Reason.QUOTA_WARRANT), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (RefusedError(Reason.IDEMPOTENCY_CONFLICT), grpc.StatusCode.ALREADY_EXISTS),
        (RefusedError(Reason.NOT_FOUND), grpc.StatusCode.NOT_FOUND),
        (MalformedError("field"), grpc.StatusCode.INVALID_ARGUMENT),
        (BehindError(Reason.LOG_STALE), grpc.StatusCode.UNAVAILABLE),
        (IntegrityError(Reason.LOG_INCONSISTENT), grpc.StatusCode.DATA_LOSS),
    ],
)
def test_the_table_of_codes(error: EscrowError, code: grpc.StatusCode) -> None:
    assert code_of(error) is code
    assert to_status(error).code == code.value[0]


@given(st.binary(max_size=60))
def test_nonsense_in_the_trailers_is_no_error_of_ours(data: bytes) -> None:
    failure = failed(grpc.StatusCode.ABORTED, (DETAILS_KEY, data))
    assert sent_by_peer(failure) is None
    assert from_rpc(failure, "relay").reason is Reason.UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.TIMED_OUT),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.TOO_LARGE),
        (grpc.StatusCode.UNKNOWN, Reason.UNAVAILABLE),
    ],
)
def test_what_the_transport_says_is_about_reaching_the_party(code: grpc.StatusCode, reason: Reason) -> None:
    error = from_rpc(failed(code), "custodian/2")
    assert error.reason is reason
    assert "custodian/2" in error.detail


def test_a_detail_of_any_length_arrives_cut() -> None:
    error = RefusedError(Reason.NOT_FOUND, "x" * 100_000)
    arrived = from_rpc(failed(code_of(error), *trailers(error)), "relay")
    assert error.detail.startswith(arrived.detail)
    assert len(arrived.detail) >= 100
