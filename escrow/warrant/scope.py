"""What falls under a warrant, as an algebra: membership, order and meet, each decided by normal form.

A scope is a product: senders x roster members x conversations x epochs of policies x message window. Products
are closed under meet, and there is no union: a release cites exactly one warrant. Not for when or how much may be
released; and that an account *is* in a roster is proved by ``roster_path``, not here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from escrow.capsule.label import Label
from escrow.crypto.suites import has_identities
from escrow.errors import Reason, RefusedError
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.intervals import Intervals

Device = tuple[bytes, int | None]
"""An account, and one device of it or none for all."""

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Scope:
    """In normal form, made by ``make``: equal scopes hold equal items, and the empty one is ``EMPTY``.

    Where ``None`` is admitted it stands for no restriction.
    """

    senders: frozenset[Device] | None
    """Whose own words are covered."""
    members: frozenset[bytes] | None
    """Accounts of whose conversations everything is covered."""
    conversations: frozenset[bytes] | None
    """32-byte tags."""
    epochs: tuple[tuple[bytes, Intervals], ...]
    """Policy hash and its epochs, sorted."""
    window: Intervals
    """Ingest times in milliseconds."""

    @classmethod
    def make(
        cls,
        *,
        senders: Iterable[Device] | None = None,
        members: Iterable[bytes] | None = None,
        conversations: Iterable[bytes] | None = None,
        epochs: Iterable[tuple[bytes, Intervals]],
        window: Intervals,
    ) -> Self:
        """The normal form: no device beside its whole account, epochs merged, nothing partly empty."""
        devices = None if senders is None else _without_covered(frozenset(senders))
        accounts = None if members is None else frozenset(members)
        tags = None if conversations is None else frozenset(conversations)
        spans: dict[bytes, tuple[tuple[int, int], ...]] = {}
        for policy, part in epochs:
            spans[policy] = spans.get(policy, ()) + part.spans
        merged = tuple((policy, union) for policy in sorted(spans) if (union := Intervals.of(spans[policy])))
        if not (merged and window) or frozenset() in (devices, accounts, tags):
            return cls(frozenset(), frozenset(), frozenset(), (), Intervals())
        return cls(devices, accounts, tags, merged, window)

    @classmethod
    def of(cls, payload: WarrantPayload) -> Self:
        """What a warrant covers."""
        targets = [(bytes.fromhex(target.account), target.device) for target in payload.targets]
        own_words = payload.direction == "SENT_BY"
        tags = payload.conv_tags
        return cls.make(
            senders=targets if own_words else None,
            members=None if own_words else (account for account, _ in targets),
            conversations=None if tags is None else (bytes.fromhex(tag) for tag in tags),
            epochs=((bytes.fromhex(part.policy), Intervals.of([(part.first, part.end)])) for part in payload.epochs),
            window=Intervals.of([(payload.message_window.start, payload.message_window.end)]),
        )

    def __bool__(self) -> bool:
        return bool(self.epochs)

    def contains(self, label: Label, ingest_time: int, member: bytes | None = None) -> bool:
        """Whether an item with this label, received by the relay at ``ingest_time``, is covered.

        ``member`` is an account proved to be in the label's roster; only whole conversations ask for one.
        What is opened by the epoch is covered by it: a chain of many messages, which share one key, and whatever is
        sealed to an identity. No time divides them.
        """
        account, device = label.sender_account, label.sender_device
        return (
            (self.senders is None or not self.senders.isdisjoint({(account, None), (account, device)}))
            and (self.members is None or member in self.members)
            and (self.conversations is None or label.conv_tag in self.conversations)
            and any(label.policy_hash == policy and label.epoch in part for policy, part in self.epochs)
            and (spans_epoch(label) or ingest_time in self.window)
        )

    def require(self, label: Label, ingest_time: int, member: bytes | None = None) -> None:
        """Raise ``OUT_OF_SCOPE`` unless ``contains``."""
        # SPEC WRT-9: an item outside the scope is refused.
        if not self.contains(label, ingest_time, member):
            raise RefusedError(Reason.OUT_OF_SCOPE)

    def __and__(self, other: "Scope") -> "Scope":
        """The meet: what both contain."""
        theirs = dict(other.epochs)
        return Scope.make(
            senders=_meet_senders(self.senders, other.senders),
            members=_both(self.members, other.members),
            conversations=_both(self.conversations, other.conversations),
            epochs=((policy, part & theirs[policy]) for policy, part in self.epochs if policy in theirs),
            window=self.window & other.window,
        )

    def __le__(self, other: "Scope") -> bool:
        """Whether everything in here is in ``other``."""
        return self & other == self


def spans_epoch(label: Label) -> bool:
    """Whether whoever opens one message of this label opens its epoch: by a chain that goes on, or by an identity."""
    return label.n_max != 1 or has_identities(label.suite)


EMPTY: Final = Scope.make(epochs=(), window=Intervals())
"""Contains nothing."""


def _without_covered(devices: frozenset[Device]) -> frozenset[Device]:
    return frozenset(one for one in devices if one[1] is None or (one[0], None) not in devices)


def _meet_senders(mine: frozenset[Device] | None, theirs: frozenset[Device] | None) -> frozenset[Device] | None:
    if mine is None or theirs is None:
        return _both(mine, theirs)
    one_way = {device for device in mine if device in theirs or (device[0], None) in theirs}
    return frozenset(one_way | {device for device in theirs if (device[0], None) in mine})


def _both(mine: frozenset[V] | None, theirs: frozenset[V] | None) -> frozenset[V] | None:
    if mine is None:
        return theirs
    return mine if theirs is None else mine & theirs
