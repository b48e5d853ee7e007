"""Reading what others recorded: who wrote to whom and when (SNAP format), and what people write.

A trace has one message a line, ``source target unix_seconds``; a first line that is not of that form is a header.
Anything else that is malformed ends the reading with its file and line: half a trace is worse than none.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from escrow.e2ee.devices import MAX_NAME
from escrow.errors import MalformedError, Reason

MAX_TEXT: Final = 60_000
"""Bytes of one text; a little less than what a message can hold."""

_SECONDS = re.compile(r"[0-9]{1,12}")


class Row(NamedTuple):
    """One message of a trace; ``time`` in whole seconds of the trace's own clock."""

    source: str
    target: str
    time: int


class Trace(NamedTuple):
    """The messages that will be sent, in time order, and how many were messages to oneself."""

    rows: tuple[Row, ...]
    skipped_self: int


def read_trace(path: Path, limit: int | None = None) -> Trace:
    """The first ``limit`` messages between two people, ordered by time; equal times keep the file's order.

    Raises ``MalformedError(USAGE)`` naming file and line, also for a trace without any message.
    """
    rows: list[Row] = []
    skipped = 0
    for row in _rows(path):
        if limit is not None and len(rows) >= limit:
            break
        if row.source == row.target:
            skipped += 1
        else:
            rows.append(row)
    if not rows:
        raise MalformedError(f"{path}: no message between two people", Reason.USAGE)
    return Trace(tuple(sorted(rows, key=lambda row: row.time)), skipped)


def read_texts(path: Path) -> tuple[str, ...]:
    """The messages of a file: one a line, or ``label<TAB>text``; empty lines are left out.

    Raises ``MalformedError(USAGE)`` naming file and line of a text that no message can hold.
    """
    texts = []
    for place, line in lines_of(path):
        _, tab, text = line.partition("\t")
        chosen = (text if tab else line).strip()
        if len(chosen.encode()) > MAX_TEXT:
            raise MalformedError(f"{path}, line {place}: a text has at most {MAX_TEXT} bytes", Reason.USAGE)
        if chosen:
            texts.append(chosen)
    if not texts:
        raise MalformedError(f"{path}: no text in it", Reason.USAGE)
    return tuple(texts)


def _rows(path: Path) -> Iterator[Row]:
    for place, line in lines_of(path):
        if not line.strip():
            continue
        columns = line.split()
        if len(columns) == 3 and _SECONDS.fullmatch(columns[2]):
            for name in columns[:2]:
                if len(name.encode()) > MAX_NAME or not name.isprintable():
                    raise MalformedError(f"{path}, line {place}: not the name of a user", Reason.USAGE)
            yield Row(columns[0], columns[1], int(columns[2]))
        elif place > 1:
            raise MalformedError(f"{path}, line {place}: not 'source target unix_seconds'", Reason.USAGE)


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers; ``MalformedError(USAGE)`` if it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline=None) as file:
            for place, line in enumerate(file, start=1):
                yield place, line.removesuffix("\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: not UTF-8 text", Reason.USAGE) from error
    except OSError as error:
        raise MalformedError(f"{path}: {error.strerror}", Reason.USAGE) from error
