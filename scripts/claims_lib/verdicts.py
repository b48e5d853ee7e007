"""What runs say about claims: each shown by tests that ran, met their subject, and can fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scripts.claims_lib.catalogue import Claim
from scripts.claims_lib.runs import Run

EXAMPLE: Final = "example"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one claim, or of one sabotage: nothing is wrong, or these sentences say what."""

    name: str
    faults: tuple[str, ...]
    detail: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def judge_claim(claim: Claim, green: Run) -> Verdict:
    """Whether the claim's tests passed on the product as it is, and were not vacuous."""
    outcomes, counts = green.of(claim.id), green.counts.get(claim.id, {})
    faults = [f"{claim.id}: {name} {one.outcome}: {one.message}" for name, one in outcomes.items()
              if one.outcome != "passed"]  # fmt: skip
    faults += [f"{claim.id}: {path} has no test that was collected for it" for path in claim.tests
               if not any(name.startswith(path) for name in outcomes)]  # fmt: skip
    ran = counts.get(EXAMPLE, 0)
    if ran < claim.min_examples:
        faults.append(f"{claim.id}: {ran} examples ran, {claim.min_examples} are asked for")
    faults += [f"{claim.id}: '{event}' never happened" for event in claim.events if not counts.get(event)]
    faults += [f"{claim.id}: '{event}' happened, but claims.toml does not ask for it"
               for event in counts.keys() - {*claim.events, EXAMPLE}]  # fmt: skip
    return Verdict(claim.id, tuple(faults), f"{ran} examples")


def judge_sabotage(name: str, claims: Mapping[str, Claim], weakened: Run) -> Verdict:
    """Whether the tests of *every* claim that names the sabotage noticed it."""
    faults, noticed = [], 0
    for claim in claims.values():
        if name not in claim.sabotage:
            continue
        outcomes = weakened.of(claim.id)
        noticed += sum(one.noticed for one in outcomes.values())
        if any(one.noticed for one in outcomes.values()):
            continue
        broken = sorted({one.raised for one in outcomes.values() if one.outcome == "failed"})
        why = f"its tests broke with {', '.join(broken)}" if broken else "its tests stay green"
        if not outcomes:
            why = f"its tests did not run:\n{weakened.output[-1500:]}"
        faults.append(f"sabotage {name} goes unnoticed by {claim.id}: {why}")
    return Verdict(name, tuple(faults), f"{noticed} tests red")
