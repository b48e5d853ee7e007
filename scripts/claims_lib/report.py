"""What is left behind for a reviewer: tables for people, JSON for machines, and an in-toto statement of the run."""

import hashlib
import html
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final

import msgspec

from scripts.claims_lib.catalogue import ROOT, Claim
from scripts.claims_lib.verdicts import Verdict

BUILD: Final = ROOT / "build"

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4rem;text-align:left;"
    "vertical-align:top}.good{color:#176117}.bad{color:#a40000;font-weight:bold}"
)


def write(claims: Mapping[str, Claim], shown: Iterable[Verdict], caught: Iterable[Verdict], more: list[str]) -> None:
    """Write build/claims.json, claims.html, sabotage.json and evidence.json."""
    BUILD.mkdir(exist_ok=True)
    verdicts, sabotages = {one.name: one for one in shown}, list(caught)
    rows = [msgspec.structs.asdict(claim) | {"verdict": asdict(verdicts[claim.id]) if claim.id in verdicts else None}
            for claim in claims.values()]  # fmt: skip
    _json("claims.json", {"claims": rows, "other_faults": more})
    _json("sabotage.json", [asdict(one) | {"caught": one.good} for one in sabotages])
    _json("evidence.json", _statement([*verdicts.values(), *sabotages], more))
    (BUILD / "claims.html").write_text(_page(claims, verdicts, sabotages), encoding="utf-8")


def _json(name: str, value: object) -> None:
    (BUILD / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _statement(verdicts: list[Verdict], more: list[str]) -> dict[str, object]:
    """The run in the form of https://in-toto.io/attestation/test-result/v0.1."""
    good = not more and all(one.good for one in verdicts)
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "doublelock", "digest": {"gitCommit": _commit()}}],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": "PASSED" if good else "FAILED",
            "configuration": [_resource(name) for name in ("requirements/dev.txt", "claims.toml")],
            "passedTests": [one.name for one in verdicts if one.good],
            "failedTests": [one.name for one in verdicts if not one.good],
        },
    }


def _resource(name: str) -> dict[str, object]:
    return {"name": name, "digest": {"sha256": hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}}


def _commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _page(claims: Mapping[str, Claim], verdicts: Mapping[str, Verdict], sabotages: list[Verdict]) -> str:
    caught = {one.name: one for one in sabotages}
    body = "".join(_row(claim, verdicts.get(claim.id), caught) for claim in claims.values())
    head = "".join(f"<th>{title}</th>" for title in ("Id", "What is said", "Against whom", "Shown by", "Sabotages"))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Doublelock: claims</title><style>{_STYLE}</style>'
        f"<h1>Claims, non-claims, assumptions</h1><p>See threat_model.md for what they mean together.</p>"
        f"<table><tr>{head}</tr>{body}</table></html>\n"
    )


def _row(claim: Claim, verdict: Verdict | None, caught: Mapping[str, Verdict]) -> str:
    shown = _mark(verdict.good, verdict.detail) if verdict else claim.kind
    names = (_mark(caught[name].good, name) if name in caught else html.escape(name) for name in claim.sabotage)
    said = f"{html.escape(claim.text)}<br><small>{html.escape(claim.if_false)}</small>"
    name = f"{claim.id}<br><small>{claim.kind}</small>"
    cells = (name, said, html.escape(claim.adversary), shown, "<br>".join(names))
    return f'<tr id="{claim.id}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _mark(good: bool, text: str) -> str:  # noqa: FBT001 - the one thing it is about
    return f'<span class="{"good" if good else "bad"}">{html.escape(text)}</span>'
