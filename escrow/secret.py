"""A type for bytes that must not leave the process by accident.

CPython promises neither erasure nor constant time, and this module does not pretend otherwise: it keeps
secrets out of logs, tracebacks, JSON and pickles, and makes every way out greppable.
"""

import hmac
from typing import NoReturn, final


@final
class Secret:
    """Bytes that print as their length. Compared in constant time; not hashable, not picklable."""

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value if type(value) is bytes else bytes(value)

    def __repr__(self) -> str:
        return f"Secret(<{len(self._value)} bytes>)"

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialized by accident; call expose()")

    def expose(self) -> bytes:
        """The one, greppable, way out."""
        return self._value
