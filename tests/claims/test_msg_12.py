"""MSG-12: a one-time prekey serves once, and a first message that is repeated is shown once, with or without one."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.e2ee.keys import Purpose
from escrow.ids import Party
from escrow.roles.calls import EscrowDelivery, GetBundle, PlainDelivery, PrekeyBundle
from escrow.roles.device.state import ESCROW, PLAIN
from tests.claims.measures import Census, effort
from tests.core.roles.phones import Phones, phones

pytestmark = pytest.mark.claim("MSG-12")

STRANGERS = [Party(f"device/{number:064x}/1") for number in range(20)]
ONE_TIME = tuple(b"prekey/" + bytes([purpose]) for purpose in (Purpose.ONE_TIME_PREKEY, Purpose.KEM_ONE_TIME))


@pytest.fixture(name="at", scope="module")
def _at() -> Iterator[Phones]:
    at = phones()
    at.reset()
    yield at
    at.reset()


def take(at: Phones, stranger: Party) -> PrekeyBundle:
    bundle: PrekeyBundle = at.world.ask("relay", GetBundle(at.me("bob").keys.account, 1), origin=stranger)
    return bundle


def one_time_secrets(at: Phones) -> int:
    return sum(key.startswith(ONE_TIME) for key in at.state("bob"))


def waiting(at: Phones) -> list[EscrowDelivery | PlainDelivery]:
    return [one for item in at.waiting("bob") for one in (item.escrow, item.plain) if one is not None]


def lose(at: Phones, prefix: bytes) -> None:
    """Bob loses a part of his memory."""
    values, streams = at.store("bob").snapshot()
    at.store("bob").restore(({key: one for key, one in values.items() if not key.startswith(prefix)}, streams))


@effort(0.4)
@given(
    st.sampled_from((PLAIN, ESCROW)),
    st.booleans(),
    st.integers(1, 3),
    st.lists(st.integers(0, 2), max_size=6),
    st.sampled_from((b"nothing", b"session/", b"settled/")),
)
@example(mode=PLAIN, drained=True, count=2, copies=[0, 1], lost=b"session/")
@example(mode=PLAIN, drained=True, count=2, copies=[1, 0], lost=b"settled/")
@example(mode=ESCROW, drained=True, count=2, copies=[0, 1], lost=b"session/")
def test_a_repeated_first_message_is_shown_once(
    at: Phones, census: Census, mode: int, drained: bool, count: int, copies: list[int], lost: bytes
) -> None:
    """Also by a device that has lost one of its two memories of it: sessions, and what it has seen."""
    at.reset()
    while drained and take(at, STRANGERS[0]).ec_key:
        STRANGERS.append(STRANGERS.pop(0))
    before = one_time_secrets(at)
    said = [f"first message {number}" for number in range(count)]
    for text in said:
        at.send("alice", "bob", text, mode)
    items = waiting(at)
    at.sync("bob")
    assert at.texts("bob") == said
    census("shown")
    assert before - one_time_secrets(at) == (0 if drained else 2)
    census("last resort" if drained else "one-time keys erased")
    lose(at, lost)
    for place in copies:
        at.deliver("bob", items[place % count])
        at.sync("bob")
        assert at.texts("bob") == said
        census("repeated")


@effort(0.2)
@given(st.sampled_from((PLAIN, ESCROW)))
def test_nothing_begins_a_second_time_with_a_one_time_key(at: Phones, census: Census, mode: int) -> None:
    """Whatever else the device has forgotten: the secret is gone."""
    at.reset()
    at.send("alice", "bob", "first", mode)
    (item,) = waiting(at)
    at.sync("bob")
    for memory in (b"session/", b"settled/", b"seen/"):
        lose(at, memory)
    at.deliver("bob", item)
    assert at.texts("bob") == ["first"]
    assert at.status("bob").deferred == ("ENVELOPE_INVALID",)
    census("refused")


@effort(0.2)
@given(st.lists(st.integers(0, len(STRANGERS) - 1), min_size=2, max_size=14))
def test_the_relay_hands_out_each_one_time_key_once(at: Phones, census: Census, askers: list[int]) -> None:
    at.reset()
    bundles = [take(at, STRANGERS[asker]) for asker in askers]
    keys = [key for one in bundles for key in (one.ec_key, one.kem_key) if key]
    assert keys
    assert len(set(keys)) == len(keys)
    census("handed out")
