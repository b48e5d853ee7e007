"""Hybrid: TDH2 and PQ side by side, each with a seed of its own. A message stays closed while either of them holds.

Capsule: that of TDH2, 160 bytes ‖ that of PQ. Seed: TDH2's 32 ‖ PQ's 32; the chain's first key needs both. The secret
of a custodian is x 32 ‖ the seed of its KEM key 32, its share TDH2's 96 ‖ PQ's 64. The relay checks the first part of a
capsule, the receiver both. The parts have one label and one context, and no other bond: whoever puts parts of two
capsules together has a capsule that no message goes with.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from escrow.capsule.schemes.base import NO_SHARE, CommitteeContext, Scheme, ShareRequest, capsule_unit
from escrow.capsule.schemes.pq import Pq
from escrow.capsule.schemes.tdh2 import CAPSULE_SIZE, SHARE_SIZE, Tdh2
from escrow.crypto.group import SIZE
from escrow.encoding import expect
from escrow.secret import Secret

_TDH2: Final = Tdh2()
_PQ: Final = Pq()

Parts = tuple[bytes, bytes]
"""What is TDH2's, what is PQ's."""


class Hybrid(Scheme):
    """The scheme of suites 5 and 6; see ``base.Scheme``."""

    __slots__ = ()
    seed_size = _TDH2.seed_size + _PQ.seed_size

    def encapsulate(self, ctx: CommitteeContext, label: bytes, seed: Secret) -> bytes:
        """192 + 1232·n bytes, always the same for the same arguments."""
        one, other = _cut(expect(seed.expose(), self.seed_size, "two seeds"), _TDH2.seed_size)
        return _TDH2.encapsulate(ctx, label, Secret(one)) + _PQ.encapsulate(ctx, label, Secret(other))

    def verify(self, ctx: CommitteeContext, label: bytes, capsule: bytes) -> None:
        """The proof of the first part, the length of the second."""
        # SPEC PQ-6: a capsule with one part that is not good is refused.
        one, other = _cut(capsule, CAPSULE_SIZE)
        _TDH2.verify(ctx, label, one)
        _PQ.verify(ctx, label, other)

    def share(self, request: ShareRequest, secret: Secret, index: int, coins: bytes) -> bytes:
        """160 bytes, or ``NO_SHARE`` where the second part holds nothing."""
        self.verify(request.ctx, request.label, request.capsule)
        (one, other), (x, kem) = _requests(request), _cut(secret.expose(), SIZE)
        second = _PQ.share(other, Secret(kem), index, coins)
        return NO_SHARE if second == NO_SHARE else _TDH2.share(one, Secret(x), index, coins) + second

    def verify_share(self, request: ShareRequest, h: bytes, index: int, share: bytes) -> None:
        """Both parts, each as its scheme does; ``h`` is TDH2's."""
        (one, other), (first, second) = _requests(request), _cut(share, SHARE_SIZE)
        _TDH2.verify_share(one, h, index, first)
        _PQ.verify_share(other, h, index, second)

    def may_abstain(self) -> bool:
        """Yes, since PQ may."""
        return True

    def unit(self, label: bytes, capsule: bytes) -> tuple[bytes, ...]:
        """The capsule."""
        return capsule_unit(label, capsule)

    def combine(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> Secret:
        """Both keys."""
        (one, other), (first, second) = _cut(capsule, CAPSULE_SIZE), _cut_each(shares)
        return _joined(_TDH2.combine(ctx, label, one, first), _PQ.combine(ctx, label, other, second))

    def open(self, ctx: CommitteeContext, label: bytes, capsule: bytes, key: Secret) -> Secret:
        """Both seeds."""
        (one, other), (first, second) = _cut(capsule, CAPSULE_SIZE), _cut(key.expose(), SIZE)
        return _joined(
            _TDH2.open(ctx, label, one, Secret(first)),
            _PQ.open(ctx, label, other, Secret(second)),
        )

    def faults(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> str:
        """PQ's slots."""
        return _PQ.faults(ctx, label, _cut(capsule, CAPSULE_SIZE)[1], _cut_each(shares)[1])


def _joined(*secrets: Secret) -> Secret:
    return Secret(b"".join(secret.expose() for secret in secrets))


def _cut(data: bytes, width: int) -> Parts:
    return data[:width], data[width:]


def _cut_each(shares: Mapping[int, bytes]) -> tuple[dict[int, bytes], dict[int, bytes]]:
    cut = {index: _cut(share, SHARE_SIZE) for index, share in shares.items()}
    return {index: one for index, (one, _) in cut.items()}, {index: other for index, (_, other) in cut.items()}


def _requests(request: ShareRequest) -> tuple[ShareRequest, ShareRequest]:
    one, other = _cut(request.capsule, CAPSULE_SIZE)
    return replace(request, capsule=one), replace(request, capsule=other)
