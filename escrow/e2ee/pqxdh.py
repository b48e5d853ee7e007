"""PQXDH with ML-KEM-1024: two devices agree on a secret while one of them is away.

After Signal's PQXDH specification, revision 3. What it adds: both identities are an Ed25519 key and an X25519 key, and
the derivation covers the hash of the complete bundle, the whole initial message, the modes on offer and the choice.
Whoever changes any of it gets no session. Authentication is classical only; what is sent with the secret is
``ratchet``'s business, which session it belongs to is ``session``'s.
"""

import hashlib
from collections.abc import Callable
from typing import Self

from msgspec import Struct

from escrow.crypto.coins import Coins
from escrow.crypto.dh import DhKey, exchange
from escrow.crypto.kdf import hkdf
from escrow.crypto.kem import CIPHERTEXT_SIZE, Kem, MlKemKey
from escrow.e2ee.bundle import PrekeySecret, Supported, VerifiedBundle, encode_supported, hash_used
from escrow.e2ee.keys import Identity, IdentityKeys, Purpose, lasting_dh_key, lasting_kem_key
from escrow.encoding import number, u8, u32
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields

SUITE = b"x25519 mlkem1024 hkdf-sha256 chacha20poly1305"

FindPrekey = Callable[[Purpose, int], PrekeySecret | None]
"""The prekey secret with that purpose and number, or None if it is used up or unknown."""

Used = tuple[tuple[Purpose, int], ...]
"""The one-time prekeys that a first message has consumed: erase them in the step that accepts it."""


class SessionSecret(Struct, frozen=True):
    """What both sides share afterwards, and what their ratchets start from.

    ``ad`` (32 bytes) stands for everything that was agreed on. The initiator's ratchet starts from the other's signed
    prekey ``remote``, the responder's from the private half ``own``; the initiator has no ``own``, the responder an
    empty ``remote``.
    """

    root: Secret
    ad: bytes
    peer: Identity
    mode: int
    lineage: bytes
    remote: bytes
    own: DhKey | None


class Initial(Struct, frozen=True):
    """The initiator's message: who it is, which prekeys it took, what it chose. Nothing in it is secret."""

    sender: Identity
    ephemeral: bytes
    signed: int
    kem_purpose: Purpose
    kem: int
    mode: int
    lineage: bytes
    ciphertext: bytes
    one_time: int | None

    def encode(self) -> bytes:
        """``T("initial", …)`` in the order of the fields; no ``one_time`` element where none was used."""
        return T(
            Tag.INITIAL,
            self.sender.encode(),
            self.ephemeral,
            u32(self.signed),
            u8(self.kem_purpose),
            u32(self.kem),
            u8(self.mode),
            self.lineage,
            self.ciphertext,
            *([] if self.one_time is None else [u32(self.one_time)]),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        widths = (Identity.SIZE, 32, 4, 1, 4, 1, 32, CIPHERTEXT_SIZE, 4)
        sender, ephemeral, signed, purpose, kem, mode, lineage, ciphertext, *one_time = fields(
            Tag.INITIAL, data, *widths, optional=1
        )
        if number(purpose) not in (Purpose.KEM_LAST_RESORT, Purpose.KEM_ONE_TIME):
            raise MalformedError("an initial message without a KEM prekey")
        return cls(
            Identity.decode(sender),
            ephemeral,
            number(signed),
            Purpose(number(purpose)),
            number(kem),
            number(mode),
            lineage,
            ciphertext,
            number(one_time[0]) if one_time else None,
        )


def initiate(
    me: IdentityKeys, theirs: VerifiedBundle, mode: int, lineage: bytes, kem: Kem, coins: bytes, now: int
) -> tuple[bytes, SessionSecret]:
    """The initial message (data for the wire) and the shared secret (data for the ratchet).

    Raises ``RefusedError``: MODE_MISMATCH if the bundle does not offer (mode, lineage), BUNDLE_INVALID if it has
    expired since it was verified; ``MalformedError`` if one of its keys is no key.
    """
    if (mode, lineage) not in theirs.supported:
        raise RefusedError(Reason.MODE_MISMATCH, "the other device does not offer this mode and policy")
    if any(key.not_after <= now for key in (theirs.signed, theirs.kem, theirs.one_time) if key):
        raise RefusedError(Reason.BUNDLE_INVALID, "a prekey has expired")
    ephemeral = DhKey.from_seed(Coins(coins).take("ephemeral", 32))
    shared = [
        me.dh_key.exchange(theirs.signed.public),
        ephemeral.exchange(theirs.identity.dh),
        ephemeral.exchange(theirs.signed.public),
    ]
    if theirs.one_time:
        shared.append(ephemeral.exchange(theirs.one_time.public))
    ciphertext, encapsulated = kem.encapsulate(theirs.kem.public)
    initial = Initial(
        me.identity,
        ephemeral.public,
        theirs.signed.number,
        theirs.kem.purpose,
        theirs.kem.number,
        mode,
        lineage,
        ciphertext,
        theirs.one_time.number if theirs.one_time else None,
    )
    data = initial.encode()
    agreed = _transcript(initial, data, theirs.identity, theirs.bundle_hash, theirs.supported)
    root, ad = _derive([*shared, encapsulated], agreed)
    return data, SessionSecret(root, ad, theirs.identity, mode, lineage, theirs.signed.public, None)


def respond(me: IdentityKeys, find: FindPrekey, initial: bytes) -> tuple[SessionSecret, Used]:
    """The shared secret from an initial message, and the one-time prekeys to erase once it has proved itself.

    A secret alone proves nothing: it is the first message under it that authenticates. The caller compares ``peer``
    with the logged device list. Raises ``MalformedError``; ``RefusedError`` with PREKEY_UNKNOWN for a prekey that
    ``find`` does not have, MODE_MISMATCH for a choice that the bundle did not offer.
    """
    message = Initial.decode(initial)
    signed = _take(find, Purpose.SIGNED_PREKEY, message.signed)
    if (message.mode, message.lineage) not in signed.supported:
        raise RefusedError(Reason.MODE_MISMATCH, "this device does not offer this mode and policy")
    kem = _take(find, message.kem_purpose, message.kem)
    one_time = None if message.one_time is None else _take(find, Purpose.ONE_TIME_PREKEY, message.one_time)
    parts = [signed.published]
    used = []
    mine = lasting_dh_key(signed.seed.expose())
    shared = [mine.exchange(message.sender.dh), me.dh_key.exchange(message.ephemeral), mine.exchange(message.ephemeral)]
    if one_time:
        shared.append(exchange(one_time.seed.expose(), message.ephemeral))
        parts.append(one_time.published)
        used.append((one_time.purpose, one_time.number))
    if kem.purpose is Purpose.KEM_ONE_TIME:
        kem_key = MlKemKey.from_seed(kem.seed.expose())
        parts.append(kem.published)
        used.append((kem.purpose, kem.number))
    elif kem.published == signed.published:
        kem_key = lasting_kem_key(kem.seed.expose())
    else:
        raise RefusedError(Reason.PREKEY_UNKNOWN, "the prekeys are of two bundles")
    agreed = _transcript(message, initial, me.identity, hash_used(parts), signed.supported)
    root, ad = _derive([*shared, kem_key.decapsulate(message.ciphertext)], agreed)
    return SessionSecret(root, ad, message.sender, message.mode, message.lineage, b"", mine), tuple(used)


def _take(find: FindPrekey, purpose: Purpose, place: int) -> PrekeySecret:
    if (secret := find(purpose, place)) is None:
        raise RefusedError(Reason.PREKEY_UNKNOWN, f"{purpose.name} {place}")
    return secret


def _transcript(
    message: Initial, data: bytes, responder: Identity, bundle_hash: bytes, supported: Supported
) -> tuple[bytes, ...]:
    return (
        SUITE,
        message.sender.encode(),
        responder.encode(),
        bundle_hash,
        encode_supported(supported),
        u8(message.mode),
        message.lineage,
        hashlib.sha256(data).digest(),
    )


def _derive(shared: list[bytes], agreed: tuple[bytes, ...]) -> tuple[Secret, bytes]:
    # The leading bytes keep this input apart from X25519 keys and signatures (PQXDH, section 2.2).
    root = hkdf(bytes(32), b"\xff" * 32 + b"".join(shared), T(Tag.PQXDH_INFO, *agreed), 32)
    return Secret(root), digest(Tag.SESSION_AD, *agreed)
