"""Requests and what custodians say about them: one encoding each, and nothing else is read (WAR-27, WAR-24)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import label_hash
from escrow.encoding import join
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag
from escrow.tlog.merkle import leaf_hash, root_of, verify_inclusion
from escrow.warrant.item import Item
from escrow.warrant.release import Denial, Outcome, ReleaseIntent, ReleaseRecord, ReleaseResponse, hpke_info
from escrow.warrant.request import ReleaseRequest, check_request_signature, item_leaf, item_salt, sign_request
from escrow.warrant.roster_path import RosterPath
from tests.core.warrant.office import OTHER, SALT, TARGET, key, label

COMMITTEE = b"k" * 32


def item(chain: int = 0, index: int = 0, roster_path: RosterPath | None = None, **changes: Any) -> Item:
    """An item of the right form; whether it is genuine is not asked here."""
    encoded = label(chain_id=bytes([chain]) * 16, n_max=8, **changes).encode()
    capsule = bytes([chain]) * 160
    header = Header(label_hash(encoded), cap_hash(1, capsule), index, b"m" * 16, ContentClass.CONTENT)
    return Item(
        label=encoded,
        capsule=capsule,
        body=T(Tag.BODY, header.encode(), b"c" * 32, b"t" * 40),
        device_sig=b"d" * 64,
        env_root=b"e" * 32,
        receipt=b"r" * 205,
        path=b"p" * 36,
        frame=b"f" * 131,
        relay_sig=b"s" * 64,
        root_index=7,
        root_size=9,
        ingest_path=(b"1" * 32, b"2" * 32),
        roster_path=roster_path,
    )


def request(*items: Item, **changes: Any) -> ReleaseRequest:
    """A request for these items, sorted."""
    return replace(
        ReleaseRequest(
            seal_tag=b"t" * 32,
            salt=SALT,
            field_root=b"f" * 32,
            dsse=b"{}",
            request_id=b"i" * 16,
            committee_key_hash=COMMITTEE,
            item_salt=b"x" * 32,
            items=tuple(sorted(items, key=lambda one: one.order)),
            nonce=b"n" * 16,
            expires=99,
        ),
        **changes,
    )


places = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=6)


@given(places)
def test_a_request_is_read_exactly_when_its_items_are_sorted_and_distinct(drawn: list[tuple[int, int]]) -> None:
    items = tuple(item(chain, index) for chain, index in drawn)
    unsorted = replace(request(), items=items)
    orders = [one.order for one in items]
    if orders == sorted(set(orders)):
        event("accepted")
        assert ReleaseRequest.decode(unsorted.encode()) == unsorted
    else:
        event("refused")
        with pytest.raises(MalformedError):
            ReleaseRequest.decode(unsorted.encode())
    proper = request(*(item(chain, index) for chain, index in set(drawn)))
    assert ReleaseRequest.decode(proper.encode()) == proper
    assert proper.count == len({chain for chain, _ in drawn})


@pytest.mark.spec("WRT-13")
@pytest.mark.parametrize("items", [(), (item(1), item(1)), request(item(1), item(2)).items[::-1]])
def test_no_item_an_item_twice_and_items_out_of_order_are_malformed(items: tuple[Item, ...]) -> None:
    with pytest.raises(MalformedError):
        ReleaseRequest.decode(replace(request(), items=items).encode())


def test_a_roster_path_is_the_one_part_that_may_be_absent() -> None:
    path = RosterPath(TARGET, b"s" * 32, 1, 3, (b"1" * 32, b"2" * 32))
    for one in (item(), item(roster_path=path)):
        assert Item.decode(one.encode()) == one
    parts = item().encode()
    with pytest.raises(MalformedError):
        Item.decode(parts + join(b"no roster path"))


def test_label_and_header_of_an_item_must_be_well_formed() -> None:
    for wrong in (
        replace(item(), label=bytes(338)),
        replace(item(), body=b"no body"),
        replace(item(), receipt=b"r" * 204),
        replace(item(), ingest_path=(b"1" * 31,)),
    ):
        with pytest.raises(MalformedError):
            Item.decode(wrong.encode())


REQUEST = request(item(1), item(2), item(2, 3))


@given(st.integers(0, len(REQUEST.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_makes_another_request_or_none(place: int, mask: int) -> None:
    data = REQUEST.encode()
    try:
        other = ReleaseRequest.decode(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
    except MalformedError:
        event("refused")
        return
    event("accepted")
    assert other.hash != REQUEST.hash


@pytest.mark.spec("WRT-15")
def test_a_request_is_signed_over_its_hash_and_its_count() -> None:
    signature = sign_request(key("agency"), REQUEST)
    public = key("agency").public
    check_request_signature(public, REQUEST.hash, REQUEST.count, signature)
    for who, what, count, sig in (
        (key("mallory").public, REQUEST.hash, REQUEST.count, signature),
        (public, request(item(1)).hash, REQUEST.count, signature),
        (public, REQUEST.hash, REQUEST.count + 1, signature),
        (public, REQUEST.hash, REQUEST.count, signature[:-1]),
        (public, REQUEST.hash, REQUEST.count, bytes(64)),
        (b"\x01" + bytes(31), REQUEST.hash, REQUEST.count, b"\x01" + bytes(63)),
    ):
        with pytest.raises(RefusedError) as refused:
            check_request_signature(who, what, count, sig)
        assert refused.value.reason is Reason.REQUEST_SIGNATURE


@pytest.mark.spec("WRT-14")
def test_one_request_asks_one_committee() -> None:
    REQUEST.check_one_committee()
    with pytest.raises(RefusedError) as refused:
        request(item(1), item(2, committee_key_hash=b"o" * 32)).check_one_committee()
    assert refused.value.reason is Reason.COMMITTEE_NOT_MINE


def test_the_log_learns_of_items_only_salted_hashes() -> None:
    leaves = [item_leaf(item_salt(REQUEST.item_salt, *one), *one) for one in REQUEST.units]
    assert REQUEST.item_root == root_of(leaves)
    assert len(set(leaves)) == REQUEST.count == 2
    assert replace(REQUEST, item_salt=b"y" * 32).item_root != REQUEST.item_root
    one, two = REQUEST.units
    assert item_salt(REQUEST.item_salt, *one) != item_salt(REQUEST.item_salt, *two)
    verify_inclusion(leaf_hash(leaves[0]), 0, 2, (leaf_hash(leaves[1]),), REQUEST.item_root)


SAID: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "intent": (
        ReleaseIntent(b"t" * 32, b"c" * 32, COMMITTEE, 1, REQUEST.hash, REQUEST.item_root, 2, b"s" * 64),
        ReleaseIntent.decode,
    ),
    "record": (ReleaseRecord(b"t" * 32, b"c" * 32, REQUEST.hash, b"h" * 32, Outcome.RELEASED), ReleaseRecord.decode),
    "denial": (Denial(b"t" * 32, b"c" * 32, REQUEST.hash, Reason.LOCKS_INCOMPLETE), Denial.decode),
    "response": (ReleaseResponse(3, b"g" * 32, REQUEST.hash, (b"1" * 96, b"2" * 96)), ReleaseResponse.decode),
    "roster path": (RosterPath(TARGET, b"s" * 32, 0, 2, (b"1" * 32,)), RosterPath.decode),
}


@pytest.mark.parametrize(("said", "decode"), SAID.values(), ids=SAID)
def test_what_is_said_has_one_encoding(said: Any, decode: Callable[[bytes], Any]) -> None:
    data = said.encode()
    assert decode(data) == said
    for wrong in (b"", data[:-1], data + b"\0", data + join(b""), b"\0" * len(data)):
        with pytest.raises(MalformedError):
            decode(wrong)


def test_an_unknown_outcome_and_an_unknown_reason_are_malformed() -> None:
    record = SAID["record"][0].encode()
    with pytest.raises(MalformedError):
        ReleaseRecord.decode(record[:-1] + b"\x03")
    denial = SAID["denial"][0].encode()
    for reason in (b"LOCKS_INCOMPLETF", b"\xff" * 16):
        with pytest.raises(MalformedError):
            Denial.decode(denial[:-16] + reason)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=4, max_size=4, unique=True), st.permutations(range(4)))
def test_an_encrypted_response_is_bound_to_everything_about_it(values: list[bytes], order: list[int]) -> None:
    moved = hpke_info(*(values[place] for place in order))
    assert (moved == hpke_info(*values)) == (order == [0, 1, 2, 3])


def member_leaf(account: bytes, salt: bytes) -> bytes:
    """As the roster root is defined."""
    return T(Tag.MEMBER, salt, account)


def test_a_roster_path_shows_one_account_and_no_other() -> None:
    leaves = [member_leaf(TARGET, b"1" * 32), member_leaf(OTHER, b"2" * 32)]
    root = root_of(leaves)
    proof = RosterPath(TARGET, b"1" * 32, 0, 2, (leaf_hash(leaves[1]),))
    assert RosterPath.decode(proof.encode()).member(root) == TARGET
    for wrong in (
        replace(proof, account=OTHER),
        replace(proof, salt=b"2" * 32),
        replace(proof, index=1),
        replace(proof, index=2),
        replace(proof, size=3),
        replace(proof, path=()),
    ):
        with pytest.raises(RefusedError) as refused:
            wrong.member(root)
        assert refused.value.reason is Reason.ROSTER_PATH


def test_what_would_open_something_is_not_printed() -> None:
    response = ReleaseResponse(3, b"g" * 32, REQUEST.hash, (b"SHARE" * 20,))
    assert "SHARE" not in repr(response)
    assert repr(REQUEST.item_salt) not in repr(REQUEST)
    assert repr(SALT) not in repr(REQUEST)
