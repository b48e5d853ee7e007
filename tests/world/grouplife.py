"""Four people and two groups, one of each mode, on a network that delays, reorders, repeats and loses; and a model.

The model knows who said what, and whom each could have meant at the time: whoever was in the sender's own view of the
group between the words and the relay's yes. What people are shown is compared with that after every step.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from escrow.capsule.body import Body
from escrow.capsule.header import Header
from escrow.capsule.label import Label
from escrow.e2ee.content import Text
from escrow.e2ee.conversation import MOST_MEMBERS
from escrow.encoding import number
from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.roles.calls import Call, Delivery, Fetch, Fetched, PlainDelivery, Reply, Submit
from escrow.roles.device import chains, voices
from escrow.roles.device.chains import ReceivingChain
from escrow.roles.device.conversations import held_group
from escrow.roles.device.state import ESCROW, PLAIN, Sent
from escrow.roles.device.voices import Heard, is_spoken
from escrow.roles.state import unpack
from escrow.store.memory import MemoryStore
from escrow.world.founding import DAY
from tests.core.roles.phones import PEOPLE, Phones, flipped
from tests.core.roles.test_device_groups import name_of, office
from tests.world.test_messaging import CrashError, Dying

EVERYBODY = (*PEOPLE, "dora")
GROUPS = (PLAIN, ESCROW)
RELAY = Party("relay")
ASKED_IN_VAIN = "the device that asked is not in the conversation any more"
EXPECTED = [("KEY_CHANGED", f"to {name_of(mode)}: {ASKED_IN_VAIN}") for mode in GROUPS]
"""Whoever was removed is not told again what came late; who was asked is told that (RTY-2)."""
OWN_BUSINESS = (b"me", b"alarm/", b"settled", b"deferred/", b"again/", b"outbox")


@dataclass
class Said:
    """Something that somebody said in a group. ``sure`` must be shown it, and nobody but ``possible`` may be."""

    sender: str
    mode: int
    sure: set[str]
    possible: set[str]
    taken: bool = False


@dataclass
class Post:
    """Between the devices and the relay: it holds mail back, mixes and repeats it, and loses questions and answers."""

    at: Phones
    random: Random = field(default_factory=lambda: Random(0))
    delay: float = 0.0
    repeat: bool = False
    ready: dict[Party, list[Delivery]] = field(default_factory=dict)
    late: dict[Party, list[Delivery]] = field(default_factory=dict)
    given: dict[Party, list[Delivery]] = field(default_factory=dict)
    last: dict[Party, tuple[int, list[Delivery]]] = field(default_factory=dict)
    losing: dict[Party, str] = field(default_factory=dict)
    submitted: list[tuple[int, Party, Submit]] = field(default_factory=list)

    def __post_init__(self) -> None:
        devices = [self.at.device(name) for name in EVERYBODY]
        self.places = {node.party: self.at.me(name).mail for name, node in zip(EVERYBODY, devices, strict=True)}
        self.at.world.network.on_call, self.at.world.network.on_reply = self.on_call, self.on_reply

    def on_call(self, origin: Party, to: Party, call: Call) -> Call:
        if to != RELAY or origin not in self.places:
            return call
        self._lose(origin, "question")
        if isinstance(call, Submit):
            self.submitted.append((self.at.world.now, origin, call))
        return Fetch(self.places[origin], call.limit) if isinstance(call, Fetch) else call

    def on_reply(self, origin: Party, to: Party, call: Call, reply: Reply) -> Reply:
        if to != RELAY or origin not in self.places:
            return reply
        self._lose(origin, "answer")
        if not isinstance(reply, Fetched) or not isinstance(call, Fetch):
            return reply
        ready = self.ready.setdefault(origin, [])
        for item in reply.items:
            ready.append(item)
            self.places[origin] = item.number + 1
        self.put_back(origin, call.start)
        self.last[origin] = call.start, self._page(origin)
        page = enumerate(self.last[origin][1], start=call.start)
        return Fetched(tuple(Delivery(place, item.escrow, item.plain) for place, item in page), reply.prekeys)

    def morning(self, origin: Party) -> None:
        """What was held back may come today."""
        self.ready.setdefault(origin, []).extend(self.late.pop(origin, []))

    def put_back(self, origin: Party, start: int) -> None:
        """A device that asks from the same place on has not kept what it was given: it died before."""
        before, page = self.last.pop(origin, (start, []))
        if before == start:
            self.ready.setdefault(origin, []).extend(page)

    def _page(self, origin: Party) -> list[Delivery]:
        page: list[Delivery] = []
        late = self.late.setdefault(origin, [])
        for item in self.ready.pop(origin, []):
            (late if self.random.random() < self.delay else page).append(item)
        given = self.given.setdefault(origin, [])
        if page and self.repeat:
            page += self.random.sample(given, min(2, len(given)))
            self.random.shuffle(page)
        given += page
        return page

    def _lose(self, origin: Party, what: str) -> None:
        if self.losing.get(origin) == what:
            del self.losing[origin]
            raise UnavailableError(Reason.UNAVAILABLE, "the network")


class Life:
    """What people do, and what must hold whatever they do."""

    def __init__(self) -> None:
        self.at = office()
        self.at.reset()
        self.post = Post(self.at)
        self.said: dict[str, Said] = {}
        self.members = {mode: set(PEOPLE) for mode in GROUPS}
        self.gone_today: set[tuple[int, str]] = set()
        self.counts: Counter[str] = Counter()
        self.tampered = 0
        self._checked = 0
        self._epochs: dict[bytes, int] = {}

    # -- what people do ---------------------------------------------------------------------------

    def say(self, who: str, mode: int) -> None:
        """Somebody who thinks that she is in a group says something in it."""
        meant = self.seen(who, mode)
        if not meant or (who not in self.members[mode] and (mode, who) not in self.gone_today):
            return
        text = f"{len(self.said)} by {who}"
        self.said[text] = Said(who, mode, set(meant), set(meant))
        self.at.send(who, name_of(mode), text, mode)
        self._follow()

    def change(self, who: str, mode: int) -> None:
        """Alice takes somebody into a group, or out of it."""
        into = who not in self.members[mode]
        if not into and len(self.members[mode]) == 2:
            return
        add, remove = ((who,), ()) if into else ((), (who,))
        self.at.change("alice", name_of(mode), add, remove)
        self.members[mode] ^= {who}
        (self.gone_today.discard if into else self.gone_today.add)((mode, who))
        self._follow()

    def usurp(self, who: str, mode: int) -> None:
        """Somebody else tries to change a group, and nothing becomes of it."""
        before = self.at.state(who)
        with pytest.raises(RefusedError, match=r"PERMISSION_DENIED|NOT_FOUND"):
            self.at.change(who, name_of(mode), remove=("alice",))
        self.counts["refused"] += 1
        assert self.at.state(who) == before

    def listen(self, who: str, seed: int, delay: float, *, repeat: bool) -> None:
        """Somebody fetches mail; of what waits only some comes, in any order, and some of it once more."""
        self.post.random, self.post.delay, self.post.repeat = Random(seed), delay, repeat
        self.post.morning(self.at.device(who).party)
        self.at.sync(who)
        self._follow()

    def lose(self, who: str, what: str) -> None:
        """The next question of a device to the relay, or the answer to it, does not arrive."""
        self.post.losing[self.at.device(who).party] = what

    def crash(self, who: str, when: int, *, after: bool) -> None:
        """A device dies at one of its next commits, and starts again from its disk."""
        node = self.at.device(who)
        node.store = dying = Dying(self.at.store(who))
        dying.when, dying.after = when, after
        self.post.delay, self.post.repeat = 0.0, False
        try:
            self.at.sync(who)
        except CrashError:
            self.counts["crashed"] += 1
        node.store = MemoryStore()
        node.store.restore(dying.snapshot())
        self._follow()

    def tamper(self, who: str, place: int) -> None:
        """The relay delivers a message for all with another signature under it; nothing is used up by that."""
        party = self.at.device(who).party
        known = [one for pile in (self.post.ready, self.post.given, self.post.late) for one in pile.get(party, [])]
        spoken = [one.plain for one in known if one.plain is not None and is_spoken(one.plain.envelope)]
        if not spoken:
            return
        item = spoken[place % len(spoken)]
        self.post.put_back(party, self.at.me(who).mail)
        before = self.at.state(who, *OWN_BUSINESS)
        self.at.deliver(who, PlainDelivery(item.sender_account, item.sender_device, flipped(item.envelope)))
        assert self.at.state(who, *OWN_BUSINESS) == before, "MSG-03"
        self.counts["refused"] += 1
        self.tampered += 1

    def night(self) -> None:
        """All mail arrives, and then it is another day."""
        self.calm()
        self.at.world.advance(DAY)
        self.gone_today.clear()
        self.post.given.clear()  # what old keys are gone for is not for this network to say again

    def calm(self) -> None:
        """The network does what it should for as long as it takes."""
        self.post.losing.clear()
        for _ in range(5):
            for who in EVERYBODY:
                self.listen(who, 0, 0.0, repeat=False)
        assert not any(self.post.ready.values())
        for who in EVERYBODY:
            status = self.at.status(who)
            assert (status.deferred, status.queued, status.unanswered) == ((), 0, 0), (who, status.waiting)
        for text, one in self.said.items():
            assert one.taken, text
            for who in one.sure - {one.sender}:
                assert text in self.at.texts(who), f"{who} was not shown {text!r}"

    # -- what must hold ---------------------------------------------------------------------------

    def seen(self, who: str, mode: int) -> set[str]:
        """Who is in a group as far as somebody's device knows; nobody if it is not there, or she is not in it."""
        held = held_group(self.at.draft(who), name_of(mode))
        names = {self.at.me(name).keys.account: name for name in EVERYBODY}
        found = set() if held is None else {names[member] for member in held.conversation.members}
        return found if who in found else set()

    def check(self) -> None:
        """After every step."""
        for who in EVERYBODY:
            self._check_shown(who)
            self._check_bounds(who)
            alarms = {(one.reason, one.detail) for one in self.at.status(who).alarms}
            assert all(one in EXPECTED for one in alarms if one[0] != "SIGNATURE_INVALID"), (who, alarms)
        for when, origin, call in self.post.submitted[self._checked :]:
            self._check_sent(when, origin, call)
        self._checked = len(self.post.submitted)

    def _check_shown(self, who: str) -> None:
        """MSG-01, MSG-02, MSG-10: once, as it was said, by whom, where, and to whom it could be meant for."""
        inbox = self.at.inbox(who)
        assert max(Counter(one.text for one in inbox).values(), default=1) == 1
        for one in inbox:
            said = self.said[one.text]
            assert (one.sender_name, one.mode, one.group) == (said.sender, said.mode, name_of(said.mode))
            assert who in said.possible, f"{who} was shown {one.text!r}"
        self.counts["accepted"] = sum(len(self.at.inbox(name)) for name in EVERYBODY)

    def _check_bounds(self, who: str) -> None:
        """MSG-07: what is counted is what is there, and no more than may be."""
        store = self.at.store(who)
        followed = [unpack(data, ReceivingChain) for _, data in store.scan(b"chain/in/") if data]
        heard = [unpack(data, Heard) for _, data in store.scan(b"voice/heard/")]
        skipped, unheard = sum(len(one.skipped) for one in followed), sum(len(one.key.skipped) for one in heard)
        assert skipped == number(store.get(b"chain/skipped") or b"") <= chains.MAX_SKIPPED
        assert unheard == number(store.get(b"voice/skipped") or b"") <= voices.MAX_SKIPPED
        assert max(Counter((one.conversation, one.key.ad) for one in heard).values(), default=1) == 1
        assert len(heard) <= voices.KEPT * MOST_MEMBERS
        self.counts["skipped"] += bool(skipped + unheard)

    def _check_sent(self, when: int, origin: Party, call: Submit) -> None:
        """MSG-17 and EPO-02: a chain begins with its envelopes, and all of it is of the day on which it began."""
        item = call.items[0].escrow
        if item is None:
            return
        header = Header.decode(Body.decode(item.body).header)
        assert (header.index == 0) == bool(item.label and item.capsule)
        assert item.envelopes or header.index
        today = self.at.world.genesis.policy.epoch_of(when)
        if item.label:
            assert Label.decode(item.label).sender_account.hex() in origin
            self._epochs[header.label_hash] = Label.decode(item.label).epoch
        assert self._epochs.setdefault(header.label_hash, today) == today
        self.counts["later in a chain"] += header.index > 0

    def _follow(self) -> None:
        """Whom everything that is not taken yet may still be meant for."""
        for text, one in self.said.items():
            if not one.taken:
                now = self.seen(one.sender, one.mode)
                one.sure &= now
                one.possible |= now
                sent = (unpack(data, Sent) for _, data in self.at.store(one.sender).scan(b"sent/"))
                one.taken = any(each.state == "accepted" and each.message.content == Text(text) for each in sent)
