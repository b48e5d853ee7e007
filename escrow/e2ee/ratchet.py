"""The Double Ratchet: one key per message, a new root with every turn of the conversation.

After Signal's Double Ratchet specification (revision 4, without the post-quantum ratchet). States are immutable: an
operation returns the state that replaces the old one, or raises and there is nothing to undo. Which session a message
belongs to, and how a session comes about, is not this module's business.

Beyond the specification each header carries a salt made from the message key, the coins and the plaintext: a device
restored from a backup that sends other words with an old message key does so under another AEAD key.
"""

import struct
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from escrow.crypto import aead
from escrow.crypto.coins import Coins
from escrow.crypto.dh import DhKey
from escrow.crypto.kdf import hkdf_expand, hkdf_extract, hmac_sha256
from escrow.e2ee.pqxdh import SessionSecret
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag

MAX_SKIP = 1000
"""Message keys that one message may skip, both chains together."""
MAX_SKIPPED = 2000
"""Skipped message keys that a state keeps; the oldest give way."""
SKIPPED_LIFETIME = 30 * 24 * 3600 * 1000
"""How long a skipped message key is kept, in ms from when it was skipped: being offline costs nothing."""

HEADER = struct.Struct(">32sII16s")
"""Ratchet key 32 ‖ length of the sender's previous chain u32 ‖ number u32 ‖ salt 16."""

_ROOT = T(Tag.RATCHET_ROOT)


class Skipped(Struct, frozen=True):
    """The key of a message that has not come yet, by the ratchet key and number of its header."""

    remote: bytes
    number: int
    key: Secret
    stored: int


class RatchetState(Struct, frozen=True):
    """One side of a ratchet. ``own`` is a 32-byte X25519 seed, ``root`` and the chain keys have 32 bytes.

    An empty ``sending`` means that the next message sent turns the ratchet; an empty ``remote`` or ``receiving`` that
    nothing has arrived yet. ``previous`` is the length of our last finished sending chain.
    """

    ad: bytes
    root: Secret
    own: Secret
    remote: bytes
    sending: Secret
    sent: int
    previous: int
    receiving: Secret
    received: int
    skipped: tuple[Skipped, ...]


_NONE = Secret(b"")


def initiator(secret: SessionSecret) -> RatchetState:
    """The state of the side that sends first."""
    return RatchetState(secret.ad, secret.root, _NONE, secret.remote, _NONE, 0, 0, _NONE, 0, ())


def responder(secret: SessionSecret) -> RatchetState:
    """The state of the side whose signed prekey is its first ratchet key."""
    return RatchetState(secret.ad, secret.root, secret.own, b"", _NONE, 0, 0, _NONE, 0, ())


def encrypt(state: RatchetState, plaintext: bytes, ad: bytes, coins: bytes) -> tuple[RatchetState, bytes]:
    """The next state, and header 56 ‖ ciphertext |plaintext| + 16."""
    if not state.sending:
        state = _turn_to_send(state, Coins(coins).take("ratchet", 32))
    following, key = _advance(state.sending.expose())
    salt = hmac_sha256(key, T(Tag.RATCHET_SALT, coins, plaintext))[:16]
    header = HEADER.pack(_live(state.own.expose()).public, state.previous, state.sent, salt)
    message = header + aead.seal(*_message_key(key, salt), plaintext, _bound(state, header, ad))
    return replace(state, sending=Secret(following), sent=state.sent + 1), message


def decrypt(state: RatchetState, message: bytes, ad: bytes, now: int) -> tuple[RatchetState, bytes]:
    """The next state and the plaintext.

    Raises ``MalformedError`` for bytes that are no message, ``RefusedError`` with ENVELOPE_INVALID for one that does
    not authenticate or was opened before, with SKIP_LIMIT for one too far ahead. Whoever forges a header makes us
    derive at most ``MAX_SKIP`` keys.
    """
    if len(message) < HEADER.size + aead.TAG_SIZE:
        raise MalformedError("a message shorter than its header")
    header, ciphertext = message[: HEADER.size], message[HEADER.size :]
    remote, previous, number, salt = HEADER.unpack(header)
    state, key = _key_for(state, remote, previous, number, now)
    bound = _bound(state, header, ad)
    return state, aead.open_(*_message_key(key, salt), ciphertext, bound, Reason.ENVELOPE_INVALID)


def prune(state: RatchetState, now: int) -> RatchetState:
    """Forget skipped keys whose time is over."""
    if not state.skipped:
        return state
    return replace(state, skipped=tuple(each for each in state.skipped if each.stored + SKIPPED_LIFETIME > now))


def _key_for(state: RatchetState, remote: bytes, previous: int, number: int, now: int) -> tuple[RatchetState, bytes]:
    """The message key, and the state that remains if the message proves genuine."""
    for place, each in enumerate(state.skipped):
        if each.number == number and each.remote == remote:
            rest = state.skipped[:place] + state.skipped[place + 1 :]
            return replace(state, skipped=rest), each.key.expose()
    turns = remote != state.remote or not state.receiving
    finished = max(previous - state.received, 0) if turns and state.receiving else 0
    ahead = number - (0 if turns else state.received)
    if ahead < 0:
        raise RefusedError(Reason.ENVELOPE_INVALID, "its key has been used")
    if finished + ahead > MAX_SKIP:
        raise RefusedError(Reason.SKIP_LIMIT, f"it skips {finished + ahead} messages")
    if turns:
        state = _turn_to_receive(_skip(state, finished, now), remote)
    state = _skip(state, ahead, now)
    following, key = _advance(state.receiving.expose())
    return replace(state, receiving=Secret(following), received=number + 1), key


def _skip(state: RatchetState, count: int, now: int) -> RatchetState:
    if not count:
        return state
    chain = state.receiving.expose()
    skipped = list(state.skipped)
    for place in range(state.received, state.received + count):
        chain, key = _advance(chain)
        skipped.append(Skipped(state.remote, place, Secret(key), now))
    kept = tuple(skipped[-MAX_SKIPPED:])
    return replace(state, receiving=Secret(chain), received=state.received + count, skipped=kept)


def _turn_to_receive(state: RatchetState, remote: bytes) -> RatchetState:
    if not state.own:
        raise RefusedError(Reason.ENVELOPE_INVALID, "an answer to nothing that was sent")
    root, chain = _derive_root(state.root, _live(state.own.expose()).exchange(remote))
    # Our own turn waits until we have something to send: it costs a key pair, and often never comes.
    return replace(state, root=root, remote=remote, receiving=chain, received=0, sending=_NONE)


def _turn_to_send(state: RatchetState, seed: bytes) -> RatchetState:
    if not state.remote:
        raise AssertionError("a responder waits for the first message")
    _live.cache_clear()  # the key that this turn replaces is among them
    root, chain = _derive_root(state.root, _live(seed).exchange(state.remote))
    return replace(state, root=root, own=Secret(seed), sending=chain, previous=state.sent, sent=0)


def _derive_root(root: Secret, shared: bytes) -> tuple[Secret, Secret]:
    derived = hkdf_expand(hkdf_extract(root.expose(), shared), _ROOT, 64)
    return Secret(derived[:32]), Secret(derived[32:])


def _advance(chain: bytes) -> tuple[bytes, bytes]:
    """The next chain key and the message key."""
    return hmac_sha256(chain, b"\x02"), hmac_sha256(chain, b"\x01")


def _message_key(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the AEAD."""
    derived = hkdf_expand(key, T(Tag.RATCHET_MESSAGE, salt), 44)
    return derived[:32], derived[32:]


def _bound(state: RatchetState, header: bytes, ad: bytes) -> bytes:
    return T(Tag.RATCHET_HEADER, state.ad, header, ad)


# A turn uses the key that the last turn made, so it is kept live, which saves a quarter of the turn's cost. Whichever
# session turns next drops all that are live: no key outlasts the turn that replaced it.
@lru_cache(maxsize=16)
def _live(seed: bytes) -> DhKey:
    return DhKey.from_seed(seed)
