"""Labels, headers, envelopes, submissions, receipts: their exact sizes, one encoding each, and what they prove."""

from collections.abc import Callable
from typing import Protocol

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.capsule.envelope import EnvelopeContent, env_path, env_root, verify_env_path
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import Frame, IngestRoot, Receipt, ingest_leaf, sign_frame, verify_receipt
from escrow.capsule.submission import SignedContent
from escrow.crypto.sign import SigningKey
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tlog.merkle import EMPTY_ROOT
from tests.core.capsule.vault import flip, hashes, labels, seeds, u32s, u64s

RELAY, DEVICE = SigningKey.from_seed(b"\x01" * 32), SigningKey.from_seed(b"\x02" * 32)
mids = st.binary(min_size=16, max_size=16)
headers = st.builds(Header, hashes, hashes, u32s, mids, st.sampled_from(ContentClass))
receipts = st.builds(Receipt, hashes, hashes, hashes, u32s, u64s, u64s, u64s)
frames = st.builds(Frame, hashes, hashes, u32s, u64s)
roots = st.builds(IngestRoot, hashes, u64s, hashes, u64s)
submissions = st.builds(SignedContent, hashes, hashes, u32s, hashes, hashes)
genesis = st.none() | st.binary(max_size=60)
first = st.builds(EnvelopeContent, st.just(1), hashes, hashes, st.just(0), hashes, seeds, genesis)
later = st.builds(EnvelopeContent, st.just(1), hashes, hashes, st.integers(1, 9), hashes, st.none(), st.none())
envelopes = st.lists(st.tuples(hashes, u32s, st.binary(max_size=40)), max_size=8, unique_by=lambda one: one[:2])


class Encoded(Protocol):
    def encode(self) -> bytes: ...


@given(st.one_of(labels, headers, receipts, frames, roots, first, later), st.data())
def test_an_object_has_one_encoding_and_nothing_else_is_read(value: Encoded, data: st.DataObject) -> None:
    encoded = value.encode()
    read: Callable[[bytes], Encoded] = type(value).decode  # type: ignore[attr-defined]
    assert read(encoded) == value
    at = data.draw(st.integers(0, len(encoded) - 1))
    for other in (encoded[:at], encoded + b"\x00", flip(encoded, at, data.draw(st.integers(1, 255)))):
        try:
            assert read(other).encode() == other
        except MalformedError:
            continue


@given(labels, headers, receipts, frames, submissions)
def test_sizes_are_constant(label: Label, header: Header, receipt: Receipt, frame: Frame, said: SignedContent) -> None:
    sizes = [len(one.encode()) for one in (label, header, receipt, frame, said)]
    assert sizes == [338, 146, 205, 131, 196]


@given(st.binary(max_size=400))
def test_noise_is_no_object(noise: bytes) -> None:
    for kind in (Label, Header, Receipt, Frame, IngestRoot, EnvelopeContent):
        with pytest.raises(MalformedError):
            kind.decode(noise)


@given(labels)
def test_a_label_has_the_one_mode_and_a_possible_length(label: Label) -> None:
    impossible = [
        msgspec.structs.replace(label, mode=0),
        msgspec.structs.replace(label, mode=2),
        msgspec.structs.replace(label, n_max=0),
        msgspec.structs.replace(label, n_max=1025),
        msgspec.structs.replace(label, suite=0),
    ]
    for other in impossible:
        with pytest.raises(MalformedError):
            Label.decode(other.encode())


def test_a_header_has_a_known_class() -> None:
    encoded = Header(bytes(32), bytes(32), 0, bytes(16), ContentClass.CONTROL).encode()
    with pytest.raises(MalformedError):
        Header.decode(encoded[:-1] + b"\x03")


@given(labels, labels)
def test_hashes_name_one_thing(one: Label, other: Label) -> None:
    assert (label_hash(one.encode()) == label_hash(other.encode())) == (one == other)
    assert len({cap_hash(suite, capsule) for suite in (1, 2) for capsule in (b"", b"a")}) == 4


@given(first)
def test_a_seed_travels_with_index_zero_and_no_other(content: EnvelopeContent) -> None:
    assert EnvelopeContent.decode(replace(content, seed=Secret(bytes(64))).encode()).seed == Secret(bytes(64))
    sizes = [replace(content, seed=Secret(bytes(size))) for size in (1, 31, 33, 63, 65, 96)]
    for wrong in (replace(content, seed=None), replace(content, index=1), *sizes):
        with pytest.raises(MalformedError):
            EnvelopeContent.decode(wrong.encode())


def test_an_envelope_prints_neither_the_seed_nor_the_conversation_secret() -> None:
    content = EnvelopeContent(1, bytes(32), bytes(32), 0, bytes(32), Secret(b"seed" * 8), b"secret" * 5)
    assert "seedseed" not in repr(content)
    assert "secretsecret" not in repr(content)


@given(envelopes, st.data())
def test_every_envelope_is_under_the_root_for_its_own_device_only(
    sent: list[tuple[bytes, int, bytes]], data: st.DataObject
) -> None:
    root = env_root(sent)
    assert root == env_root(data.draw(st.permutations(sent)))
    if not sent:
        assert root == EMPTY_ROOT
        return
    account, device, envelope = data.draw(st.sampled_from(sent))
    path = env_path(sent, account, device)
    verify_env_path((account, device, envelope), path, root)
    wrong = [
        ((account, device, envelope + b"x"), path, root),
        ((account, device ^ 1, envelope), path, root),
        ((account[::-1] + b"", device, envelope), path, root) if account != account[::-1] else None,
        ((account, device, envelope), path, bytes(32)),
        ((account, device, envelope), path + bytes(32), root),
        ((account, device, envelope), path[:-1], root),
        ((account, device, envelope), flip(path, 3, 128), root),
    ]
    for case in wrong:
        if case is not None:
            with pytest.raises(EscrowError):
                verify_env_path(*case)


def test_a_device_has_one_envelope() -> None:
    with pytest.raises(MalformedError):
        env_root([(bytes(32), 1, b"a"), (bytes(32), 1, b"b")])


@given(submissions, st.integers(0, 195), st.integers(1, 255))
def test_a_device_signs_exactly_its_submission(said: SignedContent, at: int, by: int) -> None:
    signature = said.sign(DEVICE)
    said.verify(DEVICE.public, signature)
    others = [
        (msgspec.structs.replace(said, index=said.index ^ 1), DEVICE.public, signature),
        (
            msgspec.structs.replace(said, body_id=bytes(31) + b"\x01" if said.body_id == bytes(32) else bytes(32)),
            DEVICE.public,
            signature,
        ),
        (said, RELAY.public, signature),
        (said, DEVICE.public, flip(signature, at % 64, by)),
    ]
    for other, key, shown in others:
        with pytest.raises(RefusedError) as refused:
            other.verify(key, shown)
        assert refused.value.reason is Reason.SIGNATURE_INVALID


@settings(max_examples=30)
@given(st.lists(receipts, min_size=1, max_size=9, unique_by=lambda one: one.encode()), u64s, st.data())
def test_a_path_proves_one_receipt_at_one_place_of_one_frame(
    accepted: list[Receipt], include_by: int, data: st.DataObject
) -> None:
    encoded = [one.encode() for one in accepted]
    frame, signature, paths = sign_frame(encoded, RELAY, include_by)
    for place, (receipt, path) in enumerate(zip(encoded, paths, strict=True)):
        read, signed = verify_receipt(receipt, path, frame, signature, RELAY.public)
        assert (read, signed.count, signed.include_by) == (accepted[place], len(accepted), include_by)
        for elsewhere, other in enumerate(paths):
            if elsewhere != place:
                _invalid(receipt, other, frame, signature)
                _invalid(encoded[elsewhere], path, frame, signature)
                # The same hashes, said to lead from another place.
                _invalid(receipt, other[:4] + path[4:], frame, signature)
    at, by = data.draw(st.integers(0, 204)), data.draw(st.integers(1, 255))
    _invalid(flip(encoded[0], at, by), paths[0], frame, signature)
    _invalid(encoded[0], paths[0], flip(frame, at % 131, by), signature)
    _invalid(encoded[0], paths[0], frame, flip(signature, at % 64, by))
    _invalid(encoded[0], paths[0] + bytes(32), frame, signature)
    _invalid(encoded[0], paths[0], frame, signature, DEVICE.public)
    assert len({ingest_leaf(one) for one in encoded}) == len(encoded)


def _invalid(receipt: bytes, path: bytes, frame: bytes, signature: bytes, relay: bytes = RELAY.public) -> None:
    with pytest.raises(EscrowError) as refused:
        verify_receipt(receipt, path, frame, signature, relay)
    assert refused.value.reason in {Reason.RECEIPT_INVALID, Reason.MALFORMED}


def test_a_frame_of_another_relay_is_not_taken_for_ours() -> None:
    receipt = Receipt(bytes(32), bytes(32), bytes(32), 1, 0, 0, 0).encode()
    frame, _, (path,) = sign_frame([receipt], DEVICE, 0)
    _invalid(receipt, path, frame, RELAY.sign(frame))
