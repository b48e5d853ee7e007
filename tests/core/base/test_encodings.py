"""The ground: encodings are injective and their readers strict; secrets do not print; reasons are complete."""

import pickle
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.encoding import expect, join, number, split, u8, u16, u32, u64
from escrow.errors import DeviationError, MalformedError, Reason
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields

sequences = st.lists(st.binary(max_size=20), max_size=6)


@given(sequences, sequences)
def test_two_sequences_share_an_encoding_only_if_they_are_one(one: list[bytes], other: list[bytes]) -> None:
    assert (join(*one) == join(*other)) == (one == other)


@given(sequences)
def test_what_was_joined_splits_again(sequence: list[bytes]) -> None:
    assert split(join(*sequence)) == tuple(sequence)


@given(st.binary(max_size=60))
def test_whatever_splits_is_an_encoding(data: bytes) -> None:
    try:
        found = split(data)
    except MalformedError:
        return
    assert join(*found) == data


@given(sequences.filter(bool), st.data())
def test_a_cut_or_longer_encoding_is_refused(sequence: list[bytes], data: st.DataObject) -> None:
    whole = join(*sequence)
    borders = {len(join(*sequence[:count])) for count in range(len(sequence))}
    cut = data.draw(st.integers(0, len(whole) - 1).filter(lambda at: at not in borders))
    for broken in (whole[:cut], whole + b"\0" * 7):
        with pytest.raises(MalformedError):
            split(broken)


def test_a_length_is_never_believed() -> None:
    with pytest.raises(MalformedError):
        split(u64(1 << 63) + b"x")
    with pytest.raises(MalformedError):
        split(join(b"", b"", b""), most=2)


@given(st.integers(0, 255))
def test_integers_keep_their_width(value: int) -> None:
    assert [len(width(value)) for width in (u8, u16, u32, u64)] == [1, 2, 4, 8]
    assert number(u64(value)) == value


def test_a_field_of_another_width_is_refused() -> None:
    assert expect(b"abc", 3, "it") == b"abc"
    with pytest.raises(MalformedError):
        expect(b"abcd", 3, "it")


@given(sequences)
def test_a_tuple_opens_under_its_own_tag_only(sequence: list[bytes]) -> None:
    data = T(Tag.LABEL, *sequence)
    assert fields(Tag.LABEL, data, *[None] * len(sequence)) == tuple(sequence)
    for tag, widths in ((Tag.BODY, len(sequence)), (Tag.LABEL, len(sequence) + 1)):
        with pytest.raises(MalformedError):
            fields(tag, data, *[None] * widths)
    assert digest(Tag.LABEL, *sequence) != digest(Tag.BODY, *sequence)


@given(sequences.filter(bool), st.integers(0), st.integers(1, 255), st.integers(-3, 3))
def test_fields_of_fixed_widths_are_read_in_one_way_only(
    sequence: list[bytes], place: int, change: int, longer: int
) -> None:
    data, widths = T(Tag.LABEL, *sequence), [len(each) for each in sequence]
    assert fields(Tag.LABEL, data, *widths) == tuple(sequence)
    mutated = bytearray(data)
    mutated[place % len(data)] ^= change
    other = bytes(mutated)[: len(data) + longer] + bytes(max(longer, 0))
    with suppress(MalformedError):
        assert T(Tag.LABEL, *fields(Tag.LABEL, other, *widths)) == other


def test_optional_fields_are_absent_as_a_whole() -> None:
    assert fields(Tag.PLAIN, T(Tag.PLAIN, b"a"), 1, None, optional=1) == (b"a",)
    assert fields(Tag.PLAIN, T(Tag.PLAIN, b"a", b""), 1, None, optional=1) == (b"a", b"")
    with pytest.raises(MalformedError):
        fields(Tag.PLAIN, T(Tag.PLAIN), 1, None, optional=1)


def test_no_two_uses_share_a_tag() -> None:
    assert len({tag.value for tag in Tag}) == len(Tag)


def test_a_secret_does_not_print_hash_or_pickle() -> None:
    secret = Secret(b"correct horse")
    assert "correct" not in f"{secret!r} {secret}"
    assert secret == Secret(b"correct horse")
    assert secret != Secret(b"battery staple")
    for leak in (hash, pickle.dumps):
        with pytest.raises(TypeError):
            leak(secret)


def test_every_reason_says_what_and_what_next() -> None:
    for reason in Reason:
        assert reason.sentence.endswith("."), reason
        assert reason.hint.endswith((".", "it.")), reason
        assert 3 <= len(reason.name) <= 63, reason


def test_a_deviation_without_a_culprit_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        DeviationError(Reason.BODY_INVALID, culprits=())
