"""A file on its way in: nothing is there under its name before all of it is, and what was there is never overwritten.

The name is the sender's word. It decides neither the folder nor anything that a shell, a terminal or a desktop reads
out of a name.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from escrow.e2ee.file import File
from escrow.errors import Reason, RefusedError
from escrow_client.transfer import Ask, Progress, download, unseen

NAMELESS: Final = "attachment"
_MOST_NAME: Final = 200
"""Bytes of a name; file systems take 255, and a number may be added."""
_UNWANTED: Final = frozenset('/\\:*?"<>|')


def safe_name(name: str) -> str:
    """A name for one entry of a folder, from what somebody else called a file: visible, no path, no hidden file."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(one if one.isprintable() and one not in _UNWANTED else "_" for one in last)
    stem, dot, ending = kept.strip(". ").rpartition(".")
    room = _MOST_NAME - len((dot + ending).encode())
    if not stem or room < 1:
        return _cut(ending or stem, _MOST_NAME) or NAMELESS
    return (_cut(stem, room) or NAMELESS) + dot + ending


async def save(ask: Ask, file: File, folder: Path, progress: Progress = unseen) -> Path:
    """Fetch a file into ``folder``; return where it lies.

    Raises what ``download`` raises, and ``RefusedError(USAGE)`` where it cannot be written. Then nothing is left.
    """
    with _unfinished(folder) as (part, out):
        async for piece in download(ask, file, progress):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
        return _settle(part, folder, safe_name(file.name))


@contextmanager
def _unfinished(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file in ``folder`` that is gone afterwards, unless it was given another name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
        try:
            with os.fdopen(handle, "wb") as out:
                yield Path(name), out
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise RefusedError(Reason.USAGE, f"{folder}: {error.strerror}") from error


def _settle(part: Path, folder: Path, name: str) -> Path:
    """Give the finished file its name, or with a number the next one that is free."""
    stem, dot, ending = name.rpartition(".")
    count = 1
    while True:
        numbered = name if count == 1 else f"{stem} ({count}).{ending}" if dot else f"{name} ({count})"
        place = folder / numbered
        try:
            # SPEC ATT-5: what is there stays. Taking a name and finding that it is taken must be one thing.
            place.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            count += 1
            continue
        return part.replace(place)


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore").strip(". ")
