"""What opens a profile: a passphrase or a key file, from where its user says. Never from the command line's words.

A new profile gets a key file of its own, beside its store, unless its user says otherwise. That keeps the store's parts
together and damage from going unnoticed; it protects nothing from whoever takes the whole folder.
"""

import os
import secrets
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, final

import click

from escrow.errors import Reason, RefusedError
from escrow.rpc.files import write_new_secret
from escrow.secret import Secret
from escrow.store.keyring import KEY_SIZE, Lock, LockKind

BESIDE: Final = "store.key"
"""The key file of a profile whose user named no other."""
_LONGEST: Final = 4096


@final
@dataclass(frozen=True, slots=True)
class Keys:
    """What there is: a ``passphrase``, which a new profile prefers, or a ``key_file`` (none: the one in the profile).

    ``ask``: a new profile gets a passphrase that is asked for on the terminal. ``make``: there may be a new profile.
    """

    passphrase: Secret | None = None
    key_file: Path | None = None
    ask: bool = False
    make: bool = True

    def lock(self, folder: Path, kind: LockKind | None) -> Lock:
        """The lock of the profile in ``folder``, which is of ``kind``; None: it is new, and any kind will do.

        Raises ``STORE_LOCKED`` if there is none to be had, ``KEY_EXPOSED`` for a key file that others may read,
        ``NOT_FOUND`` for a new profile where there may be none, and ``USAGE`` for an unusable passphrase or file.
        """
        if kind is LockKind.PASSPHRASE:
            return Lock.passphrase(self.passphrase or _asked())
        if kind is LockKind.KEY_FILE:
            return Lock.key_file(_read_key(self.path_in(folder)))
        if not self.make:
            raise RefusedError(Reason.NOT_FOUND, f"{folder} is not registered yet")
        if self.passphrase is not None:
            return Lock.passphrase(self.passphrase)
        if self.ask:
            return Lock.passphrase(_chosen())
        return Lock.key_file(_new_key(self.path_in(folder)))

    def beside(self, folder: Path) -> Path | None:
        """The key file that lies in the same folder as what it opens, if that is the one that is used."""
        path = self.path_in(folder)
        return path if path.parent == folder and path.exists() else None

    def path_in(self, folder: Path) -> Path:
        """Where the key file of the profile in ``folder`` lies, if a key file opens it."""
        return self.key_file or folder / BESIDE


def passphrase_in(file: IO[bytes]) -> Secret:
    """The first line of ``file``, as bytes. Raises ``USAGE`` if it is empty or very long."""
    return _passphrase(file.readline(_LONGEST + 2).removesuffix(b"\n").removesuffix(b"\r"))


def _passphrase(data: bytes) -> Secret:
    if not 0 < len(data) <= _LONGEST:
        raise RefusedError(Reason.USAGE, f"a passphrase has 1 to {_LONGEST} bytes")
    return Secret(data)


def _asked() -> Secret:
    if not sys.stdin.isatty():
        raise RefusedError(Reason.STORE_LOCKED, "it opens with a passphrase: say --passphrase-file FILE")
    return _passphrase(click.prompt("Passphrase", hide_input=True, err=True).encode(errors="surrogateescape"))


def _chosen() -> Secret:
    if not sys.stdin.isatty():
        raise RefusedError(Reason.USAGE, "there is no terminal to ask on: say --passphrase-file FILE")
    asked: str = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return _passphrase(asked.encode(errors="surrogateescape"))


def _new_key(path: Path) -> Secret:
    if not path.exists():
        try:
            write_new_secret(path, Secret(secrets.token_bytes(KEY_SIZE)))
        except OSError as error:
            raise RefusedError(Reason.USAGE, f"{path}: {error.strerror}") from error
    return _read_key(path)


def _read_key(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(KEY_SIZE + 1)
    except FileNotFoundError:
        raise RefusedError(Reason.STORE_LOCKED, f"there is no key file {path}: say --key-file FILE") from None
    except OSError as error:
        raise RefusedError(Reason.USAGE, f"{path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise RefusedError(Reason.KEY_EXPOSED, f"{path} has mode {mode:04o}")
    if len(data) != KEY_SIZE:
        raise RefusedError(Reason.STORE_LOCKED, f"{path} is no key file: that has {KEY_SIZE} bytes")
    return Secret(data)
