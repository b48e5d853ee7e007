"""LOG-11: of a relay's ingest roots those count that grow in size and time; each of them continues the one before.

So a receipt has one place and one interval in which it was written, whatever a relay logs afterwards.
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.receipt import IngestRoot
from escrow.errors import RefusedError
from escrow.ids import Millis
from escrow.roles.ledger import Ledger, LoggedRoot
from escrow.roles.machine import Draft
from escrow.roles.relay.ingest import TREE as RECEIPTS
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash, verify_consistency
from tests.claims.measures import Census, effort
from tests.core.roles.test_ingest import logged, say
from tests.core.roles.test_relay import scene
from tests.core.roles.town import TERMS
from tests.core.warrant.office import GENESIS, ORIGIN, key

pytestmark = pytest.mark.claim("LOG-11")

LEDGER, RELAY = Ledger(GENESIS), key("relay").public
roots = st.tuples(st.integers(1, 12), st.integers(1, 12))
"""Size and time; few of each, so that many come again or back."""


def entry(size: int, time: int, *, signer: str = "relay", about: bytes = RELAY) -> bytes:
    root = IngestRoot(about, size, leaf_hash(b"%d" % size), time)
    return Entry.make(EntryType.INGEST_ROOT, root.encode(), key(signer), ORIGIN)


@effort(1)
@given(st.lists(roots, max_size=12))
def test_roots_that_count_grow_in_size_and_in_time(census: Census, said: list[tuple[int, int]]) -> None:
    draft, counted = Draft(MemoryStore()), [(0, -1)]
    for size, time in said:
        attempt = Draft(draft)
        if size > counted[-1][0] and time > counted[-1][1]:
            LEDGER.file(attempt, entry(size, time), Millis(0))
            draft.absorb(attempt)
            counted.append((size, time))
            census("counted")
        else:
            with pytest.raises(RefusedError):
                LEDGER.file(attempt, entry(size, time), Millis(0))
            census("refused")
    for seq in range(12):
        found = LEDGER.root_covering(draft, RELAY, seq)
        first = next((at for at, (size, _) in enumerate(counted) if size > seq), None)
        if first is None:
            assert found is None
        else:
            assert found is not None
            (_, before), (size, time) = counted[first - 1 : first + 1]
            assert (found.size, found.after_ms, found.time_ms) == (size, before, time)


@pytest.mark.parametrize("signer", ["authority", "custodian/1", "log", "witness/1"])
def test_nobody_logs_a_root_for_the_relay(census: Census, signer: str) -> None:
    with pytest.raises(RefusedError):
        LEDGER.file(Draft(MemoryStore()), entry(1, 1, signer=signer), Millis(0))
    with pytest.raises(RefusedError):
        LEDGER.file(Draft(MemoryStore()), entry(1, 1, about=key(signer).public), Millis(0))
    census("refused")


def test_each_root_of_a_running_relay_continues_the_one_before(census: Census) -> None:
    at = scene()
    relay, public = at.town.store("relay"), at.town.genesis.relay.public
    seen: list[LoggedRoot] = []
    said = 0
    for more in (1, 3, 2):
        said += len(say(at, more))
        at.town.advance(TERMS.ingest_cadence)
        at.town.catch_up("relay")
        newest = Ledger(at.town.genesis).newest_root(relay, public)
        assert newest is not None
        assert newest.size == logged(at) == said
        seen.append(newest)
    for one, two in pairwise(seen):
        proof = RECEIPTS.consistency(Draft(relay), one.size, two.size)
        verify_consistency(one.size, one.root, two.size, two.root, proof)
        assert one.time_ms == two.after_ms < two.time_ms
        census("counted")
