"""Sender keys of un-escrowed groups: the one that this device speaks under in each, and those of others that it hears.

A device tells its key in pairwise sessions, along with its first message after anything has changed, and does so with
every message until the relay has taken one. Only then does it say a thing once, for all. So nothing is ever under a key
that was in a refused submission. A key is for one version of the group and one set of devices, and for a day.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from escrow.capsule.chain import use_hedge
from escrow.crypto.coins import Coins
from escrow.e2ee.conversation import Conversation
from escrow.e2ee.keys import Identity
from escrow.e2ee.sender_keys import (
    Distribution,
    Place,
    ReceiverKey,
    SenderKey,
    accept,
    begin,
    chain_id_of,
    open_,
    seal,
)
from escrow.encoding import number, u32
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.roles.device.state import load_me, save_me
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack

SPOKEN = b"\x03"
"""What a message for all begins with. Envelopes of sessions begin with 1 and 2."""
LIFETIME = 24 * 3600 * 1000
"""How long a device speaks under one key, in ms: whoever stole the key hears no more after that."""
MOST_MESSAGES = 1024
"""And how often."""
KEPT = 4
"""Keys of one device in one group that are heard: the newest, because what came before a change may be late."""
MAX_SKIPPED = 4000
"""Keys of skipped messages that are kept of all others together; the oldest give way."""

_OWN, _TOLD, _HEARD, _COUNT = b"voice/own/", b"voice/told/", b"voice/heard/", b"voice/skipped"


# -- speaking -----------------------------------------------------------------------------------------


class Voice(Struct, frozen=True):
    """The key that this device speaks under in a group, and whom it is for. ``told``: the relay has taken it for all.

    ``audience`` (32 bytes) stands for the devices, ``began`` is when it was made (ms).
    """

    key: SenderKey
    version: int
    audience: bytes
    began: int
    told: bool = False

    def serves(self, version: int, audience: bytes, now: int) -> bool:
        """Whether the next message to these devices, under this version, may be under this key."""
        worn = self.key.iteration >= MOST_MESSAGES or now >= self.began + LIFETIME
        return (self.version, self.audience) == (version, audience) and not worn


def own_voice(draft: Draft, conversation: Conversation, audience: bytes, now: int, coins: Coins) -> Voice:
    """The key to speak under; a new one if the one in use is for others, for another version, or worn."""
    data = draft.get(_OWN + conversation.id)
    known = None if data is None else unpack(data, Voice)
    # SPEC GRP-2: another version, other devices or another day: another key.
    if known is not None and known.serves(conversation.version, audience, now):
        return known
    me = load_me(draft)
    hedged, hedge = use_hedge(me.hedge, b"sender-key")
    save_me(draft, replace(me, hedge=hedge))
    place = Place(conversation.id, conversation.version, me.keys.account, me.keys.device)
    voice = Voice(begin(place, hedged, coins.take("sender-key", 32)), conversation.version, audience, now)
    draft.put(_OWN + conversation.id, pack(voice))
    return voice


def speak(draft: Draft, conversation: bytes, voice: Voice, plaintext: bytes, coins: Coins) -> bytes:
    """The envelope that is the same for all; the key has moved on."""
    following, message = seal(voice.key, plaintext, coins.take("spoken", 32))
    draft.put(_OWN + conversation, pack(replace(voice, key=following)))
    return SPOKEN + message


def fall_silent(draft: Draft, conversation: bytes) -> None:
    """Somebody cannot hear us: the next message tells another key."""
    draft.delete(_OWN + conversation)


def await_told(draft: Draft, submission: bytes, conversation: bytes, voice: Voice) -> None:
    """A submission (its idempotency key) tells all others a key."""
    draft.put(_TOLD + submission, conversation + voice.key.chain_id)


def on_submitted(draft: Draft, submission: bytes, *, accepted: bool) -> None:
    """What has become of a submission. A key that was taken for all may be spoken under, if it is still in use."""
    told = draft.get(_TOLD + submission)
    if told is None:
        return
    draft.delete(_TOLD + submission)
    place = _OWN + told[:32]
    data = draft.get(place)
    # SPEC GRP-1: nothing is said under a key that the others may not have.
    if accepted and data is not None and (voice := unpack(data, Voice)).key.chain_id == told[32:]:
        draft.put(place, pack(replace(voice, told=True)))


# -- hearing ------------------------------------------------------------------------------------------


class Heard(Struct, frozen=True):
    """Another device's key, and where it belongs; ``since`` is when it was told (ms)."""

    conversation: bytes
    version: int
    key: ReceiverKey
    since: int


def is_spoken(envelope: bytes) -> bool:
    """Whether an envelope is for all and not of a session."""
    return envelope.startswith(SPOKEN)


def place_of(sender: Identity, envelope: bytes) -> bytes:
    """What names the key of a message: account 32 ‖ device u32 ‖ chain id 16. Raises ``MalformedError``."""
    return _of(sender) + chain_id_of(envelope[len(SPOKEN) :])


def told_in(sender: bytes, distribution: Distribution) -> bytes:
    """As ``place_of``, for the key that a device (account ‖ device) tells."""
    return sender + distribution.chain_id


def take_voice(draft: Draft, sender: Identity, conversation: Conversation, told: Distribution, now: int) -> None:
    """Hear what is said under this key from now on. Telling it again changes nothing.

    Raises ``RefusedError(CHAIN_MISMATCH)`` for another key under a name that was given.
    """
    place = Place(conversation.id, conversation.version, sender.account, sender.device)
    fresh, name = accept(told, place), _HEARD + told_in(_of(sender), told)
    known = draft.get(name)
    if known is None:
        _make_room(draft, sender, conversation.id)
        draft.put(name, pack(Heard(conversation.id, conversation.version, fresh, now)))
    elif unpack(known, Heard).key.ad != fresh.ad:
        raise RefusedError(Reason.CHAIN_MISMATCH, "another key of the same name")


def hear(draft: Draft, sender: Identity, envelope: bytes, now: int) -> tuple[Heard, bytes]:
    """Whose key it was, and the plaintext; the key has moved on.

    Raises ``DeferredError(CHAIN_UNKNOWN)`` while the key has not come, and what ``sender_keys.open_`` raises.
    """
    name = _HEARD + place_of(sender, envelope)
    data = draft.get(name)
    # SPEC GRP-4: what comes before its key waits for it.
    if data is None:
        raise DeferredError(Reason.CHAIN_UNKNOWN)
    heard = unpack(data, Heard)
    key, plaintext = open_(heard.key, envelope[len(SPOKEN) :], now)
    following = replace(heard, key=key)
    draft.put(name, pack(following))
    _count(draft, len(key.skipped) - len(heard.key.skipped))
    return following, plaintext


def all_voices(view: Read | Draft) -> Iterator[SenderKey | ReceiverKey]:
    """Every key that this device speaks or hears under."""
    yield from (unpack(data, Voice).key for _, data in view.scan(_OWN))
    yield from (heard.key for _, heard in _all(view))


def _make_room(draft: Draft, sender: Identity, conversation: bytes) -> None:
    """Of one device in one group the newest keys are kept."""
    theirs = [(one.since, name, one) for name, one in _all(draft, _of(sender)) if one.conversation == conversation]
    for _, name, one in sorted(theirs, key=lambda each: each[:2])[: max(0, len(theirs) + 1 - KEPT)]:
        draft.delete(name)
        _count(draft, -len(one.key.skipped))


def _count(draft: Draft, grown: int) -> None:
    """Note how many skipped keys there are; beyond the limit the oldest of all are given up."""
    if not grown:
        return
    skipped = number(draft.get(_COUNT) or b"") + grown
    # SPEC GRP-5: whatever the others send, only so much is kept.
    if skipped > MAX_SKIPPED:
        voices = dict(_all(draft))
        oldest = sorted((each.stored, name, each.iteration) for name, one in voices.items() for each in one.key.skipped)
        dropped = {(name, iteration) for _, name, iteration in oldest[: skipped - MAX_SKIPPED]}
        for name in {name for name, _ in dropped}:
            one = voices[name]
            rest = tuple(each for each in one.key.skipped if (name, each.iteration) not in dropped)
            draft.put(name, pack(replace(one, key=replace(one.key, skipped=rest))))
        skipped = MAX_SKIPPED
    draft.put(_COUNT, u32(skipped))


def _all(view: Read | Draft, sender: bytes = b"") -> Iterator[tuple[bytes, Heard]]:
    for name, data in view.scan(_HEARD + sender):
        yield name, unpack(data, Heard)


def _of(sender: Identity) -> bytes:
    return sender.account + u32(sender.device)
