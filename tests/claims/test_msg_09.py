"""MSG-09: no byte of a bundle or of a first message, and no choice in it, can be changed without losing the session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.e2ee.bundle import Bundle
from escrow.e2ee.pqxdh import Initial, SessionSecret, initiate, respond
from escrow.errors import EscrowError, Reason, RefusedError
from tests.claims.measures import Census, effort
from tests.core.crypto.draws import flip
from tests.core.e2ee.people import ESCROWED, KEM, NOW, PLAIN, coins, person

pytestmark = pytest.mark.claim("MSG-09")

ALICE, BOB = person("alice"), person("bob")


def begin(seed: int, choice: tuple[int, bytes]) -> tuple[bytes, SessionSecret]:
    return initiate(ALICE.keys, BOB.verified(), *choice, KEM, coins("initiate", seed), NOW)


def agrees(mine: SessionSecret, initial: bytes) -> bool:
    """Whether the responder ends with the initiator's secret."""
    try:
        theirs, _ = respond(BOB.keys, BOB.secrets.find, initial)
    except EscrowError:
        return False
    return theirs.root == mine.root


@given(st.sampled_from((PLAIN, ESCROWED)), st.integers(0), st.integers(0, 9))
def test_every_flipped_bit_of_a_first_message_costs_the_session(
    census: Census, choice: tuple[int, bytes], bit: int, seed: int
) -> None:
    initial, mine = begin(seed, choice)
    assert agrees(mine, initial)
    census("accepted")
    assert not agrees(mine, flip(initial, bit))
    census("refused")


@given(st.integers(0, 9))
def test_nobody_between_the_two_changes_the_mode(census: Census, seed: int) -> None:
    initial, mine = begin(seed, ESCROWED)
    mode, lineage = PLAIN
    downgraded = replace(Initial.decode(initial), mode=mode, lineage=lineage).encode()
    assert not agrees(mine, downgraded)
    stripped = replace(Initial.decode(initial), one_time=None).encode()
    assert not agrees(mine, stripped)
    census("downgrade refused")


@effort(2)
@given(st.integers(0, 2), st.integers(0))
def test_every_flipped_bit_of_a_bundle_is_refused(census: Census, part: int, bit: int) -> None:
    whole = BOB.bundle()
    parts = [whole.static, whole.ec or b"", whole.kem or b""]
    parts[part] = flip(parts[part], bit)
    with pytest.raises(RefusedError) as refused:
        Bundle(*parts).verify(BOB.identity.signing, NOW)
    assert refused.value.reason is Reason.BUNDLE_INVALID
    census("refused")
