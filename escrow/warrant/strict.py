"""Strict JSON for documents that people sign: one meaning per byte string, or a refusal.

There is one parser, so two readers cannot disagree: unknown fields, duplicate keys, fractions, NaN, trailing
bytes, other encodings than UTF-8 and oversized input are refused. Not for hot objects: those are ``T`` tuples.
"""

import json
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
from msgspec import Meta, Struct

from escrow.errors import Reason, RefusedError

MOST = 1 << 16
"""Bytes of the largest document."""

Bytes16 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Bytes32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Bytes64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]
"""Binary values of fixed length stand in a document as lowercase hexadecimal digits."""

Number = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
"""A whole number that every JSON reader represents exactly (RFC 8259, section 6)."""

Count = Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]
"""A number of things of which there is at least one."""

Length = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
"""A length of time, in milliseconds unless its name says otherwise."""

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[!-~]+\Z")]
"""Printable ASCII without spaces."""

R = TypeVar("R")


class Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A JSON object of which every field is known."""


def tree(data: bytes, *, most: int = MOST) -> Any:
    """Parse JSON into plain values; ``SCHEMA_INVALID`` or ``TOO_LARGE`` for whatever is ambiguous."""
    if len(data) > most:
        raise RefusedError(Reason.TOO_LARGE, f"a document of {len(data)} bytes; {most} are admitted")
    try:
        # Decoded here, because json.loads would guess UTF-16 and UTF-32 from bytes.
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_distinct, parse_float=_no_fraction, parse_constant=_no_fraction)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # an escape may name half a character
        return value
    except (ValueError, RecursionError) as error:
        raise RefusedError(Reason.SCHEMA_INVALID, "not strict JSON") from error


def convert(value: Any, type_: type[R]) -> R:
    """Give plain values their type; ``SCHEMA_INVALID`` names the place, never the value."""
    try:
        return msgspec.convert(value, type_, strict=True)
    except msgspec.ValidationError as error:
        raise RefusedError(Reason.SCHEMA_INVALID, str(error)) from error


def decode(data: bytes, type_: type[R], *, most: int = MOST) -> R:
    """Parse a document. Several spellings may be accepted; whoever hashes it hashes ``data``."""
    return convert(tree(data, most=most), type_)


def decode_canonical(data: bytes, type_: type[R], *, most: int = MOST) -> R:
    """Parse a document that has one spelling only: that of ``encode``. Its hash may be taken from the value."""
    document = decode(data, type_, most=most)
    if encode(document) != data:
        raise RefusedError(Reason.SCHEMA_INVALID, "not in canonical form: sorted keys, no spaces")
    return document


def encode(document: object) -> bytes:
    """The canonical spelling: keys sorted, no spaces, UTF-8."""
    return msgspec.json.encode(document, order="sorted")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_fraction(_: str) -> NoReturn:
    raise ValueError("only whole numbers are admitted")
