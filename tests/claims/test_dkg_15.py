"""DKG-15: logged and witnessed is not authorised. Shares pass to others by an order of the roots in effect, or not."""

from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from escrow.errors import EscrowError
from escrow.ids import Millis
from escrow.roles.authorised import check_generation
from escrow.roles.handover_orders import BY_COMMITTEE
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.handover_order import HandoverOrder, verify_order
from tests.claims.measures import Census, effort
from tests.core.roles.roots import Roots
from tests.core.roles.test_handing_over import NEW, PERIOD, ordered, outrun, settle

pytestmark = pytest.mark.claim("DKG-15")


@dataclass(frozen=True)
class Done:
    """A handover that was ordered and done, and what a follower held before it."""

    roots: Roots
    order: HandoverOrder
    generation: Entry
    before: MemoryStore

    def file(self, draft: Draft, entry_type: EntryType, payload: bytes, by: str, seen_ms: int) -> bool:
        """Whether a follower files it, under a checkpoint of that time."""
        genesis = self.roots.world.genesis
        entry = Entry.make(entry_type, payload, self.roots.keys[by], genesis.log.origin)
        return Ledger(genesis).follow(draft, entry, Millis(seen_ms)) is not None


@cache
def done() -> Done:
    world, key_hash, roots = ordered()
    before = MemoryStore()
    before.restore(world.store("relay").snapshot())
    order = roots.give(roots.order(key_hash, NEW, 2))
    settle(world)
    entries = [Entry.decode(data) for data in world.store("log").records("log/leaves", start=0, limit=10_000)]
    (generation,) = [one for one in entries if one.type is EntryType.SHARE_GENERATION and roots.newest(key_hash).hash
                     and one.payload == roots.newest(key_hash).encode()]  # fmt: skip
    return Done(roots, order, generation, before)


CHANGES: tuple[dict[str, object], ...] = (
    {},
    {},
    {},
    {"threshold": 3},
    {"members": ()},
    {"generation": "00" * 32},
    {"committee_key": "00" * 32},
    {"genesis": "00" * 32},
)
"""What an order says instead; most often what it should."""


@effort(0.5)
@given(
    st.sets(st.sampled_from(("root-1", "root-2", "root-3")), min_size=1),
    st.sampled_from(CHANGES),
    st.sampled_from((-300_001, -300_000, 0, 10**6)),
    st.booleans(),
)
def test_shares_count_with_others_exactly_under_an_order_of_enough_roots_in_effect_and_not_stopped(
    census: Census, signers: set[str], changes: dict[str, object], early: int, stopped: bool
) -> None:
    at = done()
    roots, names = at.roots, sorted(signers)
    order = changed(at.order, **(changes | ({"members": at.order.members[::-1]} if "members" in changes else {})))
    envelope, draft = roots.envelope(order, *names), Draft(at.before)
    seen = order.effective_at + early
    at.file(draft, EntryType.HANDOVER_ORDER, envelope, names[0], order.effective_at)
    if stopped:
        at.file(draft, EntryType.HANDOVER_CANCELLATION, roots.cancellation(order, "root-3"), "root-3", seen)
    counts = Ledger(roots.world.genesis).follow(draft, at.generation.encode(), Millis(seen)) is not None
    signed = len(signers) >= 2 and order == at.order
    assert counts == (signed and not stopped and early >= -roots.world.genesis.skew_ms)
    # Who follows nothing sees the completed order beside the generation, and asks the same of it.
    logged = Ledger(roots.world.genesis).committee_key_by_hash(at.before, at.order.key_hash)
    assert logged is not None
    try:
        shown = verify_order(envelope, roots.world.genesis)
        check_generation(roots.world.genesis, logged.key, PERIOD, at.generation.payload, shown)
        taken = True
    except EscrowError:
        taken = False
    assert taken == (signed or (len(signers) >= 2 and "generation" in changes)), "which one ends, followers know"
    with pytest.raises(EscrowError, match="COMMITTEE_UNAUTHORISED"):
        check_generation(roots.world.genesis, logged.key, PERIOD, at.generation.payload)
    census("accepted" if counts else "refused")


def test_whom_an_order_named_that_came_to_nothing_holds_no_office_and_what_it_names_counts_for_nobody() -> None:
    world, _, roots = outrun()
    for party in ("log", "relay", "custodian/1"):
        assert not roots.ledger.handovers.names(world.store(party), roots.custodian(4).public)
        assert not list(world.store(party).scan(BY_COMMITTEE))


def test_no_root_signs_another_order_under_the_nonce_of_the_one_that_it_has_looked_at() -> None:
    at = done()
    draft, seen = Draft(at.before), at.order.effective_at
    other = changed(at.order, threshold=1)
    assert at.file(draft, EntryType.HANDOVER_ORDER, at.roots.envelope(at.order, "root-1"), "root-1", seen)
    assert at.file(draft, EntryType.HANDOVER_CANCELLATION, at.roots.cancellation(at.order, "root-1"), "root-1", seen)
    assert not at.file(draft, EntryType.HANDOVER_ORDER, at.roots.envelope(other, "root-1"), "root-1", seen)
