"""Messages between people, whatever the network does: each arrives once and as it was said, or nothing is shown."""

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.chain import message_key
from escrow.capsule.envelope import EnvelopeContent
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import label_hash
from escrow.capsule.receipt import Receipt, sign_frame
from escrow.capsule.submission import SignedContent
from escrow.e2ee.content import Text, encode_content
from escrow.errors import EscrowError, Reason, UnavailableError
from escrow.ids import Party
from escrow.roles.calls import Call, EscrowDelivery, Fetch, Fetched, Reply, Submission, Submit
from escrow.roles.device.commands import GetInbox, Send, Sync
from escrow.roles.device.receiving import Receiver
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.roles.lightview import LightView
from escrow.roles.machine import Writes, outbox
from escrow.rpc.codec import decode_call, decode_reply, encode_call, encode_reply
from escrow.rpc.methods import METHODS
from escrow.secret import Secret
from escrow.store.memory import MemoryStore
from escrow.world.founding import DAY, HOUR, Terms
from tests.core.roles.phones import PEOPLE, Phones, friends, phones

SOME = settings(max_examples=12)

# A crash leaves the lanes beside it undelivered; in the World they are coroutines that were never begun.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


@pytest.fixture(name="strangers")
def _strangers() -> Iterator[Phones]:
    at = phones()
    at.reset()
    yield at
    at.reset()


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    yield at
    at.reset()


def said(at: Phones, name: str) -> Counter[tuple[str, int, str]]:
    """What a person was shown: (from whom, mode, text)."""
    inbox = at.world.run(at.device(name), GetInbox(0))
    return Counter((one.sender_name, one.mode, one.text) for one in inbox.messages)


# -- MSG-01 -------------------------------------------------------------------------------------


class Weather:
    """A network that loses questions and answers, and a relay that shows every item twice and in any order."""

    def __init__(self, at: Phones, random: Random, loss: float) -> None:
        self.random, self.loss = random, loss
        at.world.network.on_call, at.world.network.on_reply = self.on_call, self.on_reply

    def on_call(self, origin: Party, _to: Party, call: Call) -> Call:
        self._maybe_lose(origin)
        return msgspec.structs.replace(call, start=call.start // 2) if isinstance(call, Fetch) else call

    def on_reply(self, origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
        self._maybe_lose(origin)
        if not isinstance(reply, Fetched) or not reply.items:
            return reply
        twice = [item for item in reply.items for _ in range(2)]
        numbers = range(2 * twice[0].number, 2 * twice[0].number + len(twice))
        self.random.shuffle(twice)
        return Fetched(tuple(msgspec.structs.replace(item, number=n) for n, item in zip(numbers, twice, strict=True)))

    def _maybe_lose(self, origin: Party) -> None:
        if origin.startswith("device/") and self.random.random() < self.loss:
            raise UnavailableError(Reason.UNAVAILABLE, "the network")


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.permutations(PEOPLE).map(lambda order: tuple(order[:2])), st.sampled_from((PLAIN, ESCROW))),
        st.sampled_from(PEOPLE),
    ),
    min_size=4,
    max_size=16,
)


@SOME
@given(actions=ACTIONS, seed=st.integers(0, 1 << 32), loss=st.sampled_from((0.0, 0.1, 0.4)))
def test_every_message_arrives_once_whatever_the_network_does(actions: list[Any], seed: int, loss: float) -> None:
    at = phones()
    at.reset()
    weather = Weather(at, Random(seed), loss)
    expected: dict[str, Counter[tuple[str, int, str]]] = {name: Counter() for name in PEOPLE}
    for place, action in enumerate(actions):
        if isinstance(action, str):
            at.sync(action)
        else:
            (sender, to), mode = action
            at.send(sender, to, f"{place}", mode)
            expected[to][sender, mode, f"{place}"] += 1
    weather.loss = 0
    for _ in range(4):
        at.sync()
    for name in PEOPLE:
        assert said(at, name) == expected[name]
        status = at.status(name)
        assert (status.alarms, status.deferred, status.queued, status.unanswered) == ((), (), 0, 0)


# -- crashes: ESC-26 ----------------------------------------------------------------------------


class CrashError(Exception):
    """The power is gone."""


class Dying(MemoryStore):
    """A disk that dies at its ``when``-th commit from now, before or after that is durable."""

    def __init__(self, of: MemoryStore) -> None:
        super().__init__()
        self.restore(of.snapshot())
        self.when, self.after = -1, False

    async def commit(self, step: Callable[..., Any]) -> Any:
        self.when -= 1
        if self.when == 0 and not self.after:
            raise CrashError
        result = await super().commit(step)
        if self.when == 0:
            raise CrashError
        return result


def _story(at: Phones) -> list[Submission]:
    """Alice writes to bob in both modes, bob answers; whoever dies starts again and does what was not done."""
    sent: list[Submission] = []

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit):
            sent.extend(call.items)
        return call

    at.world.network.on_call = on_call

    def surely(name: str, call: Call) -> None:
        known = at.me(name).texts
        try:
            at.world.run(at.device(name), call)
        except CrashError:
            if isinstance(call, Sync) or at.me(name).texts == known:
                surely(name, call)
            else:
                surely(name, Sync())

    for mode in (PLAIN, ESCROW):
        surely("alice", Send("bob", mode, f"from alice {mode}"))
        surely("bob", Sync())
        surely("bob", Send("alice", mode, f"from bob {mode}"))
        surely("alice", Sync())
    surely("alice", Sync())
    surely("bob", Sync())
    return sent


def _commits(victim: str) -> int:
    at = phones()
    at.reset()
    before = at.store(victim).commits
    _story(at)
    return at.store(victim).commits - before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("victim", ["alice", "bob"])
def test_a_crash_at_any_commit_loses_nothing_and_repeats_nothing(victim: str, after: bool) -> None:
    at = phones()
    for when in range(1, _commits(victim) + 1):
        at.reset()
        honest = at.device(victim).store
        dying = Dying(at.store(victim))
        dying.when, dying.after = when, after
        at.device(victim).store = dying
        try:
            sent = _story(at)
            assert dying.when <= 0
            assert at.texts("bob") == ["from alice 0", "from alice 1"]
            assert at.texts("alice") == ["from bob 0", "from bob 1"]
            for name in ("alice", "bob"):
                status = at.status(name)
                assert (status.alarms, status.deferred, status.unanswered, status.queued) == ((), (), 0, 0)
            again: dict[bytes, Submission] = {}
            assert all(again.setdefault(one.idempotency_key, one) == one for one in sent), "the same bytes"
            assert len(again) == 4, "one submission a message"
            assert outbox(at.draft(victim)) == []
        finally:
            at.device(victim).store = honest
    at.reset()


# -- erasure: ESC-17 ----------------------------------------------------------------------------


class Watched(MemoryStore):
    """A disk that forgets nothing that was ever written to it."""

    def __init__(self, of: MemoryStore) -> None:
        super().__init__()
        self.restore(of.snapshot())
        self.written: list[tuple[bytes, bytes]] = []

    def _apply(self, writes: Writes) -> None:
        self.written += [(key, value) for key, value in writes.puts.items() if value is not None]
        super()._apply(writes)


def test_no_seed_and_no_message_key_is_ever_written_to_a_disk(at: Phones) -> None:
    honest = {name: at.device(name).store for name in ("alice", "bob")}
    disks = {name: Watched(at.store(name)) for name in honest}
    try:
        for name, disk in disks.items():
            at.device(name).store = disk
        at.send("alice", "bob", "burn after reading")
        (item,) = at.waiting("bob")
        assert item.escrow is not None
        receiver, draft = Receiver(at.world.genesis, LightView(at.world.genesis)), at.draft("bob")
        checked = receiver.check_public(draft, item.escrow, 0, at.world.now)
        opened = receiver.unseal(draft, checked.sender, ESCROW, item.escrow.envelope, at.world.now)
        seed = EnvelopeContent.decode(opened).seed
        assert seed is not None
        at.sync("bob")
        assert at.texts("bob")[-1] == "burn after reading"
        secrets = (seed.expose(), message_key(seed, checked.signed.label_hash, 0).expose())
        for disk in disks.values():
            assert disk.written
            assert not [key for key, value in disk.written for secret in secrets if secret in value]
    finally:
        for name, store in honest.items():
            at.device(name).store = store


# -- forgery: MSG-02, MSG-13 --------------------------------------------------------------------


def _forge(at: Phones, item: EscrowDelivery, seed: Secret) -> EscrowDelivery:
    """What relay and agency can make together of a chain whose key they hold."""
    named, capped = label_hash(item.label), cap_hash(1, item.capsule)
    header = Header(named, capped, 0, bytes(16), ContentClass.CONTENT)
    body = seal_body(message_key(seed, named, 0), header, encode_content(Text("I confess")))
    signed = SignedContent(named, capped, 0, body_id(body), item.env_root)
    receipt = msgspec.structs.replace(Receipt.decode(item.receipt), submit_hash=signed.hash).encode()
    due = at.world.now + at.world.genesis.mmd_ms
    frame, signature, (path,) = sign_frame([receipt], at.relay_key, due)
    return msgspec.structs.replace(item, body=body, receipt=receipt, path=path, frame=frame, relay_sig=signature)


def test_relay_and_agency_with_the_chain_key_cannot_write_in_alices_name(at: Phones) -> None:
    at.send("alice", "bob", "I deny")
    (item,) = at.waiting("bob")
    assert item.escrow is not None
    receiver, draft = Receiver(at.world.genesis, LightView(at.world.genesis)), at.draft("bob")
    checked = receiver.check_public(draft, item.escrow, 0, at.world.now)
    opened = receiver.unseal(draft, checked.sender, ESCROW, item.escrow.envelope, at.world.now)
    seed = EnvelopeContent.decode(opened).seed
    assert seed is not None
    at.deliver("bob", _forge(at, item.escrow, seed))
    at.sync("bob")
    assert at.alarms("bob") == [("SIGNATURE_INVALID", ("relay",))]
    at.deliver("bob", item.escrow)
    assert at.texts("bob")[-1] == "I deny", "the honest one has lost nothing"


# -- long absence and late knowledge: MSG-14, MSG-15 --------------------------------------------


def test_a_message_is_shown_although_its_committee_has_retired() -> None:
    at = Phones(Terms(custodians=1, threshold=1, epochs_per_period=1, retention=HOUR))
    at.send("alice", "bob", "read me later")
    at.world.advance(3 * DAY)
    at.sync("bob")
    assert at.texts("bob") == ["read me later"]
    assert at.alarms("bob") == []


def test_what_is_not_known_yet_delays_a_message_and_loses_nothing(strangers: Phones) -> None:
    at = strangers
    for mode in (PLAIN, ESCROW):
        at.send("alice", "bob", f"{mode}", mode)
    at.world.network.down.add(Party("log"))
    at.sync("bob")
    assert set(at.status("bob").deferred) == {"DEVICE_UNKNOWN"}
    assert at.alarms("bob") == []
    at.world.network.down.clear()
    at.sync("bob")
    assert sorted(at.texts("bob")) == ["0", "1"]
    assert at.status("bob").deferred == ()


def test_a_phone_that_was_lost_and_struck_off_leaves_its_mail_and_sends_no_more(at: Phones) -> None:
    """Its owner has a new one; the honest relay refuses the old one, and where it does not, its receivers do."""
    at.send("alice", "bob", "sent before it was lost")
    at.world.advance(HOUR)
    at.relist("alice", at.new_keys("alice", 2))
    at.world.advance(HOUR)
    at.send("alice", "bob", "a thief, through the honest relay")
    assert at.status("alice").waiting == ("RECIPIENTS_MISMATCH",), "it does not even know whom else to write to"
    at.deliver("bob", *(item.escrow for item in at.waiting("bob") if item.escrow))
    at.deliver("bob", at.craft("a thief, with the relay's help"))
    at.sync("bob")
    assert at.texts("bob")[-1] == "sent before it was lost"
    assert at.status("bob").deferred == ("DEVICE_UNKNOWN",)
    assert at.accused("bob") == []


def test_both_may_begin_at_once(strangers: Phones) -> None:
    at = strangers
    for mode in (PLAIN, ESCROW):
        at.send("alice", "bob", f"a{mode}", mode)
        at.send("bob", "alice", f"b{mode}", mode)
    at.sync()
    for mode in (PLAIN, ESCROW):
        at.send("alice", "bob", f"A{mode}", mode)
        at.send("bob", "alice", f"B{mode}", mode)
    at.sync()
    assert at.texts("bob") == ["a0", "a1", "A0", "A1"]
    assert at.texts("alice") == ["b0", "b1", "B0", "B1"]
    assert (at.alarms("alice"), at.alarms("bob")) == ([], [])


# -- every byte on the wire ---------------------------------------------------------------------


class Flip:
    """Flips one bit of the ``which``-th message that a device sends or gets, in its wire form."""

    def __init__(self, at: Phones, which: int, where: float, bit: int) -> None:
        self.left, self.where, self.bit, self.flipped = which, where, bit, ""
        at.world.network.on_call, at.world.network.on_reply = self.on_call, self.on_reply

    def on_call(self, origin: Party, _to: Party, call: Call) -> Call:
        data = self._turn(origin, call, lambda: encode_call(call))
        return call if data is None else decode_call(type(call), data)

    def on_reply(self, origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        data = self._turn(origin, call, lambda: encode_reply(type(call), reply))
        return reply if data is None else decode_reply(type(call), data)

    def _turn(self, origin: Party, call: Call, encode: Callable[[], bytes]) -> bytes | None:
        if not origin.startswith("device/") or type(call) not in METHODS:
            return None
        self.left -= 1
        if self.left != 0:
            return None
        data = bytearray(encode())
        if not data:
            return None
        data[int(self.where * len(data))] ^= 1 << self.bit
        self.flipped = type(call).__name__
        return bytes(data)


@settings(max_examples=60)
@given(which=st.integers(1, 40), where=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_no_flipped_bit_shows_anything_that_was_not_said(which: int, where: float, bit: int) -> None:
    at = phones()
    at.reset()
    flip = Flip(at, which, where, bit)
    for name, call in (
        ("alice", Send("bob", ESCROW, "one")),
        ("alice", Send("bob", PLAIN, "two")),
        ("bob", Sync()),
        ("bob", Send("alice", ESCROW, "three")),
        ("alice", Sync()),
    ):
        try:
            at.world.run(at.device(name), call)
        except EscrowError:
            assert flip.flipped
    at.sync()
    assert set(at.texts("bob")) <= {"one", "two"}
    assert set(at.texts("alice")) <= {"three"}
    event(f"{flip.flipped or 'nothing'}: {len(at.texts('alice') + at.texts('bob'))} of 3 shown")
    for name in ("alice", "bob"):
        assert max(Counter(at.texts(name)).values(), default=1) == 1
        assert not {culprit for _, culprits in at.alarms(name) for culprit in culprits} - {"relay"}
        status = at.status(name)
        if not flip.flipped:
            assert (status.alarms, status.deferred) == ((), ())
