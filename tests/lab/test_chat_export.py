"""Exports as workloads: every text once, in order, in its own mode; what is malformed is named by file and line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Kind, MalformedError
from escrow_lab.demo.chat_export import MODES, read_chat
from escrow_lab.demo.workload import ESCROW, PLAIN, Message, under_warrant

LINE = {
    "schema_version": 1,
    "event": "message",
    "id": "00",
    "from": "alice",
    "to": ["bob"],
    "mode": "escrowed",
    "time": 5000,
    "text": "hello",
}


def write(folder: Path, *lines: dict[str, Any], name: str = "chat.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def said(**changes: Any) -> dict[str, Any]:
    return {**LINE, **changes}


people = st.sampled_from(["alice", "bob", "carol"])
exported = st.builds(
    said,
    **{
        "id": st.integers(0, 20).map(lambda number: f"{number:02x}"),
        "from": people,
        "to": st.lists(people, min_size=1, max_size=2, unique=True),
        "mode": st.sampled_from(sorted(MODES)),
        "time": st.integers(0, 10_000),
        "text": st.text(max_size=5),
    },
)


@given(st.lists(st.lists(exported, max_size=6, unique_by=lambda line: line["id"]), min_size=1, max_size=3))
def test_every_text_is_sent_once_to_everybody_it_was_for(
    tmp_path_factory: pytest.TempPathFactory, exports: list[list[dict[str, Any]]]
) -> None:
    folder = tmp_path_factory.mktemp("chat")
    paths = [write(folder, *lines, name=f"{place}.jsonl") for place, lines in enumerate(exports)]
    unique = {line["id"]: line for lines in exports for line in lines}
    expected = [
        (line["time"] // 1000, line["from"], target, MODES[line["mode"]], line["text"])
        for line in unique.values()
        for target in line["to"]
        if line["text"] and target != line["from"]
    ]
    try:
        messages = read_chat(paths)
    except MalformedError:
        assert not expected
        return
    assert sorted((m.time, m.source, m.target, m.mode, m.text) for m in messages) == sorted(expected)
    assert [m.time for m in messages] == sorted(m.time for m in messages)


def test_lines_of_other_events_and_fields_that_are_new_are_left_out(tmp_path: Path) -> None:
    status = {"schema_version": 1, "event": "status", "name": "alice"}
    assert read_chat([write(tmp_path, status, said(color="red"))]) == [Message(5, "alice", "bob", ESCROW, "hello")]


@pytest.mark.parametrize(
    "wrong",
    [
        said(schema_version=2),
        said(mode="open"),
        said(time=-1),
        said(to=[]),
        said(text="x" * 60_001),
        said(**{"from": ""}),
        {key: value for key, value in LINE.items() if key != "id"},
    ],
    ids=["version", "mode", "time", "nobody", "length", "name", "id"],
)
def test_a_malformed_line_is_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = write(tmp_path, LINE, wrong)
    with pytest.raises(MalformedError) as refusal:
        read_chat([path])
    assert refusal.value.reason.kind is Kind.USAGE
    assert f"{path}, line 2" in refusal.value.detail


def test_a_warrant_needs_something_escrowed() -> None:
    plain, escrowed = Message(1, "alice", "bob", PLAIN, "x"), Message(2, "bob", "alice", ESCROW, "y")
    with pytest.raises(MalformedError):
        under_warrant([plain])
    assert under_warrant([plain, escrowed]).target == "bob"
    with pytest.raises(MalformedError):
        under_warrant([plain, escrowed], target="alice")
