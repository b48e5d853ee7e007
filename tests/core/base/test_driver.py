"""The driver and the draft: what is owed is delivered, in order, until it is answered, whatever fails in between."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.encoding import number, u64
from escrow.errors import BehindError, EscrowError, Reason, RefusedError, UnavailableError
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.calls import Append, Appended, Done, Fetch, GetHead, Lookup
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Writes, outbox
from escrow.store import MemoryStore
from escrow.world.loop import complete
from escrow.world.network import Network


@dataclass(frozen=True)
class Debtor:
    """Owes every name it is told to ``peer``, and remembers the answers."""

    peer: str = "peer"
    behind: bool = False

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        draft = Draft(view)
        match event:
            case Called(call=Lookup(name=name)):
                if self.behind and draft.get(b"caught-up") is None:
                    raise BehindError(Reason.LOG_STALE)
                draft.owe(self.peer, Append((name.encode(),)))
            case Called(call=GetHead()):
                draft.owe(self.peer, Fetch(0, 1))
            case CatchUp():
                draft.put(b"caught-up", b"")
            case Answered(todo=todo, reply=reply):
                draft.settle(todo)
                draft.append("answers", type(reply).__name__.encode())
                if isinstance(reply, RefusedError) and reply.reason is Reason.MALFORMED:
                    raise reply
        return draft.writes(), Done()


@dataclass(frozen=True)
class Creditor:
    """Keeps what it is given; counts."""

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        draft = Draft(view)
        if isinstance(event, Called) and isinstance(event.call, Append):
            for entry in event.call.entries:
                if entry == b"refuse":
                    raise RefusedError(Reason.ENTRY_REFUSED)
                if entry == b"poison":
                    raise RefusedError(Reason.MALFORMED)
                draft.append("taken", entry)
        return draft.writes(), Appended(())


def pair(debtor: Debtor | None = None) -> tuple[Node, MemoryStore, Network]:
    network = Network()
    store = MemoryStore()
    for party, role in (("debtor", debtor or Debtor()), ("peer", Creditor())):
        state = MemoryStore() if party == "debtor" else store
        node = Node(Party(party), role, state, network, lambda: Millis(0), lambda: bytes(32))
        network.nodes[node.party] = node
    return network.nodes[Party("debtor")], store, network


def tell(node: Node, *names: str) -> None:
    for name in names:
        complete(node.ask(Party("user"), Lookup(name)))


@given(st.lists(st.sampled_from(["a", "b", "c", "refuse"]), max_size=8), st.integers(0, 3))
def test_everything_owed_arrives_once_and_in_order(names: list[str], outages: int) -> None:
    node, taken, network = pair()
    for _ in range(outages):
        network.down.add(Party("peer"))
        tell(node, *names)
        left = complete(node.pump())
        assert len(left) == len(complete(node.read(outbox)))
        network.down.clear()
    complete(node.pump())
    assert taken.records("taken", start=0, limit=99) == [n.encode() for n in names if n != "refuse"] * outages
    assert complete(node.read(outbox)) == []


def test_a_question_that_is_not_owed_for_ever_comes_back_as_an_error() -> None:
    node, _, network = pair()
    network.down.add(Party("peer"))
    complete(node.ask(Party("user"), GetHead(0, 0)))
    assert complete(node.pump()) == []
    assert complete(node.read(lambda view: view.records("answers", start=0, limit=9))) == [b"UnavailableError"]


def test_an_unacceptable_answer_is_struck_off_and_said() -> None:
    node, _, _ = pair()
    tell(node, "poison", "good")
    with pytest.raises(RefusedError):
        complete(node.pump())
    complete(node.pump())
    assert complete(node.read(outbox)) == []


def test_a_role_that_is_behind_catches_up_once() -> None:
    node, taken, _ = pair(Debtor(behind=True))
    tell(node, "late")
    complete(node.pump())
    assert taken.records("taken", start=0, limit=9) == [b"late"]


def test_a_role_that_stays_behind_says_so() -> None:
    @dataclass(frozen=True)
    class Stuck:
        def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
            if isinstance(event, Called):
                raise BehindError(Reason.LOG_STALE)
            return Writes(), None

    node = Node(Party("stuck"), Stuck(), MemoryStore(), Network(), lambda: Millis(0), lambda: bytes(32))
    with pytest.raises(UnavailableError) as refusal:
        complete(node.ask(Party("user"), Lookup("x")))
    assert refusal.value.reason is Reason.LOG_STALE


def test_a_step_that_raises_writes_nothing() -> None:
    store = MemoryStore()

    def step(view: Read) -> tuple[Writes, None]:
        Draft(view).put(b"k", b"v")
        raise RefusedError(Reason.USAGE)

    with pytest.raises(EscrowError):
        complete(store.commit(step))
    assert store.get(b"k") is None


keys = st.sampled_from([b"a", b"a/1", b"a/2", b"a/\xff", b"b", b"b/1"])
changes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=2)), max_size=12)


@given(changes, changes, st.sampled_from([b"a", b"a/", b"b", b""]), keys)
def test_a_draft_reads_like_the_state_it_will_become(first: object, then: object, prefix: bytes, after: bytes) -> None:
    store = MemoryStore()
    complete(store.commit(lambda view: (apply(Draft(view), first).writes(), None)))
    draft = apply(Draft(store), then)
    inside: tuple[object, ...] = look(draft, prefix, after)
    complete(store.commit(lambda _: (draft.writes(), None)))
    assert look(store, prefix, after) == inside


@given(changes, changes)
def test_an_absorbed_attempt_is_as_if_it_had_been_made_directly(first: object, then: object) -> None:
    direct = apply(apply(Draft(MemoryStore()), first), then)
    outer = apply(Draft(MemoryStore()), first)
    inner = apply(Draft(outer), then)
    outer.absorb(inner)
    assert outer.writes() == direct.writes()


def apply(draft: Draft, changes: object) -> Draft:
    for key, value in changes:  # type: ignore[attr-defined]
        if value is None:
            draft.delete(key)
        else:
            draft.put(key, value)
            draft.append("stream", value)
    return draft


def look(view: Read | Draft, prefix: bytes, after: bytes) -> tuple[object, ...]:
    return (
        list(view.scan(prefix)),
        list(view.scan(prefix, after=after)),
        list(view.scan(prefix, limit=1)),
        view.last(prefix),
        [view.get(key) for key in (b"a", b"a/1", b"b")],
        view.length("stream"),
        view.records("stream", start=1, limit=2),
    )


def test_numbers_in_the_outbox_are_never_used_twice() -> None:
    draft = Draft(MemoryStore())
    places = [draft.owe("x", Fetch(0, 1)) for _ in range(3)]
    for todo in outbox(draft):
        draft.settle(todo)
    places.append(draft.owe("x", Fetch(0, 1)))
    assert places == [0, 1, 2, 3]
    assert number(u64(3)) == 3
