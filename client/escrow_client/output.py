"""What a command prints: data on stdout (lines for people or, with ``--json``, one object a line), remarks on stderr.

Text that others wrote is shown without its control characters: a message must not steer the reader's terminal.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, final

import click

if TYPE_CHECKING:
    from escrow_client.profile import Profile

SCHEMA_VERSION: Final = 1
_LAST_DAY: Final = 253_402_300_799_999


@final
class Output:
    """Where a command says what it has to say."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def data(self, event: str, line: str, **facts: Any) -> None:
        """One piece of data: ``line`` for people, ``facts`` for programs."""
        if self._as_json:
            click.echo(json.dumps({"schema_version": SCHEMA_VERSION, "event": event, **facts}, ensure_ascii=False))
        else:
            click.echo(line)

    def remark(self, sentence: str) -> None:
        """Something for people."""
        click.echo(sentence, err=True)


def warn_of_key_beside(out: Output, profile: "Profile") -> None:
    """Say it whenever somebody makes a profile that a thief of its folder can read."""
    if profile.key_beside is not None:
        out.remark(
            f"{profile.key_beside} opens the store beside it: this keeps nothing from whoever takes the whole folder; "
            "--passphrase, --passphrase-file or --key-file would"
        )


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while something long goes on, if people look at it; to be told how much of how much is done."""
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def progress(done: int, count: int) -> None:
            bar.length = count
            bar.update(done - bar.pos)

        yield progress


def file_facts(content: object) -> dict[str, Any] | None:
    """What programs are told of a file that a message names; its key is nobody's business."""
    from escrow.e2ee.file import File

    return {"name": content.name, "size": content.size} if isinstance(content, File) else None


def moment(time: int) -> str:
    """A time in ms as people read it, in UTC."""
    if not 0 <= time <= _LAST_DAY:
        return f"{time} ms"
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
