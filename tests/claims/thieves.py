"""Conversations with a theft in them: people speak, messages arrive or do not; a thief takes one device's store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.ids import Party
from escrow.roles.calls import Call, Delivery, EscrowDelivery, Fetched, PlainDelivery, Reply
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.store.memory import MemoryStore
from escrow.world.exposure import Device, Posted, Wiretap, exposed, overheard
from escrow.world.founding import DAY, Terms
from escrow_lab.reseed import Hear, Say
from tests.core.roles.phones import PEOPLE, Phones

TEAM = {ESCROW: "#team", PLAIN: "#plain"}
MOST = 1024

Step = tuple[str, int, bool]
"""("say", who, whether it ever arrives), ("sync", who, whether the page comes in reverse order), or a ("day", …)."""


def steps(people: int, most: int = 14, *, days: bool = False) -> st.SearchStrategy[list[Step]]:
    """Conversations of that many people: half of it is said, and most arrives; with ``days``, epochs end in them."""
    who, mostly = st.integers(0, people - 1), st.sampled_from((True, True, True, False))
    say, sync = st.tuples(st.just("say"), who, mostly), st.tuples(st.just("sync"), who, st.booleans())
    day = [st.just(("day", 0, True))] if days else []
    return st.lists(st.one_of(say, sync, *day), min_size=1, max_size=most)


@cache
def strangers(chain: int) -> Phones:
    """Alice, bob and carol have just registered. Chains have ``chain`` messages in pairs, and do not end in groups."""
    return Phones(Terms(pair_chain=chain, group_chain=MOST))


@cache
def street(chain: int) -> Phones:
    """They have greeted each other, in pairs and in a group, in both modes."""
    at = Phones(Terms(pair_chain=chain, group_chain=MOST))
    for mode in (PLAIN, ESCROW):
        for sender, to in (("alice", "bob"), ("bob", "alice")):
            at.send(sender, to, "hello", mode)
            at.sync()
        at.begin("alice", TEAM[mode], "bob", "carol", mode=mode)
        at.sync()
        for name in PEOPLE:
            at.send(name, TEAM[mode], "hello", mode)
            at.sync()
    at.morning = at.save()
    return at


@dataclass
class Talk:
    """One conversation from this morning on. Messages are numbered; what reached whom is written down."""

    at: Phones
    mode: int
    group: bool = False
    lost: set[bytes] = field(default_factory=set)
    numbers: dict[bytes, int] = field(default_factory=dict)
    schedule: list[Say | Hear] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    reverse: bool = False
    stolen: MemoryStore = field(default_factory=MemoryStore)
    theft_at: int = 0

    def __post_init__(self) -> None:
        self.at.reset()
        self._tap = Wiretap(self.at.world.network)
        self.at.world.network.on_reply = self._deliver

    @property
    def people(self) -> Sequence[str]:
        return PEOPLE if self.group else PEOPLE[:2]

    def go(self, script: Iterable[Step]) -> None:
        for what, who, flag in script:
            if what == "say":
                self.say(who, arrives=flag)
            elif what == "sync":
                self.sync(who, reverse=flag)
            else:
                self.at.world.advance(DAY)

    def say(self, who: int, *, arrives: bool = True) -> None:
        to = TEAM[self.mode] if self.group else self.people[1 - who]
        known = len(self._tap.posted)
        self.at.send(self.people[who], to, str(len(self.posted)), self.mode)
        for one in self._tap.posted[known:]:  # several, if it was refused and sealed anew
            for mark in _marks(one):
                self.numbers[mark] = len(self.posted)
                if not arrives:
                    self.lost.add(mark)
            self.posted.append(one)
            self.schedule.append(Say(who))

    def sync(self, who: int, *, reverse: bool = False) -> None:
        self.reverse = reverse
        self.at.sync(self.people[who])

    def exchange(self, *speakers: int) -> None:
        """Each says something that all the others hear."""
        for who in speakers:
            self.say(who)
            for other in range(len(self.people)):
                if other != who:
                    self.sync(other)

    def theft(self, who: int) -> MemoryStore:
        """A copy of everything that a device stores."""
        taken = MemoryStore()
        taken.restore(self.at.store(self.people[who]).snapshot())
        return taken

    def settled(self, who: int) -> frozenset[int]:
        """What somebody has said or been shown."""
        said = (number for number, one in enumerate(self.posted) if one.sender == self.device(who))
        return frozenset(said) | {int(text) for text in self.at.texts(self.people[who]) if text.isdigit()}

    def exposed(self, stolen: MemoryStore) -> frozenset[int]:
        """The numbers of what the thief opens."""
        return self._numbers(exposed(stolen, self._tap.posted))

    def overheard(self, stolen: MemoryStore) -> frozenset[int]:
        """The numbers of what he would open if the words were in the envelopes of the session."""
        return self._numbers(overheard(stolen, self._tap.posted))

    def _numbers(self, names: frozenset[bytes]) -> frozenset[int]:
        return frozenset(number for number, one in enumerate(self.posted) if one.name in names)

    def device(self, who: int) -> Device:
        keys = self.at.me(self.people[who]).keys
        return keys.account, keys.device

    def _deliver(self, origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
        """Keep back what is lost; in a reversed page the contents change places, and the numbers stay."""
        if not isinstance(reply, Fetched):
            return reply
        kept = [one for one in reply.items if _mark(one) not in self.lost]
        contents = list(reversed(kept)) if self.reverse else kept
        if not self.group and origin in [self.at.device(name).party for name in self.people]:
            words = (self.numbers.get(_mark(one)) for one in contents)  # what devices ask each other is none
            self.schedule += [Hear(number) for number in words if number is not None]
        return replace(reply, items=tuple(replace(b, number=a.number) for a, b in zip(kept, contents, strict=True)))


def _marks(one: Posted) -> list[bytes]:
    """By what its deliveries are recognised."""
    return [one.item.escrow.body] if one.item.escrow else [each.envelope for each in one.envelopes]


def _mark(one: Delivery) -> bytes:
    said: EscrowDelivery | PlainDelivery | None = one.escrow or one.plain
    return said.body if isinstance(said, EscrowDelivery) else said.envelope if said else b""
