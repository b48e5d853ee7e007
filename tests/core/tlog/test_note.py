"""Notes, checkpoints and cosignatures: one spelling each, and not one byte of them can be changed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.note import MOST_SIGNATURES, Note, open_note, sign_note
from escrow.tlog.vkey import KeyType, VerifierKey

LOG = SigningKey.from_seed(bytes(31) + b"\x01")
WITNESS = SigningKey.from_seed(bytes(31) + b"\x02")
LOG_KEY = VerifierKey.of("log.example/1", LOG.public)
WITNESS_KEY = VerifierKey.of("witness.example/a", WITNESS.public, KeyType.COSIGNATURE)

CHECKPOINT = Checkpoint("log.example/1", 1234, bytes(range(32)))
SIGNED = checkpoint.sign(CHECKPOINT, LOG_KEY.name, LOG)
COSIGNED = cosignature.attach(SIGNED, cosignature.sign(CHECKPOINT.text(), WITNESS_KEY.name, WITNESS, 77), WITNESS_KEY)

lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=9)
names = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P"], exclude_characters="+"), min_size=1, max_size=9
)


@given(st.lists(lines, min_size=1, max_size=4), names)
def test_a_note_says_what_was_signed(text_lines: list[str], name: str) -> None:
    text = "".join(f"{line}\n" for line in text_lines).encode()
    key = VerifierKey.of(name, LOG.public)
    data = Note(text, (sign_note(text, name, LOG),)).encode()
    note = Note.parse(data)
    assert (note.text, note.encode()) == (text, data)
    assert open_note(note, [key]) == (key,)
    assert VerifierKey.parse(key.format()) == key


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.integers(0, 2**63 - 1))
def test_a_checkpoint_carries_its_witness_and_its_time(size: int, root: bytes, time_s: int) -> None:
    stated = Checkpoint("log.example/1", size, root)
    data = checkpoint.sign(stated, LOG_KEY.name, LOG)
    data = cosignature.attach(data, cosignature.sign(stated.text(), WITNESS_KEY.name, WITNESS, time_s), WITNESS_KEY)
    note = Note.parse(data)
    assert checkpoint.verify(note, LOG_KEY) == stated == Checkpoint.parse(stated.text())
    assert cosignature.time_of(note, WITNESS_KEY) == time_s


@given(st.integers(0, len(COSIGNED) - 1), st.integers(1, 255))
def test_no_byte_of_a_cosigned_checkpoint_can_change(at: int, mask: int) -> None:
    changed = COSIGNED[:at] + bytes([COSIGNED[at] ^ mask]) + COSIGNED[at + 1 :]
    try:
        note = Note.parse(changed)
        stated = checkpoint.verify(note, LOG_KEY)
        time_s = cosignature.time_of(note, WITNESS_KEY)
    except EscrowError:
        return
    # Only the name or the id on the witness's line changed: then it is nobody's signature.
    assert (stated, time_s) == (CHECKPOINT, None)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_note_or_malformed(data: bytes) -> None:
    for candidate in (data, SIGNED + data, data + b"\n\n" + SIGNED.split(b"\n\n")[1]):
        try:
            assert Note.parse(candidate).encode() == candidate
        except MalformedError:
            continue


NOTE_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a carriage return": lambda note: note.replace(b"\n", b"\r\n"),
    "a tab": lambda note: note.replace(b"log", b"l\tg", 1),
    "no last newline": lambda note: note[:-1],
    "no signature": lambda note: note[: note.index(b"\n\n") + 2],
    "no blank line": lambda note: note.replace(b"\n\n", b"\n"),
    "a blank line at the end": lambda note: note + b"\n",
    "a hyphen for the dash": lambda note: note.replace("—".encode(), b"-"),
    "two spaces": lambda note: note.replace("— ".encode(), "—  ".encode()),
    "a plus in a name": lambda note: note.replace("— log".encode(), "— l+g".encode()),
    "a space of another kind in a name": lambda note: note.replace("— log".encode(), "— l\u2003g".encode()),
    "no base64": lambda note: note[:-2] + b"!\n",
    "base64 without padding": lambda note: note.replace(b"=\n", b"\n"),
    "a short signature": lambda note: note[: note.rindex(b" ") + 1] + b"AAAAAA==\n",
    "no UTF-8": lambda note: b"\xff" + note,
    "too many signatures": lambda note: note + (note.split(b"\n\n")[1]) * MOST_SIGNATURES,
    "too many bytes": lambda note: b"x" * 1_000_000 + note,
}


@pytest.mark.parametrize("damage", NOTE_DAMAGE.values(), ids=NOTE_DAMAGE.keys())
def test_a_malformed_note_is_refused(damage: Callable[[bytes], bytes]) -> None:
    damaged = damage(SIGNED)
    assert damaged != SIGNED
    with pytest.raises(MalformedError):
        Note.parse(damaged)


ROOT = CHECKPOINT.text().decode().split("\n")[2]


@pytest.mark.parametrize(
    "text",
    [
        f"\n5\n{ROOT}\n",
        f"log\n05\n{ROOT}\n",
        f"log\n+5\n{ROOT}\n",
        f"log\n5 \n{ROOT}\n",
        f"log\n٥\n{ROOT}\n",
        f"log\n{2**63}\n{ROOT}\n",
        f"log\n{10**30}\n{ROOT}\n",
        f"log\n5\n{ROOT[:-4]}\n",
        f"log\n5\n{ROOT[:-2]}9=\n",
        "log\n5\n\n",
        "log\n5\n",
        f"log\n5\n{ROOT}\nextension\n",
        f"log\n5\n{ROOT}\n\n",
        f"log\n5\n{ROOT}",
        "",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        Checkpoint.parse(text.encode())


def test_a_log_speaks_only_about_itself() -> None:
    data = checkpoint.sign(Checkpoint("log.example/2", 5, bytes(32)), LOG_KEY.name, LOG)
    with pytest.raises(RefusedError) as refusal:
        checkpoint.verify(Note.parse(data), LOG_KEY)
    assert refusal.value.reason is Reason.SIGNATURE_INVALID


def test_a_key_with_the_same_name_or_the_same_id_alone_is_unknown() -> None:
    note = Note.parse(SIGNED)
    other = VerifierKey.of(LOG_KEY.name, WITNESS.public)
    colliding = VerifierKey("other", LOG_KEY.key_id, LOG_KEY.type, LOG_KEY.public)
    for key in (other, colliding):
        with pytest.raises(RefusedError):
            open_note(note, [key])
        assert open_note(note, [key, LOG_KEY]) == (LOG_KEY,)


def test_one_wrong_signature_of_a_trusted_key_spoils_the_note() -> None:
    note = Note.parse(SIGNED)
    wrong = sign_note(b"another text\n", LOG_KEY.name, LOG)
    for signatures in ((*note.signatures, wrong), (wrong, *note.signatures)):
        with pytest.raises(RefusedError):
            open_note(Note(note.text, signatures), [LOG_KEY])


def test_trusted_keys_that_cannot_be_told_apart_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        open_note(Note.parse(SIGNED), [LOG_KEY, LOG_KEY])
    with pytest.raises(AssertionError):
        open_note(Note.parse(SIGNED), [WITNESS_KEY])
    with pytest.raises(AssertionError):
        cosignature.verify(CHECKPOINT.text(), bytes(72), LOG_KEY)


def test_a_signature_of_one_kind_is_not_one_of_the_other() -> None:
    text = CHECKPOINT.text()
    as_log = VerifierKey.of("same", LOG.public)
    as_witness = VerifierKey.of("same", LOG.public, KeyType.COSIGNATURE)
    assert as_log.key_id != as_witness.key_id
    cosigned = Note.parse(text + b"\n" + cosignature.sign(text, "same", LOG, 5))
    with pytest.raises(RefusedError):
        open_note(cosigned, [as_log])
    assert cosignature.time_of(Note(text, (sign_note(text, "same", LOG),)), as_witness) is None


@pytest.mark.parametrize("change", [b"", b"\0"], ids=["cut", "longer"])
def test_a_cosignature_of_another_length_is_refused(change: bytes) -> None:
    (blob,) = Note.parse(COSIGNED).by(WITNESS_KEY)
    with pytest.raises(RefusedError):
        cosignature.verify(CHECKPOINT.text(), (blob + change) if change else blob[:-1], WITNESS_KEY)


def test_a_time_beyond_63_bits_is_refused() -> None:
    line = cosignature.sign(CHECKPOINT.text(), WITNESS_KEY.name, WITNESS, 2**63)
    with pytest.raises(RefusedError):
        cosignature.attach(SIGNED, line, WITNESS_KEY)


def test_a_witness_replaces_its_own_lines_and_adds_no_others() -> None:
    stranger = SigningKey.from_seed(bytes(31) + b"\x03")
    text = CHECKPOINT.text()
    answer = cosignature.sign(text, "stranger", stranger, 90) + cosignature.sign(text, WITNESS_KEY.name, WITNESS, 90)
    note = Note.parse(cosignature.attach(COSIGNED, answer, WITNESS_KEY))
    assert cosignature.time_of(note, WITNESS_KEY) == 90
    assert [line.name for line in note.signatures] == [LOG_KEY.name, WITNESS_KEY.name]


def test_a_witness_cannot_answer_with_text() -> None:
    stranger_text = SIGNED + b"\n"
    answer = b"\n" + cosignature.sign(stranger_text, WITNESS_KEY.name, WITNESS, 90)
    with pytest.raises(MalformedError):
        cosignature.attach(SIGNED, answer, WITNESS_KEY)
    with pytest.raises(RefusedError):
        cosignature.attach(SIGNED, cosignature.sign(b"other\n", WITNESS_KEY.name, WITNESS, 9), WITNESS_KEY)
    with pytest.raises(RefusedError):
        cosignature.attach(SIGNED, cosignature.sign(CHECKPOINT.text(), "stranger", LOG, 9), WITNESS_KEY)


@given(st.integers(0, len(LOG_KEY.format()) - 1), st.integers(1, 127))
def test_no_character_of_a_verifier_key_can_change(at: int, mask: int) -> None:
    text = LOG_KEY.format()
    with pytest.raises(MalformedError):
        VerifierKey.parse(text[:at] + chr(ord(text[at]) ^ mask) + text[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", "+", "log", "log+00000000", "log+00000000+", "log+00000000+AQ==", "\ud800+0+AQ=="]
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        VerifierKey.parse(text)
