import pytest
from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.e2ee.conversation import Conversation
from escrow.errors import DeferredError, EscrowError, Reason
from escrow.ids import AccountId
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from tests.core.e2ee.people import ESCROWED, PLAIN, coins, person

ADMIN, BEN, CLEO = person("alice"), AccountId(coins("ben")), AccountId(coins("cleo"))
KEY: SigningKey = ADMIN.keys.signing_key


def start(choice: tuple[int, bytes] = ESCROWED, secret: object = 0) -> Conversation:
    return Conversation.start(KEY, ADMIN.account, Secret(coins(secret)), *choice, [BEN])


def refusal(data: bytes, after: Conversation | None = None, key: bytes = KEY.public) -> Reason:
    with pytest.raises(EscrowError) as caught:
        after.follow(data, key) if after else Conversation.decode(data, key)
    return caught.value.reason


def test_the_members_read_what_the_admin_started() -> None:
    begun = start()
    assert Conversation.decode(begun.encode(), KEY.public) == begun
    assert begun.members == tuple(sorted((ADMIN.account, BEN)))
    assert begun.version == 0
    assert unpack(pack(begun), Conversation) == begun


def test_two_conversations_never_share_an_id() -> None:
    ids = {start(ESCROWED).id, start(PLAIN).id, start(secret=1).id, start((1, bytes(32))).id}
    assert len(ids) == 4


def test_every_flipped_byte_is_refused() -> None:
    data = start().encode()
    for place in range(len(data)):
        mutated = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        assert refusal(mutated) in {Reason.MALFORMED, Reason.SIGNATURE_INVALID, Reason.ROSTER_ROOT}


def test_another_signer_is_refused() -> None:
    assert refusal(start().encode(), key=person("bob").identity.signing) is Reason.SIGNATURE_INVALID


def test_members_in_disorder_or_without_the_admin_are_malformed() -> None:
    begun = start()
    for members in (tuple(reversed(begun.members)), (BEN,), (*begun.members, begun.members[-1])):
        assert refusal(replace(begun, members=members).encode()) is Reason.MALFORMED


def test_versions_are_followed_one_by_one() -> None:
    first = start()
    second = first.change(KEY, [BEN, CLEO], first.secret)
    third = second.change(KEY, [CLEO], Secret(coins("new")))
    assert first.follow(second.encode(), KEY.public) == second
    assert second.follow(third.encode(), KEY.public) == third
    assert {first.id, second.id, third.id} == {first.id}
    assert refusal(first.encode(), second) is Reason.ROSTER_STALE
    assert refusal(second.encode(), second) is Reason.ROSTER_STALE
    assert refusal(second.encode()) is Reason.ROSTER_ROOT
    with pytest.raises(DeferredError):
        first.follow(third.encode(), KEY.public)


def test_a_fork_of_the_roster_is_refused() -> None:
    first = start()
    mine = first.change(KEY, [BEN, CLEO], first.secret)
    other = first.change(KEY, [BEN], first.secret)
    assert refusal(other.change(KEY, [BEN, CLEO], first.secret).encode(), mine) is Reason.ROSTER_ROOT


@pytest.mark.parametrize("pins", [{"mode": 0}, {"lineage": bytes(32)}, {"admin": BEN}])
def test_a_conversation_keeps_its_pins(pins: dict[str, object]) -> None:
    first = start()
    other = replace(first, **pins).change(KEY, [ADMIN.account, BEN], first.secret)
    assert refusal(other.encode(), first) is Reason.MODE_MISMATCH


def test_a_removal_takes_a_new_secret() -> None:
    first = start()
    with pytest.raises(EscrowError) as caught:
        first.change(KEY, [CLEO], first.secret)
    assert caught.value.reason is Reason.ROSTER_ROOT
    assert first.change(KEY, [CLEO], Secret(coins("new"))).members == tuple(sorted((ADMIN.account, CLEO)))


def test_the_secret_does_not_show() -> None:
    assert start().secret.expose().hex() not in repr(start())
