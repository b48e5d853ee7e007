"""Files that nobody may find half-written, and files that others may not read."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from escrow.secret import Secret


def write(path: Path, data: bytes) -> None:
    """Replace ``path`` in one step; whoever reads it sees the old bytes or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each writer; mkstemp makes the file readable by its owner alone.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
        os.fchmod(handle, 0o644)
    Path(name).replace(path)


def write_secret(path: Path, secret: Secret) -> None:
    """Like ``write``, for a file that only its owner may read, in a folder that only its owner may enter."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(secret.expose())
        file.flush()
        os.fsync(handle)
    Path(name).replace(path)


def write_new_secret(path: Path, secret: Secret) -> None:
    """Like ``write_secret``, but what is there already stays. On return it survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret.expose())
            file.flush()
            os.fsync(handle)
        with suppress(FileExistsError):
            path.hardlink_to(name)
    finally:
        Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
