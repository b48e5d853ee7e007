"""The census: how many examples of each claim ran, and which named events happened in them.

A test that never meets its subject passes as well. So tests say ``census("accepted")`` and ``census("refused")`` where
that happens, and ``scripts/claims.py`` compares the counts with what ``claims.toml`` demands. A run leaves counts and
outcomes in the file that DOUBLELOCK_CENSUS names.
"""

import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

EXAMPLE = "example"

_counts: dict[str, Counter[str]] = {}
_outcomes: dict[str, dict[str, str]] = {}

if os.environ.get("DOUBLELOCK_SABOTAGE"):
    # A red test is all that is asked for here; nobody wants its smallest example.
    settings.register_profile(
        "sabotage", settings(), phases=[Phase.explicit, Phase.generate], database=None, report_multiple_bugs=False
    )
    settings.load_profile("sabotage")


def claim_of(item: pytest.Item | pytest.Collector) -> str | None:
    marker = item.get_closest_marker("claim")
    return str(marker.args[0]) if marker else None


@pytest.fixture(scope="module")
def census(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Count an event of the claim that the module is marked with."""
    claim = claim_of(request.node)
    if claim is None:
        raise pytest.UsageError(f"{request.node.nodeid} counts events, but no claim")
    counter = _counts.setdefault(claim, Counter())

    def count(event: str) -> None:
        counter[event] += 1

    return count


def counting(test: Callable[..., Any], counter: Counter[str]) -> Callable[..., Any]:
    """``test``, counted as one example whenever it runs to its end."""

    @functools.wraps(test)
    def counted(*args: Any, **kwargs: Any) -> Any:
        result = test(*args, **kwargs)
        counter[EXAMPLE] += 1
        return result

    return counted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count every example of a property, which Hypothesis offers as its inner test."""
    for item in items:
        claim, test = claim_of(item), getattr(item, "obj", None)
        if claim is not None and (handle := getattr(test, "hypothesis", None)) is not None:
            counter = _counts.setdefault(claim, Counter())
            if not getattr(handle.inner_test, "counted", False):
                handle.inner_test = counting(handle.inner_test, counter)
                handle.inner_test.counted = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep how each claim's test ended, and of a failure the kind of exception."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    claim = claim_of(item)
    if claim is not None and (report.when == "call" or report.outcome != "passed"):
        raised = call.excinfo.typename if call.excinfo else ""
        _outcomes[item.nodeid] = {
            "claim": claim,
            "outcome": report.outcome,
            "when": report.when,
            "raised": raised,
            "message": str(call.excinfo.value)[:400] if call.excinfo else "",
        }
        if (
            report.when == "call"
            and report.outcome == "passed"
            and not hasattr(getattr(item, "obj", None), "hypothesis")
        ):
            _counts.setdefault(claim, Counter())[EXAMPLE] += 1
    return report  # type: ignore[return-value]


def pytest_sessionfinish() -> None:
    """Leave counts and outcomes where the run was told to."""
    if path := os.environ.get("DOUBLELOCK_CENSUS"):
        Path(path).write_text(json.dumps({"counts": _counts, "outcomes": _outcomes}), encoding="utf-8")
