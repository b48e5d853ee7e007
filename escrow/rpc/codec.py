"""Wire bytes <-> calls and replies: the strict reader of everything that comes in over gRPC.

It follows the annotations of the structs and the options of the fields; there is no code per message. A message
is taken only in its one canonical encoding: what is read must encode to the same bytes, so unknown fields,
repeated singular fields, two members of a oneof and overlong numbers are all refused. Not here: what the
bytes inside a field mean; their roles parse them.
"""

from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from msgspec import Struct
from msgspec.structs import fields as struct_fields

from escrow.errors import MalformedError, Reason
from escrow.roles.calls import Call, Reply
from escrow.rpc.methods import METHODS
from escrow.wire.v1 import limits_pb2

MAX_MESSAGE = 16 << 20
"""The most bytes of one message, on both sides of every channel."""

S = TypeVar("S", bound=Struct)
C = TypeVar("C", bound=Call)


def encode_call(call: Call) -> bytes:
    """The request's wire form. Raises ``MalformedError`` for a value that its field cannot hold."""
    return _encode(call, METHODS[type(call)].request)


def decode_call(kind: type[C], data: bytes) -> C:
    """Read a request. Raises ``MalformedError`` (``MALFORMED`` or ``TOO_LARGE``)."""
    return _decode(data, kind, METHODS[kind].request)


def encode_reply(kind: type[Call], reply: Reply) -> bytes:
    """The wire form of the answer to a call of ``kind``."""
    if type(reply) is not kind.answer:
        raise AssertionError(f"{kind.__name__} is answered with {kind.answer.__name__}, not {type(reply).__name__}")
    return _encode(reply, METHODS[kind].response)


def decode_reply(kind: type[Call], data: bytes) -> Reply:
    """Read the answer to a call of ``kind``. Raises ``MalformedError``."""
    return _decode(data, kind.answer, METHODS[kind].response)


def _encode(value: Struct, message_type: type[Message]) -> bytes:
    data = _to_message(value, message_type).SerializeToString(deterministic=True)
    _limit(len(data), MAX_MESSAGE, message_type.DESCRIPTOR.name)
    return data


def _decode(data: bytes, kind: type[S], message_type: type[Message]) -> S:
    name = message_type.DESCRIPTOR.name
    _limit(len(data), MAX_MESSAGE, name)
    message = message_type()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise MalformedError(f"not a {name}") from error
    message.DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != data:
        raise MalformedError(f"not the one encoding of a {name}")
    return _from_message(message, kind)


# -- one plan per struct and message, made once ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """One field. ``inner`` is the struct inside, if there is one, and ``message`` its wire form."""

    name: str
    full_name: str
    repeated: bool
    optional: bool
    inner: type[Struct] | None
    message: type[Message] | None
    max_bytes: int
    max_items: int


@cache
def _plan(kind: type[Struct], descriptor: Descriptor) -> tuple[_Field, ...]:
    infos = struct_fields(kind)
    if [info.name for info in infos] != [field.name for field in descriptor.fields]:
        raise AssertionError(f"{kind.__name__} and {descriptor.full_name} have different fields")
    return tuple(_field(descriptor.fields_by_name[info.name], info.type) for info in infos)


def _field(descriptor: FieldDescriptor, annotation: Any) -> _Field:
    repeated, optional = get_origin(annotation) is tuple, isinstance(annotation, UnionType)
    if repeated or optional:
        (annotation,) = {*get_args(annotation)} - {Ellipsis, NoneType}
    nested, message = issubclass(annotation, Struct), descriptor.message_type
    if (descriptor.is_repeated, message is not None) != (repeated, nested) or (optional and not nested):
        raise AssertionError(f"{descriptor.full_name} is not a {annotation}")
    options = descriptor.GetOptions().Extensions
    return _Field(
        name=descriptor.name,
        full_name=descriptor.full_name.removeprefix("escrow.wire.v1."),
        repeated=repeated,
        optional=optional,
        inner=annotation if nested else None,
        message=GetMessageClass(message) if message else None,
        max_bytes=options[limits_pb2.max_bytes],
        max_items=options[limits_pb2.max_items],
    )


def _to_message(value: Struct, message_type: type[Message]) -> Message:
    plan = _plan(type(value), message_type.DESCRIPTOR)
    try:
        parts = {field.name: _out(field, getattr(value, field.name)) for field in plan}
        message = message_type(**parts)
    except (ValueError, TypeError) as error:
        raise MalformedError(f"{type(value).__name__} does not fit its message") from error
    for field in plan:
        # Of two members of a oneof, protobuf keeps the last and says nothing.
        if field.optional and parts[field.name] is not None and not message.HasField(field.name):
            raise MalformedError(f"{type(value).__name__} has more than one kind")
    return message


def _out(field: _Field, value: Any) -> Any:
    _check_size(field, value)
    message = field.message
    if message is None or value is None:
        return value
    if field.repeated:
        return [_to_message(item, message) for item in value]
    return _to_message(value, message)


def _from_message(message: Message, kind: type[S]) -> S:
    return kind(**{field.name: _in(field, message) for field in _plan(kind, message.DESCRIPTOR)})


def _in(field: _Field, message: Message) -> Any:
    value = getattr(message, field.name)
    _check_size(field, value)
    if field.inner is None:
        return tuple(value) if field.repeated else value
    if field.repeated:
        return tuple(_from_message(item, field.inner) for item in value)
    if message.HasField(field.name):
        return _from_message(value, field.inner)
    if field.optional:
        return None
    raise MalformedError(f"{field.full_name} is missing")


def _check_size(field: _Field, value: Any) -> None:
    if field.repeated:
        _limit(len(value), field.max_items, field.full_name)
    if field.max_bytes:
        for item in value if field.repeated else (value,):
            _limit(len(item.encode() if isinstance(item, str) else item), field.max_bytes, field.full_name)


def _limit(size: int, most: int, what: str) -> None:
    if size > most:
        raise MalformedError(f"{what}: {size} is more than {most}", Reason.TOO_LARGE)
