"""Compare what is claimed with what is shown: ``make claims``, and ``make sabotage NAME=…`` for the teeth alone.

Every claim of claims.toml has passing tests that were not vacuous, every non-claim a test in which the attack succeeds,
and every sabotage, a known weakening of one line, turns the tests of its claims red. Exit 1 with a sentence per fault.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from scripts.claims_lib import attacks, catalogue, matrix, report, spec
from scripts.claims_lib.catalogue import Claim
from scripts.claims_lib.runs import Run, run
from scripts.claims_lib.verdicts import Verdict, judge_claim, judge_sabotage
from tests.sabotage_plugin import read_catalogue


def show_claims(claims: Mapping[str, Claim], pool: ThreadPoolExecutor) -> list[Verdict]:
    """Run all tests on the product as it is, in two halves."""
    tested = [claim for claim in claims.values() if claim.tested]
    halves = [tested[::2], tested[1::2]]
    runs = list(pool.map(lambda half: run(path for claim in half for path in claim.tests), halves))
    whole = Run(
        {name: one for each in runs for name, one in each.outcomes.items()},
        {name: counts for each in runs for name, counts in each.counts.items()},
        max(each.code for each in runs),
        "".join(each.output for each in runs),
    )
    if not whole.outcomes:
        print(whole.output)
    return [_told(judge_claim(claim, whole)) for claim in tested]


def try_sabotages(claims: Mapping[str, Claim], names: list[str], pool: ThreadPoolExecutor) -> list[Verdict]:
    """Run, for each sabotage, the tests of its claims on the weakened product."""

    def attempt(name: str) -> Verdict:
        concerned = [claim for claim in claims.values() if name in claim.sabotage]
        tests = [path for claim in concerned for path in claim.tests]
        return _told(judge_sabotage(name, claims, run(tests, name, first=len(concerned) == 1)))

    return list(pool.map(attempt, names))


def _told(verdict: Verdict) -> Verdict:
    print(f"  {'ok ' if verdict.good else 'BAD'} {verdict.name:<34} {verdict.detail}", flush=True)
    return verdict


def main() -> int:
    """Do all of it, or only the sabotages that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sabotage", nargs="*", metavar="NAME", help="only the sabotages; all of them without a name")
    parser.add_argument("--matrix", action="store_true", help="only print the compromise matrix for threat_model.md")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time (2)")
    chosen = parser.parse_args()
    if chosen.matrix:
        print(matrix.table(), end="")
        return 0
    began, claims, sabotages = time.monotonic(), catalogue.read_claims(), read_catalogue()
    if unknown := set(chosen.sabotage or ()) - sabotages.keys():
        print(f"claims: no sabotage is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(sabotages))}")
        return 2
    with ThreadPoolExecutor(chosen.workers) as pool:
        if chosen.sabotage is not None:
            return _conclude([], try_sabotages(claims, chosen.sabotage or sorted(sabotages), pool), [], began)
        more = [*catalogue.faults(claims, sabotages), *spec.differences(), *matrix.differences()]
        more += attacks.differences()
        shown = show_claims(claims, pool)
        caught = try_sabotages(claims, sorted(sabotages), pool)
    report.write(claims, shown, caught, more)
    return _conclude(shown, caught, more, began)


def _conclude(shown: list[Verdict], caught: list[Verdict], more: list[str], began: float) -> int:
    faults = [*more, *(fault for verdict in (*shown, *caught) for fault in verdict.faults)]
    for fault in faults:
        print(f"claims: {fault}", file=sys.stderr)
    parts = [f"{sum(one.good for one in shown)} of {len(shown)} claims and non-claims shown"] if shown else []
    parts += [f"{sum(one.good for one in caught)} of {len(caught)} sabotages caught"] if caught else []
    print(f"claims: {', '.join(parts)}, in {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
