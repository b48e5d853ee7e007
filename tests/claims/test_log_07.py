"""LOG-07: whoever is corrupt below the threshold, what is opened has left its seal and its intents in the log.

Every set of corrupt custodians, every choice of honest ones to ask, and every state of the warrant. Corrupt custodians
answer whatever they are asked, and log nothing.
"""

from collections.abc import Callable
from itertools import chain, combinations

import pytest

from escrow.errors import EscrowError
from escrow.ids import Party
from escrow.roles.agency.opening import open_items, read_responses
from escrow.roles.agency.state import load_case
from escrow.roles.authorised import context_of
from escrow.tlog.entry import EntryType
from escrow.warrant.release import ReleaseIntent
from escrow.warrant.request import ReleaseRequest
from escrow.world.founding import ISSUERS
from tests.claims.measures import Census
from tests.core.roles.corrupt import holding_of, released_by_rogues
from tests.core.roles.scene import AGENCY, TERMS, TEXTS, Scene, scene

pytestmark = pytest.mark.claim("LOG-07")

PARTIES = range(1, TERMS.custodians + 1)
SETS = list(chain.from_iterable(combinations(PARTIES, size) for size in range(TERMS.custodians + 1)))


def one_lock(at: Scene) -> ReleaseRequest:
    return at.sealed_by_force(at.rewritten(), at.locks[0])


def never_sealed(at: Scene) -> ReleaseRequest:
    return at.under(at.rewritten(), at.request.dsse)


def cancelled(at: Scene) -> ReleaseRequest:
    at.log("authority", EntryType.CANCELLATION, at.order(EntryType.CANCELLATION, ISSUERS[0]))
    return at.request


def unlogged(at: Scene) -> ReleaseRequest:
    at.world.network.down.add(Party("log"))
    return at.request


WARRANTS: dict[str, Callable[[Scene], ReleaseRequest]] = {
    "in force": lambda at: at.request,
    "one lock": one_lock,
    "never sealed": never_sealed,
    "cancelled": cancelled,
    "in force, and the log out of reach": unlogged,
}


@pytest.mark.parametrize("warrant", WARRANTS)
@pytest.mark.parametrize("corrupt", SETS, ids=lambda names: "+".join(map(str, names)) or "nobody")
def test_what_is_opened_has_left_its_trace(census: Census, corrupt: tuple[int, ...], warrant: str) -> None:
    for asked in SETS:
        if set(asked) & set(corrupt):
            continue
        at = scene().rewind("ready")
        request = WARRANTS[warrant](at)
        opened = opened_by(at, request, corrupt, asked)
        intents = [entry for entry in at.entries(EntryType.RELEASE_INTENT) if hash_of(entry.payload) == request.hash]
        if len(corrupt) >= TERMS.threshold:
            assert opened, "they need nobody: see NCL-COLLUSION"
            census("opened without a trace, where too many are corrupt")
        elif opened:
            assert warrant == "in force"
            assert len({ReleaseIntent.decode(entry.payload).custodian for entry in intents}) >= (
                TERMS.threshold - len(corrupt)
            )
            assert any(at.entries(EntryType.WARRANT_SEALED))
            census("opened with its trace")
        else:
            census("not opened")
            assert warrant != "in force" or len(corrupt) + len(asked) < TERMS.threshold


def hash_of(payload: bytes) -> bytes:
    return ReleaseIntent.decode(payload).request_hash


def opened_by(at: Scene, request: ReleaseRequest, corrupt: tuple[int, ...], asked: tuple[int, ...]) -> bool:
    """Whether the agency reads the messages with what the corrupt give it and the honest release."""
    holding = holding_of(at, 1)
    responses = released_by_rogues(at, request, corrupt, intents=()).responses() if corrupt else {}
    sealed = {}
    for custodian in asked:
        try:
            sealed[custodian] = at.release(request, custodian=custodian).sealed
        except EscrowError:
            continue
    recipient = load_case(at.world.store(AGENCY), at.warrant_id).recipient_key
    responses |= read_responses(recipient, request, holding.generation, {n: one for n, one in sealed.items() if one})
    if len(responses) < TERMS.threshold:
        return False
    items, _ = open_items(context_of(at.world.genesis, holding.key), holding.generation, request, responses)
    return sorted(item.text for item in items) == sorted(TEXTS)
