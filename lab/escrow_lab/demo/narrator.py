"""Telling people and programs what happens: sentences on stderr, one JSON object a line on stdout."""

import json
import sys
import time
from typing import IO, Any

import click

SCHEMA = 1
STEPS = 20
"""Progress events of a long job."""


class Narrator:
    """Writes each event twice: as a sentence for people, and, if asked for, as JSON. Nothing secret passes here."""

    def __init__(self, *, as_json: bool, record: IO[str] | None = None) -> None:
        self._as_json = as_json
        self._record = record
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(time.monotonic() - self._started, 3)

    def chapter(self, number: int, title: str) -> None:
        """A heading."""
        click.secho(f"\n{number}. {title}", bold=True, err=True)
        self._write({"event": "chapter", "number": number, "title": title})

    def say(self, event: str, sentence: str, **facts: Any) -> None:
        """One thing that happened."""
        click.echo(f"   {sentence}", err=True)
        self._write({"event": event, "sentence": sentence, **facts})

    def progress(self, done: int, total: int, what: str) -> None:
        """How far a long job is: for people where one looks at a terminal, for programs at every twentieth."""
        if sys.stderr.isatty():
            click.echo(f"\r   {what}: {done}/{total}" + ("\n" if done == total else ""), nl=False, err=True)
        if done * STEPS // total != (done - 1) * STEPS // total:
            self._write({"event": "progress", "what": what, "done": done, "total": total})

    def summary(self, facts: dict[str, Any]) -> None:
        """The last line of a run."""
        self._write({"event": "summary", **facts})

    def _write(self, row: dict[str, Any]) -> None:
        line = json.dumps({"schema_version": SCHEMA, **row}, ensure_ascii=False)
        if self._as_json:
            click.echo(line)
        if self._record is not None:
            print(line, file=self._record, flush=True)
