"""ESC-18: with a generator that is stuck, or a device that was cloned, no key meets two contents."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.chain import message_id, message_key, new_seed, next_chain_key, use_hedge
from escrow.e2ee.attachment import attachment_key
from escrow.secret import Secret
from tests.claims.measures import Census
from tests.claims.sealing import seeds

pytestmark = pytest.mark.claim("ESC-18")


@given(seeds, seeds, st.integers(2, 6))
def test_a_stuck_generator_gives_distinct_seeds(census: Census, hedge: bytes, stuck: bytes, chains: int) -> None:
    held, made = Secret(hedge), []
    for _ in range(chains):
        used, held = use_hedge(held, b"seed")
        made.append(new_seed(used, stuck, b"the same label").expose())
    assert len(set(made)) == chains
    census("stuck generator")


@given(seeds, seeds, seeds)
def test_a_cloned_hedge_with_a_good_generator_gives_distinct_seeds(
    census: Census, hedge: bytes, random: bytes, other: bytes
) -> None:
    used, _ = use_hedge(Secret(hedge), b"seed")
    if random != other:
        assert new_seed(used, random, b"label") != new_seed(used, other, b"label")
        census("cloned device")


@given(seeds, st.binary(min_size=16, max_size=16), st.binary(max_size=50), st.binary(max_size=50))
def test_clone_and_stuck_generator_together_still_tell_contents_apart(
    census: Census, hedge: bytes, stuck: bytes, text: bytes, other: bytes
) -> None:
    used, _ = use_hedge(Secret(hedge), b"mid")
    same = message_id(used, stuck, text) == message_id(used, stuck, other)
    assert same == (text == other)
    census("both")


@given(seeds, seeds, st.binary(max_size=50), st.binary(max_size=50))
def test_a_clone_with_a_stuck_generator_seals_no_two_files_under_one_key(
    census: Census, hedge: bytes, stuck: bytes, content: bytes, other: bytes
) -> None:
    used, following = use_hedge(Secret(hedge), b"attachment")
    keys = [attachment_key(used, stuck, sha256(each).digest(), len(each)) for each in (content, other)]
    assert (keys[0] == keys[1]) == (content == other)
    later, _ = use_hedge(following, b"attachment")
    assert attachment_key(later, stuck, sha256(content).digest(), len(content)) != keys[0]
    census("attachment")


@given(seeds, seeds)
def test_keys_of_one_chain_differ_from_each_other_and_between_labels(
    census: Census, seed: bytes, label_hash: bytes
) -> None:
    held, keys = Secret(seed), []
    for index in range(4):
        keys += [message_key(held, label_hash, index).expose(), message_key(held, bytes(32), index).expose()]
        held = next_chain_key(held, label_hash, index)
    distinct = 4 if label_hash == bytes(32) else 8
    assert len(set(keys)) == distinct
    census("chain")
