"""One message of a real device, escrow off or on: the whole pure step, from the queue to the outbox or the inbox.

Two devices of a World know each other. A step is run again and again on one state and never committed, so that every
run does the same work. It reads its state from bytes and writes it back, as on a real device.
"""

from os import urandom
from typing import cast

from escrow.ids import Party
from escrow.node import Node
from escrow.roles.calls import Fetch, Fetched
from escrow.roles.device.commands import Send, Sync
from escrow.roles.device.state import ESCROW, PLAIN, load_me
from escrow.roles.machine import Answered, Called, Event, Todo
from escrow.store.memory import MemoryStore
from escrow.world.world import World
from escrow_lab.bench.measure import Step

_RELAY = Party("relay")


class Deployment:
    """A World with a committee key and two devices that have heard each other in both modes."""

    def __init__(self) -> None:
        self._world = World(urandom(32))
        self._world.make_committee_key()
        self._alice, self._bob = self._world.register("alice"), self._world.register("bob")
        for mode in (PLAIN, ESCROW):
            for speaker, listener in ((self._alice, self._bob), (self._bob, self._alice), (self._alice, self._bob)):
                self._world.run(speaker, Send("bob" if listener is self._bob else "alice", mode, "hello"))
                self._world.settle()
                self._world.run(listener, Sync())
                self._world.settle()

    def sending(self, mode: int, size: int) -> Step:
        """The step in which a device takes a text of ``size`` bytes and writes its submission down."""
        return self._step(self._alice, Called(self._alice.party, Send("bob", mode, "x" * size)), b"sent/")

    def receiving(self, mode: int, size: int) -> Step:
        """The step in which the other takes a page of its mailbox with one such message and shows it."""
        call = Fetch(load_me(cast(MemoryStore, self._bob.store)).mail, 1)
        self._world.run(self._alice, Send("bob", mode, "x" * size))
        self._world.settle()
        page: Fetched = self._world.ask(_RELAY, call, origin=self._bob.party)
        step = self._step(self._bob, Answered(Todo(0, _RELAY, call), page), b"inbox/")
        self._world.run(self._bob, Sync())
        return step

    def _step(self, node: Node, event: Event, leaves: bytes) -> Step:
        """``event`` on a copy of the node's present state; it must write something under ``leaves``."""
        state, now = MemoryStore(), self._world.now
        state.restore(cast(MemoryStore, node.store).snapshot())
        writes, _ = node.role.handle(state, event, now, urandom(32))
        if not any(key.startswith(leaves) for key, value in writes.puts.items() if value is not None):
            raise AssertionError(f"the step leaves nothing under {leaves!r}: it would measure a refusal")
        return lambda: node.role.handle(state, event, now, urandom(32))
