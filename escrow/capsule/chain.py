"""From a seed to the keys of single messages, and how seeds are made so that no broken generator repeats one.

Every device keeps a hedge: 32 secret bytes that move on at each use and are stored before the result is used. A
generator that is stuck, or a state that was cloned, then repeats a key only together with its content. Keys are
derived with HKDF-SHA-256; each derivation names the label, so that a key belongs to one chain of one conversation.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from escrow.crypto.kdf import hkdf_expand, hkdf_extract, hmac_both, hmac_sha256
from escrow.encoding import u32, u64
from escrow.secret import Secret
from escrow.tags import T, Tag

SEED_SIZE: Final = 32
"""Of one seed. A scheme of two parts has two, side by side, and neither says anything about the other."""

_PURPOSES: Final = {1: (b"seed",), 2: (b"seed-a", b"seed-c")}

_ONCE = b"\x01"
"""HKDF-Expand to 32 bytes is one HMAC over the info and a counter of 1."""
_HEDGE_NEXT = T(Tag.HEDGE_NEXT) + _ONCE


def use_hedge(hedge: Secret, purpose: bytes) -> tuple[Secret, Secret]:
    """(32 bytes for this use, the next hedge). Store the next one in the step that uses this."""
    used, following = hmac_both(hedge.expose(), T(Tag.HEDGE_OUT, purpose) + _ONCE, _HEDGE_NEXT)
    return Secret(used), Secret(following)


def new_seed(hedged: Secret, random: bytes, label: bytes) -> Secret:
    """The seed of a new chain, from 32 random bytes and a use of the hedge."""
    return Secret(hkdf_extract(random, T(Tag.SEED, hedged.expose(), label)))


def new_seeds(hedge: Secret, randoms: Sequence[bytes], label: bytes) -> tuple[Secret, Secret]:
    """(A seed for each of the one or two ``randoms``, 32 bytes each, side by side; the next hedge)."""
    seeds = b""
    for purpose, random in zip(_PURPOSES[len(randoms)], randoms, strict=True):
        hedged, hedge = use_hedge(hedge, purpose)
        seeds += new_seed(hedged, random, label).expose()
    return Secret(seeds), hedge


def first_chain_key(seed: Secret, label_hash: bytes) -> Secret:
    """The chain key at index 0: the seed, or what two seeds give and neither of them alone."""
    raw = seed.expose()
    if len(raw) == SEED_SIZE:
        return seed
    return Secret(hkdf_extract(b"", T(Tag.HYBRID, label_hash, raw[:SEED_SIZE], raw[SEED_SIZE:])))


def message_id(hedged: Secret, random: bytes, plaintext: bytes) -> bytes:
    """16 bytes that differ whenever the plaintext does, whatever the generator does."""
    return hmac_sha256(hedged.expose(), random + hashlib.sha256(plaintext).digest())[:16]


def message_key(chain_key: Secret, label_hash: bytes, index: int) -> Secret:
    """mk of the message at ``index``, from the chain key at that index."""
    this, _ = _named(label_hash)
    return Secret(hmac_sha256(chain_key.expose(), this + u32(index) + _ONCE))


def next_chain_key(chain_key: Secret, label_hash: bytes, index: int) -> Secret:
    """The chain key at ``index + 1`` from that at ``index``; erase the latter."""
    _, following = _named(label_hash)
    return Secret(hmac_sha256(chain_key.expose(), following + u32(index + 1) + _ONCE))


def advance(chain_key: Secret, label_hash: bytes, index: int) -> tuple[Secret, Secret]:
    """``next_chain_key`` and ``message_key``, for little more than the price of one."""
    this, following = _named(label_hash)
    one, other = hmac_both(chain_key.expose(), this + u32(index) + _ONCE, following + u32(index + 1) + _ONCE)
    return Secret(other), Secret(one)


@lru_cache(maxsize=256)  # the same for all messages of a chain
def _named(label_hash: bytes) -> tuple[bytes, bytes]:
    """What ``T("mk", label_hash, index u32)`` and ``T("ck", label_hash, index u32)`` have before the index."""
    return T(Tag.MESSAGE_KEY, label_hash) + u64(4), T(Tag.CHAIN_KEY, label_hash) + u64(4)


class BodyKeys(Struct, frozen=True, gc=False):
    """What one body needs: encryption key 32, nonce 12, and the published key commitment 32."""

    encryption: Secret
    nonce: bytes
    commitment: bytes


def body_keys(key: Secret, header: bytes) -> BodyKeys:
    """The keys of the body with this header, from its message key."""
    out = hkdf_expand(key.expose(), _BODY_KEY + hashlib.sha256(header).digest(), 76)
    return BodyKeys(Secret(out[:32]), out[32:44], out[44:])


_BODY_KEY = Tag.BODY_KEY.head + u64(32)
"""What ``T("key", SHA-256)`` has before the hash."""
