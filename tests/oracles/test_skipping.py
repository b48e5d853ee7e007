"""What a conversation with another implementation does at the limits, and where the two differ."""

from collections.abc import Callable

import pytest

from escrow.e2ee import ratchet
from escrow.errors import EscrowError, Reason
from tests.core.e2ee.people import NOW, coins, ratchet_pair
from tests.oracles.ratchet import Peer, RefusalError

AD = b"mode and lineage"


class Ours:
    """One side of ours, which changes as that of the library does."""

    def __init__(self, state: ratchet.RatchetState) -> None:
        self._state = state
        self._said = 0

    def say(self, text: bytes, ad: bytes) -> bytes:
        self._said += 1
        self._state, message = ratchet.encrypt(self._state, text, ad, coins(self._said))
        return message

    def hear(self, message: bytes, ad: bytes) -> bytes:
        try:
            self._state, text = ratchet.decrypt(self._state, message, ad, NOW)
        except EscrowError as no:
            raise RefusalError(no.reason) from no
        return text


Pair = tuple[Ours | Peer, Ours | Peer]


def ours_first() -> Pair:
    root, ad, signed = coins("root"), coins("ad"), coins("signed prekey")
    return Ours(ratchet_pair()[0]), Peer(root, ad, b"seed", own=signed)


def theirs_first() -> Pair:
    theirs = Peer(coins("root"), coins("ad"), b"seed", remote=ratchet_pair()[0].remote)
    return theirs, Ours(ratchet_pair()[1])


def opens(side: Ours | Peer, message: bytes) -> bool:
    try:
        return side.hear(message, AD) == b"text"
    except RefusalError:
        return False


both = pytest.mark.parametrize("pair", [ours_first, theirs_first])


@both
def test_both_skip_a_thousand_and_no_more(pair: Callable[[], Pair]) -> None:
    sender, receiver = pair()
    messages = [sender.say(b"text", AD) for _ in range(1002)]
    assert not opens(receiver, messages[1001])
    assert opens(receiver, messages[1000])
    assert opens(receiver, messages[1001])
    assert opens(receiver, messages[0])
    assert not opens(receiver, messages[0])


@both
def test_both_keep_the_newest_two_thousand(pair: Callable[[], Pair]) -> None:
    sender, receiver = pair()
    messages = [sender.say(b"text", AD) for _ in range(2003)]
    for last in (1000, 2001):
        assert opens(receiver, messages[last])
    assert opens(receiver, messages[0])  # of two thousand keys the oldest is still there
    assert opens(receiver, messages[2002])
    messages += [sender.say(b"text", AD) for _ in range(3)]
    assert opens(receiver, messages[2005])  # which leaves two more, one of them in the place of the first
    assert not opens(receiver, messages[1])
    assert opens(receiver, messages[2])
    assert opens(receiver, messages[2004])


def over_a_turn(speaker: Ours | Peer, listener: Ours | Peer) -> bytes:
    """A message that skips six hundred of a chain that is over, and six hundred of the one it belongs to."""
    assert opens(listener, speaker.say(b"text", AD))
    for _ in range(600):
        speaker.say(b"text", AD)
    assert opens(speaker, listener.say(b"text", AD))
    for _ in range(600):
        speaker.say(b"text", AD)
    return speaker.say(b"text", AD)


def test_ours_counts_the_chain_that_is_over_with_the_next() -> None:
    theirs, ours = theirs_first()
    message = over_a_turn(theirs, ours)
    with pytest.raises(RefusalError) as refused:
        ours.hear(message, AD)
    assert refused.value.args == (Reason.SKIP_LIMIT,)


def test_theirs_counts_each_by_itself() -> None:
    ours, theirs = ours_first()
    assert opens(theirs, over_a_turn(ours, theirs))
