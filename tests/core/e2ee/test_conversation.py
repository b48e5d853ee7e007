import pytest
from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.e2ee.conversation import Conversation, KeysOf
from escrow.errors import EscrowError, MalformedError, Reason
from escrow.ids import AccountId
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from tests.core.e2ee.people import ESCROWED, PLAIN, coins, person

ADMIN, BEN, CLEO = person("alice"), AccountId(coins("ben")), AccountId(coins("cleo"))
KEY: SigningKey = ADMIN.keys.signing_key


def start(choice: tuple[int, bytes] = ESCROWED, secret: object = 0, title: str = "team") -> Conversation:
    return Conversation.start(KEY, ADMIN.account, Secret(coins(secret)), *choice, [BEN], title)


def keys(*signing: bytes) -> KeysOf:
    """The key directory of a test: only the admin has devices, with these keys."""
    return lambda account: (signing or (KEY.public,)) if account == ADMIN.account else ()


def refusal(data: bytes, *signing: bytes) -> Reason:
    with pytest.raises(EscrowError) as caught:
        Conversation.decode(data, keys(*signing))
    return caught.value.reason


def misfit(earlier: Conversation, later: Conversation) -> Reason:
    with pytest.raises(EscrowError) as caught:
        earlier.check_later(later)
    return caught.value.reason


def test_the_members_read_what_the_admin_started() -> None:
    begun = start()
    assert Conversation.decode(begun.encode(), keys()) == begun
    assert begun.members == tuple(sorted((ADMIN.account, BEN)))
    assert begun.version == 0
    assert unpack(pack(begun), Conversation) == begun


def test_two_conversations_never_share_an_id() -> None:
    ids = {start(ESCROWED).id, start(PLAIN).id, start(secret=1).id, start((1, bytes(32))).id, start(title="a").id}
    assert len(ids) == 5


def test_every_flipped_byte_is_refused() -> None:
    data = start().encode()
    for place in range(len(data)):
        mutated = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        assert refusal(mutated) in {Reason.MALFORMED, Reason.SIGNATURE_INVALID, Reason.ROSTER_ROOT}


def test_another_signer_is_refused() -> None:
    assert refusal(start().encode(), person("bob").identity.signing) is Reason.SIGNATURE_INVALID


def test_members_in_disorder_or_without_the_admin_are_malformed() -> None:
    begun = start()
    for members in (tuple(reversed(begun.members)), (BEN,), (*begun.members, begun.members[-1])):
        assert refusal(replace(begun, members=members).encode()) is Reason.MALFORMED


def test_any_version_stands_for_itself_and_tells_what_it_follows() -> None:
    first = start()
    second = first.change(KEY, [BEN, CLEO], first.secret)
    third = second.change(KEY, [CLEO], Secret(coins("new")))
    assert {first.id, second.id, third.id} == {first.id}
    for each in (first, second, third):
        assert Conversation.decode(each.encode(), keys()) == each
    first.check_later(second)
    second.check_later(third)
    first.check_later(third)
    for earlier, later in ((second, first), (second, second), (third, first)):
        assert misfit(earlier, later) is Reason.ROSTER_FORKED


def test_a_fork_of_the_roster_is_noticed_by_its_neighbours() -> None:
    first = start()
    mine = first.change(KEY, [BEN, CLEO], first.secret)
    other = first.change(KEY, [BEN], first.secret)
    assert misfit(mine, other.change(KEY, [BEN, CLEO], first.secret)) is Reason.ROSTER_FORKED
    assert misfit(mine, other) is Reason.ROSTER_FORKED


@pytest.mark.parametrize(
    "pins", [{"mode": 0}, {"lineage": bytes(32)}, {"title": "other"}, {"origin": bytes(32)}, {"before": bytes(32)}]
)
def test_nobody_who_passes_a_version_on_can_change_what_it_is_of(pins: dict[str, object]) -> None:
    second = start().change(KEY, [BEN, CLEO], start().secret)
    assert refusal(replace(second, **pins).encode()) is Reason.ROSTER_ROOT


def test_another_conversation_is_no_later_version() -> None:
    other = start(title="other").change(KEY, [BEN, CLEO], start().secret)
    assert misfit(start(), other) is Reason.ROSTER_FORKED


def test_every_flipped_byte_of_a_later_version_is_refused() -> None:
    data = start().change(KEY, [BEN, CLEO], start().secret).encode()
    for place in range(len(data)):
        mutated = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        assert refusal(mutated) in {Reason.MALFORMED, Reason.SIGNATURE_INVALID, Reason.ROSTER_ROOT}


def test_any_device_of_the_admin_may_have_signed() -> None:
    assert Conversation.decode(start().encode(), keys(person("bob").identity.signing, KEY.public)) == start()


def test_a_removal_takes_a_new_secret() -> None:
    first = start()
    with pytest.raises(EscrowError) as caught:
        first.change(KEY, [CLEO], first.secret)
    assert caught.value.reason is Reason.ROSTER_FORKED
    second = first.change(KEY, [CLEO], Secret(coins("new")))
    assert second.members == tuple(sorted((ADMIN.account, CLEO)))
    old = replace(second.change(KEY, [CLEO, AccountId(coins("dan"))], second.secret), secret=first.secret)
    assert misfit(first, old) is Reason.ROSTER_FORKED


@pytest.mark.parametrize("title", ["x" * 65, " x", "x\n"])
def test_a_title_is_short_and_printable(title: str) -> None:
    with pytest.raises(MalformedError):
        start(title=title)


def test_a_conversation_without_a_title_is_that_of_two_for_ever() -> None:
    pair = start(title="")
    assert pair.is_pair
    assert not start().is_pair
    for members in ([CLEO], [BEN, CLEO]):
        with pytest.raises(MalformedError):
            pair.change(KEY, members, Secret(coins("new")))
    with pytest.raises(MalformedError):
        Conversation.start(KEY, ADMIN.account, Secret(coins(0)), *ESCROWED, [BEN, CLEO])
    with pytest.raises(MalformedError):
        Conversation.start(KEY, ADMIN.account, Secret(coins(0)), *ESCROWED, [], "alone")


def test_the_secret_does_not_show() -> None:
    assert start().secret.expose().hex() not in repr(start())
