"""ESC-05: whoever has the seed gets the same capsule, on every device, from every implementation of the text."""

import hashlib

import pytest
from hypothesis import given

from escrow.encoding import u16
from escrow.tags import T, Tag
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import capsule, label, numbers, seeds
from tests.core.crypto.edwards import GENERATOR, L, decode, encode, times

pytestmark = pytest.mark.claim("ESC-05")

HELD = committee()
CTX = T(Tag.CTX, u16(1), HELD.key.hash, HELD.key.public, HELD.key.gamma)


@given(numbers, seeds)
def test_a_capsule_is_a_function_of_committee_label_and_seed(census: Census, number: int, seed: bytes) -> None:
    assert capsule(HELD, number, seed) == capsule(HELD, number, seed)
    census("recomputed")


@effort(0.05)
@given(numbers, seeds)
def test_a_second_implementation_on_a_second_curve_library_agrees_byte_for_byte(
    census: Census, number: int, seed: bytes
) -> None:
    assert _slowly(label(HELD, number), seed) == capsule(HELD, number, seed)
    census("cross-checked")


def _scalar(tag: Tag, *fields: bytes) -> int:
    return int.from_bytes(hashlib.sha512(T(tag, *fields)).digest(), "little") % L


def _slowly(bound: bytes, seed: bytes) -> bytes:
    """TDH2 encryption as its specification has it, in affine coordinates and plain integers."""
    public, gamma = decode(HELD.key.public), decode(HELD.key.gamma)
    r, s = (_scalar(tag, CTX, bound, seed) for tag in (Tag.TDH2_R, Tag.TDH2_S))
    u, u_bar, w, w_bar = (encode(times(k, point)) for k in (r, s) for point in (GENERATOR, gamma))
    mask = hashlib.sha512(T(Tag.TDH2_KEM, CTX, bound, u, encode(times(r, public)))).digest()
    c = bytes(a ^ b for a, b in zip(seed, mask[:32], strict=True))
    e = _scalar(Tag.TDH2_E, CTX, bound, c, u, u_bar, w, w_bar)
    return c + u + u_bar + e.to_bytes(32, "little") + ((s + r * e) % L).to_bytes(32, "little")
