"""A prekey that is gone is gone, whoever has written the other side."""

import pytest

from escrow.e2ee.keys import Purpose
from escrow.e2ee.pqxdh import respond
from escrow.errors import Reason, RefusedError
from tests.core.e2ee.people import ESCROWED, person
from tests.oracles import agreement

ALICE, BOB = person("alice"), person("bob")


@pytest.mark.parametrize(
    ("ec", "kem", "purposes"),
    [
        (True, False, [Purpose.ONE_TIME_PREKEY]),
        (False, True, [Purpose.KEM_ONE_TIME]),
        (True, True, [Purpose.ONE_TIME_PREKEY, Purpose.KEM_ONE_TIME]),
    ],
)
def test_a_one_time_key_serves_another_implementation_once(ec: bool, kem: bool, purposes: list[Purpose]) -> None:
    initial, _ = agreement.initiate(ALICE, BOB, ESCROWED, ec=ec, kem=kem)
    _, used = respond(BOB.keys, BOB.secrets.find, initial)
    assert [purpose for purpose, _ in used] == purposes
    with pytest.raises(RefusedError) as refused:
        respond(BOB.keys, BOB.secrets.without(used).find, initial)
    assert refused.value.reason is Reason.PREKEY_UNKNOWN


def test_two_first_messages_of_another_implementation_share_nothing() -> None:
    (_, first), (_, second) = (agreement.initiate(ALICE, BOB, ESCROWED, ec=True, kem=True) for _ in range(2))
    assert first.root != second.root
    assert first.ad != second.ad
