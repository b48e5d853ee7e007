"""N9: threshold encryption costs the sender the same whatever the threshold; combining grows linearly with it."""

import time
from collections.abc import Callable, Iterator
from statistics import median

from escrow.capsule.schemes import CommitteeContext, scheme_of
from escrow.committee.parts import PublicKey, second_generator
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.sharing import random_polynomial
from escrow.crypto.suites import TDH2_EDWARDS25519
from escrow.secret import Secret
from escrow_lab.published.figure import Finding

SOURCE = "ferveo, BENCHMARK.md (Rust, pairings): 5 ms flat; 10/20/39/82/162 ms for 8/16/32/64/128 shares"
SIZES, ROUNDS, QUICK_ROUNDS = (4, 8, 16, 32, 64), 15, 5


def findings(*, quick: bool) -> Iterator[Finding]:
    """The two shapes, measured in rounds that go through all sizes, so that a busy machine hurts all of them alike."""
    steps = {size: _steps(size) for size in SIZES}
    rounds = [
        {size: (_ms(seal), _ms(combine)) for size, (seal, combine) in steps.items()} for _ in _rounds(quick=quick)
    ]
    seals = [median(each[size][0] for each in rounds) for size in SIZES]
    combines = [median(each[size][1] for each in rounds) for size in SIZES]
    flat = max(seals) / min(seals)
    shown = "/".join(f"{ms:.2f}" for ms in seals)
    what = f"slowest over fastest encryption for thresholds {'/'.join(map(str, SIZES))} (here {shown} ms)"
    yield Finding("N9", what, SOURCE, 1.0, round(flat, 2), "at most 1.25", flat <= 1.25)
    slope, fit = _line([float(size) for size in SIZES], combines)
    shown = "/".join(f"{ms:.2f}" for ms in combines)
    what = f"R^2 of a line through the times of combining (here {shown} ms, {slope:.3f} ms a share)"
    yield Finding("N9", what, SOURCE, 1.0, round(fit, 4), "at least 0.97", fit >= 0.97)


def _rounds(*, quick: bool) -> range:
    return range(QUICK_ROUNDS if quick else ROUNDS)


def _steps(threshold: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Sealing to, and combining the shares of, a committee as large as its threshold."""
    scheme, label = scheme_of(TDH2_EDWARDS25519), b"N9"
    polynomial = random_polynomial(bytes(31) + bytes([threshold]), threshold)
    public = EDWARDS25519.base_mul(polynomial.coefficients[0])
    key = PublicKey((public, second_generator(bytes(32), public)), ())
    context = CommitteeContext(TDH2_EDWARDS25519, bytes(32), threshold, key)
    seed = Secret(bytes(range(32)))
    capsule = scheme.encapsulate(context, label, seed)
    u = EDWARDS25519.decode(capsule[32:64])
    shares = {i: (polynomial.evaluate(i) * u).encode() + bytes(64) for i in range(1, threshold + 1)}
    if scheme.recover(context, label, capsule, shares) != seed:
        raise AssertionError("what is measured opens the capsule")
    return lambda: scheme.encapsulate(context, label, seed), lambda: scheme.recover(context, label, capsule, shares)


def _ms(step: Callable[[], object]) -> float:
    begun = time.process_time()
    step()
    return 1000 * (time.process_time() - begun)


def _line(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Slope and R^2 of the least squares line."""
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    across, along = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)), sum((a - x) ** 2 for a in xs)
    spread = sum((b - y) ** 2 for b in ys)
    return across / along, across**2 / (along * spread) if spread else 1.0
