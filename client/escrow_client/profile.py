"""What one user, or one agency, keeps on disk: a folder that nobody else may enter.

``profile.json`` says whose it is and which deployment it belongs to, pinned by the hash of its genesis. Beside it lie
the store with all keys (``store.db``), sealed, the certificate with the transport's key (``identity/``), which is not,
and how far the user has read (``read``).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from escrow.cli.keys import BESIDE, Keys
from escrow.errors import IntegrityError, Reason, RefusedError
from escrow.rpc.files import write
from escrow.store.keyring import Lock, LockKind, relock, unlock
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from escrow.warrant import strict
from escrow.warrant.genesis import Genesis
from escrow_client.deployment import Deployment

Kind = Literal["chat", "agency"]

_FILE: Final = LockKind.KEY_FILE
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class _Document(strict.Document, frozen=True):
    schema_version: Literal[1]
    kind: Kind
    name: str
    home: str
    lab: bool
    genesis: strict.Bytes32


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile folder and whose it is."""

    folder: Path
    kind: Kind
    name: str
    home: Path
    lab: bool
    """Whether it goes by the lab clock."""
    genesis: str
    """SHA-256 of the genesis, in hexadecimal digits."""

    @classmethod
    def load(cls, folder: Path, kind: Kind) -> Self:
        """Read a profile. Raises ``NOT_FOUND``, ``STORE_CORRUPT``, or ``USAGE`` if it is of the other kind."""
        try:
            data = (folder / "profile.json").read_bytes()
        except OSError as error:
            raise RefusedError(Reason.NOT_FOUND, f"{folder} is no profile") from error
        try:
            document = strict.decode(data, _Document)
        except RefusedError as error:
            raise IntegrityError(Reason.STORE_CORRUPT, f"{folder / 'profile.json'}: {error.detail}") from error
        if document.kind != kind:
            raise RefusedError(Reason.USAGE, f"{folder} is a profile for {document.kind}, not for {kind}")
        return cls(folder, kind, document.name, Path(document.home), document.lab, document.genesis)

    @classmethod
    def make(cls, folder: Path, kind: Kind, name: str, deployment: Deployment) -> Self:
        """The profile in ``folder``; a new one where there is nothing. Making the same one again is fine.

        Raises ``NAME_TAKEN`` if it is somebody else's, and ``USAGE`` for an unusable name or folder.
        """
        if _NAME.fullmatch(name) is None:
            raise RefusedError(Reason.USAGE, "a name has 1 to 63 of a-z 0-9 . _ - and begins with a letter or digit")
        wanted = cls(
            folder, kind, name, deployment.home.folder.resolve(), deployment.lab, deployment.genesis.hash.hex()
        )
        if (folder / "profile.json").exists():
            present = cls.load(folder, kind)
            if present != wanted:
                raise RefusedError(Reason.NAME_TAKEN, f"{folder} is the profile of {present.name} at {present.home}")
            return present
        wanted._create()
        return wanted

    def check(self, genesis: Genesis) -> None:
        """Raise ``RefusedError(USAGE)`` unless this is the deployment that the profile was made for."""
        if genesis.hash.hex() != self.genesis:
            raise RefusedError(Reason.USAGE, f"{self.home} holds another deployment than it did for this profile")

    async def open_store(self, deployment: Deployment, keys: Keys) -> SealedStore:
        """The store, opened with ``keys``; made if this profile never had one.

        Raises ``STORE_CORRUPT`` where it is damaged, emptied or gone, ``STORE_UNAVAILABLE`` while another process uses
        it, and what ``Keys.lock`` raises; in all cases nothing is overwritten.
        """
        # The certificate is issued for an account, and that is in the store before: where there is one, there was both.
        new = not self.identity.exists()
        if not new:
            self._check_there()
        return await deployment.store(self.store, keys, new=new)

    async def relock(self, keys: Keys, following: Keys) -> LockKind:
        """Let ``following`` open the store from now on, which ``keys`` open; return what kind of lock that is.

        A key file beside the store that opened it, and does not any more, is removed. Raises as ``open_store``, and
        ``NOT_FOUND`` for a profile that has no store yet; then everything is as it was.
        """
        if not self.identity.exists():
            raise RefusedError(Reason.NOT_FOUND, f"{self.folder} is not registered yet")
        self._check_there()
        kinds: list[LockKind | None] = []

        def choose(kind: LockKind | None) -> Lock:
            kinds.append(kind)
            return keys.lock(self.folder, kind)

        store = SqliteStore(self.store)
        try:
            key = await unlock(store, choose, name=self.store.name, new=False)
            lock = following.lock(self.folder, None)
            await relock(store, key, lock)
        finally:
            await store.close()
        beside, opens = keys.path_in(self.folder), following.path_in(self.folder) if lock.kind is _FILE else None
        if kinds == [_FILE] and beside == self.folder / BESIDE and beside != opens:
            beside.unlink(missing_ok=True)
        return lock.kind

    @property
    def store(self) -> Path:
        """The file with state and keys."""
        return self.folder / "store.db"

    @property
    def key_beside(self) -> Path | None:
        """The key file that lies in the same folder as what it opens, if it does."""
        path = self.folder / BESIDE
        return path if path.exists() else None

    @property
    def identity(self) -> Path:
        """The folder with the certificate and its key."""
        return self.folder / "identity"

    @property
    def read(self) -> int:
        """Number of the first message that its user has not been shown."""
        try:
            return int((self.folder / "read").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0  # shown twice is better than never

    def mark_read(self, following: int) -> None:
        """Remember that everything before number ``following`` was shown."""
        write(self.folder / "read", f"{following}\n".encode())

    def _check_there(self) -> None:
        if not (self.store.exists() and self.store.stat().st_size):
            raise IntegrityError(Reason.STORE_CORRUPT, f"{self.store.name} is empty or gone")

    def _create(self) -> None:
        document = _Document(
            schema_version=1,
            kind=self.kind,
            name=self.name,
            home=str(self.home),
            lab=self.lab,
            genesis=self.genesis,
        )
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(self.folder.iterdir()):
                raise RefusedError(Reason.USAGE, f"{self.folder} is not empty and no profile")
            self.folder.chmod(0o700)
            write(self.folder / "profile.json", strict.encode(document) + b"\n")
        except OSError as error:
            raise RefusedError(Reason.USAGE, f"{self.folder}: {error.strerror}") from error
