"""What a custodian says when it has erased shares. Nobody can verify it from outside; everybody can hold it to it."""

from dataclasses import dataclass
from typing import Self

from escrow.encoding import number, u64
from escrow.tags import T, Tag, fields


@dataclass(frozen=True, slots=True)
class ErasureAttestation:
    """The custodian who logs this holds no share of ``committee_key_hash`` any more."""

    committee_key_hash: bytes
    time: int
    """When it was done, by the custodian's clock, ms."""
    generation_hash: bytes = b""
    """Of the one generation whose share is gone; empty if all are, and whatever else was under the key."""

    @property
    def final(self) -> bool:
        """Whether nothing of the key is left with this custodian."""
        return not self.generation_hash

    def encode(self) -> bytes:
        """``T("erasure", committee_key_hash, time u64[, generation_hash])``."""
        which = (self.generation_hash,) if self.generation_hash else ()
        return T(Tag.ERASURE, self.committee_key_hash, u64(self.time), *which)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; ``MalformedError``."""
        key_hash, time, *which = fields(Tag.ERASURE, data, 32, 8, 32, optional=1)
        return cls(key_hash, number(time), *which)
