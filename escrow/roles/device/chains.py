"""Open chains: the one this device sends under in each conversation, and those of others that it can still follow.

A chain's seed exists while its first message is sealed or opened, and never in the store. What is kept is the key of
the next message, from which none before can be had, and the keys of messages that were skipped, within bounds.
Chains of one message are never kept as open; of theirs only the id is remembered.
"""

import hashlib
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from escrow.capsule import chain as keys
from escrow.capsule.label import Label, n_max_of
from escrow.e2ee.keys import Identity
from escrow.encoding import number, u32, u64
from escrow.errors import Reason, RefusedError
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret

MAX_SKIP = 1000
"""Keys that one chain may hold for messages that were skipped."""
MAX_SKIPPED = 4000
"""And all chains together; the oldest give way."""
SKIPPED_LIFETIME = 30 * 24 * 3600 * 1000
"""How long a skipped key is kept, in ms from when it was skipped: being offline costs nothing."""

_OUT = b"chain/out/"
_IN = b"chain/in/"
_END = b"chain/end/"
_COUNT = b"chain/skipped"
_NONE = Secret(b"")


# -- sending ------------------------------------------------------------------------------------------


class SendingChain(Struct, frozen=True):
    """The chain that a conversation goes on under: its names, whom it is for, and the key at ``index``."""

    label: bytes
    label_hash: bytes
    cap_hash: bytes
    audience: bytes
    key: Secret
    index: int

    @property
    def message_key(self) -> Secret:
        """The key of the message at ``index``."""
        return keys.message_key(self.key, self.label_hash, self.index)

    def serves(self, like: Label, audience: bytes) -> bool:
        """Whether a message under a label like this one may go on in this chain, to the same devices."""
        mine = Label.decode(self.label)
        return (_terms(mine), self.audience) == (_terms(like), audience) and self.index < mine.n_max


def audience_of(recipients: Iterable[Identity]) -> bytes:
    """32 bytes that stand for a set of devices: a chain is for one set, whatever the roster's version."""
    return hashlib.sha256(b"".join(sorted(each.encode() for each in recipients))).digest()


def open_chain(view: Read | Draft, conversation: bytes) -> SendingChain | None:
    """The chain that a conversation goes on under."""
    data = view.get(_OUT + conversation)
    return None if data is None else unpack(data, SendingChain)


def advance(draft: Draft, conversation: bytes, chain: SendingChain) -> None:
    """The message at ``chain.index`` is sealed: keep what the next one needs, if there may be one, and no more."""
    if chain.index + 1 < n_max_of(chain.label):
        key = keys.next_chain_key(chain.key, chain.label_hash, chain.index)
        draft.put(_OUT + conversation, pack(replace(chain, key=key, index=chain.index + 1)))
    else:
        draft.delete(_OUT + conversation)


def close_chain(draft: Draft, label_hash: bytes) -> None:
    """Something of this chain was refused: nothing more is sent under it."""
    for key, data in list(draft.scan(_OUT)):
        if unpack(data, SendingChain).label_hash == label_hash:
            draft.delete(key)


def sending_chains(view: Read | Draft) -> Iterator[SendingChain]:
    """The chains that conversations go on under."""
    return (unpack(data, SendingChain) for _, data in view.scan(_OUT))


def _terms(label: Label) -> tuple[bytes, bytes, int, int, bytes]:
    return label.policy_hash, label.committee_key_hash, label.epoch, label.roster_version, label.conv_tag


# -- receiving ----------------------------------------------------------------------------------------


class Skipped(Struct, frozen=True):
    """The key of a message that has not come yet. ``stored``: when it was skipped, in ms."""

    index: int
    key: Secret
    stored: int


class ReceivingChain(Struct, frozen=True):
    """Another device's chain, as its first message has pinned it.

    ``key`` is the one at ``index``, empty at the chain's end.
    """

    label_hash: bytes
    cap_hash: bytes
    conversation: bytes
    version: int
    n_max: int
    key: Secret
    index: int
    skipped: tuple[Skipped, ...] = ()

    def take(self, index: int, now: int) -> tuple["ReceivingChain", Secret]:
        """The message key at ``index``, and the chain without it.

        Raises ``RefusedError``: INDEX_RANGE beyond the chain's end, INDEX_REUSED for a key that was taken or given up,
        SKIP_LIMIT for one too far ahead.
        """
        if index >= self.n_max:
            raise RefusedError(Reason.INDEX_RANGE)
        fresh = tuple(each for each in self.skipped if each.stored + SKIPPED_LIFETIME > now)
        for each in fresh:
            if each.index == index:
                others = tuple(other for other in fresh if other is not each)
                return replace(self, skipped=others), each.key
        if index < self.index:
            raise RefusedError(Reason.INDEX_REUSED)
        if len(fresh) + index - self.index > MAX_SKIP:
            raise RefusedError(Reason.SKIP_LIMIT, f"it skips {index - self.index} messages")
        key, skipped = self.key, list(fresh)
        for place in range(self.index, index):
            key, given_up = keys.advance(key, self.label_hash, place)
            skipped.append(Skipped(place, given_up, now))
        if index + 1 == self.n_max:
            following, taken = _NONE, keys.message_key(key, self.label_hash, index)
        else:
            following, taken = keys.advance(key, self.label_hash, index)
        return replace(self, key=following, index=index + 1, skipped=tuple(skipped)), taken


def place_of(label: Label) -> bytes:
    """What names a chain at its receivers: account 32 ‖ device u32 ‖ chain id 16."""
    return label.sender_account + u32(label.sender_device) + label.chain_id


def has_begun(view: Read | Draft, label: Label) -> bool:
    """Whether a first message of the chain with this name was accepted."""
    return view.get(_IN + place_of(label)) is not None


def followed_chain(view: Read | Draft, label: Label) -> ReceivingChain | None:
    """The chain of that name, if it is one of many messages and its first was accepted."""
    data = view.get(_IN + place_of(label))
    return unpack(data, ReceivingChain) if data else None


def receiving_chains(view: Read | Draft) -> Iterator[ReceivingChain]:
    """All chains of many messages that are followed."""
    return (unpack(data, ReceivingChain) for _, data in view.scan(_IN) if data)


def follow(draft: Draft, label: Label, chain: ReceivingChain, ends: int) -> None:
    """Keep a chain as it is now. ``ends`` (ms): receipts from then on are for nothing of this chain's epoch."""
    place = _IN + place_of(label)
    before = followed_chain(draft, label)
    draft.put(place, pack(chain) if chain.n_max > 1 else b"")
    draft.put(_END + u64(ends) + place_of(label), b"")
    grown = len(chain.skipped) - (len(before.skipped) if before else 0)
    if grown:
        _count(draft, number(draft.get(_COUNT) or b"") + grown)


def forget_ended(draft: Draft, receipt_time: int, wanted: Iterable[bytes]) -> None:
    """Forget the chains whose time is over by the receipts, but for those in ``wanted`` (names of chains).

    Receipts come in the order of their times, so whoever was away loses nothing. A chain for which a delivery still
    waits is wanted.
    """
    kept = frozenset(wanted)
    for key in list(_ended(draft, receipt_time)):
        place = key[len(_END) + 8 :]
        if place in kept:
            continue
        data = draft.get(_IN + place)
        skipped = len(unpack(data, ReceivingChain).skipped) if data else 0
        if skipped:
            _count(draft, number(draft.get(_COUNT) or b"") - skipped)
        draft.delete(_IN + place)
        draft.delete(key)


def has_ended(view: Read | Draft, receipt_time: int) -> bool:
    """Whether there is anything to forget."""
    return next(_ended(view, receipt_time), None) is not None


def _ended(view: Read | Draft, receipt_time: int) -> Iterator[bytes]:
    for key, _ in view.scan(_END):
        if number(key[len(_END) : len(_END) + 8]) > receipt_time:
            return
        yield key


def _count(draft: Draft, skipped: int) -> None:
    """Note how many skipped keys there are; beyond the limit the oldest of all chains are given up."""
    if skipped > MAX_SKIPPED:
        chains = {key: unpack(data, ReceivingChain) for key, data in draft.scan(_IN) if data}
        oldest = sorted((each.stored, key, each.index) for key, chain in chains.items() for each in chain.skipped)
        dropped = {(key, index) for _, key, index in oldest[: skipped - MAX_SKIPPED]}
        for key in {key for key, _ in dropped}:
            rest = tuple(each for each in chains[key].skipped if (key, each.index) not in dropped)
            draft.put(key, pack(replace(chains[key], skipped=rest)))
        skipped = MAX_SKIPPED
    draft.put(_COUNT, u32(skipped))
