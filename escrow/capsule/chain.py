"""From a seed to the keys of single messages, and how seeds are made so that no broken generator repeats one.

Every device keeps a hedge: 32 secret bytes that move on at each use and are stored before the result is used. A
generator that is stuck, or a state that was cloned, then repeats a key only together with its content. Keys are
derived with HKDF-SHA-256; each derivation names the label, so that a key belongs to one chain of one conversation.
"""

import hashlib
from typing import NamedTuple

from escrow.crypto.kdf import hkdf_expand, hkdf_extract, hmac_each, hmac_sha256
from escrow.encoding import u32
from escrow.secret import Secret
from escrow.tags import T, Tag


def use_hedge(hedge: Secret, purpose: bytes) -> tuple[Secret, Secret]:
    """(32 bytes for this use, the next hedge). Store the next one in the step that uses this."""
    kept = hedge.expose()
    used = hkdf_expand(kept, T(Tag.HEDGE_OUT, purpose), 32)
    return Secret(used), Secret(hkdf_expand(kept, T(Tag.HEDGE_NEXT), 32))


def new_seed(hedged: Secret, random: bytes, label: bytes) -> Secret:
    """The seed of a new chain, from 32 random bytes and a use of the hedge."""
    return Secret(hkdf_extract(random, T(Tag.SEED, hedged.expose(), label)))


def message_id(hedged: Secret, random: bytes, plaintext: bytes) -> bytes:
    """16 bytes that differ whenever the plaintext does, whatever the generator does."""
    return hmac_sha256(hedged.expose(), random + hashlib.sha256(plaintext).digest())[:16]


def message_key(chain_key: Secret, label_hash: bytes, index: int) -> Secret:
    """mk of the message at ``index``, from the chain key at that index."""
    return Secret(hkdf_expand(chain_key.expose(), T(Tag.MESSAGE_KEY, label_hash, u32(index)), 32))


def next_chain_key(chain_key: Secret, label_hash: bytes, index: int) -> Secret:
    """The chain key at ``index + 1`` from that at ``index``; erase the latter."""
    return Secret(hkdf_expand(chain_key.expose(), T(Tag.CHAIN_KEY, label_hash, u32(index + 1)), 32))


def advance(chain_key: Secret, label_hash: bytes, index: int) -> tuple[Secret, Secret]:
    """``next_chain_key`` and ``message_key``, for little more than the price of one."""
    # HKDF-Expand to 32 bytes is one HMAC over the info and a counter of 1.
    infos = T(Tag.CHAIN_KEY, label_hash, u32(index + 1)), T(Tag.MESSAGE_KEY, label_hash, u32(index))
    following, key = hmac_each(chain_key.expose(), *(info + b"\x01" for info in infos))
    return Secret(following), Secret(key)


class BodyKeys(NamedTuple):
    """What one body needs: encryption key 32, nonce 12, and the published key commitment 32."""

    encryption: Secret
    nonce: bytes
    commitment: bytes


def body_keys(key: Secret, header: bytes) -> BodyKeys:
    """The keys of the body with this header, from its message key."""
    out = hkdf_expand(key.expose(), T(Tag.BODY_KEY, hashlib.sha256(header).digest()), 76)
    return BodyKeys(Secret(out[:32]), out[32:44], out[44:])
