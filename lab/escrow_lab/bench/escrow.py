"""The cases of ``doublelock bench escrow``: what is done, what bounds it from below, and who else does it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.util import find_spec
from typing import Final

from escrow.crypto.suites import IBE, SUITES, group_of
from escrow.warrant.policy import SchemeName
from escrow_lab.bench import elsewhere, floor, keymaking, one_custodian, threshold
from escrow_lab.bench.custody import Committee, dealt, wrapping
from escrow_lab.bench.measure import FULL, LONG, QUICK, Contest, Effort, Figure, Step, contend
from escrow_lab.bench.threshold import Steps

TDH2: Final[tuple[SchemeName, ...]] = ("tdh2-ed25519", "tdh2-ristretto255")
PEERS: Final = ("nucypher-core", "umbral", "ferveo")
OF_FERVEO: Final = ("encrypt", "request", "open-3", "open-67")
SEALS: Final = 5

Peers = Mapping[str, Steps | None]
"""By name; None for one that is not installed."""


def figures(*, quick: bool = False) -> Iterator[Figure]:
    """Every case, one after the other. With ``quick`` only long enough to see that they run; none starts processes."""
    with elsewhere.umbral() as umbral:
        there = threshold.installed("nucypher_core")
        peers = {"nucypher-core": threshold.umbral() if there else None, "umbral": umbral}
        peers["ferveo"] = threshold.ferveo() if there else None
        for suite in TDH2:
            for case, (contest, effort) in tdh2(suite, peers).items():
                yield contend(f"{suite}-{case}", contest, QUICK if quick else effort)
        for case, (contest, effort) in ibe({"ferveo": peers["ferveo"]}).items():
            yield contend(f"ibe-{case}", contest, QUICK if quick else effort)
    for case, make in CASES.items():
        yield contend(case, make(), QUICK if quick else LONG)
    yield _capsule_size()
    if not quick:
        for custodians, t in keymaking.SIZES.items():
            yield keymaking.figure(custodians, t)
        for suite in TDH2:
            yield one_custodian.figure(suite)


def tdh2(suite: str, peers: Peers) -> dict[str, tuple[Contest, Effort]]:
    """The cases of one suite of TDH2, by name."""
    number = SUITES[suite]
    few, many = _dealt(number, 3, 5), _dealt(number, 67, 100)
    points = partial(floor.multiplications, group=group_of(number))
    # What is hashed: context and label, with the capsule's parts or with a share's statement.
    of_capsule, of_share = partial(floor.hashes, size=640), partial(floor.hashes, size=990)
    encrypting, verifying = floor.both(points(2, 3), of_capsule(4)), floor.both(points(1, 3, 2), of_capsule(1))
    sharing = floor.both(points(1, 2), of_share(2))
    cases: Sequence[tuple[str, Step, Step, Effort]] = [
        ("encrypt", few.encrypt, encrypting, FULL),
        ("verify", few.verify, verifying, FULL),
        ("share", few.share, sharing, FULL),
        ("verify-share", few.verify_share, floor.both(points(1, 3, 2), of_share(1)), FULL),
        ("request", few.answer, floor.both(verifying, sharing), FULL),
        # Threshold multiplications, the additions between them and the mask; to open, the capsule made again.
        ("combine-3", few.combine, floor.both(points(0, 3, 2), of_capsule(1)), FULL),
        ("combine-67", many.combine, floor.both(points(0, 67, 66), of_capsule(1)), LONG),
        ("open-3", few.open, floor.both(points(0, 3, 2), of_capsule(1), encrypting), FULL),
        ("open-67", many.open, floor.both(points(0, 67, 66), of_capsule(1), encrypting), LONG),
    ]
    return {case: (_beside(peers, case, ours, limit), effort) for case, ours, limit, effort in cases}


def ibe(peers: Peers) -> dict[str, tuple[Contest, Effort]]:
    """The cases of IBE, by name; none without its extra."""
    if not find_spec("py_arkworks_bls12381"):
        return {}
    from escrow_lab.bench import pairings

    few, many = _dealt(IBE, 3, 5), _dealt(IBE, 67, 100)
    return {
        "encapsulate": (_beside(peers, "encrypt", few.encrypt, pairings.encapsulating), FULL),
        "share": (_beside(peers, "request", few.answer_for_another_day, pairings.sharing), FULL),
        "open-3": (_beside(peers, "open-3", few.open, pairings.opening(3)), FULL),
        "open-67": (_beside(peers, "open-67", many.open, pairings.opening(67)), LONG),
    }


def _beside(peers: Peers, case: str, ours: Step, limit: Step) -> Contest:
    """Only peers that have such an operation are missed."""
    theirs = case.replace("combine", "open")  # they have nothing that comes after it
    there = {name: steps[theirs] for name, steps in peers.items() if steps is not None and theirs in steps}
    missing = [name for name, steps in peers.items() if steps is None and (name != "ferveo" or theirs in OF_FERVEO)]
    return Contest(ours, limit, there, missing)


@cache
def _dealt(suite: int, t: int, n: int) -> Committee:
    return dealt(suite, t, n)


@cache
def _wrapping() -> Committee:
    return wrapping(3, SEALS)


CASES: Final[dict[str, Callable[[], Contest]]] = {
    "pq-wrap-5": lambda: Contest(_wrapping().encrypt, floor.seals(SEALS)),
    "pq-unwrap-3": lambda: Contest(_wrapping().unwrap, floor.opens(3)),
}
"""Those without a group, by name."""


def _capsule_size() -> Figure:
    """Of five custodians, beside the bare ciphertexts of the KEM and the shares sealed with them."""
    return Figure("pq-capsule-5", "B", len(_wrapping().capsule), floor.sealed_size(SEALS), {}, (), 1, 0.0)
