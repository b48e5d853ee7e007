"""Un-escrowed groups: a device tells its key, speaks once for all, and nobody else passes for it."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from functools import cache

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.crypto import aead
from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey
from escrow.e2ee.content import Text, encode_content
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.plain import Plain
from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.sender_keys import HEADER, OVERHEAD, Place, begin, open_
from escrow.e2ee.sender_keys import seal as seal_spoken
from escrow.e2ee.session import open_ as open_in_session
from escrow.e2ee.session import seal
from escrow.e2ee.symmetric import MAX_SKIP, advance
from escrow.encoding import number as number_of
from escrow.errors import EscrowError, RefusedError
from escrow.ids import AccountId, DeviceNo, Party
from escrow.roles.calls import Call, PlainDelivery, PlainSend, Submission, Submit
from escrow.roles.device import voices
from escrow.roles.device.commands import Confirm, GetSafety
from escrow.roles.device.conversations import Held, held_group
from escrow.roles.device.incoming import MOST_UNHEARD
from escrow.roles.device.state import PLAIN, load_prekey, load_session
from escrow.roles.device.voices import KEPT, MAX_SKIPPED, MOST_MESSAGES, Heard, Voice, is_spoken
from escrow.roles.state import unpack
from escrow.rpc.codec import encode_call
from escrow.secret import Secret
from escrow.tags import Tag
from escrow.wire.v1 import relay_pb2
from escrow.world.founding import DAY, HOUR
from tests.core.roles.losses import lose_session, write
from tests.core.roles.phones import PEOPLE, Phones, flipped

OWN_BUSINESS = (b"me", b"alarm/", b"settled", b"outbox")
OF_ESCROW = (Tag.LABEL, Tag.CAP, Tag.HEADER, Tag.BODY, Tag.ENVELOPE, Tag.SUBMIT)
TEAM = "#team"


@cache
def picnic() -> Phones:
    """Alice has begun an un-escrowed team with bob and carol, in which everybody has spoken."""
    at = Phones()
    at.world.register("dora")
    at.begin("alice", TEAM, "bob", "carol", mode=PLAIN)
    at.sync()
    for name in PEOPLE:
        at.send(name, TEAM, f"{name} is here", PLAIN)
    at.sync()
    at.morning = at.save()
    return at


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = picnic()
    at.reset()
    yield at
    at.reset()


def team(at: Phones, name: str) -> Held:
    held = held_group(at.draft(name), TEAM)
    assert held is not None
    return held


def sent(at: Phones) -> list[PlainSend]:
    """Everything un-escrowed that is submitted from now on."""
    found: list[PlainSend] = []

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit) and call.items[0].plain is not None:
            found.append(call.items[0].plain)
        return call

    at.world.network.on_call = on_call
    return found


def kinds(items: list[PlainSend]) -> str:
    """Which were in sessions (s), and which for all (a)."""
    return "".join("a" if all(is_spoken(each.envelope) for each in item.envelopes) else "s" for item in items)


def heard(at: Phones, listener: str, speaker: str) -> dict[bytes, Heard]:
    prefix = b"voice/heard/" + at.me(speaker).keys.account
    return {key: unpack(data, Heard) for key, data in at.store(listener).scan(prefix)}


def newest(at: Phones, listener: str, speaker: str) -> Heard:
    return max(heard(at, listener, speaker).values(), key=lambda one: (one.version, one.since))


def own(at: Phones, name: str) -> Voice:
    data = at.store(name).get(b"voice/own/" + team(at, name).conversation.id)
    assert data is not None
    return unpack(data, Voice)


def quiet(at: Phones, *names: str) -> None:
    for name in names or PEOPLE:
        status = at.status(name)
        assert (status.alarms, status.deferred, status.refused, status.queued, status.unanswered) == ((), (), (), 0, 0)


# -- speaking ---------------------------------------------------------------------------------------


@pytest.mark.spec("GRP-1")
def test_a_key_is_told_in_sessions_and_then_one_envelope_is_for_all(at: Phones) -> None:
    at.world.advance(DAY)
    items = sent(at)
    for number in range(3):
        at.send("bob", TEAM, f"{number}", PLAIN)
    assert kinds(items) == "saa"
    assert [len(item.envelopes) for item in items] == [2, 2, 2]
    assert [len({each.envelope for each in item.envelopes}) for item in items] == [2, 1, 1]
    at.sync()
    assert at.texts("alice")[-3:] == at.texts("carol")[-3:] == ["0", "1", "2"]
    quiet(at)


@pytest.mark.spec("GRP-1")
def test_until_the_relay_has_taken_a_key_every_message_tells_it(at: Phones) -> None:
    at.world.advance(DAY)
    at.world.network.down.add(Party("relay"))
    items = sent(at)
    for number in range(3):
        at.send("bob", TEAM, f"{number}", PLAIN)
    at.world.network.down.clear()
    at.sync("bob")
    at.send("bob", TEAM, "3", PLAIN)
    assert set(kinds(items[:-1])) == {"s"}
    assert kinds(items[-1:]) == "a"
    at.sync()
    assert sorted(at.texts("alice")[-4:]) == sorted(at.texts("carol")[-4:]) == ["0", "1", "2", "3"]
    quiet(at)


@pytest.mark.spec("GRP-1")
@pytest.mark.parametrize("reason", ["RECIPIENTS_MISMATCH", "TOO_LARGE"])
def test_nothing_is_said_under_a_key_that_was_in_a_refused_submission(at: Phones, reason: str) -> None:
    at.world.advance(DAY)
    items = sent(at)
    at.refuse_next(reason)
    at.send("bob", TEAM, "refused", PLAIN)
    at.send("bob", TEAM, "next", PLAIN)
    at.send("bob", TEAM, "after that", PLAIN)
    again = reason == "RECIPIENTS_MISMATCH"
    assert kinds(items) == ("saa" if again else "sa")
    at.sync()
    assert at.texts("alice")[-3 if again else -2 :] == ["refused"] * again + ["next", "after that"]
    assert at.status("alice").deferred == at.status("carol").deferred == ()


@pytest.mark.spec("GRP-2")
def test_each_day_each_change_and_each_other_set_of_devices_takes_another_key(at: Phones) -> None:
    seen = [own(at, "alice").key.chain_id]

    def told(kind: str) -> None:
        items = sent(at)
        at.send("alice", TEAM, "hello", PLAIN)
        seen.append(own(at, "alice").key.chain_id)
        assert kinds(items) == kind

    told("a")
    assert seen[0] == seen[1]
    at.world.advance(DAY)
    told("s")
    at.change("alice", TEAM, add=("dora",))  # the message that says so tells the key
    told("a")
    at.world.advance(HOUR)
    at.relist("carol", at.me("carol").keys, at.new_keys("carol", 2))
    at.send("alice", TEAM, "to whom?", PLAIN)
    assert at.status("alice").waiting == ("KEY_CHANGED",)
    shown = at.world.run(at.device("alice"), GetSafety("carol"))
    at.world.run(at.device("alice"), Confirm("carol", shown.list_hash))
    seen.append(own(at, "alice").key.chain_id)
    assert len({*seen}) == 4


@pytest.mark.spec("GRP-2")
def test_a_key_serves_so_often_so_long_and_for_nobody_else() -> None:
    alice = Place(bytes(32), 0, AccountId(bytes(32)), DeviceNo(1))
    voice = Voice(begin(alice, Secret(bytes(32)), bytes(32)), 3, b"they", 1000)
    assert voice.serves(3, b"they", 1000 + DAY - 1)
    assert not voice.serves(3, b"they", 1000 + DAY)
    assert not voice.serves(4, b"they", 1000)
    assert not voice.serves(3, b"others", 1000)
    for used, serves in ((MOST_MESSAGES - 1, True), (MOST_MESSAGES, False)):
        assert replace(voice, key=replace(voice.key, iteration=used)).serves(3, b"they", 1000) is serves


def test_two_and_a_single_device_use_sessions(at: Phones) -> None:
    at.begin("alice", "#two", "bob", mode=PLAIN)
    items = sent(at)
    for to in ("#two", "#two", "bob", "bob"):
        at.send("alice", to, "hello", PLAIN)
    assert kinds(items) == "ssss"
    assert not [key for key in at.state("alice") if key.startswith(b"voice/told/")]


# -- hearing ----------------------------------------------------------------------------------------


@pytest.mark.spec("GRP-4")
def test_what_comes_before_its_key_waits_for_it(at: Phones) -> None:
    """MSG-15."""
    at.world.advance(DAY)
    for text in "abc":
        at.send("bob", TEAM, text, PLAIN)
    first, second, third = (one.plain for one in at.waiting("carol") if one.plain is not None)
    before = at.texts("carol")
    at.deliver("carol", third, second)
    assert at.status("carol").deferred == ("CHAIN_UNKNOWN", "CHAIN_UNKNOWN")
    at.deliver("carol", first)
    assert at.texts("carol") == [*before, "a", "c", "b"]
    at.deliver("carol", third, first, second)
    assert at.texts("carol") == [*before, "a", "c", "b"]
    quiet(at, "carol")


@pytest.mark.spec("GRP-4")
def test_whoever_lost_the_key_asks_and_the_next_message_tells_another(at: Phones) -> None:
    for name in heard(at, "carol", "bob"):
        write(at, "carol", name, None)
    items = sent(at)
    at.send("bob", TEAM, "lost", PLAIN)
    at.sync("carol", "bob", "carol")
    assert at.texts("carol")[-1] == "lost"
    at.send("bob", TEAM, "heard", PLAIN)
    at.send("bob", TEAM, "by all", PLAIN)
    assert kinds(items) == "asssa", "said, asked, said again, told anew"
    at.sync()
    assert at.texts("carol")[-3:] == ["lost", "heard", "by all"]
    assert at.texts("alice")[-3:] == ["lost", "heard", "by all"]
    quiet(at)


def test_a_lost_session_that_would_have_brought_the_key_is_asked_for_both(at: Phones) -> None:
    at.world.advance(DAY)
    lose_session(at, "carol", "bob", PLAIN)
    for text in "abc":
        at.send("bob", TEAM, text, PLAIN)
    at.sync("carol", "bob", "carol", "bob", "carol")
    assert sorted(at.texts("carol")[-3:]) == ["a", "b", "c"]
    quiet(at)


def test_a_key_that_is_told_twice_is_heard_on(at: Phones) -> None:
    conversation, told = team(at, "carol").conversation, own(at, "bob").key.distribution
    draft, bob = at.draft("carol"), at.me("bob").keys.identity
    before = dict(draft.scan(b"voice/"))
    voices.take_voice(draft, bob, conversation, told, at.world.now)
    assert dict(draft.scan(b"voice/")) == before
    other = begin(Place(bytes(32), 0, bob.account, bob.device), Secret(bytes(32)), bytes(32)).distribution
    with pytest.raises(RefusedError, match="CHAIN_MISMATCH"):
        voices.take_voice(draft, bob, conversation, replace(told, public=other.public), at.world.now)
    assert dict(draft.scan(b"voice/")) == before


# -- others who try ---------------------------------------------------------------------------------


def forged(at: Phones, text: str, signing: SigningKey, ahead: int = 0) -> bytes:
    """What carol makes of bob's chain, which she can read, with another signing key."""
    known = newest(at, "carol", "bob")
    key, following = b"", known.key.chain.expose()
    for _ in range(ahead + 1):
        following, key = advance(following)
    said = Plain(known.conversation, known.version, bytes(16), encode_content(Text(text))).encode()
    bound = known.key.ad + HEADER.pack(known.key.chain_id, known.key.iteration + ahead, bytes(12))
    signed = bound + aead.seal(key, bytes(12), said, bound)
    return voices.SPOKEN + signed[len(known.key.ad) :] + signing.sign(signed)


@given(st.integers(0, 3), st.sampled_from(["own", "device", "chain"]))
def test_a_member_who_reads_along_cannot_speak_for_another(ahead: int, key: str) -> None:
    """MSG-11, MSG-03: nothing of the key is used up by it, and what bob says at the same place is heard."""
    at = picnic()
    at.reset()
    signing = {
        "own": at.me("carol").keys.signing_key,
        "device": SigningKey.from_seed(bytes(32)),
        "chain": SigningKey.from_pair(own(at, "carol").key.signing),
    }
    bob, false = at.me("bob").keys.account, forged(at, "false", signing[key], ahead)
    before, texts = at.state("alice", *OWN_BUSINESS), at.texts("alice")
    at.send("bob", TEAM, "true", PLAIN)
    (true,) = (one.plain for one in at.waiting("alice") if one.plain is not None)
    at.deliver("alice", PlainDelivery(bob, 1, false))
    assert at.alarms("alice") == [("SIGNATURE_INVALID", ())]
    assert at.state("alice", *OWN_BUSINESS) == before
    at.deliver("alice", true)
    assert at.texts("alice") == [*texts, "true"]


def test_the_relay_cannot_pass_one_members_message_for_anothers(at: Phones) -> None:
    at.send("bob", TEAM, "from bob", PLAIN)
    (item,) = (one.plain for one in at.waiting("alice") if one.plain is not None)
    texts = at.texts("alice")
    at.deliver("alice", PlainDelivery(at.me("carol").keys.account, 1, item.envelope))
    assert (at.texts("alice"), at.status("alice").deferred) == (texts, ("CHAIN_UNKNOWN",))
    at.deliver("alice", PlainDelivery(item.sender_account, 1, flipped(item.envelope)), item)
    assert at.alarms("alice") == [("SIGNATURE_INVALID", ())]
    assert at.texts("alice") == [*texts, "from bob"]


INCONSISTENT = {
    "another version": lambda said: replace(said, version=said.version + 1),
    "another group": lambda said: replace(said, conversation=bytes(32)),
    "a roster": lambda said: replace(said, roster=b"roster"),
    "a key": lambda said: replace(said, voice=b"voice"),
}


@pytest.mark.spec("GRP-3")
@pytest.mark.parametrize("case", INCONSISTENT)
def test_a_sender_key_is_for_one_version_of_one_group_and_tells_nothing_else(at: Phones, case: str) -> None:
    voice, draft, held = own(at, "bob"), at.draft("bob"), team(at, "bob")
    said = Plain(held.conversation.id, 0, bytes(16), encode_content(Text("moved")))
    lie = INCONSISTENT[case](said).encode()
    envelope = voices.speak(draft, held.conversation.id, voice, lie, Coins(bytes(32)))
    before = at.state("alice", *OWN_BUSINESS)
    at.deliver("alice", PlainDelivery(at.me("bob").keys.account, 1, envelope))
    assert at.alarms("alice") == [("SENDER_INCONSISTENT", ())]
    assert at.state("alice", *OWN_BUSINESS) == before


def test_a_sender_key_has_no_place_among_two(at: Phones) -> None:
    at.begin("alice", "#two", "bob", mode=PLAIN)
    at.sync("bob")
    held = held_group(at.draft("alice"), "#two")
    assert held is not None
    told = own(at, "alice").key.distribution.encode()
    said = Plain(held.conversation.id, 0, bytes(16), encode_content(Text("psst")), voice=told)
    _, envelope = seal(at.session("alice", "bob", PLAIN), said.encode(), b"", at.coins(), at.world.now)
    at.deliver("bob", PlainDelivery(at.me("alice").keys.account, 1, envelope))
    assert at.alarms("bob") == [("CONTENT_INVALID", ())]


@pytest.mark.spec("RCV-16")
def test_who_was_removed_is_heard_under_an_old_key_until_the_grace_is_over(at: Phones) -> None:
    at.change("alice", TEAM, remove=("carol",))
    at.sync("bob")
    at.send("carol", TEAM, "I did not know", PLAIN)
    at.sync("bob")
    assert at.texts("bob")[-1] == "I did not know"
    at.world.advance(11 * 60_000)
    at.send("carol", TEAM, "and still do not", PLAIN)
    at.sync("bob")
    assert at.alarms("bob") == [("ROSTER_STALE", ())]
    assert at.texts("bob")[-1] == "I did not know"


# -- who knows what ---------------------------------------------------------------------------------


def opened(at: Phones, name: str, envelope: bytes) -> bytes | None:
    """What anything that a device has makes of an envelope, wherever it is put: its sender keys and its sessions."""
    for sender in {*PEOPLE, "dora"} - {name}:
        for one in heard(at, name, sender).values():
            with suppress(EscrowError):
                return open_(one.key, envelope[1:], at.world.now)[1]
        session = load_session(at.store(name), at.me(sender).keys.account, 1, PLAIN)
        if not is_spoken(envelope):
            with suppress(EscrowError):
                return open_in_session(session, envelope, b"", responder(at, name), at.world.now)[1]
    return None


def responder(at: Phones, name: str) -> Callable[[bytes], tuple[SessionSecret, Used]]:
    """A device's prekeys, which answer whoever begins a session with it."""
    store = at.store(name)
    return lambda initial: respond(at.me(name).keys, lambda purpose, at_: load_prekey(store, purpose, at_), initial)


def test_who_has_left_opens_nothing_later_and_who_comes_nothing_earlier(at: Phones) -> None:
    """MSG-10, with all that they hold, before and after, put to everything that is sent."""
    items = sent(at)
    at.send("bob", TEAM, "before", PLAIN)
    at.sync()
    earlier = [each.envelope for item in items for each in item.envelopes]
    items.clear()
    at.change("alice", TEAM, add=("dora",), remove=("carol",))
    at.sync("bob", "dora")
    for name in ("alice", "bob", "dora"):
        at.send(name, TEAM, f"{name} says more", PLAIN)
        at.send(name, TEAM, f"{name} speaks", PLAIN)
    later = [each.envelope for item in items for each in item.envelopes]
    assert "a" in kinds(items)
    assert not any(opened(at, "carol", envelope) for envelope in later)
    at.sync("alice", "bob", "dora")
    assert not any(opened(at, "dora", envelope) for envelope in earlier)
    assert at.texts("dora") == [f"{name} {does}" for name in ("alice", "bob") for does in ("says more", "speaks")]


def test_the_trial_would_notice_a_key_that_opens(at: Phones) -> None:
    items = sent(at)
    at.world.advance(DAY)
    at.send("bob", TEAM, "in sessions", PLAIN)
    (in_session,) = (one.envelope for one in items[0].envelopes if one.account == at.me("carol").keys.account)
    assert opened(at, "carol", in_session)
    assert not opened(at, "dora", in_session)
    at.sync()
    at.send("bob", TEAM, "for all", PLAIN)
    assert opened(at, "carol", items[1].envelopes[0].envelope)
    assert not opened(at, "dora", items[1].envelopes[0].envelope)


@given(st.text(max_size=40).filter(str.isprintable), st.booleans())
def test_an_unescrowed_group_sends_no_field_and_no_tag_of_escrow_nor_says_one(text: str, change: bool) -> None:
    """ESC-14: neither in what the relay sees nor in what the members open."""
    at = picnic()
    at.reset()
    genesis, items = at.world.genesis, sent(at)
    if change:
        at.change("alice", TEAM, add=("dora",))
        at.sync()
    for _ in range(2):
        at.send("bob", TEAM, text, PLAIN)
    tags = [b"escrow/v1/" + tag.value.encode() for tag in OF_ESCROW]
    for item in items:
        wire = encode_call(Submit((Submission(bytes(16), None, item),)))
        message = relay_pb2.SubmitRequest.FromString(wire).items[0]
        assert [field.name for field, _ in message.ListFields()] == ["idempotency_key", "plain"]
        assert [field.name for field, _ in message.plain.ListFields()] == ["envelopes"]
        said = [opened(at, "carol", one.envelope) for one in item.envelopes]
        plaintexts = [one for one in said if one is not None]
        assert plaintexts or change, "carol reads what bob says"
        for data in (wire, *plaintexts):
            assert not [part for part in (*tags, genesis.policy.hash, genesis.policy.lineage_hash) if part in data]
    event(kinds(items))


# -- bounds -----------------------------------------------------------------------------------------


@pytest.mark.spec("GRP-5")
def test_of_a_device_in_a_group_the_newest_keys_are_kept(at: Phones) -> None:
    for _ in range(KEPT + 2):
        at.world.advance(DAY)
        at.send("bob", TEAM, "another day", PLAIN)
        at.sync("carol")
    assert len(heard(at, "carol", "bob")) == KEPT
    assert own(at, "bob").key.chain_id in {one.key.chain_id for one in heard(at, "carol", "bob").values()}
    at.send("bob", TEAM, "heard", PLAIN)
    at.sync("carol")
    assert at.texts("carol")[-1] == "heard"


@pytest.mark.spec("GRP-6")
def test_of_what_waits_for_keys_that_nobody_told_the_newest_are_kept(at: Phones) -> None:
    """What the relay makes up, under the name of a member, and behind it what that member says."""
    at.world.advance(DAY)
    for text in "ab":
        at.send("bob", TEAM, text, PLAIN)
    first, second = (one.plain for one in at.waiting("carol") if one.plain is not None)
    bob, too_many = at.me("bob").keys.account, 3
    junk = [
        voices.SPOKEN + number.to_bytes(16, "big") + bytes(OVERHEAD) for number in range(MOST_UNHEARD + too_many - 1)
    ]
    before = at.texts("carol")
    at.deliver("carol", *(PlainDelivery(bob, 1, one) for one in junk), second)
    assert at.status("carol").deferred == ("CHAIN_UNKNOWN",) * MOST_UNHEARD
    assert at.alarms("carol") == [("CHAIN_UNKNOWN", ())] * too_many
    assert len([key for key in at.state("carol") if key.startswith(b"again/")]) == MOST_UNHEARD
    at.deliver("carol", first)
    assert at.texts("carol") == [*before, "a", "b"]
    assert len(at.status("carol").deferred) == MOST_UNHEARD - 1


@pytest.mark.spec("GRP-5")
@settings(max_examples=10)
@given(st.lists(st.integers(1, MAX_SKIP + 1), min_size=1, max_size=8))
def test_whatever_members_skip_only_so_many_keys_are_kept(skips: list[int]) -> None:
    """MSG-07: each of the skips is by a device of its own, a liar that has just told its key."""
    at = picnic()
    at.reset()
    draft, conversation = at.draft("carol"), team(at, "carol").conversation
    refused = 0
    for number, skip in enumerate(skips):
        liar = IdentityKeys.make(conversation.admin, DeviceNo(100 + number), at.coins()).identity
        place = Place(conversation.id, conversation.version, liar.account, liar.device)
        key = begin(place, Secret(at.coins()), at.coins())
        voices.take_voice(draft, liar, conversation, key.distribution, number)
        for _ in range(skip):
            key = replace(key, iteration=key.iteration + 1, chain=Secret(advance(key.chain.expose())[0]))
        said = voices.SPOKEN + seal_spoken(key, b"ahead", at.coins())[1]
        far = skip > MAX_SKIP
        with pytest.raises(RefusedError, match="SKIP_LIMIT") if far else nullcontext():
            voices.hear(draft, liar, said, number)
        refused += far
    kept = [unpack(data, Heard).key.skipped for _, data in draft.scan(b"voice/heard/")]
    wanted = sum(skip for skip in skips if skip <= MAX_SKIP)
    assert sum(map(len, kept)) == min(wanted, MAX_SKIPPED) == number_of(draft.get(b"voice/skipped") or b"")
    event(f"refused {min(refused, 1)}, beyond the limit {wanted > MAX_SKIPPED}")
