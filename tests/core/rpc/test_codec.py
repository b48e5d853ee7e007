"""Every call and reply has one wire form, and nothing else is read."""

from collections.abc import Iterable
from typing import Any, get_args

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields as struct_fields

from escrow.errors import MalformedError, Reason
from escrow.roles.calls import (
    AnyCall,
    Append,
    Call,
    DeviceEnvelope,
    EscrowSend,
    GetHead,
    GetUpdate,
    Head,
    Lookup,
    PlainSend,
    Submission,
    Submit,
)
from escrow.rpc.codec import MAX_MESSAGE, _plan, decode_call, decode_reply, encode_call, encode_reply
from escrow.rpc.methods import METHODS, service_of
from escrow.rpc.settle import Settle
from escrow.wire.v1 import limits_pb2, relay_pb2

CALLS = sorted(METHODS, key=lambda call: call.__name__)
PLAIN = Submission(b"k", None, PlainSend((DeviceEnvelope(b"a", 1, b"e"),)))


# The generated types and the library's disagree about what a descriptor is.
Descriptor = Any


def messages() -> Iterable[tuple[type[Struct], Descriptor]]:
    for call in CALLS:
        yield call, METHODS[call].request.DESCRIPTOR
        yield call.answer, METHODS[call].response.DESCRIPTOR


def values(kind: type[Struct], descriptor: Descriptor) -> st.SearchStrategy[Any]:
    """Values of a struct that its message can hold."""
    return st.builds(
        kind,
        **{info.name: _field_values(info.type, descriptor.fields_by_name[info.name]) for info in struct_fields(kind)},
    )


def _field_values(annotation: Any, field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.is_repeated:
        return st.lists(_one(get_args(annotation)[0], field), max_size=3).map(tuple)
    inner = next((kind for kind in get_args(annotation) if kind is not type(None)), annotation)
    one = _one(inner, field)
    return one if inner is annotation else st.none() | one


def _one(annotation: Any, field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return values(annotation, field.message_type)
    most = min(40, field.GetOptions().Extensions[limits_pb2.max_bytes])
    bits = 32 if field.type == FieldDescriptor.TYPE_UINT32 else 64
    by_type = {
        bytes: st.binary(max_size=most),
        str: st.text(max_size=most // 4),
        bool: st.booleans(),
        int: st.integers(0, 2**bits - 1) | st.sampled_from([0, 2**bits - 1]),
    }
    return by_type[annotation]


def one_kind(value: Any) -> bool:
    """A oneof cannot hold two members; a submission that has both has no wire form."""
    if not isinstance(value, Struct):
        return all(map(one_kind, value)) if isinstance(value, tuple) else True
    members = [getattr(value, name) for name in ("escrow", "plain") if hasattr(value, name)]
    return sum(member is not None for member in members) <= 1 and all(
        one_kind(getattr(value, info.name)) for info in struct_fields(type(value))
    )


def test_every_call_has_one_method_and_every_method_one_call() -> None:
    assert set(METHODS) == {*get_args(AnyCall), Settle}
    assert len({method.path for method in METHODS.values()}) == len(METHODS)
    assert METHODS[Append].path == "/escrow.wire.v1.LogService/Append"
    assert METHODS[Append].service == service_of("log")


@pytest.mark.parametrize("call", CALLS)
def test_messages_are_named_after_their_method(call: type[Call]) -> None:
    method = METHODS[call]
    assert method.request.DESCRIPTOR.name == f"{call.__name__}Request"
    assert method.response.DESCRIPTOR.name == f"{call.__name__}Response"


@pytest.mark.parametrize(("kind", "descriptor"), list(messages()))
def test_every_struct_and_its_message_have_the_same_fields_and_every_field_has_its_limit(
    kind: type[Struct], descriptor: Descriptor
) -> None:
    for field, on_wire in zip(_plan(kind, descriptor), descriptor.fields, strict=True):
        assert field.name == on_wire.name
        assert bool(field.max_items) == field.repeated, field.full_name
        sized = on_wire.type in {FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING}
        assert bool(field.max_bytes) == sized, field.full_name
        if field.inner is not None:
            assert on_wire.message_type is not None
            test_every_struct_and_its_message_have_the_same_fields_and_every_field_has_its_limit(
                field.inner, on_wire.message_type
            )


# Whole messages are long to draw, and those that set both kinds of a submission are thrown away.
WHOLE_MESSAGES = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
)


@settings(WHOLE_MESSAGES, max_examples=200)
@given(data=st.data())
def test_calls_and_replies_survive_the_wire(data: st.DataObject) -> None:
    call_type = data.draw(st.sampled_from(CALLS))
    method = METHODS[call_type]

    call = data.draw(values(call_type, method.request.DESCRIPTOR).filter(one_kind))
    assert decode_call(call_type, encode_call(call)) == call

    reply = data.draw(values(call_type.answer, method.response.DESCRIPTOR).filter(one_kind))
    assert decode_reply(call_type, encode_reply(call_type, reply)) == reply


@settings(WHOLE_MESSAGES, max_examples=300)
@given(data=st.data())
def test_whatever_is_read_has_no_other_encoding(data: st.DataObject) -> None:
    call_type = data.draw(st.sampled_from(CALLS))
    encoded = encode_call(data.draw(values(call_type, METHODS[call_type].request.DESCRIPTOR).filter(one_kind)))
    at = data.draw(st.integers(0, len(encoded)))
    other = encoded[:at] + data.draw(st.binary(max_size=3)) + encoded[at + data.draw(st.integers(0, 3)) :]
    try:
        read = decode_call(call_type, other)
    except MalformedError:
        return
    assert encode_call(read) == other


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("an unknown field", encode_call(Lookup("a")) + b"\x78\x01"),
        ("an unknown field inside", b"\x0a\x05\x0a\x01k\x78\x01"),
        ("a field twice", encode_call(Lookup("a")) * 2),
        ("an explicit default", b"\x0a\x00"),
        ("an overlong length", b"\x0a\x81\x00a"),
        ("broken UTF-8", b"\x0a\x01\xff"),
        ("a cut message", encode_call(Lookup("abc"))[:-1]),
        ("a group", b"\x7b\x7c"),
    ],
)
def test_other_encodings_are_refused(what: str, data: bytes) -> None:
    call = Submit if "inside" in what else Lookup
    with pytest.raises(MalformedError) as refusal:
        decode_call(call, data)
    assert refusal.value.reason is Reason.MALFORMED


def test_two_members_of_a_oneof_are_refused() -> None:
    escrowed = relay_pb2.Submission(idempotency_key=b"k", escrow=relay_pb2.EscrowSend(body=b"b")).SerializeToString()
    plain = relay_pb2.Submission(plain=relay_pb2.PlainSend()).SerializeToString()
    item = escrowed + plain
    with pytest.raises(MalformedError):
        decode_call(Submit, b"\x0a" + bytes([len(item)]) + item)
    with pytest.raises(MalformedError):
        encode_call(Submit((Submission(b"k", EscrowSend(b"", b"", b"", (), b""), PlainSend(())),)))


@pytest.mark.parametrize(
    "call",
    [
        Submit((PLAIN,) * 257),
        Submit((Submission(bytes(17), None, PlainSend(())),)),
        Lookup("é" * 65),
        Append((bytes(65537),)),
        Append((bytes(65536),) * (MAX_MESSAGE // 65536)),
    ],
)
def test_what_is_too_large_is_refused_on_both_sides(call: Call) -> None:
    with pytest.raises(MalformedError) as refusal:
        encode_call(call)
    assert refusal.value.reason is Reason.TOO_LARGE


def test_a_message_of_another_that_is_too_large_is_refused() -> None:
    data = relay_pb2.LookupRequest(name="a" * 129).SerializeToString()
    with pytest.raises(MalformedError) as refusal:
        decode_call(Lookup, data)
    assert refusal.value.reason is Reason.TOO_LARGE
    with pytest.raises(MalformedError) as refusal:
        decode_call(Lookup, bytes(MAX_MESSAGE + 1))
    assert refusal.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("call", [GetHead(-1, 0), GetHead(1 << 64, 0), GetUpdate(0, 0, 1 << 32), Lookup(7)])  # type: ignore[arg-type]
def test_a_value_that_its_field_cannot_hold_is_refused(call: Call) -> None:
    with pytest.raises(MalformedError):
        encode_call(call)


def test_an_answer_of_the_wrong_kind_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        encode_reply(Lookup, Head(b"", ()))
