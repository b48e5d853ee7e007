"""Orders about a warrant: one person may stop it, nobody alone may start it again (WAR-22)."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.encoding import join, u16, u32
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import T, Tag
from escrow.tlog.entry import EntryType
from escrow.warrant.orders import KINDS, Order
from escrow.warrant.table import Event
from tests.core.warrant.office import GENESIS, changed, key

SEAL = b"s" * 32
KIND = sorted(KINDS)


def needed(kind: EntryType, people: set[str]) -> bool:
    """The rule, written a second time."""
    issuers, approvers = len(people & {"ida", "ivan"}), len(people & {"anna", "abe", "ada"})
    match kind:
        case EntryType.APPROVAL:
            return approvers >= 2
        case EntryType.REFUSAL:
            return approvers >= 1
        case EntryType.RESUMPTION:
            return issuers >= 1 and approvers >= 2
        case _:
            return issuers + approvers >= 1


@given(
    st.sampled_from(KIND),
    st.lists(st.sampled_from(("ida", "ivan", "anna", "abe", "ada", "relay", "mallory")), max_size=5),
)
def test_an_order_holds_exactly_with_the_people_its_kind_needs(kind: EntryType, signers: list[str]) -> None:
    order = Order.decode(Order.signed(kind, SEAL, *(key(name) for name in signers)).encode())
    strangers = set(signers) & {"relay", "mallory"}
    if needed(kind, set(signers)) and not strangers:
        event("accepted")
        assert order.check(GENESIS) is KINDS[kind].event
    else:
        event("refused")
        with pytest.raises(RefusedError) as refused:
            order.check(GENESIS)
        assert refused.value.reason is (Reason.ROLE_KEY_UNAUTHORISED if strangers else Reason.LOCKS_INCOMPLETE)


@pytest.mark.spec("WRT-12")
@pytest.mark.parametrize("kind", KIND)
def test_a_signature_for_another_kind_or_warrant_does_not_count(kind: EntryType) -> None:
    people = (key("ida"), key("anna"), key("abe"))
    for other in (
        Order.signed(KIND[KIND.index(kind) - 1], SEAL, *people),
        Order.signed(kind, b"o" * 32, *people),
    ):
        with pytest.raises(RefusedError) as refused:
            Order(kind, SEAL, other.signatures).check(GENESIS)
        assert refused.value.reason is Reason.SIGNATURE_INVALID


def test_one_person_under_two_roles_resumes_nothing() -> None:
    twin = changed(GENESIS.approvers.people[0], person="ida")
    registry = changed(GENESIS, approvers=changed(GENESIS.approvers, people=(twin, *GENESIS.approvers.people[1:])))
    order = Order.signed(EntryType.RESUMPTION, SEAL, key("ida"), key("anna"), key("abe"))
    with pytest.raises(RefusedError) as refused:
        order.check(registry)
    assert refused.value.reason is Reason.SEPARATION_OF_DUTIES


def test_every_kind_is_an_event_of_the_table() -> None:
    assert {kind.event for kind in KINDS.values()} == {
        Event.APPROVE,
        Event.REFUSE,
        Event.SUSPEND,
        Event.RESUME,
        Event.CANCEL,
        Event.ATTAIN,
    }
    assert len({kind.tag for kind in KINDS.values()}) == len(KINDS)


ORDER = Order.signed(EntryType.CANCELLATION, SEAL, key("ida")).encode()


@given(st.integers(0, len(ORDER) - 1), st.integers(1, 255))
def test_a_changed_byte_of_an_order_is_refused(place: int, mask: int) -> None:
    with pytest.raises(EscrowError):
        Order.decode(ORDER[:place] + bytes([ORDER[place] ^ mask]) + ORDER[place + 1 :]).check(GENESIS)


def test_what_is_no_order_is_malformed() -> None:
    for wrong in (
        b"",
        ORDER + b"\0",
        T(Tag.ORDER, u16(EntryType.POLICY), SEAL, u32(0), b""),
        T(Tag.ORDER, u16(EntryType.CANCELLATION), SEAL, u32(1), b""),
        T(Tag.ORDER, u16(EntryType.CANCELLATION), SEAL, u32(0), join(bytes(95))),
        T(Tag.ORDER, u16(EntryType.CANCELLATION), SEAL, u32(0), join(*[bytes(96)] * 65)),
        T(Tag.ORDER, u16(EntryType.CANCELLATION), SEAL, u32(0), join(bytes(96), bytes(96))),
        T(Tag.ORDER, u16(EntryType.CANCELLATION), SEAL, u32(0), join(b"b" + bytes(95), b"a" + bytes(95))),
    ):
        with pytest.raises(MalformedError):
            Order.decode(wrong)
