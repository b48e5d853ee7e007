"""Attachments: they come back whole or not at all, whatever is done to their chunks and whatever is claimed of them."""

import hashlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.crypto import aead
from escrow.e2ee import blob as blobs
from escrow.e2ee.attachment import Opening, _keys, _nonce, attachment_key, seal
from escrow.e2ee.blob import CHUNK, COMMITMENT, MOST, MOST_CHUNK, MOST_CHUNKS, NAMELESS, chunk_count, padded_size
from escrow.e2ee.content import Text, decode_content, encode_content
from escrow.e2ee.file import MOST_NAME, File
from escrow.e2ee.padding import pad
from escrow.encoding import u8, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag

KEY, OTHER = Secret(b"k" * 32), Secret(b"o" * 32)
SIZES = st.one_of(st.integers(0, 3000), st.integers(-3, 3).map(lambda by: CHUNK + by), st.just(3 * CHUNK))


def content_of(size: int) -> bytes:
    return hashlib.shake_128(size.to_bytes(4, "big")).digest(size)


def sealed(content: bytes, key: Secret = KEY) -> list[bytes]:
    return list(seal(key, len(content), [content]))


def name_of(chunks: list[bytes]) -> bytes:
    name = NAMELESS
    for index, chunk in enumerate(chunks, start=1):
        name = blobs.extend_name(name, chunk, last=index == len(chunks))
    return name


def opened(chunks: list[bytes], size: int, name: bytes | None = None, key: Secret = KEY) -> bytes:
    opening = Opening(key, size, name_of(chunks) if name is None else name)
    content = b"".join([opening.take(chunk) for chunk in chunks])
    opening.finish()
    return content


def refused(chunks: list[bytes], size: int, name: bytes | None = None, key: Secret = KEY) -> Reason:
    with pytest.raises(RefusedError) as caught:
        opened(chunks, size, name, key)
    return caught.value.reason


# -- what is sealed comes back --------------------------------------------------------------------


@given(SIZES, st.integers(1, 2 * CHUNK))
def test_a_content_comes_back_however_it_is_cut(size: int, cut: int) -> None:
    content = content_of(size)
    pieces = (content[start : start + cut] for start in range(0, size, cut))
    chunks = list(seal(KEY, size, pieces))
    assert chunks == sealed(content)
    assert opened(chunks, size) == content


def test_the_largest_attachment_has_the_most_chunks() -> None:
    assert chunk_count(MOST) == MOST_CHUNKS
    assert padded_size(MOST) == MOST
    assert {len(chunk) for chunk in sealed(bytes(2 * CHUNK))} == {MOST_CHUNK, MOST_CHUNK - COMMITMENT}


@given(st.integers(0, MOST))
@example(1025)
@example(CHUNK)
@example(CHUNK + 1)
def test_padding_is_bounded_and_tells_few_sizes_apart(size: int) -> None:
    padded = padded_size(size)
    assert max(size, 1024) <= padded <= max(1024, size * 1.12)
    assert padded_size(padded) == padded
    assert sum(blobs.chunk_lengths(size)) == padded
    assert len(list(blobs.chunk_lengths(size))) == chunk_count(size)


def test_all_sizes_up_to_the_limit_are_padded_to_435() -> None:
    def all_padded() -> Iterator[int]:
        size = 0
        while size <= MOST:
            yield padded_size(size)
            size = padded_size(size) + 1

    assert len(list(all_padded())) == 435


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_length_of_a_blob_says_nothing_but_the_padded_size(one: int, other: int) -> None:
    lengths = [[len(chunk) for chunk in sealed(content_of(size))] for size in (one, other)]
    assert (lengths[0] == lengths[1]) == (padded_size(one) == padded_size(other))


def test_one_chunk_after_the_other_is_read() -> None:
    taken = []

    def content() -> Iterator[bytes]:
        for piece in range(40):
            taken.append(piece)
            yield bytes(CHUNK // 4)

    for place, _ in enumerate(seal(KEY, 10 * CHUNK, content()), start=1):
        assert 4 * place <= len(taken) <= 4 * place + 1


# -- whatever else arrives is refused -------------------------------------------------------------


@given(SIZES, st.data())
def test_no_bit_of_a_blob_can_be_changed(size: int, data: st.DataObject) -> None:
    chunks = sealed(content_of(size))
    name = name_of(chunks)
    index = data.draw(st.integers(0, len(chunks) - 1))
    place = data.draw(st.integers(0, len(chunks[index]) - 1) | st.integers(0, COMMITMENT - 1))
    flipped = bytearray(chunks[index])
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    chunks[index] = bytes(flipped)
    expected = Reason.COMMITMENT_MISMATCH if index == 0 and place < COMMITMENT else Reason.ATTACHMENT_INVALID
    for claimed in (name, name_of(chunks)):
        assert refused(chunks, size, claimed) is expected


CHUNKS = sealed(content_of(4 * CHUNK - 5))
SIZE = 4 * CHUNK - 5
ELSEWHERE = sealed(content_of(SIZE), OTHER)
FORGED: dict[str, Callable[[], list[bytes]]] = {
    "none": list,
    "cut off": lambda: CHUNKS[:-1],
    "without the first": lambda: CHUNKS[1:],
    "without one inside": lambda: CHUNKS[:1] + CHUNKS[2:],
    "reordered": lambda: [CHUNKS[0], CHUNKS[2], CHUNKS[1], CHUNKS[3]],
    "repeated": lambda: [*CHUNKS[:2], CHUNKS[1], *CHUNKS[2:]],
    "repeated in the place of another": lambda: [*CHUNKS[:2], CHUNKS[1], CHUNKS[3]],
    "longer": lambda: [*CHUNKS, CHUNKS[-1]],
    "longer by nothing": lambda: [*CHUNKS, b""],
    "ended early": lambda: [*CHUNKS[:2], CHUNKS[3]],
    "with a chunk of another": lambda: [*CHUNKS[:2], ELSEWHERE[2], CHUNKS[3]],
    "with an empty chunk": lambda: [*CHUNKS[:2], b"", CHUNKS[3]],
    "with a chunk cut short": lambda: [*CHUNKS[:2], CHUNKS[2][:-1], CHUNKS[3]],
    "with a chunk cut to its tag": lambda: [*CHUNKS[:2], CHUNKS[2][-15:], CHUNKS[3]],
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_no_chunk_can_be_dropped_moved_repeated_added_or_exchanged(forged: Callable[[], list[bytes]]) -> None:
    chunks = forged()
    reasons = {refused(chunks, SIZE, name) for name in (name_of(CHUNKS), name_of(chunks))}
    first = bool(chunks) and chunks[0] is not CHUNKS[0]
    assert reasons == {Reason.COMMITMENT_MISMATCH if first else Reason.ATTACHMENT_INVALID}


def test_what_was_refused_once_is_never_whole() -> None:
    opening = Opening(KEY, SIZE, name_of(CHUNKS))
    opening.take(CHUNKS[0])
    with pytest.raises(RefusedError):
        opening.take(CHUNKS[2])
    opening.take(CHUNKS[2])
    with pytest.raises(RefusedError):
        opening.take(CHUNKS[3])
    with pytest.raises(RefusedError):
        opening.finish()


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1, SIZE + 5, CHUNK, 0])
def test_another_size_than_the_sealed_one_is_refused_before_anything_is_decrypted(size: int) -> None:
    assert refused(CHUNKS, size) is Reason.COMMITMENT_MISMATCH


@pytest.mark.spec("ATT-3")
def test_another_key_is_refused_before_anything_is_decrypted() -> None:
    assert refused(CHUNKS, SIZE, key=OTHER) is Reason.COMMITMENT_MISMATCH
    assert refused([CHUNKS[0][:COMMITMENT] + ELSEWHERE[0][COMMITMENT:], *ELSEWHERE[1:]], SIZE) is (
        Reason.ATTACHMENT_INVALID
    )


@pytest.mark.spec("ATT-4")
def test_two_blobs_under_one_key_are_told_apart_by_their_names() -> None:
    # Its sender holds the key and could show the receiver one file and the agency another.
    one, other = sealed(b"one" * 400), sealed(b"two" * 400)
    assert opened(one, 1200) == b"one" * 400
    assert refused(other, 1200, name_of(one)) is Reason.ATTACHMENT_INVALID


def test_padding_that_is_not_zeros_is_refused() -> None:
    keys = _keys(KEY, 1000)
    padded = bytes(1000) + bytes(23) + b"\x01"
    chunk = aead.seal(keys.encryption.expose(), _nonce(keys, 0, last=True), padded, keys.commitment)
    assert refused([keys.commitment + chunk], 1000) is Reason.ATTACHMENT_INVALID


# -- claims ---------------------------------------------------------------------------------------


@pytest.mark.spec("ATT-1")
@pytest.mark.parametrize("size", [MOST + 1, 2 << 30, 1 << 40, (1 << 64) - 1])
def test_a_claim_beyond_the_limit_is_refused_before_anything_is_read_or_allocated(size: int) -> None:
    unread = [b"piece"]
    for claim in (
        lambda: padded_size(size),
        lambda: chunk_count(size),
        lambda: Opening(KEY, size, bytes(32)),
        lambda: next(seal(KEY, size, iter(unread.pop, b""))),
        lambda: File("f", size, bytes(32), KEY).encode(),
    ):
        with pytest.raises(RefusedError) as caught:
            claim()
        assert caught.value.reason is Reason.TOO_LARGE
    assert unread == [b"piece"]


@pytest.mark.parametrize("size", [MOST + 1, 2 << 30, (1 << 64) - 1])
def test_a_message_that_claims_too_much_is_refused(size: int) -> None:
    claim = T(Tag.FILE, b"f", u64(size), bytes(32), bytes(32))
    with pytest.raises(MalformedError) as caught:
        decode_content(_padded(claim))
    assert caught.value.reason is Reason.CONTENT_INVALID


@pytest.mark.spec("ATT-2")
@pytest.mark.parametrize("pieces", [[b"12"], [b"123", b"4"], [b"12345"], [], [b"123", b"", b"5"]])
def test_a_file_that_changed_is_not_sealed_to_its_end(pieces: list[bytes]) -> None:
    with pytest.raises(RefusedError) as caught:
        list(seal(KEY, 3, pieces))
    assert caught.value.reason is Reason.FILE_CHANGED


# -- keys -----------------------------------------------------------------------------------------


@pytest.mark.spec("ATT-2")
@given(st.binary(max_size=8), st.binary(max_size=8))
def test_a_stuck_generator_and_a_cloned_state_never_give_two_contents_one_key(one: bytes, other: bytes) -> None:
    keys = [
        attachment_key(Secret(bytes(32)), bytes(32), hashlib.sha256(each).digest(), len(each)) for each in (one, other)
    ]
    assert (keys[0] == keys[1]) == (one == other)


def test_hedge_and_random_each_change_the_key() -> None:
    content = hashlib.sha256(b"content").digest()
    drawn = [
        attachment_key(Secret(hedged * 32), random * 32, content, 7).expose()
        for hedged in (b"a", b"b")
        for random in (b"c", b"d")
    ]
    assert len(set(drawn)) == 4


# -- what a message says of a file ----------------------------------------------------------------

FILES = st.builds(
    File, st.text(max_size=60), st.integers(0, MOST), st.binary(min_size=32, max_size=32), st.just(Secret(b"s" * 32))
)


@given(FILES)
def test_a_file_travels_in_a_message_and_its_key_is_not_shown(file: File) -> None:
    assert decode_content(encode_content(file)) == file
    assert "ssss" not in repr(file)
    assert "\x1b" not in file.text


@given(st.binary(max_size=200))
def test_nothing_but_a_file_is_read_as_one(data: bytes) -> None:
    try:
        file = File.decode(data)
    except MalformedError:
        return
    assert file.encode() == data


@pytest.mark.parametrize("name", ["a" * (MOST_NAME + 1), "ä" * (MOST_NAME // 2 + 1), "\ud800"])
def test_an_unusable_name_is_not_sent(name: str) -> None:
    with pytest.raises((MalformedError, RefusedError)):
        encode_content(File(name, 1, bytes(32), KEY))
    with pytest.raises(MalformedError):
        File.decode(T(Tag.FILE, name.encode(errors="surrogatepass"), u64(1), bytes(32), bytes(32)))


def test_a_text_is_no_file() -> None:
    assert decode_content(encode_content(Text("f"))) == Text("f")
    with pytest.raises(MalformedError):
        decode_content(_padded(b"f"))


def _padded(data: bytes) -> bytes:
    return pad(T(Tag.CONTENT, u8(File.KIND), data))
