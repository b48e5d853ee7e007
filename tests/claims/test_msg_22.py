"""MSG-22: a device opens what was sent to its account while it was on the list, and nothing from before or after."""

from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.e2ee.pqxdh import respond
from escrow.e2ee.session import Session, open_
from escrow.errors import EscrowError
from escrow.ids import Party
from escrow.roles.calls import Call, DeviceEnvelope, PlainSend, Submission, Submit
from escrow.roles.device.commands import Confirm, GetSafety, Meet
from escrow.roles.device.linking import RemoveDevice
from escrow.roles.device.state import ESCROW, PLAIN, load_prekey
from escrow.roles.machine import Draft
from escrow.roles.state import unpack
from escrow.store.memory import MemoryStore
from escrow.world.founding import MINUTE
from escrow.world.loop import complete
from tests.claims.measures import Census, effort
from tests.core.roles.phones import Phones

pytestmark = pytest.mark.claim("MSG-22")


@cache
def strangers() -> Phones:
    return Phones()


@dataclass
class Family:
    """Alice with a growing and shrinking number of devices, bob with one, and everything that was ever sealed."""

    at: Phones
    members: list[str] = field(default_factory=lambda: ["alice"])
    gone: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=lambda: {"alice": 1})
    due: dict[str, list[str]] = field(default_factory=lambda: {"alice": [], "bob": []})
    sealed: list[DeviceEnvelope] = field(default_factory=list)
    states: dict[str, list[MemoryStore]] = field(default_factory=dict)
    texts: int = 0

    def __post_init__(self) -> None:
        self.at.reset()
        self.at.world.network.on_call = self._record

    def _record(self, _origin: Party, _to: Party, call: Call) -> Call:
        for item in call.items if isinstance(call, Submit) else ():
            kind = item.escrow or item.plain
            self.sealed += kind.envelopes if kind else ()
        return call

    def everybody(self) -> list[str]:
        return ["bob", *self.members, *self.gone]

    def settle(self) -> None:
        """All mail is fetched, and every device's state kept as it was before that."""
        for name in self.everybody():
            copy = MemoryStore()
            copy.restore(self.at.store(name).snapshot())
            self.states.setdefault(name, []).append(copy)
        for _ in range(2):
            for name in self.everybody():
                self.at.sync(name)

    def agree(self) -> None:
        """Time passes, everybody hears of alice's devices, and bob agrees to them."""
        self.at.world.advance(11 * MINUTE)
        complete(self.at.world["relay"].tick())
        bob = self.at.device("bob")
        self.at.world.run(bob, Meet("alice"))
        self.at.world.run(bob, Confirm("alice", self.at.world.run(bob, GetSafety("alice")).list_hash))

    def say(self, which: int, mode: int) -> None:
        sender = ["bob", *self.members][which % (1 + len(self.members))]
        self.texts += 1
        text = f"text {self.texts}"
        self.at.send(sender, "alice" if sender == "bob" else "bob", text, mode)
        for name in {"bob", *self.members} - {sender}:
            self.due[name].append(text)

    def link(self) -> None:
        name = f"alice/{len(self.numbers) + 1}"
        self.at.world.link("alice", name)
        self.members.append(name)
        self.numbers[name], self.due[name] = len(self.numbers) + 1, []
        self.agree()

    def remove(self, which: int) -> None:
        if len(self.members) > 1:
            name = self.members.pop(1 + which % (len(self.members) - 1))
            self.gone.append(name)
            self.at.world.run(self.at.device("alice"), RemoveDevice(self.numbers[name]))
            self.agree()

    def opens(self, name: str, envelope: DeviceEnvelope) -> bool:
        """Whether anything that a device ever held opens an envelope."""
        return any(_opens(self.at, name, state, envelope.envelope) for state in self.states[name])


def _opens(at: Phones, name: str, state: MemoryStore, envelope: bytes) -> bool:
    me, draft = at.me(name), Draft(state)
    sessions: list[Session | None] = [unpack(data, Session) for _, data in draft.scan(b"session/")]
    for session in (*sessions, None):
        try:
            open_(session, envelope, b"", lambda first: respond(me.keys, _prekeys(draft), first), at.world.now)
        except EscrowError:
            continue
        return True
    return False


def _prekeys(draft: Draft):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the port is a plain function
    return lambda purpose, place: load_prekey(draft, purpose, place)


step = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 9), st.sampled_from((PLAIN, ESCROW))),
    st.tuples(st.sampled_from(("link", "remove")), st.integers(0, 9), st.just(0)),
)


@effort(0.16)
@given(st.lists(step, min_size=3, max_size=6).map(lambda steps: [("say", 0, ESCROW), ("link", 0, 0), *steps]))
def test_a_device_opens_what_was_for_it_and_nothing_else(census: Census, steps: list[tuple[str, int, int]]) -> None:
    family = Family(strangers())
    for what, which, mode in steps:
        if what == "say":
            family.say(which, mode)
        elif what == "link" and len(family.numbers) < 4:
            family.link()
        elif what == "remove":
            family.remove(which)
        family.settle()
    at = family.at
    for name in family.everybody():
        assert sorted(at.texts(name)) == sorted(family.due[name]), name
        census("shown")
    own = at.me("alice").keys.account
    for envelope in family.sealed:
        for name in (*family.members, *family.gone):
            meant = (envelope.account, envelope.device) == (own, family.numbers[name])
            assert family.opens(name, envelope) == meant
            census("opened" if meant else "not opened")


@effort(0.16)
@given(st.sampled_from((PLAIN, ESCROW)))
def test_the_relay_takes_nothing_from_a_removed_device(census: Census, mode: int) -> None:
    """Not what it had sealed before, nor what it makes up later."""
    family = Family(strangers())
    family.link()
    family.settle()
    at, removed = family.at, "alice/2"
    at.send(removed, "bob", "in time", mode)
    at.sync("bob")
    at.world.network.down.add(Party("relay"))
    at.send(removed, "bob", "too late", mode)
    at.world.network.down.clear()
    family.remove(0)
    at.sync(removed)
    assert at.status(removed).refused == ("DEVICE_UNKNOWN",)
    raw = Submission(b"r" * 16, None, PlainSend((DeviceEnvelope(at.me("bob").keys.account, 1, b"by hand"),)))
    assert at.world.ask("relay", Submit((raw,)), at.device(removed).party).items[0].reason == "DEVICE_UNKNOWN"
    at.sync("bob")
    assert at.texts("bob") == ["in time"]
    census("refused")
