"""The Double Ratchet: one key per message, a new root with every turn of the conversation.

After Signal's Double Ratchet specification (revision 4, without the post-quantum ratchet). States are immutable: an
operation returns the state that replaces the old one, or raises and there is nothing to undo. Which session a message
belongs to, and how a session comes about, is not this module's business.

Beyond the specification the nonce of each message is made from the chain key, the coins and the words (``symmetric``),
so that a device restored from a backup never encrypts other words under the key and nonce of earlier ones.
"""

import struct

from msgspec import Struct

from escrow.crypto import aead
from escrow.crypto.dh import DhKey
from escrow.crypto.kdf import hkdf, hkdf_extract
from escrow.e2ee.pqxdh import SessionSecret
from escrow.e2ee.symmetric import MAX_SKIP, MAX_SKIPPED, NONCE_SIZE, SKIPPED_LIFETIME, advance, advance_saying
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag

HEADER = struct.Struct(f">32sII{NONCE_SIZE}s")
"""Ratchet key 32 ‖ length of the sender's previous chain u32 ‖ number u32 ‖ nonce 12."""

_HEADER_SIZE = HEADER.size
_SHORTEST = HEADER.size + aead.TAG_SIZE
_ROOT, _TURN = T(Tag.RATCHET_ROOT), T(Tag.RATCHET_TURN)


class Skipped(Struct, frozen=True, gc=False):
    """The key of a message that has not come yet, by the ratchet key and number of its header."""

    remote: bytes
    number: int
    key: Secret
    stored: int


class RatchetState(Struct, frozen=True, gc=False):
    """One side of a ratchet. ``own`` is our X25519 key; all secrets have 32 bytes; ``ad`` is bound to every message.

    No ``sending`` chain means that the next message sent turns the ratchet; an empty ``remote``, or no ``receiving``
    chain, that nothing has arrived yet. ``previous`` is the length of our last finished sending chain.
    """

    ad: bytes
    root: Secret
    own: DhKey | None
    remote: bytes
    sending: Secret | None
    sent: int
    previous: int
    receiving: Secret | None
    received: int
    skipped: tuple[Skipped, ...]


def initiator(secret: SessionSecret) -> RatchetState:
    """The state of the side that sends first."""
    return RatchetState(secret.ad, secret.root, None, secret.remote, None, 0, 0, None, 0, ())


def responder(secret: SessionSecret) -> RatchetState:
    """The state of the side whose signed prekey is its first ratchet key."""
    return RatchetState(secret.ad, secret.root, secret.own, b"", None, 0, 0, None, 0, ())


# The states below are built field by field: copying with changes costs a tenth of a whole message.


def encrypt(state: RatchetState, plaintext: bytes, ad: bytes, coins: bytes) -> tuple[RatchetState, bytes]:
    """The next state, and header 52 ‖ ciphertext |plaintext| + 16.

    ``ad`` is bound to the message and delimits itself (a digest, for instance); ``coins`` are 32 fresh bytes.
    """
    if state.sending is None or state.own is None:
        state = _turn_to_send(state, coins)
        assert state.sending is not None
        assert state.own is not None
    following, key, nonce = advance_saying(state.sending.expose(), coins, ad, plaintext)
    header = HEADER.pack(state.own.public, state.previous, state.sent, nonce)
    message = header + aead.seal(key, nonce, plaintext, state.ad + header + ad)
    return RatchetState(
        state.ad,
        state.root,
        state.own,
        state.remote,
        Secret(following),
        state.sent + 1,
        state.previous,
        state.receiving,
        state.received,
        state.skipped,
    ), message


def decrypt(state: RatchetState, message: bytes, ad: bytes, now: int) -> tuple[RatchetState, bytes]:
    """The next state and the plaintext.

    Raises ``MalformedError`` for bytes that are no message, ``RefusedError`` with ENVELOPE_INVALID for one that does
    not authenticate or was opened before, with SKIP_LIMIT for one too far ahead. Whoever forges a header makes us
    derive at most ``MAX_SKIP`` keys.
    """
    if len(message) < _SHORTEST:
        raise MalformedError("a message shorter than its header")
    header = message[:_HEADER_SIZE]
    remote, previous, number, nonce = HEADER.unpack(header)
    if remote == state.remote and number == state.received and state.receiving is not None:
        state, key = _next(state, state.receiving)
    else:
        state, key = _key_for(state, remote, previous, number, now)
    bound = state.ad + header + ad
    return state, aead.open_(key, nonce, message[_HEADER_SIZE:], bound, Reason.ENVELOPE_INVALID)


def prune(state: RatchetState, now: int) -> RatchetState:
    """Forget skipped keys whose time is over."""
    if not state.skipped:
        return state
    kept = tuple(each for each in state.skipped if each.stored + SKIPPED_LIFETIME > now)
    return _received(state, state.receiving, state.received, kept)


def _key_for(state: RatchetState, remote: bytes, previous: int, number: int, now: int) -> tuple[RatchetState, bytes]:
    """The message key, and the state that remains if the message proves genuine."""
    turns = remote != state.remote or state.receiving is None
    if turns or number < state.received:
        for place, each in enumerate(state.skipped):
            if each.number == number and each.remote == remote:
                rest = state.skipped[:place] + state.skipped[place + 1 :]
                return _received(state, state.receiving, state.received, rest), each.key.expose()
    finished = max(previous - state.received, 0) if turns and state.receiving is not None else 0
    ahead = number if turns else number - state.received
    if ahead < 0:
        raise RefusedError(Reason.ENVELOPE_INVALID, "its key has been used")
    if finished + ahead > MAX_SKIP:
        raise RefusedError(Reason.SKIP_LIMIT, f"it skips {finished + ahead} messages")
    if turns:
        state = _turn_to_receive(_skip(state, finished, now), remote)
    if ahead:
        state = _skip(state, ahead, now)
    assert state.receiving is not None
    return _next(state, state.receiving)


def _next(state: RatchetState, chain: Secret) -> tuple[RatchetState, bytes]:
    """The same for the message that is next in the receiving ``chain``."""
    following, key = advance(chain.expose())
    return _received(state, Secret(following), state.received + 1, state.skipped), key


def _skip(state: RatchetState, count: int, now: int) -> RatchetState:
    if not count or state.receiving is None:
        return state
    chain = state.receiving.expose()
    skipped = list(state.skipped)
    for place in range(state.received, state.received + count):
        chain, key = advance(chain)
        skipped.append(Skipped(state.remote, place, Secret(key), now))
    kept = tuple(skipped[-MAX_SKIPPED:])
    return _received(state, Secret(chain), state.received + count, kept)


def _turn_to_receive(state: RatchetState, remote: bytes) -> RatchetState:
    if state.own is None:
        raise RefusedError(Reason.ENVELOPE_INVALID, "an answer to nothing that was sent")
    root, chain = _derive_root(state.root, state.own.exchange(remote))
    # Our own turn waits until we have something to send: it costs a key pair, and often never comes.
    return RatchetState(state.ad, root, state.own, remote, None, state.sent, state.previous, chain, 0, state.skipped)


def _turn_to_send(state: RatchetState, coins: bytes) -> RatchetState:
    if not state.remote:
        raise AssertionError("a responder waits for the first message")
    # The root keeps a generator that is stuck from making the same key twice.
    own = DhKey.from_seed(hkdf_extract(state.root.expose(), _TURN + coins))
    root, chain = _derive_root(state.root, own.exchange(state.remote))
    return RatchetState(
        state.ad, root, own, state.remote, chain, 0, state.sent, state.receiving, state.received, state.skipped
    )


def _derive_root(root: Secret, shared: bytes) -> tuple[Secret, Secret]:
    derived = hkdf(root.expose(), shared, _ROOT, 64)
    return Secret(derived[:32]), Secret(derived[32:])


def _received(state: RatchetState, chain: Secret | None, received: int, skipped: tuple[Skipped, ...]) -> RatchetState:
    """``state`` with another receiving half."""
    return RatchetState(
        state.ad,
        state.root,
        state.own,
        state.remote,
        state.sending,
        state.sent,
        state.previous,
        chain,
        received,
        skipped,
    )
