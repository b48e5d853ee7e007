"""Opening a SQLite file as a store: whose file it is, which migrations it has seen, whether it is whole.

Migrations are numbered files of plain SQL, applied forward only; the number of the last one is the file's
``user_version``. A file that is damaged or not ours is refused as it is.
"""

import sqlite3
from importlib.resources import files
from pathlib import Path

from escrow.errors import EscrowError, IntegrityError, Reason, UnavailableError

APPLICATION_ID = 0x44424C4B
"""``DBLK``: what ``file`` and a curious reader see in the header."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def open_database(path: Path) -> sqlite3.Connection:
    """A connection that nobody else shares, over a whole file of the newest schema.

    Raises ``IntegrityError(STORE_CORRUPT)`` for a file that is damaged or not a store, and
    ``UnavailableError(STORE_UNAVAILABLE)`` if it cannot be opened or another process holds it.
    """
    _check_not_emptied(path)
    try:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    try:
        _prepare(database, path)
    except sqlite3.Error as error:
        database.close()
        raise translated(error, path) from error
    except EscrowError:
        database.close()
        raise
    return database


def translated(error: sqlite3.Error, path: Path) -> EscrowError:
    """What a failure of SQLite means to whoever uses the store."""
    # Only the low byte names the kind of failure; drivers without a code never reached the file.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _DAMAGE:
        return IntegrityError(Reason.STORE_CORRUPT, f"{path.name}: {error}")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return UnavailableError(Reason.STORE_UNAVAILABLE, f"{path.name} is in use by another process")
    return UnavailableError(Reason.STORE_UNAVAILABLE, f"{path.name}: {error}")


def empty_journal(database: sqlite3.Connection) -> None:
    """Move what the journal holds into the file and cut the journal to nothing.

    What ``secure_delete`` overwrites in the file still stands in older pages of the journal. Raises ``sqlite3.Error``.
    """
    (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the journal cannot be emptied")


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    # Two processes with one store would be one party with two memories, so the lock is held for good.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    _check_ours(database, path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    # What is erased or replaced is overwritten in the file; some builds of SQLite leave it in free space.
    database.execute("PRAGMA secure_delete = ON")
    _migrate(database, path)
    empty_journal(database)


def _check_not_emptied(path: Path) -> None:
    # SQLite takes an empty file for a new one, and would throw away the journal that belonged to the old one.
    journal = Path(f"{path}-wal")
    if _size(journal) and not _size(path):
        raise IntegrityError(Reason.STORE_CORRUPT, f"{path.name} is empty, its journal is not")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # whoever opens it will say what is wrong with it


def _check_ours(database: sqlite3.Connection, path: Path) -> None:
    if (finding := _value(database, "PRAGMA quick_check(1)")) != "ok":
        raise IntegrityError(Reason.STORE_CORRUPT, f"{path.name}: {finding}")
    blank = _value(database, "SELECT count(*) FROM sqlite_schema") == 0
    if not blank and _value(database, "PRAGMA application_id") != APPLICATION_ID:
        raise IntegrityError(Reason.STORE_CORRUPT, f"{path.name} is the database of another program")


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        _apply_missing(database, path)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _apply_missing(database: sqlite3.Connection, path: Path) -> None:
    scripts = sorted(
        (int(entry.name.partition("_")[0]), entry.read_text(encoding="utf-8"))
        for entry in files("escrow.store").joinpath("migrations").iterdir()
        if entry.name.endswith(".sql")
    )
    present = int(_value(database, "PRAGMA user_version"))
    newest = scripts[-1][0]
    if present > newest:
        raise UnavailableError(Reason.STORE_UNAVAILABLE, f"{path.name} was written by a newer version of this program")
    for number, script in scripts:
        if number > present:
            for statement in _statements(script):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number}")
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _statements(script: str) -> list[str]:
    """Single statements, because ``executescript`` would commit the transaction that makes a migration atomic."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found


def _value(database: sqlite3.Connection, query: str) -> int | str:
    (value,) = database.execute(query).fetchone()
    return value  # type: ignore[no-any-return]
