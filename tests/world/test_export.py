"""Conversations that people had, exported by both and played again: the story goes as promised with them, too."""

import json
from pathlib import Path

from escrow.roles.device.history import GetHistory
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.world.founding import HOUR
from escrow_client.exporting import facts
from escrow_lab.demo.chat_export import read_chat
from escrow_lab.demo.workload import under_warrant
from tests.core.roles.phones import Phones, friends
from tests.world.telling import tell


def export(at: Phones, name: str, folder: Path) -> Path:
    path = folder / f"{name}.jsonl"
    told = at.world.run(at.device(name), GetHistory()).messages
    lines = [json.dumps({"schema_version": 1, "event": "message", **facts(one)}) for one in told]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_what_people_exported_is_played_again(tmp_path: Path) -> None:
    at = friends()
    at.reset()
    at.begin("alice", "#team", "bob", "carol")
    at.sync()
    said = [
        ("alice", "bob", ESCROW, "on the record"),
        ("bob", "alice", PLAIN, "off the record"),
        ("carol", "#team", ESCROW, "to all of you"),
        ("bob", "alice", ESCROW, "goodbye"),
    ]
    for sender, to, mode, text in said:
        at.world.advance(HOUR)
        at.send(sender, to, text, mode)
    at.sync()
    paths = [export(at, name, tmp_path) for name in ("alice", "bob")]
    messages = read_chat(paths)
    assert messages == read_chat([*paths, *paths]), "each once, whoever tells it"
    assert [(one.source, one.target, one.mode, one.text) for one in messages][-5:] == [
        ("alice", "bob", ESCROW, "on the record"),
        ("bob", "alice", PLAIN, "off the record"),
        *[("carol", one, ESCROW, "to all of you") for one in ("alice", "bob")],
        ("bob", "alice", ESCROW, "goodbye"),
    ]
    work = under_warrant(messages)
    summary, _ = tell(work)
    assert summary.as_promised
    assert summary.messages_delivered == len(messages)
    at.reset()
