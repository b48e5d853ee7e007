"""One step of a symmetric chain: what ``ratchet`` and ``sender_keys`` have in common.

A chain key gives one message key and the next chain key (the KDF_CK of Signal's Double Ratchet specification, section
5.2: HMAC-SHA-256 of one constant byte each). The message key is the key of the AEAD. Its nonce is a third use of the
chain key, over the step's coins and the words themselves: whoever is restored from a backup and says something else
with an old chain key says it under another nonce (a synthetic IV as in SIV, Rogaway and Shrimpton 2006, that only the
sender computes). Like the nonce of Ed25519 it is a hash behind a secret prefix, here with most of it cut off (AMAC,
Bellare, Bernstein and Tessaro 2016). How many keys a chain may skip, and for how long, holds for both as well.
"""

from hashlib import sha256

from escrow.crypto.kdf import hmac_both

MAX_SKIP = 1000
"""Message keys that one message may skip; in a ratchet both chains together."""
MAX_SKIPPED = 2000
"""Skipped message keys that a state keeps; the oldest give way."""
SKIPPED_LIFETIME = 30 * 24 * 3600 * 1000
"""How long a skipped message key is kept, in ms from when it was skipped: being offline costs nothing."""

NONCE_SIZE = 12


def advance(chain: bytes) -> tuple[bytes, bytes]:
    """The next chain key and the message key, 32 bytes each."""
    return hmac_both(chain, b"\x02", b"\x01")


def advance_saying(chain: bytes, coins: bytes, ad: bytes, plaintext: bytes) -> tuple[bytes, bytes, bytes]:
    """As ``advance``, and the nonce (12 bytes) for these words; ``coins`` are 32 bytes, ``ad`` delimits itself.

    The same nonce comes out only if all four are the same, and then the whole message is.
    """
    following, key = hmac_both(chain, b"\x02", b"\x01")
    nonce = sha256(chain + coins + ad + plaintext).digest()[:NONCE_SIZE]
    return following, key, nonce
