"""Cosignatures of both kinds: what exactly is signed, and that nothing else passes for it."""

from struct import pack

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.cosignature import CosignerKey, identity
from escrow.tlog.note import Note, parse_lines
from escrow.tlog.policy import Policy
from escrow.tlog.vkey import KeyType, VerifierKey
from tests.core.crypto.draws import flip

LOG = SigningKey.from_seed(bytes(31) + b"\x01")
LOG_KEY = VerifierKey.of("log.example/1", LOG.public)
ED25519 = SigningKey.from_seed(bytes(31) + b"\x02")
ML_DSA = MlDsaKey.from_seed(Secret(bytes(31) + b"\x03"))
KINDS: tuple[CosignerKey, ...] = (ED25519, ML_DSA)
NAME = "witness.example/a"
STATED = Checkpoint("log.example/1", 1234, bytes(range(32)))
TEXT = STATED.text()


def blob(line: bytes) -> bytes:
    return parse_lines(line)[0].blob


def signed(key: CosignerKey, time_s: int = 77, name: str = NAME, text: bytes = TEXT) -> bytes:
    return blob(cosignature.sign(text, name, key, time_s))


SIGNED = {key: signed(key) for key in KINDS}


@pytest.mark.parametrize(("key", "size"), [(ED25519, 72), (ML_DSA, 2428)])
@given(time_s=st.integers(0, 2**63 - 1))
def test_a_cosignature_says_its_time(key: CosignerKey, size: int, time_s: int) -> None:
    made = signed(key, time_s)
    assert len(made) == size
    assert cosignature.verify(TEXT, made, identity(NAME, key)) == time_s


def test_the_post_quantum_kind_signs_the_structure_of_the_specification() -> None:
    message = b"subtree/v1\n\0" + bytes([len(NAME)]) + NAME.encode() + pack(">Q", 77)
    message += bytes([len(STATED.origin)]) + STATED.origin.encode() + pack(">QQ", 0, STATED.size) + STATED.root
    made = SIGNED[ML_DSA]
    assert made[:8] == pack(">Q", 77)
    MLDSA44PublicKey.from_public_bytes(ML_DSA.public).verify(made[8:], message)


@pytest.mark.parametrize("key", KINDS)
@given(bit=st.integers(0))
def test_no_bit_of_a_cosignature_can_be_turned(key: CosignerKey, bit: int) -> None:
    with pytest.raises(RefusedError) as refused:
        cosignature.verify(TEXT, flip(SIGNED[key], bit), identity(NAME, key))
    assert refused.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize("cut", [0, 1, 8, 9, -1])
def test_a_cosignature_has_one_length(key: CosignerKey, cut: int) -> None:
    with pytest.raises(RefusedError):
        cosignature.verify(TEXT, SIGNED[key][:cut], identity(NAME, key))
    with pytest.raises(RefusedError):
        cosignature.verify(TEXT, SIGNED[key] + b"\0", identity(NAME, key))


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize(
    "other",
    [
        Checkpoint("log.example/2", 1234, STATED.root),
        Checkpoint("log.example/1", 1235, STATED.root),
        Checkpoint("log.example/1", 1234, bytes(32)),
    ],
)
def test_a_cosignature_is_of_one_checkpoint_of_one_log(key: CosignerKey, other: Checkpoint) -> None:
    with pytest.raises(RefusedError):
        cosignature.verify(other.text(), SIGNED[key], identity(NAME, key))


def test_only_the_post_quantum_kind_binds_the_name_of_the_cosigner() -> None:
    assert cosignature.verify(TEXT, SIGNED[ED25519], identity("witness.example/b", ED25519)) == 77
    with pytest.raises(RefusedError):
        cosignature.verify(TEXT, SIGNED[ML_DSA], identity("witness.example/b", ML_DSA))


@pytest.mark.spec("TLG-2")
def test_the_post_quantum_kind_signs_checkpoints_without_extensions_only() -> None:
    for text in (TEXT + b"extension\n", b"some text\n"):
        with pytest.raises(MalformedError):
            cosignature.sign(text, NAME, ML_DSA, 77)
        with pytest.raises(MalformedError):
            cosignature.verify(text, SIGNED[ML_DSA], identity(NAME, ML_DSA))


@pytest.mark.parametrize(("name", "origin"), [("n" * 256, "log.example/1"), (NAME, "o" * 256)])
def test_what_the_structure_cannot_hold_is_not_signed(name: str, origin: str) -> None:
    with pytest.raises(MalformedError, match="255 bytes"):
        cosignature.sign(Checkpoint(origin, 1, bytes(32)).text(), name, ML_DSA, 77)
    longest = "n" * 255
    text = Checkpoint("o" * 255, 1, bytes(32)).text()
    assert cosignature.verify(text, signed(ML_DSA, 77, longest, text), identity(longest, ML_DSA)) == 77


def test_a_plain_log_key_cosigns_nothing() -> None:
    with pytest.raises(AssertionError):
        cosignature.verify(TEXT, SIGNED[ED25519], VerifierKey.of(NAME, ED25519.public))


def test_a_verifier_key_of_either_kind_is_read_as_it_is_written() -> None:
    for key in KINDS:
        known = identity(NAME, key)
        assert VerifierKey.parse(known.format()) == known
    with pytest.raises(MalformedError):
        VerifierKey.of(NAME, ED25519.public, KeyType.PQ_COSIGNATURE)
    with pytest.raises(MalformedError):
        VerifierKey.of(NAME, ML_DSA.public, KeyType.COSIGNATURE)


def test_a_witness_may_answer_with_all_its_keys() -> None:
    keys = [identity(NAME, key) for key in KINDS]
    lines = b"".join(cosignature.sign(TEXT, NAME, key, 77) for key in KINDS)
    note = cosignature.attach(checkpoint.sign(STATED, LOG_KEY.name, LOG), lines, *keys)
    assert [cosignature.time_of(Note.parse(note), key) for key in keys] == [77, 77]
    later = b"".join(cosignature.sign(TEXT, NAME, key, 78) for key in KINDS)
    assert len(Note.parse(cosignature.attach(note, later, *keys)).signatures) == 3
    alone = cosignature.attach(note, cosignature.sign(TEXT, NAME, ED25519, 79), *keys)
    assert [cosignature.time_of(Note.parse(alone), key) for key in keys] == [79, None]


def test_an_answer_without_the_key_that_counts_or_with_a_wrong_other_one_is_refused() -> None:
    keys = [identity(NAME, key) for key in KINDS]
    note = checkpoint.sign(STATED, LOG_KEY.name, LOG)
    other = Checkpoint("log.example/1", 9, bytes(32)).text()
    good = cosignature.sign(TEXT, NAME, ED25519, 77)
    for lines in (cosignature.sign(TEXT, NAME, ML_DSA, 77), good + cosignature.sign(other, NAME, ML_DSA, 77)):
        with pytest.raises(RefusedError):
            cosignature.attach(note, lines, *keys)


def test_a_log_may_sign_with_a_post_quantum_key_alone() -> None:
    name = STATED.origin
    log, other = identity(name, ML_DSA), identity("log.example/2", ML_DSA)
    note = TEXT + b"\n" + cosignature.sign(TEXT, name, ML_DSA, 77)
    assert Policy.parse(f"log {log.format()}\nquorum none\n".encode()).head(note).size == 1234
    with pytest.raises(RefusedError):
        Policy.parse(f"log {other.format()}\nquorum none\n".encode()).head(note)
    about_another = TEXT + b"\n" + cosignature.sign(TEXT, "log.example/2", ML_DSA, 77)
    with pytest.raises(RefusedError, match="another log"):
        cosignature.verify_checkpoint(Note.parse(about_another), other)
    with pytest.raises(RefusedError, match="did not sign"):
        cosignature.verify_checkpoint(Note.parse(note), other)
