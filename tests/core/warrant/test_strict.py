"""Signed documents have one meaning or none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import EscrowError, Reason, RefusedError
from escrow.warrant import strict
from escrow.warrant.strict import Bytes16, Number


class Paper(strict.Document, frozen=True):
    """A small document."""

    name: str
    number: Number = 0
    token: Bytes16 | None = None


AMBIGUOUS = {
    "duplicate key": b'{"name":"a","name":"b"}',
    "duplicate key under an escape": rb'{"name":"a","n\u0061me":"b"}',
    "unknown key": b'{"name":"a","more":1}',
    "missing key": b'{"number":1}',
    "trailing text": b'{"name":"a"} x',
    "second document": b'{"name":"a"}{"name":"b"}',
    "fraction": b'{"name":"a","number":1.0}',
    "exponent": b'{"name":"a","number":1e2}',
    "not a number": b'{"name":"a","number":NaN}',
    "infinity": b'{"name":"a","number":Infinity}',
    "number as text": b'{"name":"a","number":"1"}',
    "truth as number": b'{"name":"a","number":true}',
    "negative": b'{"name":"a","number":-1}',
    "beyond exact numbers": b'{"name":"a","number":9007199254740992}',
    "beyond any number": b'{"name":"a","number":' + b"9" * 5000 + b"}",
    "upper-case digits": b'{"name":"a","token":"' + b"AA" * 16 + b'"}',
    "line end after digits": b'{"name":"a","token":"' + b"aa" * 16 + rb'\n"}',
    "too few digits": b'{"name":"a","token":"aa"}',
    "array for object": b'["a",1]',
    "not UTF-8": b'{"name":"\xff"}',
    "UTF-16": '{"name":"a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name":"a"}',
    "half a character": rb'{"name":"\ud800"}',
    "control character": b'{"name":"\n"}',
    "nothing": b"",
    "deep nesting": b"[" * 60_000,
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_two_readers_could_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        strict.decode(data, Paper)
    assert refused.value.reason is Reason.SCHEMA_INVALID


def test_an_oversized_document_is_refused_before_it_is_read() -> None:
    with pytest.raises(RefusedError) as refused:
        strict.decode(b"[" * (strict.MOST + 1), Paper)
    assert refused.value.reason is Reason.TOO_LARGE


def test_other_spellings_are_read_unless_the_document_is_canonical() -> None:
    spaced = b' {"number": 7, "name": "a"} '
    assert strict.decode(spaced, Paper) == Paper(name="a", number=7)
    with pytest.raises(RefusedError):
        strict.decode_canonical(spaced, Paper)


papers = st.builds(
    Paper,
    name=st.text(st.characters(codec="utf-8"), max_size=20),
    number=st.integers(0, (1 << 53) - 1),
    token=st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex),
)


@given(papers)
def test_a_document_has_one_canonical_spelling(paper: Paper) -> None:
    assert strict.decode_canonical(strict.encode(paper), Paper) == paper


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]",:0123eE.-\\utnaf" '), max_size=40).map(str.encode))
def test_random_bytes_are_refused_by_name_and_never_crash(data: bytes) -> None:
    try:
        value: Any = strict.decode(data, Paper)
    except EscrowError:
        return
    assert isinstance(value, Paper)
