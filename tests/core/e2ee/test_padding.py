import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.e2ee.padding import BUCKETS, MAX_CONTENT, pad, unpad
from escrow.errors import MalformedError, Reason, RefusedError


@given(st.binary(max_size=5000) | st.binary(max_size=30).map(lambda end: b"\x80" + end.replace(b"\x01", b"\x00")))
def test_content_comes_back_from_a_bucket(content: bytes) -> None:
    padded = pad(content)
    assert len(padded) in BUCKETS
    assert unpad(padded) == content


@pytest.mark.parametrize("bucket", BUCKETS)
def test_each_bucket_is_filled_to_the_last_byte_but_one(bucket: int) -> None:
    assert len(pad(bytes(bucket - 1))) == bucket
    assert unpad(pad(bytes(bucket - 1))) == bytes(bucket - 1)
    if bucket < BUCKETS[-1]:
        assert len(pad(bytes(bucket))) > bucket


def test_lengths_inside_a_bucket_look_alike() -> None:
    assert len({len(pad(bytes(length))) for length in range(64, 128)}) == 1


def test_the_longest_content_fits_and_one_more_byte_does_not() -> None:
    assert unpad(pad(bytes(MAX_CONTENT))) == bytes(MAX_CONTENT)
    with pytest.raises(RefusedError) as caught:
        pad(bytes(MAX_CONTENT + 1))
    assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        bytes(64),
        b"\x80",
        b"a" * 64,
        b"a\x80" + bytes(63),
        b"a\x80" + bytes(126),
        b"a\x80" + bytes(61) + b"\x01",
        bytes(MAX_CONTENT + 1) + b"\x80",
        bytes(2 * MAX_CONTENT) + b"\x80",
    ],
)
def test_what_pad_does_not_return_is_refused(bad: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        unpad(bad)
    assert caught.value.reason is Reason.CONTENT_INVALID


@given(st.binary(max_size=200))
def test_unpad_accepts_nothing_but_what_pad_returns(data: bytes) -> None:
    try:
        content = unpad(data)
    except MalformedError:
        return
    assert pad(content) == data
