"""Who may call what: the first word of the caller's certificate, looked up in one table.

This keeps strangers away from the roles; what a caller may do in a particular case is decided by the role, from
signatures and from the log.
"""

from collections.abc import Mapping
from typing import Final

from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import (
    AddCheckpoint,
    Apply,
    Call,
    DeliverDealing,
    Enroll,
    Fetch,
    GetBundle,
    GetChunk,
    GetIngestPaths,
    GetNotes,
    GetWaiting,
    JudgeRelease,
    LeaveNote,
    Produce,
    PutChunk,
    RegisterRoute,
    Release,
    Submit,
    WithdrawCase,
)
from escrow.rpc.settle import Settle

_DEVICE: Final = frozenset({"device"})
_LINKING: Final = frozenset({"device", "newcomer"})
_AGENCY: Final = frozenset({"agency"})
_OPERATOR: Final = frozenset({"operator"})

CALLERS: Final[Mapping[type[Call], frozenset[str]]] = {
    AddCheckpoint: frozenset({"log"}),
    Enroll: _DEVICE,
    GetBundle: _DEVICE,
    RegisterRoute: _DEVICE,
    Submit: _DEVICE,
    Fetch: _DEVICE,
    PutChunk: _DEVICE,
    GetChunk: _DEVICE | _AGENCY,
    GetIngestPaths: _DEVICE,
    LeaveNote: _LINKING,
    GetNotes: _LINKING,
    Produce: _AGENCY,
    DeliverDealing: frozenset({"custodian"}),
    Release: _AGENCY,
    JudgeRelease: _OPERATOR,
    GetWaiting: _OPERATOR,
    Apply: _AGENCY,
    WithdrawCase: _AGENCY,
    Settle: frozenset({"person"}),
}
"""Calls that are not for everybody with a certificate of the deployment."""


def check_access(caller: Party, kind: type[Call]) -> None:
    """Raise ``RefusedError(PERMISSION_DENIED)`` unless ``caller`` may make calls of this kind."""
    allowed = CALLERS.get(kind)
    if allowed is not None and caller.partition("/")[0] not in allowed:
        raise RefusedError(Reason.PERMISSION_DENIED, f"{kind.__name__} is for: {', '.join(sorted(allowed))}")
