"""What a device remembers, and under which keys of its store.

=====================  ====================================================================
``me``                 ``Me``: identity, hedge, counters; the only long-lived secrets
``prekey/``            prekey secrets by purpose and number, erased when used
``batch/``             prekeys that were made together: what is published of them, when they go
``next-prekey``        the number of the next prekey; no number is used twice
``session/``           one e2ee session per (peer device, mode)
``begun/``             when we began a session that was not answered yet
``renew/``             sessions that do not open what they should, and must begin anew
``conv/``, ``past/``   conversations by id; their earlier versions
``with/``, ``pair/``   ids of the conversations with an account; of the one in use as a pair
``group/``             ids of groups by the name they have here
``route/``             conversation tags and roster versions that the relay has been told
``chain/``             chains that are open, for sending and for receiving; the receipts' clock
``voice/``             sender keys of un-escrowed groups: our own and others'; which submission tells one
``queue/``             messages that are not yet sealed, in order
``attach/``            keys of files that are being uploaded, by the hash of their content
``later/``             submissions that the relay could not take yet, as they were, in order
``sent/``              what was submitted, by idempotency key, with its outcome and receipt
``copy/``              for which devices a message was sealed, by the name they know it by
``due/``               whom we have yet to tell that their messages were shown
``delivered/``         which devices say that they have shown what was submitted
``receipts``           whether the user wants to tell; absent until she has said so
``again/``             what was to be asked for again, and whether it came
``deferred/``          deliveries that wait for something, with what was already opened of them
``audit/``             receipts that are to be looked for in the log, by when that was promised
``omitted/``           receipts that were not there: proof against the relay
``settled/``           what was opened and shown or refused: the same once more is no second message
``settled-when/``      the same names in the order in which they go
``inbox/``             what was shown to the user, in order
``joining``            on a device that is being linked: its keys, and how far it is
``hosting``            on the account's first device: the linking of another one, and how far it is
``looking``            there while a linked device asks the log for its account's list
``numbers``            the highest number that a device of this account ever had
``alarm/``             what was refused, and who is to blame for it
``view/``              the light view of the log
``pin/``               per account the devices that may be written to
``watch/``             how far the log was read for entries about this account, and the lists it may hold
``meet/``              whom the user has just asked about
=====================  ====================================================================
"""

from msgspec import Struct
from msgspec.structs import replace

from escrow.e2ee.bundle import PrekeySecret
from escrow.e2ee.content import Content
from escrow.e2ee.devices import DeviceList
from escrow.e2ee.keys import Identity, IdentityKeys
from escrow.e2ee.session import Session
from escrow.encoding import number, u8, u32, u64
from escrow.errors import Reason, RefusedError
from escrow.roles.calls import Delivery
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret

PLAIN, ESCROW = 0, 1
"""The two modes of a conversation."""


class Me(Struct, frozen=True):
    """This device. ``hedge`` (32 bytes) is secret and never zero; ``chains`` counts the chains ever started.

    Only the account's first device has the ``account_seed``. ``device_list`` is the newest list of the account's
    devices that this one has made, or checked in the log.
    ``texts`` counts what was ever queued; ``mail`` is the first number of the mailbox that was not fetched.
    """

    name: str
    account_seed: Secret | None
    keys: IdentityKeys
    hedge: Secret
    device_list: bytes
    enrolled: bool
    chains: int
    texts: int
    mail: int


class Change(Struct, frozen=True, tag="change"):
    """What is to become of a group, by names of accounts; ``begins`` it if it is new."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    begins: bool = False


class Queued(Struct, frozen=True):
    """What waits to be sealed: for the peer called ``to``, or for a group, whose name begins with ``#``.

    ``number`` orders what the user has said. A ``Change`` becomes a ``NewRoster`` as soon as its names are known.

    ``tries`` counts the refusals since the user last did something, ``waits`` names what it waits for. ``only``: the
    one device that gets it, if it is not for all.
    """

    number: int
    to: str
    mode: int
    content: Content | Change
    tries: int = 0
    waits: str = ""
    only: Identity | None = None


class Sent(Struct, frozen=True):
    """A submission and what became of it. ``state`` is ``sent``, ``accepted`` or the reason of the refusal.

    ``label`` is that of its chain while its answer is awaited, unless the submission brings it itself. ``id`` is what
    the message is called everywhere: the hash of its body or, without escrow, 16 random bytes. ``time``: when it was
    sealed.
    """

    message: Queued
    submit_hash: bytes
    state: str
    receipt: bytes
    include_by: int
    label: bytes = b""
    id: bytes = b""
    time: int = 0


class Shown(Struct, frozen=True):
    """A message that passed every check. ``time`` is the relay's ingest time (escrowed) or the local one.

    ``conversation`` is the id of the one it belongs to, ``group`` that one's name here, empty for a pair.
    ``to`` is for the screen: whom another device of our own account has written to.
    """

    sender: bytes
    sender_name: str
    mode: int
    content: Content
    time: int
    body_id: bytes
    conversation: bytes = b""
    group: str = ""
    to: str = ""

    @property
    def text(self) -> str:
        """What people read."""
        return self.content.text


class Deferred(Struct, frozen=True):
    """A delivery that waits, and its envelope's plaintext once that was opened: a ratchet opens it only once.

    ``since`` counts heads of the log: the first one that was asked for after the delivery ``came`` (ms).
    """

    delivery: Delivery
    opened: bytes
    reason: str
    since: int
    came: int


class Alarm(Struct, frozen=True):
    """Something that was refused: the reason, the parties that provably deviated, and when."""

    reason: str
    culprits: tuple[str, ...]
    detail: str
    time: int


def load_me(view: Read | Draft) -> Me:
    """This device; ``NOT_FOUND`` before it is registered."""
    data = view.get(b"me")
    if data is None:
        raise RefusedError(Reason.NOT_FOUND, "this profile is not registered")
    return unpack(data, Me)


def save_me(draft: Draft, me: Me) -> None:
    """Remember ``me``."""
    draft.put(b"me", pack(me))


def known_list(me: Me) -> DeviceList:
    """The newest list of this account's devices that this device has made, or checked in the log."""
    return DeviceList.decode(me.device_list)


def session_key(account: bytes, device: int, mode: int) -> bytes:
    """Where the session with a peer device in a mode is kept. Its lineage is pinned inside."""
    return b"session/" + account + u32(device) + u8(mode)


def load_session(view: Read | Draft, account: bytes, device: int, mode: int) -> Session | None:
    """The session with a peer device in a mode."""
    data = view.get(session_key(account, device, mode))
    return None if data is None else unpack(data, Session)


def session_with(view: Read | Draft, peer: Identity, mode: int) -> Session | None:
    """The session with exactly this peer; one with earlier keys of the same device is none."""
    session = load_session(view, peer.account, peer.device, mode)
    return session if session is not None and session.peer == peer else None


def save_session(draft: Draft, session: Session) -> None:
    """Remember a session under its pins."""
    draft.put(session_key(session.peer.account, session.peer.device, session.mode), pack(session))


def prekey_key(purpose: int, place: int) -> bytes:
    """Where a prekey secret is kept."""
    return b"prekey/" + u8(purpose) + u32(place)


def load_prekey(view: Read | Draft, purpose: int, place: int) -> PrekeySecret | None:
    """A prekey secret, unless it was used up."""
    data = view.get(prekey_key(purpose, place))
    return None if data is None else unpack(data, PrekeySecret)


def enqueue(draft: Draft, message: Queued) -> None:
    """Put a message in its place in the queue, also one that was there before."""
    draft.put(queue_key(message), pack(message))


def say(draft: Draft, to: str, mode: int, content: Content | Change, only: Identity | None = None) -> None:
    """Put something new at the end of the queue."""
    me = load_me(draft)
    save_me(draft, replace(me, texts=me.texts + 1))
    enqueue(draft, Queued(me.texts, to, mode, content, only=only))


def load_queued(view: Read | Draft, message: Queued) -> Queued:
    """A queued message as it is now."""
    data = view.get(queue_key(message))
    return message if data is None else unpack(data, Queued)


def queue_key(message: Queued) -> bytes:
    """Where a queued message is kept."""
    return b"queue/" + u64(message.number)


def push(draft: Draft, prefix: bytes, value: object) -> int:
    """Append a value to a numbered list under ``prefix``; return its number."""
    last = draft.last(prefix)
    place = 0 if last is None else number(last[0][len(prefix) :]) + 1
    draft.put(prefix + u64(place), pack(value))
    return place


def raise_alarm(draft: Draft, reason: Reason, culprits: frozenset[str], detail: str, now: int) -> None:
    """Keep a local security event; the sender learns nothing but the missing receipt."""
    push(draft, b"alarm/", Alarm(reason.name, tuple(sorted(culprits)), detail, now))
