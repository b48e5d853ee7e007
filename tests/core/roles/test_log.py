"""The log: who may put what into it, and what it shows to those who ask."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.crypto.mldsa import MlDsaKey
from escrow.encoding import u64
from escrow.errors import EscrowError, Reason
from escrow.ids import Party
from escrow.roles.authorised import proposal_for
from escrow.roles.calls import Append, Call, Cosigned, GetDating, GetHead, GetPath, GetRecord, GetUpdate, Lookup, Reply
from escrow.roles.log import Log
from escrow.roles.log.publishing import TREE, Published, published
from escrow.roles.machine import OUTBOX, Draft, Read, Tick, Writes, outbox
from escrow.roles.state import pack
from escrow.tlog import cosignature
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash, verify_consistency, verify_inclusion
from escrow.tlog.note import Note
from escrow.tlog.quorum import Head, verify_head
from escrow.world.loop import complete
from tests.core.roles.town import MINUTE, Phone, Town, committee_documents


def head_of(town: Town, known: int = 0) -> Head:
    reply = town.ask("log", GetHead(known, town.now - MINUTE))
    return verify_head(reply.note, town.genesis.log_key, town.genesis.witness_rule)


def dkg(town: Town, n: int, party: str = "custodian/1") -> bytes:
    """Entries that the log takes without looking inside."""
    return town.entry(party, EntryType.DKG_COMMIT, b"%d" % n)


def test_the_first_leaf_names_the_deployment() -> None:
    town = Town()
    update = town.ask("log", GetUpdate(0, town.now - MINUTE, 10))
    first = Entry.decode(update.entries[0])
    assert (first.type, first.payload) == (EntryType.GENESIS, town.genesis.hash)


def test_parties_get_the_lines_that_they_count_and_a_page_shows_them_all() -> None:
    town = Town()
    town.append(dkg(town, 1))
    head_of(town)
    store = town.store("log")
    head = published(store)
    assert head is not None
    origin, seed = town.genesis.log.origin, town.founding.parties[Party("log")]
    line = cosignature.sign(Note.parse(head.note).text, origin, MlDsaKey.beside(seed), head.time_ms // 1000)
    full = head.note + line

    def cosigned(view: Read) -> tuple[Writes, None]:
        draft = Draft(view)
        draft.put(b"head", pack(Published(head.size, head.time_ms, full)))
        draft.put(b"dating/" + u64(head.size), pack((full, full)))
        return draft.writes(), None

    complete(store.commit(cosigned))
    dating = town.ask("log", GetDating(head.size - 1))
    calls = GetHead(0, 0), GetUpdate(0, 0, 10)
    notes = [town.ask("log", call).note for call in calls] + [dating.before, dating.first]
    assert set(notes) == {head.note}
    assert verify_head(notes[0], town.genesis.log_key, town.genesis.witness_rule).size == head.size
    assert Log(town.genesis, town.key("log")).page(store, "checkpoint").body == full


def test_the_same_entry_twice_has_one_index() -> None:
    town = Town()
    replies = [town.ask("log", Append((dkg(town, 1), dkg(town, 2)))) for _ in range(2)]
    assert replies[0] == replies[1]
    assert [result.index for result in replies[0].results] == [1, 2]
    assert head_of(town).size == 3


def test_the_log_takes_nothing_from_the_unentitled_and_no_bad_entry_fails_its_neighbours() -> None:
    town, phone = Town(), Phone(Town(), "alice")
    origin = town.genesis.log.origin
    stranger = Entry.make(EntryType.WARRANT_SEALED, b"seal", phone.account_key, origin)
    relay_posing = town.entry("relay", EntryType.DENIAL, b"denial")
    elsewhere = Entry.make(EntryType.DKG_COMMIT, b"1", town.key("custodian/1"), "another log")
    forged = dkg(town, 3)[:-1] + b"\xff"
    reasons = town.append(dkg(town, 1), stranger, relay_posing, elsewhere, forged, b"noise", dkg(town, 2))
    assert reasons == ("", "ENTRY_REFUSED", "ENTRY_REFUSED", "SIGNATURE_INVALID", "SIGNATURE_INVALID", "MALFORMED", "")
    assert head_of(town).size == 3


def test_an_account_logs_its_own_device_lists_in_their_order() -> None:
    town = Town()
    alice, mallory = Phone(town, "alice"), Phone(town, "mallory")
    first = alice.device_list()
    second = alice.device_list(previous=first)
    origin = town.genesis.log.origin
    by_another = Entry.make(EntryType.DEVICE_LIST, first.encode(), mallory.account_key, origin)
    assert town.append(alice.list_entry(second)) == ("KEY_CHANGED",)
    assert town.append(by_another, alice.list_entry(first), alice.list_entry(second)) == ("ENTRY_REFUSED", "", "")
    size = head_of(town).size
    record = town.ask("log", GetRecord(EntryType.DEVICE_LIST, alice.account, size))
    assert Entry.decode(record.entry).payload == second.encode()
    older = town.ask("log", GetRecord(EntryType.DEVICE_LIST, alice.account, size - 1))
    assert Entry.decode(older.entry).payload == first.encode()


def test_a_committee_key_that_not_all_custodians_certified_is_not_taken() -> None:
    town = Town()
    key = town.committee()
    policy = town.genesis.policy
    other = town.entry("custodian/2", EntryType.COMMITTEE_KEY, key.encode()[:-64] + bytes(64))
    assert town.append(other) == ("COMMITTEE_UNAUTHORISED",)
    subject = policy.hash + policy.period_of(policy.epoch_of(town.now)).to_bytes(8, "big")
    record = town.ask("log", GetRecord(EntryType.COMMITTEE_KEY, subject, head_of(town).size))
    assert Entry.decode(record.entry).payload == key.encode()
    shares = town.ask("log", GetRecord(EntryType.SHARE_GENERATION, key.hash, head_of(town).size))
    assert Entry.decode(shares.entry).type is EntryType.SHARE_GENERATION


@settings(max_examples=30)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.data())
def test_every_head_extends_the_one_before_and_proves_every_entry(batches: list[int], data: st.DataObject) -> None:
    town, logged, before = Town(), [], head_of(Town())
    for number, batch in enumerate(batches):
        entries = [dkg(town, 100 * number + n) for n in range(batch)]
        assert not any(town.append(*entries))
        logged += entries
        reply = town.ask("log", GetHead(before.size, town.now - MINUTE))
        head = verify_head(reply.note, town.genesis.log_key, town.genesis.witness_rule)
        verify_consistency(before.size, before.root, head.size, head.root, reply.proof)
        before = head
    index = data.draw(st.integers(0, len(logged) - 1))
    record = town.ask("log", GetPath(index + 1, before.size))
    assert record.entry == logged[index]
    verify_inclusion(leaf_hash(record.entry), record.index, before.size, record.path, before.root)
    wrong = data.draw(st.integers(0, before.size).filter(lambda place: place != record.index))
    with pytest.raises(EscrowError):
        verify_inclusion(leaf_hash(record.entry), wrong, before.size, record.path, before.root)


def test_an_update_is_cut_into_pages() -> None:
    town = Town()
    town.append(*(dkg(town, n) for n in range(9)))
    update = town.ask("log", GetUpdate(0, town.now - MINUTE, 4))
    assert (update.start, len(update.entries)) == (0, 4)
    rest = town.ask("log", GetUpdate(4, town.now - MINUTE, 100))
    assert (rest.start, len(rest.entries), rest.proof) == (4, 6, ())


def test_an_update_never_outgrows_a_message() -> None:
    town = Town()
    town.append(*(town.entry("custodian/1", EntryType.DKG_COMMIT, b"%d" % n + bytes(59_000)) for n in range(80)))
    update = town.ask("log", GetUpdate(0, town.now - MINUTE, 2000))
    assert 60 < len(update.entries) < 70


def test_a_head_is_cosigned_anew_when_it_is_a_minute_old() -> None:
    town = Town()
    town.tick("log")
    first = head_of(town)
    town.advance(59_000)
    town.tick("log")
    assert head_of(town).time_ms == first.time_ms
    town.advance(2_000)
    town.tick("log")
    assert head_of(town).time_ms == town.now - town.now % 1000


def test_whoever_wants_a_fresher_head_gets_one() -> None:
    town = Town()
    old = head_of(town)
    town.advance(MINUTE)
    reply = town.ask("log", GetHead(0, town.now))
    assert verify_head(reply.note, town.genesis.log_key, town.genesis.witness_rule).time_ms >= old.time_ms + MINUTE


def test_without_a_quorum_there_is_an_error_and_with_it_again_a_head() -> None:
    town = Town()
    town.take_down("witness/1", "witness/2")
    for _ in range(2):
        with pytest.raises(EscrowError) as caught:
            head_of(town)
        assert caught.value.reason is Reason.QUORUM_MISSING
    town.take_down()
    assert head_of(town).size == 1


def test_without_a_quorum_an_older_head_serves_while_it_is_fresh() -> None:
    town = Town()
    before = head_of(town)
    town.take_down("witness/1", "witness/2")
    town.append(dkg(town, 1))
    assert head_of(town).size == before.size
    town.advance(2 * MINUTE)
    with pytest.raises(EscrowError) as caught:
        head_of(town)
    assert caught.value.reason is Reason.QUORUM_MISSING
    town.take_down()
    assert head_of(town).size == before.size + 1


def test_one_witness_down_costs_one_cosignature() -> None:
    town = Town()
    town.take_down("witness/4")
    assert head_of(town).note.count(b"\n\xe2\x80\x94 ") == 4
    town.take_down()
    town.append(dkg(town, 1))
    assert head_of(town).note.count(b"\n\xe2\x80\x94 ") in (4, 5)


def test_a_witness_that_was_away_is_asked_again_from_where_it_stood() -> None:
    town = Town()
    head_of(town)
    town.take_down("witness/4")
    for n in range(3):
        town.append(dkg(town, n))
        head_of(town)
    town.take_down("witness/3")
    town.append(dkg(town, 9))
    assert head_of(town).size == 5


def test_a_log_that_forgot_what_witnesses_recorded_learns_it_from_them() -> None:
    town = Town()
    town.append(dkg(town, 1))
    head_of(town)
    for key in [key for key, _ in town.store("log").scan(b"recorded/")]:
        values, streams = town.store("log").snapshot()
        del values[key]
        town.store("log").restore((values, streams))
    town.append(dkg(town, 2))
    assert head_of(town).size == 3


def test_a_head_is_there_with_the_quorum_and_later_cosignatures_join_it() -> None:
    town = Town()
    assert town.genesis.quorum == 3
    assert head_of(town).note.count(b"\n\xe2\x80\x94 ") == 1 + 4


def test_a_witness_that_answers_nonsense_costs_its_own_cosignature_alone() -> None:
    town = Town()

    def spoil(_origin: Party, to: Party, _call: Call, reply: Reply) -> Reply:
        if to == "witness/1" and isinstance(reply, Cosigned):
            return Cosigned(reply.line[:-8] + b"AAAAAA=\n", reply.size)
        return reply

    town.network.on_reply = spoil
    assert head_of(town).note.count(b"\n\xe2\x80\x94 ") == 1 + 3


def test_a_publication_whose_questions_were_struck_off_does_not_block_the_next() -> None:
    town = Town()
    complete(town.network.nodes[Party("log")].step(Tick()))
    values, streams = town.store("log").snapshot()
    assert outbox(Draft(town.store("log")))
    town.store("log").restore(({key: value for key, value in values.items() if not key.startswith(OUTBOX)}, streams))
    assert head_of(town).size == 1


def test_whoever_asks_while_a_publication_is_under_way_gets_its_outcome() -> None:
    town = Town()
    complete(town.network.nodes[Party("log")].step(Tick()))
    assert head_of(town).size == 1


def test_a_log_that_was_rolled_back_gets_no_cosignature_any_more() -> None:
    town = Town()
    backup = town.store("log").snapshot()
    town.append(dkg(town, 1))
    head_of(town)
    town.store("log").restore(backup)
    with pytest.raises(EscrowError) as caught:
        head_of(town)
    assert caught.value.reason is Reason.QUORUM_MISSING


def test_a_key_counts_only_behind_the_shares_that_its_holders_acknowledge() -> None:
    town = Town()
    key, generation = committee_documents(town.genesis, town.founding, 3)
    half = replace(generation, acknowledgements=(*generation.acknowledgements[:-1], bytes(64)))
    proposed, alone, unacknowledged, shares = (
        town.entry("custodian/1", kind, payload.encode())
        for kind, payload in (
            (EntryType.COMMITTEE_PROPOSAL, proposal_for(town.genesis, 3)),
            (EntryType.COMMITTEE_KEY, key),
            (EntryType.SHARE_GENERATION, half),
            (EntryType.SHARE_GENERATION, generation),
        )
    )
    refused = "COMMITTEE_UNAUTHORISED"
    assert town.append(proposed, alone, unacknowledged, alone, shares, alone) == ("", refused, refused, refused, "", "")


def test_what_is_not_there_is_not_found() -> None:
    town = Town()
    head_of(town)
    for call in (
        GetHead(9, 0),
        GetUpdate(9, 0, 1),
        GetPath(0, 9),
        GetRecord(EntryType.DEVICE_LIST, bytes(32), 1),
        GetRecord(EntryType.DEVICE_LIST, bytes(32), 9),
        GetRecord(999, b"", 1),
        GetRecord(EntryType.DENIAL, b"", 1),
    ):
        with pytest.raises(EscrowError) as caught:
            town.ask("log", call)
        assert caught.value.reason is Reason.NOT_FOUND
    with pytest.raises(EscrowError) as caught:
        town.ask("log", GetPath(3, 1))
    assert caught.value.reason is Reason.NOT_LOGGED


def test_the_log_answers_nothing_else_and_no_flood() -> None:
    town = Town()
    with pytest.raises(EscrowError) as caught:
        town.ask("log", Lookup("alice"))
    assert caught.value.reason is Reason.PERMISSION_DENIED
    with pytest.raises(EscrowError) as caught:
        town.ask("log", Append((dkg(town, 1),) * 257))
    assert caught.value.reason is Reason.TOO_LARGE
    assert TREE.size(town.store("log")) == 0


def test_a_lost_answer_to_an_append_is_harmless() -> None:
    town = Town()
    town.append(dkg(town, 1))
    before = hashlib.sha256(repr(town.store("log").snapshot()).encode()).digest()
    town.append(dkg(town, 1))
    assert hashlib.sha256(repr(town.store("log").snapshot()).encode()).digest() == before


# -- when an entry was logged -----------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1_000, 10 * MINUTE), st.booleans()), min_size=1, max_size=8))
def test_an_entry_is_dated_by_the_checkpoints_around_it(steps: list[tuple[int, int, bool]]) -> None:
    town, logged = Town(), list[tuple[int, int]]()
    head_of(town)
    for count, pause, publish in steps:
        for _ in range(count):
            (result,) = town.ask("log", Append((dkg(town, len(logged)),))).results
            logged.append((result.index, town.now))
        town.advance(pause)
        if publish:
            town.tick("log")
    size = head_of(town).size
    for index, time in logged:
        dating = town.ask("log", GetDating(index))
        before, first = (
            verify_head(note, town.genesis.log_key, town.genesis.witness_rule) for note in (dating.before, dating.first)
        )
        assert before.size <= index < first.size
        assert before.time_ms <= time + 1_000, "witnesses state whole seconds"
        assert first.time_ms >= time - 1_000
    assert town.ask("log", GetDating(0)).before == b"", "there was none without the first leaf"
    with pytest.raises(EscrowError, match="NOT_FOUND"):
        town.ask("log", GetDating(size))
