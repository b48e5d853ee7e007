"""EPO-07: what the relay signs for and then leaves out of the log is noticed by sender and receiver, with proof."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.receipt import IngestRoot, Receipt, ingest_leaf, verify_receipt
from escrow.ids import Party
from escrow.roles.calls import Append, Call, GetIngestPaths, IngestPaths, Reply
from escrow.roles.device.audit import omitted
from escrow.roles.device.state import Sent
from escrow.roles.machine import Draft
from escrow.roles.relay.ingest import TREE
from escrow.roles.state import unpack
from escrow.roles.stored_tree import StoredTree
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.world.founding import DAY
from tests.claims.measures import Census, effort
from tests.core.roles.phones import Phones, friends

pytestmark = pytest.mark.claim("EPO-07")

FORGED = StoredTree(b"forged")


class Forger:
    """A relay that signs for everything, and logs and shows a tree in which others stand in for some of its receipts.

    The tree is whole and its paths are good; ``short`` trees end before the first receipt that is left out.
    """

    def __init__(self, at: Phones, left_out: set[int], *, short: bool) -> None:
        self.at, self.left_out, self.short = at, left_out, short
        at.world.network.on_call, at.world.network.on_reply = self.on_call, self.on_reply

    def tree(self, size: int) -> Draft:
        read = TREE.reader(self.at.world.store("relay"))
        draft = Draft(MemoryStore())
        for place in range(size):
            FORGED.grow(draft, [leaf_hash(b"stands in") if place in self.left_out else read(0, place)])
        return draft

    def on_call(self, origin: Party, _to: Party, call: Call) -> Call:
        if origin == "relay" and isinstance(call, Append):
            return Append(tuple(map(self._forged, call.entries)))
        return call

    def _forged(self, data: bytes) -> bytes:
        root = IngestRoot.decode(Entry.decode(data).payload)
        size = min(self.left_out, default=root.size) if self.short else root.size
        made = replace(root, size=size, root=FORGED.root(self.tree(size), size))
        origin = self.at.world.genesis.log.origin
        return Entry.make(EntryType.INGEST_ROOT, made.encode(), self.at.relay_key, origin)

    def on_reply(self, _origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if not isinstance(call, GetIngestPaths) or not isinstance(reply, IngestPaths):
            return reply
        tree = self.tree(call.size)
        return IngestPaths(tuple(b"".join(FORGED.inclusion(tree, place, call.size)) for place in call.places))


@effort(0.5)
@given(st.integers(1, 4), st.sets(st.integers(0, 3)), st.booleans())
def test_exactly_what_is_left_out_of_the_log_is_held_against_the_relay(
    census: Census, count: int, chosen: set[int], short: bool
) -> None:
    at = friends()
    at.reset()
    first = TREE.size(at.world.store("relay"))
    left_out = {first + place for place in chosen if place < count}
    Forger(at, left_out, short=short)
    for number in range(count):
        at.send("alice", "bob", f"message {number}")
    at.sync("bob")
    at.world.advance(2 * DAY)
    missing = set(range(min(left_out), first + count)) if short and left_out else left_out
    for name in ("alice", "bob"):
        at.sync(name)
        proofs = omitted(at.store(name))
        alarms = at.alarms(name)
        assert {_place(proof.receipt) for proof in proofs} == missing
        assert alarms == [("INGEST_OMITTED", ("relay",))] * len(missing)
        for proof in proofs:
            receipt, frame = verify_receipt(
                proof.receipt, proof.path, proof.frame, proof.relay_sig, at.world.genesis.relay.public
            )
            assert frame.include_by < at.world.now
            assert ingest_leaf(proof.receipt) != b"stands in"
            assert name == "bob" or receipt.submit_hash in _signed_by_alice(at)
        census("noticed" if missing else "in order")


def _place(receipt: bytes) -> int:
    return Receipt.decode(receipt).ingest_seq


def _signed_by_alice(at: Phones) -> set[bytes]:
    """What alice has submitted: the proof is about her own words."""
    return {unpack(data, Sent).submit_hash for _, data in at.store("alice").scan(b"sent/")}
