"""A session: the record of one (pair of devices, mode, policy lineage), and the envelopes that travel in it.

Both sides may start at once and either may start anew, so a record holds a few ratchets; the one that last worked is
used for sending. Mode and lineage are pinned when it begins and bound into every envelope, so that no envelope of one
session opens in another. Whether an envelope may be shown to anybody is the device role's business.
"""

import hashlib
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from escrow.crypto.kem import Kem
from escrow.e2ee.bundle import VerifiedBundle
from escrow.e2ee.keys import Identity, IdentityKeys
from escrow.e2ee.pqxdh import SessionSecret, Used, initiate
from escrow.e2ee.ratchet import RatchetState, decrypt, encrypt, initiator, prune, responder
from escrow.encoding import u8
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.tags import T, Tag, fields

MAX_LINKS = 5
"""Ratchets that a session keeps."""
MAX_FORGOTTEN = 64
"""Initial messages that a session remembers after it dropped their ratchets."""

Respond = Callable[[bytes], tuple[SessionSecret, Used]]
"""Turns an initial message into a secret: ``pqxdh.respond`` with this device's keys, and the check that the secret's
``peer`` is the logged identity of the device that is said to have sent it."""


class Link(Struct, frozen=True):
    """One key agreement and its ratchet. ``initial`` is sent along until the first answer, and then empty."""

    ratchet: RatchetState
    initial_hash: bytes
    initial: bytes


class Session(Struct, frozen=True):
    """All links with ``peer`` in one mode and lineage, the one to send with first."""

    peer: Identity
    mode: int
    lineage: bytes
    links: tuple[Link, ...]
    forgotten: tuple[bytes, ...] = ()


def open_session(
    me: IdentityKeys,
    theirs: VerifiedBundle,
    mode: int,
    lineage: bytes,
    kem: Kem,
    coins: bytes,
    now: int,
    *,
    renew: Session | None = None,
) -> Session:
    """Start a session, or a new link in front of those of ``renew``. Raises as ``pqxdh.initiate``."""
    initial, secret = initiate(me, theirs, mode, lineage, kem, coins, now)
    link = Link(initiator(secret), hashlib.sha256(initial).digest(), initial)
    return _put_first(_home(renew, secret), link)


def seal(session: Session, plaintext: bytes, ad: bytes, coins: bytes, now: int) -> tuple[Session, bytes]:
    """The next session, and an envelope ``T("session-message", ratchet message, [initial message])``."""
    session = _without_expired(session, now)
    link = session.links[0]
    ratchet, message = encrypt(link.ratchet, plaintext, _pinned(session, ad), coins)
    envelope = T(Tag.SESSION_MESSAGE, message, *([link.initial] if link.initial else []))
    return _put_first(session, replace(link, ratchet=ratchet)), envelope


def open_(
    session: Session | None, envelope: bytes, ad: bytes, respond: Respond, now: int
) -> tuple[Session, bytes, Used | None]:
    """The next session, the plaintext, and, if an initial message was accepted, the one-time prekeys to erase.

    Without a session the pins of the new one are the sender's choice: the caller compares ``mode`` and ``lineage``.
    Raises ``MalformedError``, what ``respond`` raises, and ``RefusedError``: SESSION_MISSING, ENVELOPE_INVALID,
    SKIP_LIMIT, PREKEY_UNKNOWN for an initial message that was used up, MODE_MISMATCH or SENDER_MISMATCH for one that
    belongs to another session.
    """
    message, *initial = fields(Tag.SESSION_MESSAGE, envelope, None, None, optional=1)
    session = session and _without_expired(session, now)
    links = session.links if session else ()
    if initial:
        seen = hashlib.sha256(initial[0]).digest()
        links = tuple(link for link in links if link.initial_hash == seen)
        if not links:
            return _accept(session, initial[0], message, ad, respond, now)
    if session is None:
        raise RefusedError(Reason.SESSION_MISSING)
    pinned = _pinned(session, ad)
    refusals = []
    for link in links:
        try:
            ratchet, plaintext = decrypt(link.ratchet, message, pinned, now)
        except EscrowError as refusal:
            refusals.append(refusal)
        else:
            return _put_first(session, replace(link, ratchet=ratchet, initial=b"")), plaintext, None
    raise refusals[0]


def _accept(
    session: Session | None, initial: bytes, message: bytes, ad: bytes, respond: Respond, now: int
) -> tuple[Session, bytes, Used]:
    seen = hashlib.sha256(initial).digest()
    if session and seen in session.forgotten:
        raise RefusedError(Reason.PREKEY_UNKNOWN, "this first message was used before")
    secret, used = respond(initial)
    home = _home(session, secret)
    ratchet, plaintext = decrypt(responder(secret), message, _pinned(home, ad), now)
    return _put_first(home, Link(ratchet, seen, b"")), plaintext, used


def _home(session: Session | None, secret: SessionSecret) -> Session:
    """The session that ``secret`` belongs to: the given one or, where there is none, a new one."""
    if session is None:
        return Session(secret.peer, secret.mode, secret.lineage, ())
    if session.peer != secret.peer:
        raise RefusedError(Reason.SENDER_MISMATCH, "the first message is another device's")
    if (session.mode, session.lineage) != (secret.mode, secret.lineage):
        raise RefusedError(Reason.MODE_MISMATCH)
    return session


def _put_first(session: Session, link: Link) -> Session:
    others = tuple(each for each in session.links if each.initial_hash != link.initial_hash)
    dropped = tuple(each.initial_hash for each in others[MAX_LINKS - 1 :])
    return replace(
        session,
        links=(link, *others[: MAX_LINKS - 1]),
        forgotten=(*session.forgotten, *dropped)[-MAX_FORGOTTEN:],
    )


def _without_expired(session: Session, now: int) -> Session:
    links = tuple(replace(link, ratchet=prune(link.ratchet, now)) for link in session.links)
    return replace(session, links=links)


def _pinned(session: Session, ad: bytes) -> bytes:
    return T(Tag.SESSION_MODE, u8(session.mode), session.lineage, ad)
