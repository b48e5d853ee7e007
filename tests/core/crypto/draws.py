"""Hypothesis strategies for the values of the group."""

from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import ORDER, Point, Scalar

EDGES = (0, 1, 2, ORDER - 2, ORDER - 1)

scalars: st.SearchStrategy[Scalar] = (st.sampled_from(EDGES) | st.integers(0, ORDER - 1)).map(Scalar)
nonzero: st.SearchStrategy[Scalar] = st.integers(1, ORDER - 1).map(Scalar)
points: st.SearchStrategy[Point] = nonzero.map(EDWARDS25519.base_mul)
seeds: st.SearchStrategy[bytes] = st.binary(min_size=32, max_size=32)
contexts: st.SearchStrategy[tuple[bytes, ...]] = st.lists(st.binary(max_size=8), max_size=4).map(tuple)


def flip(data: bytes, bit: int) -> bytes:
    """``data`` with one bit, counted modulo its length, turned over."""
    place, inside = divmod(bit % (8 * len(data)), 8)
    return data[:place] + bytes([data[place] ^ 1 << inside]) + data[place + 1 :]
