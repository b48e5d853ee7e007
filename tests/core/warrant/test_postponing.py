"""What both locks put off, and nobody else (LOG-09, LOG-12); and the small objects that follow on a warrant."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.encoding import u16, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import T, Tag
from escrow.tlog.entry import EntryType
from escrow.warrant.error_report import ErrorKind, ErrorReport, detail_commitment
from escrow.warrant.noticed import NoticeDelivered
from escrow.warrant.postponing import KINDS, Postponement
from tests.core.warrant.office import GENESIS, key

SEAL = b"s" * 32
KIND = sorted(KINDS)
WHOLE = Postponement.signed(KIND[0], SEAL, 7, key("ida"), key("anna"), key("abe"))


@pytest.mark.spec("DSC-1")
@given(st.sampled_from(KIND), st.sets(st.sampled_from(("ida", "ivan", "anna", "abe", "ada", "relay", "mallory"))))
def test_only_both_complete_locks_put_anything_off(kind: EntryType, signers: set[str]) -> None:
    said = Postponement.decode(Postponement.signed(kind, SEAL, 99, *(key(name) for name in signers)).encode())
    strangers = signers & {"relay", "mallory"}
    if signers & {"ida", "ivan"} and len(signers & {"anna", "abe", "ada"}) >= 2 and not strangers:
        event("accepted")
        said.check(GENESIS)
        return
    event("refused")
    with pytest.raises(RefusedError) as refused:
        said.check(GENESIS)
    assert refused.value.reason is (Reason.ROLE_KEY_UNAUTHORISED if strangers else Reason.LOCKS_INCOMPLETE)


@given(st.integers(0, len(WHOLE.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, mask: int) -> None:
    data = WHOLE.encode()
    with pytest.raises(EscrowError):
        Postponement.decode(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]).check(GENESIS)


def test_a_signature_for_one_kind_or_time_is_none_for_another() -> None:
    for other in (
        Postponement(KIND[1], SEAL, 7, WHOLE.signatures),
        Postponement(KIND[0], SEAL, 8, WHOLE.signatures),
        Postponement(KIND[0], bytes(32), 7, WHOLE.signatures),
    ):
        with pytest.raises(RefusedError, match="SIGNATURE_INVALID"):
            other.check(GENESIS)


def test_what_is_no_postponement_is_malformed() -> None:
    for wrong in (b"", WHOLE.encode() + b"\0", T(Tag.POSTPONEMENT, u16(EntryType.APPROVAL), SEAL, u64(1), b"")):
        with pytest.raises(MalformedError):
            Postponement.decode(wrong)


@given(
    st.sampled_from(ErrorKind),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_reports_and_notices_have_one_encoding(kind: ErrorKind, affected: int, found: int, digest: bytes) -> None:
    report = ErrorReport(SEAL, kind, affected, found, digest)
    assert ErrorReport.decode(report.encode()) == report
    told = NoticeDelivered(SEAL, digest, affected)
    assert NoticeDelivered.decode(told.encode()) == told
    for decode, data in ((ErrorReport.decode, report.encode()), (NoticeDelivered.decode, told.encode())):
        with pytest.raises(MalformedError):
            decode(data[:-1])


def test_an_error_of_unknown_kind_is_malformed_and_a_report_fits_its_salt() -> None:
    data = ErrorReport(SEAL, ErrorKind.OTHER, 1, 2, bytes(32)).encode()
    with pytest.raises(MalformedError):
        ErrorReport.decode(data.replace(b"\xff", b"\x09"))
    assert detail_commitment(bytes(32), b"report") != detail_commitment(b"1" * 32, b"report")
