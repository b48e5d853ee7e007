"""The people behind the two locks, as the desk knows them: by name, and each with one key."""

from collections.abc import Iterable
from typing import Final

from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.authority.state import Signed
from escrow.warrant.genesis import Genesis, Lock
from escrow.warrant.locks import Signers, count_signers

ISSUER, APPROVER = "issuer", "approver"


class People:
    """Who may sign in one deployment."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self._locks: Final[dict[str, Lock]] = {ISSUER: genesis.issuers, APPROVER: genesis.approvers}

    def __contains__(self, party: Party) -> bool:
        return party in {f"person/{name}" for lock in self._locks.values() for name in lock.keys.values()}

    def key_in(self, role: str, person: str) -> bytes:
        """The key of somebody who holds this lock; ``ROLE_KEY_UNAUTHORISED``."""
        keys = {name: public for public, name in self._locks[role].keys.items()} if role in self._locks else {}
        if person not in keys:
            raise RefusedError(Reason.ROLE_KEY_UNAUTHORISED, f"{person} does not hold this lock")
        return keys[person]

    def key_of(self, person: str, caller: Party) -> bytes:
        """The key of somebody who holds either lock and speaks for themselves; ``PERMISSION_DENIED``."""
        keys = {name: public for lock in self._locks.values() for public, name in lock.keys.items()}
        if caller != f"person/{person}" or person not in keys:
            raise RefusedError(Reason.PERMISSION_DENIED, "for those who may issue or approve, each for themselves")
        return keys[person]

    def count(self, signed: Iterable[Signed]) -> Signers:
        """Whether these signatures complete either lock."""
        return count_signers((self.key_in(one.role, one.person) for one in signed), self._genesis)
