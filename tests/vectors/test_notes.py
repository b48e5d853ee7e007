"""Signed notes: the cases of Go's sumdb/note and the examples of the C2SP texts signed-note and tlog-cosignature."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from escrow.crypto.sign import SigningKey
from escrow.encoding import number
from escrow.errors import MalformedError, RefusedError
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.note import Note, open_note, sign_note
from escrow.tlog.vkey import VerifierKey

EXPECTED = {
    "malformed": MalformedError,
    "unverified": RefusedError,
    "invalid signature": RefusedError,
    "ambiguous key": AssertionError,
}


@pytest.fixture(name="go")
def _go(shared: Path) -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads((shared / "vectors/signed-note/golang_note_vectors.json").read_text())
    return vectors


def test_go_and_we_open_the_same_notes(go: dict[str, Any]) -> None:
    keys = {name: VerifierKey.parse(text) for name, text in go["verifier_keys"].items()}
    for case in go["open"]:
        data = b64decode(case["note_b64"]) if "note_b64" in case else case["note"].encode()
        known = [keys[name] for name in case["known"]]
        if "error" in case:
            with pytest.raises(EXPECTED[case["error"]]):
                open_note(Note.parse(data), known)
        else:
            note = Note.parse(data)
            signers = [key.name for key in open_note(note, known)]
            assert signers == case["verified"]
            assert {line.name for line in note.signatures} - set(signers) == set(case["unverified"])


def test_we_sign_as_go_signs(go: dict[str, Any]) -> None:
    for case in go["sign"]:
        _, _, name, _, encoded = go["signer_keys"][case["skey"]].split("+", 4)
        text = case["text"].encode()
        note = Note(text, (sign_note(text, name, SigningKey.from_seed(b64decode(encoded)[1:])),))
        assert note.encode() == case["want"].encode()


def test_no_damaged_verifier_key_is_read(go: dict[str, Any]) -> None:
    good = go["verifier_keys"]["peter"]
    pieces = {good[begin:end] for begin in range(len(good)) for end in range(begin, len(good) + 1)} - {good}
    changed = {good[:at] + chr(ord(good[at]) + 1) + good[at + 1 :] for at in range(len(good))}
    for text in sorted(pieces | changed | set(go["invalid_vkeys"])):
        with pytest.raises(MalformedError):
            VerifierKey.parse(text)


def test_the_example_of_the_note_specification_opens(go: dict[str, Any]) -> None:
    key = VerifierKey.parse(go["c2sp_example"]["vkey"])
    assert open_note(Note.parse(go["c2sp_example"]["note"].encode()), [key]) == (key,)


def test_the_example_of_the_cosignature_specification_is_read(shared: Path) -> None:
    example = json.loads((shared / "vectors/signed-note/c2sp_unverifiable_examples.json").read_text())
    data = example["checkpoint_with_cosignature"].encode()
    note = Note.parse(data)
    assert note.encode() == data
    stated = Checkpoint.parse(note.text)
    assert (stated.origin, stated.size, stated.text()) == ("example.com/behind-the-sofa", 20852163, note.text)
    assert number(note.signatures[1].blob[:8]) == example["cosignature_timestamp_expected"]
    assert len(note.signatures[1].blob) == 72
