"""Attachments at the relay: written once and in order, whole or not there, and gone when their time is over."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from escrow.e2ee.blob import MOST_CHUNK, MOST_CHUNKS, NAMELESS, extend_name
from escrow.errors import EscrowError, Reason
from escrow.ids import DeviceNo
from escrow.roles.calls import ChunkStored, GetChunk, PutChunk
from escrow.roles.relay import Relay
from escrow.roles.relay.blobs import BlobTerms
from tests.core.roles.town import DAY, HOUR, Phone, Town

TERMS = BlobTerms(keep=10 * DAY, keep_unfinished=DAY, bytes_a_day=4 * MOST_CHUNK, unfinished=2)
CHUNKS = (b"first", b"second", b"third")


def name_of(chunks: Sequence[bytes] = CHUNKS) -> bytes:
    name = NAMELESS
    for index, chunk in enumerate(chunks, start=1):
        name = extend_name(name, chunk, last=index == len(chunks))
    return name


class Shelf:
    """A relay with narrow terms, and two phones that it knows."""

    def __init__(self, terms: BlobTerms = TERMS) -> None:
        self.town = Town()
        self.town.add("relay", Relay(self.town.genesis, self.town.key("relay"), blobs=terms))
        self.alice, self.bob = (Phone(self.town, name).register() for name in ("alice", "bob"))

    def put(self, place: int, chunks: Sequence[bytes] = CHUNKS, phone: Phone | None = None, **changes: Any) -> Any:
        call = PutChunk(name_of(chunks), place, place + 1 == len(chunks), chunks[place])
        fields = {name: getattr(call, name) for name in call.__struct_fields__}
        return (phone or self.alice).ask(PutChunk(**{**fields, **changes}))

    def put_all(self, chunks: Sequence[bytes] = CHUNKS, phone: Phone | None = None) -> bytes:
        for index in range(len(chunks)):
            stored = self.put(index, chunks, phone)
            assert stored == ChunkStored(index + 1, index + 1 == len(chunks))
        return name_of(chunks)

    def get(self, name: bytes, phone: Phone | None = None) -> list[bytes]:
        found: list[bytes] = []
        while True:
            try:
                found.append((phone or self.bob).ask(GetChunk(name, len(found))).data)
            except EscrowError as error:
                if found and error.reason is Reason.NOT_FOUND:
                    return found
                raise

    def kept(self) -> dict[bytes, bytes]:
        """What the relay keeps of blobs."""
        values, _ = self.town.store("relay").snapshot()
        return {key: value for key, value in values.items() if key.startswith((b"blob", b"chunk-of/"))}

    def refusal(self, place: int, chunks: Sequence[bytes] = CHUNKS, phone: Phone | None = None, **changes: Any) -> str:
        """Why a chunk is not taken; nothing may have changed by that."""
        before = self.kept()
        with pytest.raises(EscrowError) as caught:
            self.put(place, chunks, phone, **changes)
        assert self.kept() == before
        return caught.value.reason.name


@pytest.fixture
def at() -> Shelf:
    return Shelf()


def test_what_one_device_puts_another_gets_and_an_agency_too(at: Shelf) -> None:
    name = at.put_all()
    assert at.get(name) == list(CHUNKS)
    assert at.town.ask("relay", GetChunk(name, 1), "agency/police").data == CHUNKS[1]


def test_each_chunk_has_a_key_of_its_own(at: Shelf) -> None:
    at.put_all([bytes([n]) * MOST_CHUNK for n in range(3)])
    values = sorted(len(value) for value in at.kept().values())
    assert values[-3:] == [MOST_CHUNK] * 3
    assert values[-4] < 200


@pytest.mark.spec("ATT-6")
def test_what_is_too_large_is_refused(at: Shelf) -> None:
    assert at.refusal(0, data=bytes(MOST_CHUNK + 1)) == "TOO_LARGE"
    assert at.refusal(0, data=b"") == "TOO_LARGE"
    assert at.refusal(0, index=MOST_CHUNKS) == "TOO_LARGE"
    assert at.refusal(0, blob=b"short") == "MALFORMED"
    assert at.kept() == {}


@pytest.mark.spec("ATT-7")
def test_a_chunk_is_written_once(at: Shelf) -> None:
    at.put(0)
    at.put(1)
    assert at.put(0) == ChunkStored(2, False)
    assert at.refusal(0, data=b"another") == "IDEMPOTENCY_CONFLICT"
    assert at.refusal(1, last=True) == "IDEMPOTENCY_CONFLICT"
    at.put(2)
    for index in range(3):
        assert at.put(index) == ChunkStored(3, True)
        assert at.refusal(index, data=b"another") == "IDEMPOTENCY_CONFLICT"
    assert at.refusal(2, last=False) == "IDEMPOTENCY_CONFLICT"
    assert at.put(0, index=3, data=b"more") == ChunkStored(3, True)
    assert at.get(name_of()) == list(CHUNKS)


@pytest.mark.spec("ATT-7")
def test_a_chunk_that_does_not_come_next_changes_nothing_and_the_answer_says_which_does(at: Shelf) -> None:
    assert at.put(1) == ChunkStored(0, False)
    assert at.kept() == {}
    at.put(0)
    before = at.kept()
    assert at.put(2) == ChunkStored(1, False)
    assert at.kept() == before


@pytest.mark.spec("ATT-8")
def test_nobody_else_adds_to_what_a_device_has_begun(at: Shelf) -> None:
    at.put(0)
    assert at.put(0, phone=at.bob) == ChunkStored(1, False)
    assert at.refusal(1, phone=at.bob) == "PERMISSION_DENIED"
    at.put(1)
    at.put(2)
    assert at.put(2, phone=at.bob) == ChunkStored(3, True)


@pytest.mark.spec("ATT-9")
def test_what_is_not_what_its_name_says_never_becomes_whole(at: Shelf) -> None:
    at.put(0)
    at.put(1, data=b"something else")
    assert at.refusal(2) == "ATTACHMENT_INVALID"
    assert at.refusal(2, data=CHUNKS[1]) == "ATTACHMENT_INVALID"
    with pytest.raises(EscrowError) as caught:
        at.get(name_of())
    assert caught.value.reason is Reason.NOT_RETAINED


@pytest.mark.spec("ATT-10")
def test_a_device_has_only_so_many_unfinished_attachments(at: Shelf) -> None:
    several = [(bytes([n]), b"end") for n in range(3)]
    at.put(0, several[0])
    at.put(0, several[1])
    assert at.refusal(0, several[2]) == "RATE_LIMITED"
    at.put(0, several[2], phone=at.bob)
    at.put(1, several[0])
    with pytest.raises(EscrowError):
        at.put(1, several[2])
    at.put(0, (b"3", b"end"))


@pytest.mark.spec("ATT-10")
def test_a_device_brings_only_so_many_new_bytes_a_day(at: Shelf) -> None:
    large = [bytes([n]) * MOST_CHUNK for n in range(6)]
    for index in range(4):
        at.put(index, large)
    assert at.refusal(4, large) == "RATE_LIMITED"
    assert at.put(3, large) == ChunkStored(4, False)
    at.put_all(phone=at.bob)
    at.town.advance(DAY - HOUR)
    at.put(4, large)
    at.put(5, large)
    assert at.get(name_of(large)) == large


@pytest.mark.spec("ATT-10")
def test_who_is_no_logged_device_stores_nothing(at: Shelf) -> None:
    stranger = Phone(at.town, "mallory")
    assert at.refusal(0, phone=stranger) == "DEVICE_UNKNOWN"
    second = replace(at.alice, number=DeviceNo(2))
    assert at.refusal(0, phone=second) == "DEVICE_UNKNOWN"


@pytest.mark.parametrize("caller", ["person/onlooker", "custodian/1", "log", "device/00/1"])
def test_only_devices_and_agencies_are_served(at: Shelf, caller: str) -> None:
    name = at.put_all()
    for call in (GetChunk(name, 0), PutChunk(name, 0, False, CHUNKS[0])):
        with pytest.raises(EscrowError) as caught:
            at.town.ask("relay", call, caller)
        assert caught.value.reason is Reason.UNAUTHENTICATED
    with pytest.raises(EscrowError):
        at.town.ask("relay", PutChunk(name, 0, False, CHUNKS[0]), "agency/police")


@pytest.mark.spec("ATT-11")
def test_what_is_unfinished_or_unknown_is_not_handed_out(at: Shelf) -> None:
    at.put(0)
    for name in (name_of(), bytes(32), b""):
        with pytest.raises(EscrowError) as caught:
            at.get(name)
        assert caught.value.reason is Reason.NOT_RETAINED


@pytest.mark.spec("ATT-11")
def test_an_attachment_is_forgotten_when_its_time_is_over_and_nothing_of_it_is_left(at: Shelf) -> None:
    begun = (b"never", b"finished")
    name = at.put_all()
    at.put(0, begun)
    spent = {key for key in at.kept() if key.startswith(b"blob-spent/")}
    at.town.advance(TERMS.keep_unfinished)
    at.town.tick("relay")
    assert at.put(1, begun) == ChunkStored(0, False)
    assert at.get(name) == list(CHUNKS)
    at.town.advance(TERMS.keep - TERMS.keep_unfinished - 1)
    at.town.tick("relay")
    assert at.get(name) == list(CHUNKS)
    at.town.advance(1)
    at.town.tick("relay")
    with pytest.raises(EscrowError) as caught:
        at.get(name)
    assert caught.value.reason is Reason.NOT_RETAINED
    assert set(at.kept()) == spent


def test_one_tick_forgets_one_attachment_and_the_next_the_next(at: Shelf) -> None:
    names = [at.put_all((bytes([n]),)) for n in range(3)]
    at.town.advance(TERMS.keep)
    for left in (2, 1, 0, 0):
        at.town.tick("relay")
        assert sum(key[len(b"blob/") :] in names for key in at.kept() if key.startswith(b"blob/")) == left


ROWS = ((b"a",), (b"a", b"b"), (b"b", b"a", b"a"), (b"c",) * 5)
STEPS = st.lists(
    st.tuples(st.sampled_from(ROWS), st.integers(0, 4), st.sampled_from(["alice", "bob"]), st.booleans()), max_size=30
)


@settings(max_examples=30)
@given(STEPS)
def test_whatever_is_put_in_whatever_order_what_is_handed_out_is_what_the_name_says(steps: list[Any]) -> None:
    at = Shelf(replace(TERMS, unfinished=99))
    for chunks, index, who, spoiled in steps:
        phone = at.alice if who == "alice" else at.bob
        call = PutChunk(
            name_of(chunks), index, index + 1 == len(chunks), b"x" if spoiled else chunks[index % len(chunks)]
        )
        before = at.kept()
        try:
            stored = phone.ask(call)
        except EscrowError:
            assert at.kept() == before
        else:
            assert stored.whole <= (stored.chunks == len(chunks))
    for chunks in ROWS:
        try:
            found = at.get(name_of(chunks))
        except EscrowError:
            event("not whole")
        else:
            event("whole")
            assert found == list(chunks)


def test_a_relay_hands_out_after_a_crash_what_it_had_acknowledged(at: Shelf) -> None:
    at.put(0)
    snapshot = at.town.store("relay").snapshot()
    at.put(1)
    at.town.store("relay").restore(snapshot)
    assert at.put(2) == ChunkStored(1, False)
    at.put(1)
    at.put(2)
    assert at.get(name_of()) == list(CHUNKS)
