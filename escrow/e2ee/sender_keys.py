"""Sender keys: in an un-escrowed group each device encrypts once, for all members, under a chain of its own.

After the sender keys of Signal and WhatsApp (analysed by Balbás, Collins and Gajland, "WhatsUpp with Sender Keys?",
2023). Every member can read along the chain, so every member could write in it: each message is therefore signed with
a key that was made for this chain alone and that only its sender has. A chain is bound to conversation, roster version
and sender. It heals from nothing: that each change of the roster, and each day or so, begins a new one, and that
``Distribution`` travels in pairwise sessions only, is the caller's business. Escrowed groups use ``capsule.chain``.

States are immutable: an operation returns the state that replaces the old one, or raises and there is nothing to undo.
"""

import struct
from typing import Self

from msgspec import Struct

from escrow.crypto import aead
from escrow.crypto.coins import Coins
from escrow.crypto.kdf import hkdf_extract
from escrow.crypto.sign import SIGNATURE_SIZE, SigningKey, check_public, verify
from escrow.e2ee.symmetric import MAX_SKIP, MAX_SKIPPED, NONCE_SIZE, SKIPPED_LIFETIME, advance, advance_saying
from escrow.encoding import number, u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields

HEADER = struct.Struct(f">16sI{NONCE_SIZE}s")
"""Chain id 16 ‖ iteration u32 ‖ nonce 12."""

OVERHEAD = HEADER.size + aead.TAG_SIZE + SIGNATURE_SIZE
"""Bytes that a message is longer than its plaintext."""


class Place(Struct, frozen=True):
    """Where a chain belongs: conversation id (32 bytes), version of its roster, and the device that speaks."""

    conversation: bytes
    roster_version: int
    account: AccountId
    device: DeviceNo

    def encode(self) -> bytes:
        """``T("sender-chain", conversation 32, roster version u64, account 32, device u32)``."""
        return T(Tag.SENDER_CHAIN, self.conversation, u64(self.roster_version), self.account, u32(self.device))


class SenderKey(Struct, frozen=True):
    """What the sender has. ``signing`` is an Ed25519 pair (64 bytes); ``ad`` (32) stands for the place and the key.

    ``iteration`` is the number of the next message, ``chain`` (32 bytes) the chain key from which its key comes.
    """

    ad: bytes
    chain_id: bytes
    iteration: int
    chain: Secret
    signing: Secret

    @property
    def distribution(self) -> "Distribution":
        """What to tell the other members: whoever is told now reads from the next message on, and nothing before."""
        return Distribution(self.chain_id, self.iteration, self.chain, SigningKey.from_pair(self.signing).public)


class Distribution(Struct, frozen=True):
    """What every other member is told, each in its own session: it opens the chain from ``iteration`` on."""

    chain_id: bytes
    iteration: int
    chain: Secret
    public: bytes

    def encode(self) -> bytes:
        """``T("sender-key", chain id 16, iteration u32, chain key 32, public key 32)``."""
        return T(Tag.SENDER_KEY, self.chain_id, u32(self.iteration), self.chain.expose(), self.public)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``, also for a public key that is none."""
        chain_id, iteration, chain, public = fields(Tag.SENDER_KEY, data, 16, 4, 32, 32)
        check_public(public)
        return cls(chain_id, number(iteration), Secret(chain), public)


class Missing(Struct, frozen=True):
    """The key of a message that has not come yet, and when it was skipped."""

    iteration: int
    key: Secret
    stored: int


class ReceiverKey(Struct, frozen=True):
    """What a member has of another's chain; fields as in ``SenderKey``. ``skipped`` is in the order of the chain."""

    ad: bytes
    chain_id: bytes
    iteration: int
    chain: Secret
    public: bytes
    skipped: tuple[Missing, ...]


def begin(place: Place, hedged: Secret, random: bytes) -> SenderKey:
    """A new chain from 32 random bytes and a use of the device's hedge (``capsule.chain.use_hedge``).

    A generator that is stuck gives another chain at each use of the hedge, and in every other place.
    """
    draw = Coins(hkdf_extract(random, T(Tag.SENDER_SEED, hedged.expose(), place.encode())))
    chain_id, chain, signing = draw.take("id", 16), Secret(draw.take("chain", 32)), draw.take("signing", 32)
    key = SigningKey.from_seed(signing)
    return SenderKey(_ad(place, chain_id, key.public), chain_id, 0, chain, key.pair)


def accept(distribution: Distribution, place: Place) -> ReceiverKey:
    """The state that opens the chain. ``place`` is what the receiver knows, never what it was told."""
    chain_id, public = distribution.chain_id, distribution.public
    return ReceiverKey(_ad(place, chain_id, public), chain_id, distribution.iteration, distribution.chain, public, ())


def seal(key: SenderKey, plaintext: bytes, coins: bytes) -> tuple[SenderKey, bytes]:
    """The next state, and header 32 ‖ ciphertext |plaintext| + 16 ‖ signature 64. ``coins`` are 32 fresh bytes."""
    following, message_key, nonce = advance_saying(key.chain.expose(), coins, key.ad, plaintext)
    bound = key.ad + HEADER.pack(key.chain_id, key.iteration, nonce)
    signed = bound + aead.seal(message_key, nonce, plaintext, bound)
    message = signed[len(key.ad) :] + SigningKey.from_pair(key.signing).sign(signed)
    return SenderKey(key.ad, key.chain_id, key.iteration + 1, Secret(following), key.signing), message


def chain_id_of(message: bytes) -> bytes:
    """The chain that a message names, before anything in it is believed; raise ``MalformedError``."""
    if len(message) < OVERHEAD:
        raise MalformedError("a group message shorter than its header")
    return message[:16]


def open_(key: ReceiverKey, message: bytes, now: int) -> tuple[ReceiverKey, bytes]:
    """The next state and the plaintext.

    Raises ``MalformedError`` for bytes that are no message; ``RefusedError`` with CHAIN_MISMATCH for one of another
    chain, SIGNATURE_INVALID for one that the sender has not signed in this place, SKIP_LIMIT for one too far ahead, and
    ENVELOPE_INVALID for one that was opened before, or that is older than what we were told. Nothing is derived for
    an unsigned message: only the sender itself can make us skip.
    """
    if chain_id_of(message) != key.chain_id:
        raise RefusedError(Reason.CHAIN_MISMATCH, "a message of another chain")
    signed = key.ad + message[:-SIGNATURE_SIZE]
    verify(key.public, signed, message[-SIGNATURE_SIZE:])
    _, iteration, nonce = HEADER.unpack_from(message)
    following, message_key = _key_for(key, iteration, now)
    bound, ciphertext = signed[: len(key.ad) + HEADER.size], signed[len(key.ad) + HEADER.size :]
    return following, aead.open_(message_key, nonce, ciphertext, bound, Reason.ENVELOPE_INVALID)


def prune(key: ReceiverKey, now: int) -> ReceiverKey:
    """Forget skipped keys whose time is over."""
    if not key.skipped or key.skipped[0].stored + SKIPPED_LIFETIME > now:
        return key
    kept = tuple(each for each in key.skipped if each.stored + SKIPPED_LIFETIME > now)
    return ReceiverKey(key.ad, key.chain_id, key.iteration, key.chain, key.public, kept)


def _key_for(key: ReceiverKey, iteration: int, now: int) -> tuple[ReceiverKey, bytes]:
    """The message key, and the state that remains if the message proves genuine."""
    key = prune(key, now)
    ahead = iteration - key.iteration
    if ahead < 0:
        return _take_skipped(key, iteration)
    if ahead > MAX_SKIP:
        raise RefusedError(Reason.SKIP_LIMIT, f"it skips {ahead} messages")
    chain, skipped = key.chain.expose(), key.skipped
    if ahead:
        fresh = []
        for place in range(key.iteration, iteration):
            chain, skipped_key = advance(chain)
            fresh.append(Missing(place, Secret(skipped_key), now))
        skipped = (*skipped, *fresh)[-MAX_SKIPPED:]
    chain, message_key = advance(chain)
    return ReceiverKey(key.ad, key.chain_id, iteration + 1, Secret(chain), key.public, skipped), message_key


def _take_skipped(key: ReceiverKey, iteration: int) -> tuple[ReceiverKey, bytes]:
    for place, each in enumerate(key.skipped):
        if each.iteration == iteration:
            rest = key.skipped[:place] + key.skipped[place + 1 :]
            return ReceiverKey(key.ad, key.chain_id, key.iteration, key.chain, key.public, rest), each.key.expose()
    raise RefusedError(Reason.ENVELOPE_INVALID, "its key was used, or never ours")


def _ad(place: Place, chain_id: bytes, public: bytes) -> bytes:
    return digest(Tag.SENDER_AD, place.encode(), chain_id, public)
