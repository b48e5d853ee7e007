"""A deployment as its clients use it: whom to reach, by which clock, under which certificate. Never written to.

Clients issue their own certificates from the deployment's development authority. In the field somebody else would,
and would ask who they are.
"""

import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from escrow.cli.keys import Keys
from escrow.ids import Millis, Party
from escrow.node import Node, Transport
from escrow.roles.machine import Role
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.home import Home
from escrow.rpc.identity import Credentials
from escrow.store.keyring import unlock
from escrow.store.port import Store
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from escrow.warrant.genesis import Genesis


@dataclass(frozen=True, slots=True)
class Deployment:
    """An opened deployment. One may serve any number of clients in one process.

    ``lab``: it goes by the lab clock. ``executor`` is shared by their stores (none: a thread each). ``patience`` is how
    many seconds a call is repeated to a part that cannot be reached.
    """

    home: Home
    lab: bool
    clock: Callable[[], Millis]
    executor: Executor | None = None
    patience: float = 2.0

    @classmethod
    def open(cls, folder: Path, *, lab: bool = False, executor: Executor | None = None, patience: float = 2.0) -> Self:
        """The deployment in ``folder``, under the lab clock if ``lab``.

        Raises ``UnavailableError(CERTIFICATE_MISSING)`` naming what is not there.
        """
        home = Home(folder)
        home.genesis  # noqa: B018 - a folder without a deployment is noticed here, not in the middle of something
        return cls(home, lab, home.clock(lab=lab), executor, patience)

    @property
    def genesis(self) -> Genesis:
        """Who may say what here."""
        return self.home.genesis

    def credentials(self, party: Party, folder: Path) -> Credentials:
        """The certificate of ``party`` kept in ``folder``; issued if there is none yet."""
        if not (folder / "ca.pem").exists():  # what ``save`` writes last
            self.home.issue(party).save(folder)
        return Credentials.load(party, folder)

    def transport(self, credentials: Credentials) -> GrpcTransport:
        """How the party of these credentials reaches the parts."""
        return GrpcTransport(credentials, self.home.endpoints, patience=self.patience)

    async def store(self, path: Path, keys: Keys, *, new: bool) -> SealedStore:
        """The sealed store in the file at ``path``, opened with ``keys``; made if it is ``new``.

        Raises what ``SqliteStore``, ``escrow.store.keyring.unlock`` and ``Keys.lock`` raise.
        """
        inner = SqliteStore(path, executor=self.executor)
        try:
            key = await unlock(inner, lambda kind: keys.lock(path.parent, kind), name=path.name, new=new)
        except BaseException:
            await inner.close()
            raise
        return SealedStore(inner, key, path.name)

    def node(self, party: Party, role: Role, store: Store, transport: Transport) -> Node:
        """``role`` at work under this deployment's clock."""
        return Node(party, role, store, transport, self.clock, fresh_coins)


def fresh_coins() -> bytes:
    """32 bytes of the operating system's randomness."""
    return secrets.token_bytes(32)
