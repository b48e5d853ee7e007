"""The roots of a World, who order a handover: signature by signature, as their log shows it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from escrow.committee.documents import ShareGeneration
from escrow.crypto.sign import SigningKey
from escrow.ids import Party
from escrow.roles.calls import Append
from escrow.roles.custodian.role import Custodian
from escrow.roles.ledger import Ledger
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import dsse, strict
from escrow.warrant.handover_order import (
    CANCELLATION_TYPE,
    ORDER_TYPE,
    HandoverCancellation,
    HandoverOrder,
    Member,
)
from escrow.world.world import World


@dataclass(frozen=True)
class Roots:
    """``name`` is a root's: root-1, root-2, root-3."""

    world: World

    @cached_property
    def keys(self) -> dict[str, SigningKey]:
        return {name: SigningKey.from_seed(seed) for name, seed in self.world.founding.roots.items()}

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.world.genesis)

    def custodian(self, index: int) -> SigningKey:
        role = self.world.role_of(Party(f"custodian/{index}"))
        assert isinstance(role, Custodian)
        return role.identity

    def member(self, index: int) -> Member:
        return Member(id=f"custodian/{index}", key=self.custodian(index).public.hex())

    def newest(self, key_hash: bytes) -> ShareGeneration:
        newest = self.ledger.generation(self.world.store("log"), key_hash)
        assert newest is not None
        return newest

    def order(self, key_hash: bytes, to: tuple[int, ...], threshold: int, **changes: Any) -> HandoverOrder:
        """About the generation in force, in effect at once unless ``changes`` say otherwise."""
        wanted: dict[str, Any] = {
            "version": 1,
            "genesis": self.world.genesis.hash.hex(),
            "committee_key": key_hash.hex(),
            "generation": self.newest(key_hash).hash.hex(),
            "members": tuple(self.member(index) for index in to),
            "threshold": threshold,
            "effective_at": self.world.now,
        }
        nonce = hashlib.sha256(repr(wanted | changes).encode()).hexdigest()[:32]
        return HandoverOrder(**({"nonce": nonce} | wanted | changes))

    def envelope(self, order: HandoverOrder, *names: str, kind: str = ORDER_TYPE) -> bytes:
        payload = strict.encode(order)
        signatures = tuple(dsse.sign(kind, payload, self.keys[name]) for name in names)
        return dsse.Envelope(kind, payload, signatures).encode()

    def cancellation(self, order: HandoverOrder, name: str) -> bytes:
        document = HandoverCancellation(version=1, genesis=self.world.genesis.hash.hex(), order=order.hash.hex())
        payload = strict.encode(document)
        signature = dsse.sign(CANCELLATION_TYPE, payload, self.keys[name])
        return dsse.Envelope(CANCELLATION_TYPE, payload, (signature,)).encode()

    def log(self, entry_type: EntryType, payload: bytes, by: SigningKey) -> str:
        """What the log says to it: nothing, or a reason."""
        entry = Entry.make(entry_type, payload, by, self.world.genesis.log.origin)
        (result,) = self.world.ask("log", Append((entry,))).results
        return str(result.reason)

    def sign(self, order: HandoverOrder, *names: str) -> str:
        """The last of ``names`` adds its signature to those of the others."""
        return self.log(EntryType.HANDOVER_ORDER, self.envelope(order, *names), self.keys[names[-1]])

    def give(self, order: HandoverOrder) -> HandoverOrder:
        """As many as it needs, one after the other."""
        assert self.sign(order, "root-1") == ""
        assert self.sign(order, "root-1", "root-2") == ""
        return order

    def cancel(self, order: HandoverOrder, name: str = "root-3") -> str:
        return self.log(EntryType.HANDOVER_CANCELLATION, self.cancellation(order, name), self.keys[name])
