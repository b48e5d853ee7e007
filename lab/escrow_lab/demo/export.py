"""What a kept run leaves for others: the log as static C2SP tiles, and the evidence as one JSON file a warrant."""

import base64
import json
from pathlib import Path
from typing import Any

from escrow.errors import Reason, UnavailableError
from escrow.roles.agency.opening import read_response
from escrow.roles.agency.state import all_asked, all_opened, all_said, load_case
from escrow.roles.calls import GetHead
from escrow.roles.ledger import LEAVES
from escrow.roles.lightview import LightView
from escrow.roles.log.publishing import TREE
from escrow.roles.machine import Read
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.note import Note
from escrow.tlog.tiles import bundles, tiles
from escrow_lab.demo.stage import Stage
from escrow_lab.demo.story import OFFICER


async def export(stage: Stage, warrant_id: bytes, folder: Path) -> int:
    """Write ``log/checkpoint``, ``log/tile/…``, ``log/vkeys`` and ``evidence/<warrant id>.json`` under ``folder``.

    The size of the log that was written: custodians may have logged their last denials after the story ended.
    """
    head: Any = await stage.call("person/laboratory", "log", GetHead(0, 0))
    disk = await stage.stolen_disk("log")
    size = _write_log(stage, disk, head.note, folder / "log")
    bundle = await (await stage.agency(OFFICER)).read(lambda view: evidence(stage, view, warrant_id))
    path = folder / "evidence" / f"{warrant_id.hex()}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**bundle, "checkpoint": head.note.decode()}, indent=1) + "\n", encoding="utf-8")
    return size


def _write_log(stage: Stage, disk: Read, note: bytes, folder: Path) -> int:
    """The tree of the checkpoint as files that any web server can serve (c2sp.org/tlog-tiles); its size."""
    size = Checkpoint.parse(Note.parse(note).text).size
    entries = disk.records(LEAVES, start=0, limit=size)
    if len(entries) < size:
        raise UnavailableError(Reason.STORE_UNAVAILABLE, "the log's file is behind its checkpoint")

    for path, data in [*tiles(size, TREE.reader(disk)), *bundles(size, entries.__getitem__)]:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    vkeys = [stage.genesis.log.vkey, *stage.genesis.witnesses]
    (folder / "vkeys").write_text("".join(f"{vkey}\n" for vkey in vkeys), encoding="utf-8")
    (folder / "checkpoint").write_bytes(note)
    return size


def evidence(stage: Stage, view: Read, warrant_id: bytes) -> dict[str, Any]:
    """Everything that the agency holds of a warrant and that a verifier needs, without its secret keys."""
    case, light = load_case(view, warrant_id), LightView(stage.genesis)
    requests = []
    for request_hash, asked in all_asked(view, warrant_id):
        generation = light.generation(view, asked.period)
        if generation is None:
            continue
        said = all_said(view, warrant_id, request_hash)
        sealed = {index: one.sealed for index, one in said.items() if one.sealed}
        responses = {
            index: read_response(case.recipient_key, asked.request, generation, index, each).encode()
            for index, each in sealed.items()
        }
        requests.append(
            {
                "request": _text(asked.request_bytes),
                "signature": _text(asked.signature),
                "generation": _text(generation.encode()),
                "responses": {str(index): _text(each) for index, each in responses.items()},
            }
        )
    opened = [
        {"body_id": each.body_id.hex(), "ingest_time": each.ingest_time, "text": each.text, "reason": each.reason}
        for each in all_opened(view, warrant_id)
    ]
    return {
        "schema_version": 1,
        "genesis_hash": stage.genesis.hash.hex(),
        "warrant_id": warrant_id.hex(),
        "warrant": _text(case.dsse),
        "salt": _text(case.salt),
        "requests": requests,
        "opened": opened,
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
