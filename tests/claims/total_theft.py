"""The thief of everything: all disks and long-term keys once a period is erased, the whole log, and all traffic."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from escrow.committee import cocktail
from escrow.committee.handover import HandoverState
from escrow.committee.messages import Kind
from escrow.committee.resharing import Resharing
from escrow.committee.succession import HandoverProposal
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import ORDER, Scalar
from escrow.crypto.sharing import interpolate_scalars
from escrow.errors import EscrowError
from escrow.ids import Party
from escrow.roles.calls import Call, DeliverDealing
from escrow.roles.custodian.state import HANDOVER
from escrow.roles.state import unpack
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.world.founding import derive
from tests.core.roles.roots import Roots
from tests.core.roles.test_erasing import retire, values
from tests.core.roles.test_handing_over import NEW, ordered, settle, shares


@dataclass(frozen=True)
class Theft:
    """``transports`` and ``shares`` were looked at while they existed, as only a test can: the negative control."""

    record: Resharing
    public: bytes
    traffic: tuple[bytes, ...]
    transports: Mapping[str, bytes]
    shares: Mapping[str, bytes]
    disks: tuple[bytes, ...]

    @classmethod
    def of_a_handover_to_others(cls) -> Self:
        world, key_hash, roots = ordered()
        traffic: list[bytes] = []

        def tap(_origin: Party, _to: Party, call: Call) -> Call:
            if isinstance(call, DeliverDealing):
                traffic.append(call.ciphertext)
            return call

        world.network.on_call = tap
        held, transports, own = dict(shares(world, key_hash)), dict[str, bytes](), list[bytes]()
        roots.give(roots.order(key_hash, NEW, 2))
        for _ in range(12):
            world.settle()
            for party in [party for party in world.network.nodes if party.startswith("custodian/")]:
                for _, data in world.store(party).scan(HANDOVER):
                    state = unpack(data, HandoverState)
                    if state.transport is not None:
                        transports[party] = state.transport.expose()
                    own += [part for part in state.dealt if part not in own]
        held |= {f"new {party}": share for party, share in shares(world, key_hash).items()}
        record, public = _record(roots, key_hash)
        retire(world)
        settle(world, 2)
        disks = tuple(value for party in world.network.nodes for value in values(world.store(party)))
        # What a dealer sends to itself is never sent; the control gets it all the same.
        return cls(record, public, (*traffic, *own), transports, held, disks)

    def rebuilt(self, index: int, transport: bytes) -> Scalar | None:
        """The share of new member ``index``, if ``transport`` opens the parts that were sent to it."""
        parts = {}
        for dealer in self.record.dealers:
            dealing = self.record.dealing(dealer)
            assert dealing is not None
            matter = self.record.matter(dealer, index, dealing)
            for sealed in self.traffic:
                try:
                    pair = matter.route.from_recipient(Scalar.decode(transport))
                    part = cocktail.open_share(matter.context, matter.route, pair, index, dealing.dealt, sealed)
                except EscrowError:
                    continue
                parts[dealer] = part
        return interpolate_scalars(parts) if len(parts) == len(self.record.dealers) else None

    def is_key(self, some: Mapping[int, Scalar | None]) -> bool:
        """Whether these shares make the committee key."""
        found = {index: share for index, share in some.items() if share is not None}
        return EDWARDS25519.base_mul(interpolate_scalars(found)).encode() == self.public

    def long_term(self, party: Party) -> Iterator[bytes]:
        """A party's identity seed, and the scalars that Ed25519 and a careless program would make of it."""
        seed = derive(Secret(bytes(32)), party).expose()
        hashed = hashlib.sha512(seed).digest()
        for number in (int.from_bytes(seed, "little"), int.from_bytes(hashed[:32], "little"),
                       int.from_bytes(hashed, "little")):  # fmt: skip
            yield (number % ORDER).to_bytes(32, "little")


def _record(roots: Roots, key_hash: bytes) -> tuple[Resharing, bytes]:
    """The handover as everybody who has the log knows it, and the committee key."""
    entries = [Entry.decode(data) for data in roots.world.store("log").records("log/leaves", start=0, limit=10_000)]
    place = next(index for index, entry in enumerate(entries) if entry.type is EntryType.HANDOVER_PROPOSAL)
    proposal = HandoverProposal.decode(entries[place].payload)
    before = roots.ledger.generation_by_hash(roots.world.store("log"), proposal.generation_hash)
    logged = roots.ledger.committee_key_by_hash(roots.world.store("log"), key_hash)
    assert before is not None
    assert logged is not None
    record = Resharing.begin(proposal, before, logged.key.public, place)
    kinds = {EntryType[kind.name]: kind for kind in Kind if kind.of_handover}
    for entry in entries[place + 1 :]:
        if entry.type in kinds:
            record = record.after(kinds[entry.type], entry.submitter, entry.payload)
    return record, logged.key.public
