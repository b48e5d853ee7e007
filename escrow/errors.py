"""The whole error tree. It answers two questions: who deviated, and what may the caller do now?

EscrowError
 ├─ MalformedError       the input has not the form it claims; nothing changed, nobody is blamed
 ├─ RefusedError         a rule of ours says no; a recorded result, the input may be corrected
 ├─ DeviationError       another party provably broke the protocol; ``culprits`` names it
 ├─ DeferredError        nobody is at fault: keep the item, it is tried again when more arrives
 ├─ UnavailableError     a party or resource is out of reach; the same call may be repeated
 │   └─ BehindError      our own view is too old: catch up once, then repeat
 └─ IntegrityError       our own store or the log lost integrity; stop and keep the evidence

Wrong use by our own code is ``AssertionError`` or ``RuntimeError``, outside the tree: a bug, not an event.
"""

from collections.abc import Iterable

from escrow.reasons import Kind, Reason

__all__ = [
    "BehindError",
    "DeferredError",
    "DeviationError",
    "EscrowError",
    "IntegrityError",
    "Kind",
    "MalformedError",
    "Reason",
    "RefusedError",
    "UnavailableError",
]


class EscrowError(Exception):
    """A named refusal. ``detail`` adds what is not secret: a field, a number, a party."""

    def __init__(self, reason: Reason, detail: str = "", *, culprits: Iterable[str] = ()) -> None:
        super().__init__(f"{reason.name}: {detail or reason.sentence}")
        self.reason = reason
        self.detail = detail
        self.culprits = frozenset(culprits)


class MalformedError(EscrowError):
    """Bytes that cannot be parsed. Proves nothing about anybody; the state is as before."""

    def __init__(self, detail: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(reason, detail)


class RefusedError(EscrowError):
    """A rule says no. The refusal may be recorded; the caller may change the request."""


class DeviationError(EscrowError):
    """A party provably broke the protocol: ``culprits`` are roles or parties, never empty."""

    def __init__(self, reason: Reason, detail: str = "", *, culprits: Iterable[str]) -> None:
        super().__init__(reason, detail, culprits=culprits)
        if not self.culprits:
            raise AssertionError("a deviation names its culprits")


class DeferredError(EscrowError):
    """Something that this item needs has not arrived. Blames nobody; the item is kept."""


class UnavailableError(EscrowError):
    """Out of reach for now. The same call, byte for byte, may be repeated."""


class BehindError(UnavailableError):
    """The step needs a fresher view: follow (or publish), then run it again, once."""


class IntegrityError(EscrowError):
    """Our store or the log contradicts itself. Stop; overwrite nothing; keep what was seen."""
