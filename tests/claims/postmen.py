"""Whoever carries messages and changes them on the way: one new message of Bob's to Alice, and what becomes of it."""

from collections.abc import Callable
from typing import Any

import msgspec

from escrow.ids import Party
from escrow.roles.calls import Call, EscrowDelivery, EscrowSend, Fetched, Reply, Submit
from escrow.roles.device.commands import GetInbox, GetStatus, Send, Sync
from escrow.roles.device.state import Alarm
from escrow.roles.relay.ingest import TREE
from tests.core.roles.scene import Scene, scene

TEXT = "meet me at noon"


class Letter:
    """One letter in a fresh scene. Change it on its way in (``posting``) or out (``delivering``), then ``send`` it."""

    def __init__(self) -> None:
        self.at: Scene = scene().rewind("said")
        self._network = self.at.world.network
        self._untouched = self._network.on_call, self._network.on_reply

    def posting(self, change: Callable[[EscrowSend], EscrowSend]) -> None:
        """Replace the submission between Bob and the relay."""

        def on_call(_origin: Party, _to: Party, call: Call) -> Call:
            if not isinstance(call, Submit):
                return call
            return Submit(tuple(_with(item, change) for item in call.items))

        self._network.on_call = on_call

    def delivering(self, change: Callable[[EscrowDelivery], EscrowDelivery]) -> None:
        """Replace the delivery between the relay and Alice."""

        def on_reply(_origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
            if not isinstance(reply, Fetched):
                return reply
            return Fetched(tuple(_with(item, change) for item in reply.items))

        self._network.on_reply = on_reply

    def send(self) -> bool:
        """Send it, let Alice fetch, and return whether she was shown it; then look at ``alarms`` and ``accepted``."""
        before, taken = len(self._alarms()), self._taken()
        try:
            self.at.world.run(self.at.bob, Send("alice", 1, TEXT))
            self.at.world.run(self.at.alice, Sync())
        finally:
            self._network.on_call, self._network.on_reply = self._untouched
        self.alarms, self.accepted = self._alarms()[before:], self._taken() > taken
        inbox = self.at.world.run(self.at.alice, GetInbox(0)).messages
        return any(message.text == TEXT for message in inbox)

    @property
    def blamed(self) -> set[str]:
        """Whom Alice's device says has provably deviated."""
        return {culprit for alarm in self.alarms for culprit in alarm.culprits}

    def _taken(self) -> int:
        """How many items the relay has signed for."""
        return TREE.size(self.at.world.store("relay"))

    def _alarms(self) -> tuple[Alarm, ...]:
        status = self.at.world.run(self.at.alice, GetStatus())
        alarms: tuple[Alarm, ...] = status.alarms
        return alarms


def _with(item: Any, change: Callable[[Any], Any]) -> Any:
    """The item with its escrowed part changed, if it has one."""
    return msgspec.structs.replace(item, escrow=change(item.escrow)) if item.escrow else item
