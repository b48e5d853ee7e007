"""Committees with all their shares at hand, and what senders, custodians and agencies do with a capsule of theirs.

Shares are dealt, not generated: who holds them costs no operation anything, and a hundred custodians are at once there.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from os import urandom

from escrow.capsule.combine import open_capsule
from escrow.capsule.label import Label
from escrow.capsule.schemes import CommitteeContext, ShareRequest, scheme_of
from escrow.capsule.schemes.tdh2 import share_of_verified
from escrow.committee.documents import ShareGeneration
from escrow.committee.parts import PublicKey, kem_names, points_of
from escrow.crypto.sharing import random_polynomial
from escrow.crypto.suites import PQ, group_of
from escrow.crypto.xwing import XWingKey
from escrow.secret import Secret

_DAY = 7
_DAYS = 400
"""More than anybody remembers the identities of."""
_COINS = urandom(32)
"""Whoever asks for a share brings them along. The same statement with the same coins has the same proof."""


class Committee:
    """A committee, one capsule of it, and a request for its shares. Each method is one party's work."""

    def __init__(self, suite: int, key: PublicKey, secrets: Sequence[Secret], names: Sequence[bytes], t: int) -> None:
        self.suite = suite
        self.scheme = scheme_of(suite)
        self.ctx = CommitteeContext(suite, urandom(32), t, key)
        self.seed = Secret(urandom(32))
        self.label = _label(suite, self.ctx.committee_key_hash)
        self.capsule = self.scheme.encapsulate(self.ctx, self.label, self.seed)
        members = tuple(urandom(32) for _ in secrets)
        self.generation = ShareGeneration(self.ctx.committee_key_hash, 0, members, t, tuple(names), ())
        self.request = ShareRequest(self.ctx, self.generation.hash, self.label, self.capsule, urandom(32))
        self._secrets = secrets
        labels = (_label(suite, self.ctx.committee_key_hash, day) for day in range(_DAY + 1, _DAY + _DAYS))
        self._other_days = cycle([replace(self.request, label=label) for label in labels])
        # Not the first ones, whose weights are the smallest there are.
        self._answering = range(len(secrets) - t + 1, len(secrets) + 1)
        self._shares = {index: self._share(index) for index in self._answering}

    def encrypt(self) -> bytes:
        """A sender makes the capsule."""
        return self.scheme.encapsulate(self.ctx, self.label, self.seed)

    def verify(self) -> None:
        """A relay checks it."""
        self.scheme.verify(self.ctx, self.label, self.capsule)

    def answer(self) -> bytes:
        """A custodian's whole answer: it checks the capsule, makes its share and proves it."""
        return self._share(1)

    def share(self) -> bytes:
        """The second half of that."""
        return share_of_verified(self.request, self._secrets[0], 1, _COINS)

    def verify_share(self) -> None:
        """Somebody checks a share."""
        index = self._answering[0]
        self.scheme.verify_share(self.request, self.generation.verification[index - 1], index, self._shares[index])

    def open(self) -> bytes:
        """An agency opens the capsule with threshold shares, all of which are good."""
        return open_capsule(self.request, self.generation, self._shares).seed.expose()

    def combine(self) -> bytes:
        """The first half of that: the seed, which nothing has shown yet to be the sender's."""
        return self.scheme.recover(self.ctx, self.label, self.capsule, self._shares).expose()

    def answer_for_another_day(self) -> bytes:
        """A custodian's whole answer about an identity that it has not met, or forgotten since."""
        return self.scheme.share(next(self._other_days), self._secrets[0], 1, _COINS)

    def unwrap(self) -> bytes:
        """Threshold custodians answer, and their answers are put together; nothing is encapsulated again."""
        shares = {index: self._share(index) for index in self._answering}
        return self.scheme.recover(self.ctx, self.label, self.capsule, shares).expose()

    def _share(self, index: int) -> bytes:
        return self.scheme.share(self.request, self._secrets[index - 1], index, _COINS)


def dealt(suite: int, t: int, n: int) -> Committee:
    """A committee of a suite with a group: TDH2 or IBE."""
    group = group_of(suite)
    polynomial = random_polynomial(urandom(32), t, kind=group.scalar)
    public = group.base_mul(polynomial.coefficients[0])
    shares = [polynomial.evaluate(index) for index in range(1, n + 1)]
    key = PublicKey(points_of(suite, urandom(32), public), ())
    names = [group.base_mul(share).encode() for share in shares]
    return Committee(suite, key, [Secret(share.encode()) for share in shares], names, t)


def wrapping(t: int, n: int) -> Committee:
    """A committee of PQ."""
    seeds = [urandom(32) for _ in range(n)]
    kems = tuple(XWingKey.from_seed(seed).public for seed in seeds)
    return Committee(PQ, PublicKey((), kems), [Secret(seed) for seed in seeds], kem_names(kems), t)


def _label(suite: int, committee_key_hash: bytes, epoch: int = _DAY) -> bytes:
    some = hashlib.sha256(committee_key_hash).digest()
    return Label(suite, 1, some, committee_key_hash, some, 0, some, some, 1, epoch, some[:16], 0, 1).encode()
