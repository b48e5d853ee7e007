"""Reading what people exported from their messenger: conversations of one's own as a workload.

An export has one JSON object a line (``doublelock chat export``); lines of another event are left out. Exports of
several people overlap: a message counts once, by its id. What was said in a group is sent to each of its members.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from escrow.e2ee.devices import MAX_NAME
from escrow.errors import MalformedError, Reason
from escrow_lab.demo.trace import MAX_TEXT, lines_of
from escrow_lab.demo.workload import ESCROW, PLAIN, Message

MODES: Final = {"end-to-end": PLAIN, "escrowed": ESCROW}

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class _Event(msgspec.Struct, frozen=True):
    schema_version: Literal[1]
    event: str


class Exported(_Event, frozen=True, rename={"source": "from"}):
    """One message of an export; ``time`` in ms, ``text`` is empty where the content was of another kind."""

    id: str
    source: _Name
    to: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1)]
    mode: Literal["end-to-end", "escrowed"]
    time: Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


def read_chat(paths: Sequence[Path], limit: int | None = None) -> list[Message]:
    """The first ``limit`` messages of the exports, by time; equal times keep the order of the files.

    Raises ``MalformedError(USAGE)`` naming file and line, also for exports without any text.
    """
    unique = {each.id: each for path in paths for each in _messages(path)}
    ordered = sorted(unique.values(), key=lambda each: each.time)
    messages = [
        Message(each.time // 1000, each.source, target, MODES[each.mode], each.text)
        for each in ordered
        for target in each.to
        if each.text and target != each.source
    ][:limit]
    if not messages:
        raise MalformedError(f"{', '.join(map(str, paths))}: no message between two people", Reason.USAGE)
    return messages


def _messages(path: Path) -> Iterator[Exported]:
    for place, line in lines_of(path):
        try:
            if line.strip() and msgspec.json.decode(line, type=_Event).event == "message":
                yield msgspec.json.decode(line, type=Exported)
        except msgspec.MsgspecError as error:
            raise MalformedError(f"{path}, line {place}: {error}", Reason.USAGE) from error
