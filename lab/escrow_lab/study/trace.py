"""Reading a trace of any length, one message at a time.

Two formats, told apart by the first line: SNAP (``source target unix_seconds``, perhaps after a header) and JSON Lines
(``sender``, ``recipient``, ``time``, and perhaps ``text``). What is malformed ends the reading with its file and line.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from escrow.e2ee.devices import MAX_NAME
from escrow.errors import MalformedError, Reason
from escrow_lab.demo.trace import MAX_TEXT, lines_of
from escrow_lab.demo.workload import DEFAULT_TEXTS
from escrow_lab.regime import Message, Order

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
MOST_SORTED: Final = 2_000_000
"""Messages that are put in order in memory. A longer trace must be in order."""


class Row(NamedTuple):
    """One message of a file, and the line on which it stands."""

    line: int
    sender: str
    recipient: str
    time: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first reading finds: how much there is, and who writes when."""

    messages: int
    to_oneself: int
    sorted: bool
    first: int
    last: int
    busiest: str
    users: int
    digest: str
    """SHA-256 of what will be replayed."""


def survey(path: Path, limit: int | None = None) -> Survey:
    """Read a trace once, keeping its users and nothing else. Raises ``MalformedError(USAGE)`` naming file and line."""
    senders, people = Counter[str](), set[str]()
    count = own = 0
    first, last, before, ordered, broken = 1 << 62, -1, -1, True, 0
    digest = hashlib.sha256()
    for row in _rows(path):
        if row.sender == row.recipient:
            own += 1
            continue
        if count == limit:
            break
        count += 1
        senders[row.sender] += 1
        people |= {row.sender, row.recipient}
        first, last = min(first, row.time), max(last, row.time)
        if row.time < before and ordered:
            ordered, broken = False, row.line
        before = row.time
        digest.update(json.dumps(row[1:], ensure_ascii=False).encode())
    if not count:
        _refuse(path, 1, "no message between two people in it")
    if not ordered and count > MOST_SORTED:
        _refuse(path, broken, f"not in order of time, and too long to be put in order here (over {MOST_SORTED:,})")
    return Survey(count, own, ordered, first, last, senders.most_common(1)[0][0], len(people), digest.hexdigest())


def messages(path: Path, found: Survey) -> Iterator[Message]:
    """The messages in order of time, numbered, on a clock that begins with the first."""
    rows = (row for row in _rows(path) if row.sender != row.recipient)
    chosen: Iterator[Row] = (row for row, _ in zip(rows, range(found.messages), strict=False))
    if not found.sorted:
        chosen = iter(sorted(chosen, key=lambda row: row.time))
    for number, row in enumerate(chosen):
        text = DEFAULT_TEXTS[number % len(DEFAULT_TEXTS)] if row.text is None else row.text
        yield Message(number, row.time - found.first, row.sender, row.recipient, text)


def order_of(path: Path, found: Survey, target: str | None = None) -> Order:
    """What ``target``, or the busiest sender, sent in the middle third of the time; if that is nothing, all of it.

    ``MalformedError(USAGE)`` for somebody who never sends anything.
    """
    name, third = target or found.busiest, (found.last - found.first) // 3
    times = [message.time for message in messages(path, found) if message.sender == name]
    if not times:
        raise MalformedError(f"{path}: '{name}' sends nothing", Reason.USAGE)
    within = any(third <= time < 2 * third for time in times)
    return Order(name, third, 2 * third) if within else Order(name, 0, found.last - found.first + 1)


def _rows(path: Path) -> Iterator[Row]:
    read = None
    for line, text in lines_of(path):
        if not text.strip():
            continue
        if read is None:
            read = _from_json if text.lstrip().startswith("{") else _from_snap
            if read is _from_snap and not _is_snap(text):
                if len(text.split()) < 3:
                    _refuse(path, line, "a column is missing: 'source target unix_seconds'")
                continue
        yield read(path, line, text)


def _is_snap(text: str) -> bool:
    columns = text.split()
    return len(columns) == 3 and bool(_SECONDS.fullmatch(columns[2].removeprefix("-")))


def _from_snap(path: Path, line: int, text: str) -> Row:
    columns = text.split()
    if len(columns) != 3:
        _refuse(path, line, f"{len(columns)} columns where three belong: 'source target unix_seconds'")
    return _checked(path, Row(line, columns[0], columns[1], _seconds(path, line, columns[2]), None))


def _from_json(path: Path, line: int, text: str) -> Row:
    try:
        fields: dict[str, Any] = json.loads(text)
        sender, recipient, time = fields["sender"], fields["recipient"], fields["time"]
    except (ValueError, TypeError):
        _refuse(path, line, "not a JSON object")
    except KeyError as missing:
        _refuse(path, line, f"{missing} is missing")
    said = fields.get("text")
    if not (isinstance(sender, str) and isinstance(recipient, str) and isinstance(said, str | None)):
        _refuse(path, line, "'sender', 'recipient' and 'text' are strings")
    return _checked(path, Row(line, sender, recipient, _seconds(path, line, str(time)), said))


def _seconds(path: Path, line: int, text: str) -> int:
    if text.startswith("-"):
        _refuse(path, line, "a time before 1970")
    if not _SECONDS.fullmatch(text):
        _refuse(path, line, f"'{text[:20]}' is not a time in whole seconds")
    return int(text)


def _checked(path: Path, row: Row) -> Row:
    for name in (row.sender, row.recipient):
        if not name or len(name.encode()) > MAX_NAME or not name.isprintable():
            _refuse(path, row.line, "not the name of a user")
    if row.text is not None and not 0 < len(row.text.encode()) <= MAX_TEXT:
        _refuse(path, row.line, f"a text has 1 to {MAX_TEXT} bytes")
    return row


def _refuse(path: Path, line: int, why: str) -> NoReturn:
    raise MalformedError(f"{path}, line {line}: {why}", Reason.USAGE)
