"""Replaying a trace: rows are written as they happen, so that an interrupted run leaves what it has done.

``run.jsonl`` has no times of this machine in it: one seed, one trace and one set of parameters make the same bytes.
What it cost stands in ``costs.json``. A finished regime is never run again; the one that was interrupted begins anew.
"""

import dataclasses
import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from escrow import __version__
from escrow.errors import MalformedError, Reason, RefusedError
from escrow_lab.regime import Order, Sealed
from escrow_lab.regimes import make, parameters_of
from escrow_lab.study.matrix import cells
from escrow_lab.study.trace import Survey, messages, order_of, survey

SCHEMA: Final = 1
SAMPLE: Final = 6
"""Messages in scope, and as many others, on which the matrix is tried."""
_CALIBRATION: Final = 40
"""Messages that are sent once more beforehand, to tell how long all of them will take."""

_PAUSE: Final = 10.0
"""Seconds between two words about progress."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is of. ``settings`` are parameters as they were typed; each goes to the regimes that have it."""

    trace: Path
    regimes: tuple[str, ...]
    seed: int
    settings: Mapping[str, str]
    limit: int | None = None
    target: str | None = None

    def parameters(self, regime: str) -> dict[str, str]:
        """Those that a regime has."""
        known = parameters_of(regime)
        return {key: value for key, value in self.settings.items() if key in known}

    def check(self) -> None:
        """``MalformedError(USAGE)`` with what there is, for an unknown regime or a parameter that none of them has."""
        known = {key: one for one in self.regimes for key in parameters_of(one)}
        for key in self.settings:
            if key not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise MalformedError(
                    f"none of these regimes has a parameter '{key}'; there are: {listed}", Reason.USAGE
                )
        for name in self.regimes:
            make(name, self.seed, self.parameters(name))


def run(plan: Plan, out: Path, tell: Tell, *, resume: bool = False) -> dict[str, Any]:
    """Replay the trace through every regime; return what it cost."""
    plan.check()
    tell(f"reading {plan.trace}")
    found = survey(plan.trace, plan.limit)
    order = order_of(plan.trace, found, plan.target)
    tell(f"{found.messages:,} messages of {found.users:,} people; {found.to_oneself} to oneself left out")
    _begin(plan, found, order, out, resume=resume)
    done = _keep_finished(out / "run.jsonl")
    costs: dict[str, Any] = {}
    with (out / "run.jsonl").open("a", encoding="utf-8", newline="\n") as file:
        for name in plan.regimes:
            if name in done:
                tell(f"{name}: finished before")
                continue
            costs[name] = _one(plan, name, found, order, file.write, tell)
            file.flush()
            _merge(out / "costs.json", {name: costs[name]})
    return costs


def _one(plan: Plan, name: str, found: Survey, order: Order, write: Callable[[str], int], tell: Tell) -> dict[str, Any]:
    """One regime: every message, the access, the matrix."""
    tell(f"{name}: about {_told(_expected(plan, name, found))} for {found.messages:,} messages")
    regime = make(name, plan.seed, plan.parameters(name))
    begun, wall = time.process_time(), time.monotonic()
    count = delivered = size = in_scope = 0
    due = wall + _PAUSE
    sample: dict[bool, list[tuple[Sealed, str]]] = {True: [], False: []}

    def put(**fields: Any) -> None:
        write(json.dumps({"schema_version": SCHEMA, "regime": name, **fields}, ensure_ascii=False) + "\n")

    if regime.PROSPECTIVE:
        regime.access(order)
    for message in messages(plan.trace, found):
        sealed = regime.seal(message)
        count, delivered, size = count + 1, delivered + sealed.delivered, size + len(sealed.wire)
        in_scope += order.covers(sealed)
        some = sample[order.covers(sealed)]
        if len(some) < SAMPLE:
            some.append((sealed, message.text))
        said = {"number": message.number, "time": message.time, "from": message.sender, "to": message.recipient}
        put(event="sealed", **said, bytes=len(sealed.wire), delivered=sealed.delivered)
        if time.monotonic() > due:
            tell(f"{name}: {count:,}/{found.messages:,}, {count / (time.monotonic() - wall):,.0f} a second")
            due = time.monotonic() + _PAUSE
    sealing = time.process_time() - begun
    access = regime.access(order)
    put(
        event="access",
        target=order.target,
        window=[order.start, order.end],
        in_scope=in_scope,
        opened=len(access.opened),
        openable=len(access.openable),
        over_collection=round(len(access.openable) / in_scope, 6) if in_scope else None,
        detected=access.detected,
        refused=access.refused,
    )
    tried = [*sample[True], *sample[False]]
    for cell in cells(regime, [sealed for sealed, _ in tried], [said for _, said in tried], order):
        put(event="cell", **dataclasses.asdict(cell))
    put(event="end", wish=regime.WISH.value, messages=count, delivered=delivered, bytes=size)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "messages": count,
        "sealing_cpu_s": round(sealing, 3),
        "cpu_s": round(time.process_time() - begun, 3),
        "wall_s": round(time.monotonic() - wall, 3),
        "peak_mib": memory,
    }


def _expected(plan: Plan, name: str, found: Survey) -> float:
    """Seconds, from a few messages of this very trace."""
    regime, begun = make(name, plan.seed, plan.parameters(name)), time.monotonic()
    for message in islice(messages(plan.trace, found), _CALIBRATION):
        regime.seal(message)
    return (time.monotonic() - begun) * found.messages / min(_CALIBRATION, found.messages)


def _told(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _begin(plan: Plan, found: Survey, order: Order, out: Path, *, resume: bool) -> None:
    """Make the folder and mark it with what the run is of, or see that this is the same."""
    wanted = {
        "schema_version": SCHEMA,
        "version": __version__,
        "trace": plan.trace.name,
        "survey": dataclasses.asdict(found),
        "order": dataclasses.asdict(order),
        "regimes": {name: parameters_of(name) | plan.parameters(name) for name in plan.regimes},
        "settings": dict(plan.settings),
        "seed": plan.seed,
    }
    manifest = out / "manifest.json"
    if resume:
        try:
            kept = json.loads(manifest.read_text(encoding="utf-8"))
        except OSError as error:
            raise MalformedError(f"{out}: there is no run to resume", Reason.USAGE) from error
        changed = sorted(key for key in wanted if kept.get(key) != json.loads(json.dumps(wanted[key])))
        if changed:
            raise RefusedError(Reason.RUN_CHANGED, f"{out}: {', '.join(changed)} changed")
        return
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise MalformedError(f"{out}: the folder is not empty; --resume goes on with what is there", Reason.USAGE)
    manifest.write_text(json.dumps(wanted, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _keep_finished(path: Path) -> set[str]:
    """The regimes that came to their end; rows of others, and a line that was being written, are dropped."""
    if not path.exists():
        return set()
    with path.open(encoding="utf-8") as file:
        done = {json.loads(line)["regime"] for line in file if '"event": "end"' in line and line.endswith("\n")}
    partial = path.with_suffix(".partial")
    with path.open(encoding="utf-8") as file, partial.open("w", encoding="utf-8", newline="\n") as kept:
        kept.writelines(line for line in file if line.endswith("\n") and json.loads(line)["regime"] in done)
    partial.replace(path)
    return done


def _merge(path: Path, costs: Mapping[str, Any]) -> None:
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(kept | dict(costs), indent=2) + "\n", encoding="utf-8")


def rows(out: Path) -> Iterator[dict[str, Any]]:
    """What happened, row by row; ``MalformedError(USAGE)`` for a folder without a run."""
    try:
        with (out / "run.jsonl").open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except OSError as error:
        raise MalformedError(f"{out}: there is no run", Reason.USAGE) from error
