"""What a kept run leaves for others: the log as static C2SP tiles, and the evidence as one JSON file a warrant."""

from pathlib import Path

from escrow.errors import Reason, UnavailableError
from escrow.roles.calls import GetHead
from escrow.roles.evidence.making import make_bundle
from escrow.roles.ledger import LEAVES
from escrow.roles.log.publishing import TREE, published
from escrow.roles.machine import Read
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.note import Note
from escrow.tlog.proof import Proof
from escrow.tlog.tiles import bundles, tiles
from escrow.warrant.log_policy import policy_file
from escrow_client.evidence import gather
from escrow_lab.demo.stage import Stage
from escrow_lab.demo.story import OFFICER


async def export(stage: Stage, warrant_id: bytes, folder: Path) -> int:
    """Write the log under ``log`` of ``folder``, and ``evidence/<warrant id>.json``.

    Of the log: ``checkpoint``, ``tile/…``, ``vkeys`` (the keys that the parties count), ``policy`` (all keys, as C2SP
    tlog-policy), and a proof for each sealed warrant. Returns the size of the log that was written: custodians may have
    logged their last denials after the story ended.
    """
    await stage.call("person/laboratory", "log", GetHead(0, 0))
    disk = await stage.stolen_disk("log")
    head = published(disk)
    if head is None:
        raise UnavailableError(Reason.STORE_UNAVAILABLE, "the log's file has no checkpoint")
    size = _write_log(stage, disk, head.note, folder / "log")
    genesis, agency = stage.genesis, await stage.agency(OFFICER)
    entries, notes = await gather(lambda call: stage.call("person/laboratory", "log", call), genesis, warrant_id)
    bundle = await agency.read(lambda view: make_bundle(genesis, view, warrant_id, entries, notes))
    path = folder / "evidence" / f"{warrant_id.hex()}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bundle.encode() + b"\n")
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
    for index, entry in enumerate(entries):
        if Entry.decode(entry).type is EntryType.WARRANT_SEALED:
            proof = Proof(index, TREE.inclusion(disk, index, size), note)
            (folder / f"{index}.tlog-proof").write_bytes(proof.encode())
    (folder / "policy").write_bytes(policy_file(stage.genesis))
    vkeys = [stage.genesis.log.vkey, *stage.genesis.witnesses]
    (folder / "vkeys").write_text("".join(f"{vkey}\n" for vkey in vkeys), encoding="utf-8")
    (folder / "checkpoint").write_bytes(note)
    return size
