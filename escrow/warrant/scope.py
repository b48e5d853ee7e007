"""What falls under a warrant, as an algebra: membership, order and meet, each decided by normal form.

A scope is a product: targets x direction x conversations x epochs of policies x message window. Products are
closed under meet, and there is no union: a release cites exactly one warrant. Not for when or how much may be
released; and that an account *is* in a roster is proved by ``roster_path``, not here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Self

from escrow.capsule.label import Label
from escrow.errors import Reason, RefusedError
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.intervals import Intervals

Device = tuple[bytes, int | None]
"""An account, and one device of it or none for all."""


@unique
class Direction(StrEnum):
    """What about a target is covered: its own words, or whole conversations it takes part in."""

    SENT_BY = "SENT_BY"
    CONVERSATION_OF = "CONVERSATION_OF"


@dataclass(frozen=True, slots=True)
class Scope:
    """In normal form, made by ``make``: equal scopes hold equal items, and the empty one is ``EMPTY``."""

    direction: Direction
    targets: frozenset[Device]
    conversations: frozenset[bytes] | None
    """32-byte tags; none for every conversation."""
    epochs: tuple[tuple[bytes, Intervals], ...]
    """Policy hash and its epochs, sorted."""
    window: Intervals
    """Ingest times in milliseconds."""

    @classmethod
    def make(
        cls,
        direction: Direction,
        targets: Iterable[Device],
        conversations: Iterable[bytes] | None,
        epochs: Iterable[tuple[bytes, Intervals]],
        window: Intervals,
    ) -> Self:
        """The normal form: no device beside its whole account, epochs merged, nothing partly empty."""
        named = frozenset(targets)
        whole = frozenset((account, device) for account, device in named
                          if device is None or (account, None) not in named)  # fmt: skip
        tags = None if conversations is None else frozenset(conversations)
        spans: dict[bytes, tuple[tuple[int, int], ...]] = {}
        for policy, part in epochs:
            spans[policy] = spans.get(policy, ()) + part.spans
        merged = tuple((policy, union) for policy in sorted(spans) if (union := Intervals.of(spans[policy])))
        if not (whole and merged and window and (tags is None or tags)):
            return cls(Direction.SENT_BY, frozenset(), frozenset(), (), Intervals())
        return cls(direction, whole, tags, merged, window)

    @classmethod
    def of(cls, payload: WarrantPayload) -> Self:
        """What a warrant covers."""
        tags = payload.conv_tags
        return cls.make(
            Direction(payload.direction),
            ((bytes.fromhex(target.account), target.device) for target in payload.targets),
            None if tags is None else (bytes.fromhex(tag) for tag in tags),
            ((bytes.fromhex(part.policy), Intervals.of([(part.first, part.end)])) for part in payload.epochs),
            Intervals.of([(payload.message_window.start, payload.message_window.end)]),
        )

    def __bool__(self) -> bool:
        return bool(self.targets)

    def contains(self, label: Label, ingest_time: int, member: bytes | None = None) -> bool:
        """Whether an item with this label, received by the relay at ``ingest_time``, is covered.

        ``member`` is an account proved to be in the label's roster; only whole conversations ask for one.
        A chain of many messages is covered by its epoch: its messages share one key, so no time divides them.
        """
        return (
            self._names(label, member)
            and (self.conversations is None or label.conv_tag in self.conversations)
            and any(label.policy_hash == policy and label.epoch in part for policy, part in self.epochs)
            and (label.n_max != 1 or ingest_time in self.window)
        )

    def require(self, label: Label, ingest_time: int, member: bytes | None = None) -> None:
        """Raise ``OUT_OF_SCOPE`` unless ``contains``."""
        # SPEC WRT-9: an item outside the scope is refused.
        if not self.contains(label, ingest_time, member):
            raise RefusedError(Reason.OUT_OF_SCOPE)

    def __and__(self, other: "Scope") -> "Scope":
        """The meet: what both contain."""
        if self.direction is not other.direction:
            return EMPTY
        return Scope.make(
            self.direction,
            (met for mine in self.targets for theirs in other.targets if (met := _meet(mine, theirs)) is not None),
            _both(self.conversations, other.conversations),
            ((policy, mine & theirs) for policy, mine in self.epochs for cited, theirs in other.epochs
             if policy == cited),
            self.window & other.window,
        )  # fmt: skip

    def __le__(self, other: "Scope") -> bool:
        """Whether everything in here is in ``other``."""
        return self & other == self

    def _names(self, label: Label, member: bytes | None) -> bool:
        if self.direction is Direction.CONVERSATION_OF:
            return (member, None) in self.targets
        account = label.sender_account
        return (account, None) in self.targets or (account, label.sender_device) in self.targets


EMPTY: Final = Scope.make(Direction.SENT_BY, (), None, (), Intervals())
"""Contains nothing."""


def _meet(mine: Device, theirs: Device) -> Device | None:
    if mine[0] != theirs[0]:
        return None
    if mine[1] is None or mine[1] == theirs[1]:
        return theirs
    return mine if theirs[1] is None else None


def _both(mine: frozenset[bytes] | None, theirs: frozenset[bytes] | None) -> frozenset[bytes] | None:
    if mine is None:
        return theirs
    return mine if theirs is None else mine & theirs
