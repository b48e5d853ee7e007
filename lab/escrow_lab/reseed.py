"""Reseed rules as models: which messages of a pair a thief opens, from the schedule alone and without any key.

A rule says when a sender begins a new escrow chain, whose seed travels once, in the session. The product has two of
them, ``message`` (``every(1)``) and ``epoch`` (``every(ENDLESS)`` within one epoch); ``every(n)`` between them and
``with_the_ratchet`` are here to be compared with. What is modelled is one device of each of two people, in one epoch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

ENDLESS: Final = 1 << 30
"""More messages than an epoch has."""


@dataclass(frozen=True, slots=True)
class Say:
    """One of the two, 0 or 1, sends the next message; messages are numbered from 0."""

    who: int


@dataclass(frozen=True, slots=True)
class Hear:
    """Message ``number`` reaches the other one."""

    number: int


Schedule = Sequence[Say | Hear]


@dataclass(frozen=True, slots=True)
class Message:
    """``at``: its place in the schedule. ``turn`` counts the sender's ratchet keys, ``basis`` is the newest one of the
    listener's that the sender knew: no later key of the listener's opens it, and each earlier one it had has led there.
    """

    number: int
    at: int
    sender: int
    turn: int
    basis: int


Rule = Callable[[Sequence[Message], Message], bool]
"""Whether a message begins a chain, after those before it in the chain that its sender has open (at least one)."""


def every(most: int) -> Rule:
    """``n(N)``: a new chain after ``most`` messages."""
    return lambda chain, _: len(chain) == most


def with_the_ratchet(chain: Sequence[Message], following: Message) -> bool:
    """``dh_turn``: a new chain with every new key of the sender's ratchet."""
    return chain[-1].turn != following.turn


def exposed(schedule: Schedule, victim: int, theft: int, rule: Rule | None = None) -> frozenset[int]:
    """Numbers of the messages that the device of ``victim`` opens for whoever takes its state before step ``theft``.

    Without a rule: under the Double Ratchet alone.
    """
    messages, before = _messages(schedule), schedule[:theft]
    heard = {step.number for step in before if isinstance(step, Hear)}
    keys = max((one.turn for one in messages if one.sender == victim and one.at < theft), default=0)
    settled = {one.number for one in messages if (one.at < theft if one.sender == victim else one.number in heard)}
    ratchet = {
        one.number
        for one in messages
        if one.number not in settled and (one.turn if one.sender == victim else one.basis) <= keys
    }
    if rule is None:
        return frozenset(ratchet)
    found: set[int] = set()
    for chain in _chains(messages, rule):
        first = chain[0].number
        if first in ratchet:
            found |= {one.number for one in chain}
        elif first in settled:
            found |= {one.number for one in chain} - settled
    return frozenset(found)


def _messages(schedule: Schedule) -> list[Message]:
    """All messages, and the keys that the ratchet takes for them: a new one after each new one that is heard."""
    said: list[Message] = []
    turns, known, answered = [0, 0], [0, 0], [-1, -1]
    for at, step in enumerate(schedule):
        if isinstance(step, Hear):
            message = said[step.number]
            listener = 1 - message.sender
            known[listener] = max(known[listener], message.turn)
        else:
            who = step.who
            if known[who] > answered[who]:
                turns[who], answered[who] = turns[who] + 1, known[who]
            said.append(Message(len(said), at, who, turns[who], known[who]))
    return said


def _chains(messages: Iterable[Message], rule: Rule) -> list[list[Message]]:
    chains: list[list[Message]] = []
    newest: dict[int, list[Message]] = {}
    for one in messages:
        chain = newest.get(one.sender)
        if chain is None or rule(chain, one):
            chain = newest[one.sender] = []
            chains.append(chain)
        chain.append(one)
    return chains
