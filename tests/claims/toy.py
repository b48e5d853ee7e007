"""The product over a group of 1009 elements: small enough to try every secret, every seed and every dealing.

The arithmetic is that of ``tests.oracles.slow_groups``. All else is the product's own code, whose scalars
know their order by one name; while a toy is in use, that name means the toy's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from escrow.crypto import sharing
from escrow.crypto.group import SIZE, Group, Scalar
from tests.oracles.slow_groups import Toy

TOY: Final = Toy()


class ToyLibrary:
    """See ``escrow.crypto.group.Library``."""

    name = "toy-1009"
    size = SIZE
    scalar: type[Scalar] = Scalar
    identity = (1).to_bytes(32, "little")

    def is_valid(self, point: bytes) -> bool:
        try:
            TOY.decode(point)
        except ValueError:
            return False
        return True

    def multiply(self, scalar: bytes, point: bytes) -> bytes:
        if not self.is_valid(point):
            raise RuntimeError("not an element")
        return _encode(TOY.times(int.from_bytes(scalar, "little"), _number(point)))

    def multiply_base(self, scalar: bytes) -> bytes:
        return _encode(TOY.times(int.from_bytes(scalar, "little"), TOY.generator))

    def add(self, left: bytes, right: bytes) -> bytes:
        return _encode(TOY.add(_number(left), _number(right)))

    def sub(self, left: bytes, right: bytes) -> bytes:
        return _encode(TOY.add(_number(left), TOY.times(TOY.order - 1, _number(right))))

    def hash(self, message: bytes, domain: bytes) -> bytes:
        return TOY.encode(TOY.hash(message, domain))

    def self_test(self) -> None:
        assert TOY.times(TOY.order, TOY.generator) == 1


GROUP: Final = Group(ToyLibrary())


@contextmanager
def scalars_modulo(order: int) -> Iterator[None]:
    """The product's scalars are those of a group of another order meanwhile."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Scalar, "order", order)
        sharing.lagrange_at_zero.cache_clear()
        try:
            yield
        finally:
            sharing.lagrange_at_zero.cache_clear()


def _number(point: bytes) -> int:
    return int.from_bytes(point, "little")


def _encode(value: int) -> bytes:
    return value.to_bytes(32, "little")
