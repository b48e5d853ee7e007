"""Chains and bodies: keys that never repeat with other content, and ciphertexts that have one meaning."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.body import MOST, Body, body_id, open_body, seal_body
from escrow.capsule.chain import (
    advance,
    body_keys,
    first_chain_key,
    message_id,
    message_key,
    new_seed,
    new_seeds,
    next_chain_key,
    use_hedge,
)
from escrow.capsule.header import ContentClass, Header
from escrow.crypto import aead
from escrow.crypto.kdf import hkdf_expand
from escrow.encoding import u8, u32
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag
from tests.core.capsule.vault import flip, hashes, seeds

KEY = Secret(b"\x05" * 32)
HEADER = Header(b"\x01" * 32, b"\x02" * 32, 0, b"\x03" * 16, ContentClass.CONTENT)
PLAIN = b"p" * 64
BODY = seal_body(KEY, HEADER, PLAIN)
HEDGE = Secret(b"\x09" * 32)

Broken = tuple[bytes, bytes, bytes]


def keys_of(hedge: Secret, random: bytes, label: bytes, plaintext: bytes) -> tuple[Broken, bytes, Secret]:
    """(what encrypts, the content, the next hedge) of the first message of a new chain."""
    hedged, hedge = use_hedge(hedge, b"seed")
    seed = new_seed(hedged, random, label)
    hedged, hedge = use_hedge(hedge, b"mid")
    named = hashlib.sha256(label).digest()
    header = Header(named, bytes(32), 0, message_id(hedged, random[:16], plaintext), ContentClass.CONTENT)
    keys = body_keys(message_key(seed, named, 0), header.encode())
    return (keys.encryption.expose(), keys.nonce, keys.commitment), plaintext, hedge


def test_a_stuck_generator_does_not_repeat_a_seed_within_one_state() -> None:
    hedge, seen = HEDGE, set()
    for _ in range(50):
        used, _, hedge = keys_of(hedge, bytes(32), b"label", b"same")
        seen.add(used)
    assert len(seen) == 50


@given(hashes, hashes, st.binary(max_size=40))
def test_one_seed_is_made_as_ever_and_two_are_made_apart(one: bytes, other: bytes, label: bytes) -> None:
    used, following = use_hedge(HEDGE, b"seed")
    assert new_seeds(HEDGE, [one], label) == (new_seed(used, one, label), following)
    first, after = use_hedge(HEDGE, b"seed-a")
    second, last = use_hedge(after, b"seed-c")
    made = new_seed(first, one, label).expose() + new_seed(second, other, label).expose()
    assert new_seeds(HEDGE, [one, other], label) == (Secret(made), last)


@given(hashes, hashes, hashes)
def test_a_chain_begins_with_its_seed_or_with_what_two_seeds_give(one: bytes, other: bytes, named: bytes) -> None:
    assert first_chain_key(Secret(one), named) == Secret(one)
    both = first_chain_key(Secret(one + other), named).expose()
    swapped = [] if one == other else [one + one, other + one, other + other]
    assert both not in {one, other, *(first_chain_key(Secret(seed), named).expose() for seed in swapped)}
    assert both != first_chain_key(Secret(one + other), bytes(byte ^ 1 for byte in named)).expose()


@given(st.binary(max_size=40), st.binary(max_size=40), st.booleans())
def test_a_cloned_or_restored_state_repeats_a_key_only_with_its_content(one: bytes, other: bytes, stuck: bool) -> None:
    first, second = bytes(32), bytes(32) if stuck else b"\x01" * 32
    (used, said, after), (again, said_again, after_again) = (
        keys_of(HEDGE, random, b"label", text) for random, text in ((first, one), (second, other))
    )
    assert (used == again) == (stuck and said == said_again)
    assert after == after_again != HEDGE


@given(seeds, hashes, st.integers(0, 1000))
def test_an_advance_is_both_derivations(seed: Secret, named: bytes, index: int) -> None:
    assert advance(seed, named, index) == (next_chain_key(seed, named, index), message_key(seed, named, index))


@given(seeds, hashes, st.integers(0, 1000))
def test_what_is_laid_out_by_hand_is_the_tagged_tuple_of_the_specification(
    key: Secret, named: bytes, index: int
) -> None:
    header = Header(named, named[::-1], index, named[:16], ContentClass.CONTROL)
    tuples = T(Tag.MESSAGE_KEY, named, u32(index)), T(Tag.CHAIN_KEY, named, u32(index + 1))
    keys = body_keys(key, header.encode())
    assert header.encode() == T(Tag.HEADER, named, named[::-1], u32(index), named[:16], u8(2))
    assert (message_key(key, named, index), next_chain_key(key, named, index)) == tuple(
        Secret(hkdf_expand(key.expose(), each, 32)) for each in tuples
    )
    bound = T(Tag.BODY_KEY, hashlib.sha256(header.encode()).digest())
    assert keys.encryption.expose() + keys.nonce + keys.commitment == hkdf_expand(key.expose(), bound, 76)
    used, hedge = use_hedge(key, named)
    expanded = (hkdf_expand(key.expose(), each, 32) for each in (T(Tag.HEDGE_OUT, named), T(Tag.HEDGE_NEXT)))
    assert [used.expose(), hedge.expose()] == list(expanded)
    body = Body(
        header.encode(), keys.commitment, aead.seal(keys.encryption.expose(), keys.nonce, PLAIN, header.encode())
    )
    assert seal_body(key, header, PLAIN) == body.encode()


@given(hashes, st.binary(max_size=40))
def test_a_header_that_could_not_be_read_is_not_written(named: bytes, other: bytes) -> None:
    wrong = other if len(other) != 32 else b""
    for header in (
        Header(wrong, named, 0, bytes(16), ContentClass.CONTENT),
        Header(named, wrong, 0, bytes(16), ContentClass.CONTENT),
    ):
        with pytest.raises(AssertionError):
            header.encode()


@given(seeds, hashes, st.integers(0, 1000))
def test_message_and_chain_keys_differ_by_place_label_and_use(seed: Secret, named: bytes, index: int) -> None:
    keys = [
        message_key(seed, named, index),
        message_key(seed, named, index + 1),
        message_key(seed, named[::-1] + b"\x00", index),
        next_chain_key(seed, named, index),
        next_chain_key(seed, named, index + 1),
    ]
    assert len({key.expose() for key in keys}) == len(keys)


def test_different_purposes_of_a_hedge_differ_and_lead_to_one_next_hedge() -> None:
    (seed, after), (mid, same) = use_hedge(HEDGE, b"seed"), use_hedge(HEDGE, b"mid")
    assert seed != mid
    assert after == same != HEDGE


@given(seeds, st.binary(min_size=1, max_size=300), st.sampled_from(ContentClass), st.integers(0, 2**32 - 1))
def test_a_body_opens_to_what_was_sealed(key: Secret, padded: bytes, kind: ContentClass, index: int) -> None:
    header = Header(b"\x01" * 32, b"\x02" * 32, index, b"\x03" * 16, kind)
    body = seal_body(key, header, padded)
    assert len(body) == 224 + 16 + len(padded)
    assert open_body(key, body) == padded
    assert Header.decode(Body.decode(body).header) == header
    assert Body.decode(body).encode() == body
    assert body_id(body) == hashlib.sha256(body).digest()


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_every_changed_byte_of_a_body_is_refused(at: int, by: int) -> None:
    with pytest.raises(EscrowError):
        open_body(KEY, flip(BODY, at, by))


@given(seeds)
def test_another_key_is_noticed_by_the_commitment_before_anything_is_decrypted(key: Secret) -> None:
    with pytest.raises(RefusedError) as refused:
        open_body(key, BODY)
    assert refused.value.reason is Reason.COMMITMENT_MISMATCH


def test_a_damaged_ciphertext_under_the_right_key_is_a_bad_body() -> None:
    with pytest.raises(RefusedError) as refused:
        open_body(KEY, flip(BODY, len(BODY) - 1, 1))
    assert refused.value.reason is Reason.BODY_INVALID


def test_a_ciphertext_for_two_keys_is_bound_to_one_of_them() -> None:
    """Two bodies with one commitment and ciphertext, under two keys: the commitment admits the first only."""
    other = Secret(b"\x06" * 32)
    parsed = Body.decode(BODY)
    keys = body_keys(other, parsed.header)
    ciphertext = aead.seal(keys.encryption.expose(), keys.nonce, PLAIN, parsed.header)
    crafted = Body(parsed.header, parsed.commitment, ciphertext)
    for key, reason in ((KEY, Reason.BODY_INVALID), (other, Reason.COMMITMENT_MISMATCH)):
        with pytest.raises(RefusedError) as refused:
            open_body(key, crafted.encode())
        assert refused.value.reason is reason


def test_the_size_of_a_body_is_bounded_before_it_is_parsed() -> None:
    open_body(KEY, seal_body(KEY, HEADER, bytes(MOST - 16)))
    with pytest.raises(MalformedError):
        Body.decode(seal_body(KEY, HEADER, bytes(MOST - 15)))
    with pytest.raises(MalformedError) as refused:
        Body.decode(bytes(10**6))
    assert refused.value.reason is Reason.TOO_LARGE


def test_the_keys_of_a_body_do_not_print_what_decrypts_it() -> None:
    keys = body_keys(KEY, Body.decode(BODY).header)
    assert repr(keys.encryption.expose()) not in repr(keys)
