"""Envelopes: what is signed is what is used, and only distinct trusted keys count."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.warrant import dsse
from tests.core.warrant.office import key

TYPE = "application/vnd.test+json"
NAMES = ("a", "b", "c", "d")
TRUSTED = {name: key(name).public for name in NAMES}


def signed(payload: bytes, *names: str, payload_type: str = TYPE) -> dsse.Envelope:
    return dsse.Envelope(payload_type, payload, tuple(dsse.sign(payload_type, payload, key(name)) for name in names))


def refusal(envelope: dsse.Envelope, threshold: int = 1, payload_type: str = TYPE) -> Reason:
    with pytest.raises(RefusedError) as refused:
        dsse.verify(envelope, payload_type, TRUSTED, threshold)
    return refused.value.reason


@given(
    st.lists(st.sampled_from((*NAMES, "x", "y")), max_size=8),
    st.integers(1, 4),
    st.lists(st.text(max_size=4), min_size=8, max_size=8),
)
def test_exactly_the_distinct_trusted_keys_count_whatever_the_hints_say(
    names: list[str], threshold: int, hints: list[str]
) -> None:
    honest = signed(b"text", *names)
    envelope = dsse.Envelope(
        TYPE,
        b"text",
        tuple(dsse.Signature(hint, one.sig) for hint, one in zip(hints, honest.signatures, strict=False)),
    )
    expected = set(names) & set(NAMES)
    if len(expected) >= threshold:
        assert dsse.verify(envelope, TYPE, TRUSTED, threshold) == dsse.Verified(b"text", frozenset(expected))
    else:
        assert refusal(envelope, threshold) is Reason.SIGNATURE_INVALID


def test_the_same_signature_twice_counts_once() -> None:
    assert refusal(signed(b"text", "a", "a"), 2) is Reason.SIGNATURE_INVALID


def test_one_key_under_two_hints_counts_once() -> None:
    sig = dsse.sign(TYPE, b"text", key("a")).sig
    envelope = dsse.Envelope(TYPE, b"text", (dsse.Signature("one", sig), dsse.Signature("two", sig)))
    assert refusal(envelope, 2) is Reason.SIGNATURE_INVALID


def test_one_key_trusted_under_two_names_counts_once() -> None:
    twice = {"first": key("a").public, "second": key("a").public}
    with pytest.raises(RefusedError):
        dsse.verify(signed(b"text", "a", "a"), TYPE, twice, 2)


def test_a_foreign_hint_does_not_hide_a_good_signature() -> None:
    sig = dsse.sign(TYPE, b"text", key("a")).sig
    envelope = dsse.Envelope(TYPE, b"text", (dsse.Signature(dsse.keyid(key("b").public), sig),))
    assert dsse.verify(envelope, TYPE, TRUSTED, 1).names == {"a"}


def test_another_type_is_refused_although_its_signature_holds() -> None:
    assert refusal(signed(b"text", "a", payload_type="cancellation")) is Reason.SIGNATURE_INVALID


def test_bytes_moved_over_the_boundary_of_type_and_body_are_refused() -> None:
    signature = dsse.sign("ab", b"cd", key("a"))
    for kind, body in (("abc", b"d"), ("a", b"bcd"), ("ab ", b"cd"), ("ab", b" cd")):
        assert refusal(dsse.Envelope(kind, body, (signature,)), payload_type=kind) is Reason.SIGNATURE_INVALID


def test_the_identity_as_a_key_signs_nothing() -> None:
    identity = b"\x01" + bytes(31)
    envelope = dsse.Envelope(TYPE, b"text", (dsse.Signature("", identity + bytes(32)),))
    with pytest.raises(RefusedError):
        dsse.verify(envelope, TYPE, {"identity": identity}, 1)


@given(st.binary(max_size=40), st.lists(st.sampled_from(NAMES), max_size=3))
def test_an_envelope_survives_its_encoding(payload: bytes, names: list[str]) -> None:
    envelope = signed(payload, *names)
    assert dsse.Envelope.parse(envelope.encode()) == envelope


@given(st.binary(min_size=1, max_size=40))
def test_both_alphabets_of_base64_are_read(payload: bytes) -> None:
    envelope = signed(payload, "a")
    plain = json.loads(envelope.encode())
    plain["payload"] = base64.urlsafe_b64encode(payload).decode()
    plain["signatures"][0]["sig"] = base64.urlsafe_b64encode(envelope.signatures[0].sig).decode()
    assert dsse.Envelope.parse(json.dumps(plain).encode()) == envelope


def test_unknown_fields_of_the_envelope_are_ignored_and_hints_may_be_absent() -> None:
    envelope = signed(b"text", "a")
    plain = json.loads(envelope.encode())
    plain["grease"] = [1, {}]
    plain["signatures"][0]["certificate"] = "none"
    del plain["signatures"][0]["keyid"]
    assert dsse.verify(dsse.Envelope.parse(json.dumps(plain).encode()), TYPE, TRUSTED, 1).names == {"a"}


def _altered(change: dict[str, Any]) -> bytes:
    return json.dumps(json.loads(signed(b"text", "a").encode()) | change).encode()


MALFORMED = {
    "no JSON": b"DSSE",
    "duplicate field": signed(b"text", "a").encode()[:-1] + b',"payload":""}',
    "no payload": b'{"payloadType":"a","signatures":[]}',
    "unpadded base64": _altered({"payload": "dGV4dA"}),
    "base64 with a line end": _altered({"payload": "dGV4dA==\n"}),
    "base64 with stray bits": _altered({"payload": "dGV4dB=="}),
    "base64 of two alphabets": _altered({"payload": "+_+_"}),
    "base64 of no alphabet": _altered({"payload": "dä=="}),
    "signatures that are no list": _altered({"signatures": {}}),
    "a type that is no text": _altered({"payloadType": 1}),
    "a type of half a character": _altered({"payloadType": "\ud800"}),
    "a huge array of signatures": _altered({"signatures": [{"sig": ""}] * 65}),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_envelope_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        dsse.Envelope.parse(data)


def test_an_oversized_envelope_is_named_as_such() -> None:
    with pytest.raises(EscrowError) as refused:
        dsse.Envelope.parse(signed(bytes(dsse.MOST), "a").encode())
    assert refused.value.reason is Reason.TOO_LARGE
