"""Two ends that encrypt once more: NCL-SUPERENC."""

from escrow.crypto.coins import Coins
from escrow_lab.attack import ESCROWED, OTHER, SECRET, TARGET, Outcome, Prevented, Succeeded
from escrow_lab.letters import Key, read, write
from escrow_lab.regime import Message, Order, Regime

THREAT = "both ends of a conversation encrypt inside what the regime seals, under a key that they agreed on elsewhere"
ON = (*ESCROWED, "clipper", "master-key")


def attack(regime: Regime) -> Outcome:
    """Say a ciphertext, and see what an order shows of it."""
    return within(regime, Key.of(Coins(bytes(32))), 0)


def within(regime: Regime, key: Key, number: int) -> Outcome:
    """A letter to ``key`` as the text of a message."""
    inner = write(key.public, SECRET.encode(), Coins(bytes(31) + b"\x01")).hex()
    sealed = regime.seal(Message(number, number, TARGET, OTHER, inner))
    shown = regime.access(Order(TARGET, 0, 2)).opened.get(number, "")
    if not sealed.delivered or SECRET in shown or read(key, bytes.fromhex(inner)) != SECRET.encode():
        return Prevented("what was said lies open")
    return Succeeded("words that only their recipient reads; an order shows their ciphertext")
