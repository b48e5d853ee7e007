"""A session: the record of one (pair of devices, mode, policy lineage), and the envelopes that travel in it.

Both sides may start at once and either may start anew, so a record holds a few ratchets; the one that last worked is
used for sending. Mode and lineage are pinned when it begins and bound into every envelope, so that no envelope of one
session opens in another. Whether an envelope may be shown to anybody is the device role's business.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from escrow.crypto.kem import Kem
from escrow.e2ee.bundle import VerifiedBundle
from escrow.e2ee.keys import Identity, IdentityKeys
from escrow.e2ee.pqxdh import SessionSecret, Used, initiate
from escrow.e2ee.ratchet import RatchetState, decrypt, encrypt, initiator, prune, responder
from escrow.encoding import number, u8, u32
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import Tag, digest

MAX_LINKS = 5
"""Ratchets that a session keeps."""
MAX_FORGOTTEN = 64
"""Initial messages that a session remembers after it dropped their ratchets."""

_GOES_ON, _BEGINS = b"\x01", b"\x02"

Respond = Callable[[bytes], tuple[SessionSecret, Used]]
"""Turns an initial message into a secret: ``pqxdh.respond`` with this device's keys, and the check that the secret's
``peer`` is the logged identity of the device that is said to have sent it."""


class Link(Struct, frozen=True, gc=False):
    """One key agreement and its ratchet. ``initial`` is sent along until the first answer, and then empty."""

    ratchet: RatchetState
    initial_hash: bytes
    initial: bytes


class Session(Struct, frozen=True, gc=False):
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
    """The next session, and an envelope: 1 ‖ ratchet message, or 2 ‖ u32 size ‖ initial message ‖ ratchet message."""
    session = _without_expired(session, now)
    link = session.links[0]
    ratchet, message = encrypt(link.ratchet, plaintext, _pinned(session.mode, session.lineage, ad), coins)
    envelope = _BEGINS + u32(len(link.initial)) + link.initial + message if link.initial else _GOES_ON + message
    links = (Link(ratchet, link.initial_hash, link.initial), *session.links[1:])
    return Session(session.peer, session.mode, session.lineage, links, session.forgotten), envelope


def open_(
    session: Session | None, envelope: bytes, ad: bytes, respond: Respond, now: int
) -> tuple[Session, bytes, Used | None]:
    """The next session, the plaintext, and, if an initial message was accepted, the one-time prekeys to erase.

    Without a session the pins of the new one are the sender's choice: the caller compares ``mode`` and ``lineage``.
    Raises ``MalformedError``, what ``respond`` raises, and ``RefusedError``: SESSION_MISSING, ENVELOPE_INVALID,
    SKIP_LIMIT, PREKEY_UNKNOWN for an initial message that was used up, MODE_MISMATCH or SENDER_MISMATCH for one that
    belongs to another session.
    """
    initial, message = _parts(envelope)
    if session is not None:
        session = _without_expired(session, now)
    links = () if session is None else session.links
    if initial:
        seen = hashlib.sha256(initial).digest()
        links = tuple(link for link in links if link.initial_hash == seen)
        if not links:
            return _accept(session, initial, message, ad, respond, now)
    if session is None:
        raise RefusedError(Reason.SESSION_MISSING)
    pinned, refusals = _pinned(session.mode, session.lineage, ad), []
    for link in links:
        try:
            ratchet, plaintext = decrypt(link.ratchet, message, pinned, now)
        except EscrowError as refusal:
            refusals.append(refusal)
        else:
            return _put_first(session, Link(ratchet, link.initial_hash, b"")), plaintext, None
    raise refusals[0]


def _accept(
    session: Session | None, initial: bytes, message: bytes, ad: bytes, respond: Respond, now: int
) -> tuple[Session, bytes, Used]:
    seen = hashlib.sha256(initial).digest()
    if session and seen in session.forgotten:
        raise RefusedError(Reason.PREKEY_UNKNOWN, "this first message was used before")
    secret, used = respond(initial)
    home = _home(session, secret)
    ratchet, plaintext = decrypt(responder(secret), message, _pinned(home.mode, home.lineage, ad), now)
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


def _parts(envelope: bytes) -> tuple[bytes, bytes]:
    """The initial message, empty where there is none, and the ratchet message."""
    if envelope[:1] == _GOES_ON:
        return b"", envelope[1:]
    end = 5 + number(envelope[1:5])
    if not envelope.startswith(_BEGINS) or not 5 < end <= len(envelope):
        raise MalformedError("not an envelope of a session")
    return envelope[5:end], envelope[end:]


def _put_first(session: Session, link: Link) -> Session:
    links, forgotten = session.links, session.forgotten
    if links and links[0].initial_hash == link.initial_hash:
        links = (link, *links[1:])
    else:
        others = [each for each in links if each.initial_hash != link.initial_hash]
        links = (link, *others[: MAX_LINKS - 1])
        forgotten = (*forgotten, *[each.initial_hash for each in others[MAX_LINKS - 1 :]])[-MAX_FORGOTTEN:]
    return Session(session.peer, session.mode, session.lineage, links, forgotten)


def _without_expired(session: Session, now: int) -> Session:
    for link in session.links:
        if link.ratchet.skipped:
            break
    else:
        return session
    links = tuple(Link(prune(link.ratchet, now), link.initial_hash, link.initial) for link in session.links)
    return Session(session.peer, session.mode, session.lineage, links, session.forgotten)


@lru_cache(maxsize=64)  # the same few bytes for every message of a session, and nothing secret
def _pinned(mode: int, lineage: bytes, ad: bytes) -> bytes:
    return digest(Tag.SESSION_MODE, u8(mode), lineage, ad)
