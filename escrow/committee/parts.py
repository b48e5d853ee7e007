"""What a committee's public key consists of, by suite: a point of a group, an X-Wing key per custodian, or both.

Everything has a fixed width, so parts are set side by side. Nothing here says who may hold them: see ``documents``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from escrow.crypto import xwing
from escrow.crypto.group import Group, Point
from escrow.crypto.suites import group_of, has_group, has_kem, has_second_generator
from escrow.encoding import expect
from escrow.errors import MalformedError
from escrow.tags import T, Tag, digest

_GAMMA_DOMAINS: Final = {
    "edwards25519": b"ESCROW-V1-TDH2-GAMMA_edwards25519_XMD:SHA-512_ELL2_RO_",
    "ristretto255": b"ESCROW-V1-TDH2-GAMMA_ristretto255_XMD:SHA-512_R255MAP_RO_",
}


def second_generator(proposal_hash: bytes, public: Point) -> Point:
    """Ḡ, whose discrete logarithm nobody knows. Everybody recomputes it; nobody takes it on trust."""
    return public.group.hash(T(Tag.GAMMA, proposal_hash, public.encode()), _GAMMA_DOMAINS[public.group.name])


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A committee's public key, read. ``points`` is (Y, Ḡ), (Y,) where capsules have no use for a second generator, or
    nothing; ``kems`` the custodians' keys in order of index.
    """

    points: tuple[Point, ...]
    kems: tuple[bytes, ...]

    @classmethod
    def read(cls, suite: int, n: int, proposal_hash: bytes, public: bytes) -> Self:
        """Y, then n X-Wing keys of 1216 bytes, as far as the suite has them; ``MalformedError``."""
        y, kems = _cut(suite, public)
        points = points_of(suite, proposal_hash, group_of(suite).decode(y)) if has_group(suite) else ()
        return cls(points, read_kems(suite, n, kems))

    @property
    def public(self) -> bytes:
        """As ``read`` takes it."""
        return (self.points[0].encode() if self.points else b"") + b"".join(self.kems)

    @property
    def gamma(self) -> bytes:
        """Ḡ; empty where there is none."""
        return b"".join(point.encode() for point in self.points[1:])

    @property
    def group(self) -> Group | None:
        """Where Y lives, if there is one."""
        return self.points[0].group if self.points else None


def points_of(suite: int, proposal_hash: bytes, public: Point) -> tuple[Point, ...]:
    """(Y, Ḡ) of the committee key Y, or (Y,) where the suite has no second generator."""
    return (public, second_generator(proposal_hash, public)) if has_second_generator(suite) else (public,)


def read_kems(suite: int, n: int, data: bytes) -> tuple[bytes, ...]:
    """n distinct X-Wing keys to which anybody can encapsulate; none for a suite that has none. ``MalformedError``."""
    if not has_kem(suite):
        expect(data, 0, "the KEM keys of a suite without any")
        return ()
    size = xwing.PUBLIC_SIZE
    keys = tuple(data[at : at + size] for at in range(0, len(expect(data, n * size, "a KEM key per custodian")), size))
    for key in keys:
        xwing.check_public(key)
    if len(set(keys)) != n:
        raise MalformedError("two custodians have one KEM key")
    return keys


def kem_name(public: bytes) -> bytes:
    """32 bytes that stand for a custodian's KEM key where a share key stands for others."""
    return digest(Tag.KEM_NAME, public)


def kem_names(public: Sequence[bytes]) -> tuple[bytes, ...]:
    """Of all custodians."""
    return tuple(kem_name(each) for each in public)


def _cut(suite: int, public: bytes) -> tuple[bytes, bytes]:
    end = group_of(suite).size if has_group(suite) else 0
    return public[:end], public[end:]
