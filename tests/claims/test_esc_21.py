"""ESC-21: whatever the bytes, a parser accepts one spelling or refuses by name; it never crashes."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.capsule.body import Body, seal_body
from escrow.capsule.envelope import EnvelopeContent
from escrow.capsule.header import ContentClass, Header
from escrow.capsule.label import Label
from escrow.capsule.receipt import Frame, IngestRoot, Receipt
from escrow.committee.documents import CommitteeKey, CommitteeProposal, ShareGeneration
from escrow.crypto.sign import SigningKey
from escrow.errors import EscrowError
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.witnessing import Request
from escrow.warrant.orders import Order
from tests.claims.keygen import coins, committee, proposal
from tests.claims.measures import Census
from tests.claims.sealing import label
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("ESC-21")

HELD, H = committee(3, 2), bytes(range(32))
HEADER = Header(H, H, 3, H[:16], ContentClass.CONTENT)
KEY = SigningKey.from_seed(coins("parser"))


CODECS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "label": (label(HELD), lambda data: Label.decode(data).encode()),
    "header": (HEADER.encode(), lambda data: Header.decode(data).encode()),
    "body": (seal_body(Secret(H), HEADER, b"text"), lambda data: Body.decode(data).encode()),
    "envelope": (
        EnvelopeContent(1, H, H, 0, H, Secret(H), b"genesis").encode(),
        lambda data: EnvelopeContent.decode(data).encode(),
    ),
    "receipt": (Receipt(H, H, H, 1, 2, 3, 4).encode(), lambda data: Receipt.decode(data).encode()),
    "frame": (Frame(H, H, 5, 6).encode(), lambda data: Frame.decode(data).encode()),
    "ingest root": (IngestRoot(H, 7, H, 8).encode(), lambda data: IngestRoot.decode(data).encode()),
    "proposal": (proposal(3, 2).encode(), lambda data: CommitteeProposal.decode(data).encode()),
    "committee key": (HELD.key.encode(), lambda data: CommitteeKey.decode(data).encode()),
    "generation": (HELD.generation.encode(), lambda data: ShareGeneration.decode(data).encode()),
    "log entry": (
        Entry.make(EntryType.INGEST_ROOT, b"payload", KEY, "log.test"),
        lambda data: Entry.decode(data).encode(),
    ),
    "order": (Order.signed(EntryType.CANCELLATION, H, KEY).encode(), lambda data: Order.decode(data).encode()),
}

mutations = st.one_of(
    st.tuples(st.just("flip"), st.integers(0), st.just(b"")),
    st.tuples(st.just("cut"), st.integers(0), st.just(b"")),
    st.tuples(st.just("insert"), st.integers(0), st.binary(min_size=1, max_size=20)),
    st.tuples(st.just("replace"), st.just(0), st.binary(max_size=400)),
)


def mutate(data: bytes, how: tuple[str, int, bytes]) -> bytes:
    what, where, more = how
    place = where % (len(data) + 1)
    match what:
        case "flip":
            return flip(data, where) if data else data
        case "cut":
            return data[:place]
        case "insert":
            return data[:place] + more + data[place:]
    return more


@pytest.mark.parametrize("name", CODECS)
@given(st.lists(mutations, max_size=3))
@example([])
@example([("insert", -1, b"\x00")])
@example([("cut", -2, b"")])
def test_a_parser_reads_one_spelling_or_refuses(
    census: Census, name: str, changes: list[tuple[str, int, bytes]]
) -> None:
    data, recode = CODECS[name]
    for how in changes:
        data = mutate(data, how)
    try:
        again = recode(data)
    except EscrowError:
        census("refused")
    else:
        assert again == data
        census("accepted")


@given(st.binary(max_size=300))
def test_a_witness_request_is_read_or_refused_by_name(census: Census, data: bytes) -> None:
    with pytest.raises(EscrowError):
        Request.parse(b"old 1\n\n" + data)
    census("refused")
