"""Errors <-> gRPC status. Nothing else in the tree knows status codes.

An ``EscrowError`` travels as ``google.rpc.Status`` with one ``ErrorInfo``: its ``reason`` is the name of our
reason, its metadata carry the class, the detail and the culprits, none of which is secret. A status without
our ``ErrorInfo`` comes from the transport and means that the other side was not reached.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from escrow.errors import (
    BehindError,
    DeferredError,
    DeviationError,
    EscrowError,
    IntegrityError,
    Kind,
    MalformedError,
    Reason,
    RefusedError,
    UnavailableError,
)

DOMAIN: Final = "doublelock"
DETAILS_KEY: Final = "grpc-status-details-bin"
"""The trailer in which gRPC carries ``google.rpc.Status``."""
_DETAIL: Final = 500
"""Characters; trailers have a limit of their own, and a status that exceeds it does not arrive at all."""

_BY_REASON: Final[Mapping[Reason, grpc.StatusCode]] = {
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.IDEMPOTENCY_CONFLICT: grpc.StatusCode.ALREADY_EXISTS,
    Reason.TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUOTA_WARRANT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUOTA_URGENT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUOTA_GLOBAL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.CEREMONY_STALE: grpc.StatusCode.ABORTED,
    Reason.TIMED_OUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_BY_KIND: Final[Mapping[Kind, grpc.StatusCode]] = {
    Kind.UNEXPECTED: grpc.StatusCode.INTERNAL,
    Kind.USAGE: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.VERIFICATION: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.INTEGRITY: grpc.StatusCode.DATA_LOSS,
}
# The name on the wire must not follow a renamed class.
_CLASSES: Final[Mapping[str, type[EscrowError]]] = {
    "behind": BehindError,
    "deferred": DeferredError,
    "deviation": DeviationError,
    "integrity": IntegrityError,
    "malformed": MalformedError,
    "refused": RefusedError,
    "unavailable": UnavailableError,
}
_NAMES: Final = {kind: name for name, kind in _CLASSES.items()}


def code_of(error: EscrowError) -> grpc.StatusCode:
    """The status code under which ``error`` travels."""
    if error.reason in _BY_REASON:
        return _BY_REASON[error.reason]
    if isinstance(error, UnavailableError):
        return grpc.StatusCode.UNAVAILABLE
    return _BY_KIND[error.reason.kind]


def to_status(error: EscrowError) -> Status:
    """The rich status of ``error``."""
    metadata = {"class": _NAMES[type(error)]}
    if error.detail:
        metadata["detail"] = error.detail[:_DETAIL]
    if error.culprits:
        metadata["culprits"] = ",".join(sorted(error.culprits))
    packed = Packed()
    packed.Pack(ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=metadata))
    code, _ = code_of(error).value
    return Status(code=code, message=error.reason.sentence, details=[packed])


def trailers(error: EscrowError) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata that carry ``error``."""
    return ((DETAILS_KEY, to_status(error).SerializeToString()),)


def sent_by_peer(error: grpc.aio.AioRpcError) -> EscrowError | None:
    """The error that another party of ours named, or None if the call failed on its way.

    What does not parse is no error of ours: a peer gains nothing by sending nonsense here.
    """
    trailing = cast(Iterable[tuple[str, Any]], error.trailing_metadata() or ())
    for key, value in trailing:
        if key == DETAILS_KEY:
            return _parse(value)
    return None


def from_rpc(error: grpc.aio.AioRpcError, party: str) -> EscrowError:
    """What a failed call to ``party`` means to its caller."""
    ours = sent_by_peer(error)
    if ours is not None:
        return ours
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnavailableError(Reason.TIMED_OUT, party)
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return MalformedError(f"a message to or from {party}", Reason.TOO_LARGE)
    return UnavailableError(Reason.UNAVAILABLE, f"{party}: {error.code().name}")


def _parse(data: bytes) -> EscrowError | None:
    info = _error_info(data)
    if info is None or info.domain != DOMAIN or info.reason not in Reason.__members__:
        return None
    kind = _CLASSES.get(info.metadata["class"]) if "class" in info.metadata else None
    reason, detail = Reason[info.reason], info.metadata.get("detail", "")
    culprits = tuple(filter(None, info.metadata.get("culprits", "").split(",")))
    if kind is None or (kind is DeviationError and not culprits):
        return None
    return _rebuilt(kind, reason, detail, culprits)


def _rebuilt(kind: type[EscrowError], reason: Reason, detail: str, culprits: Sequence[str]) -> EscrowError:
    if kind is MalformedError:
        return MalformedError(detail, reason)
    if kind is DeviationError:
        return DeviationError(reason, detail, culprits=culprits)
    return kind(reason, detail)


def _error_info(data: bytes) -> ErrorInfo | None:
    try:
        status = Status.FromString(data)
        for packed in status.details:
            info = ErrorInfo()
            if packed.Unpack(info):
                return info
    except DecodeError:
        return None
    return None
