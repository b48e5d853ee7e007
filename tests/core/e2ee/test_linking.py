"""What two devices tell each other before either believes the other, and the string that tells people apart."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import MAX_DEVICES, Device, DeviceList, account_id
from escrow.e2ee.linking import (
    DIGITS,
    Invitation,
    NewKeys,
    Offer,
    Reveal,
    in_halves,
    meeting_of,
    new_code,
    same_string,
    short_string,
)
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import DeviceNo
from escrow.secret import Secret
from tests.core.e2ee.people import coins

MEETING = meeting_of("7K3M9-Q2XPD")


def new_keys(*which: object) -> NewKeys:
    return NewKeys(*(Secret(coins(use, *which)) for use in ("signing", "dh", "nonce")))


def invitation(*which: object) -> Invitation:
    account = SigningKey.from_seed(coins("account"))
    first = Device.make(new_keys("first").of(account_id(account.public), DeviceNo(1)))
    return Invitation(bytes(32), DeviceList.make(account, "alice", (first,)), DeviceNo(2), coins("nonce", *which))


KEYS, INVITATION = new_keys(), invitation()
COMMITMENT = KEYS.offer.commitment(MEETING)
REVEAL = Reveal.make(KEYS, INVITATION)


def test_what_was_promised_becomes_an_entry_of_the_list() -> None:
    device = REVEAL.device(MEETING, COMMITMENT, INVITATION)
    account = SigningKey.from_seed(coins("account"))
    listed = DeviceList.make(account, "alice", (*INVITATION.devices.devices, device), INVITATION.devices)
    assert listed.device(DeviceNo(2)).identity(listed.account) == KEYS.of(listed.account, DeviceNo(2)).identity


@pytest.mark.parametrize("kind", [Offer, Invitation, Reveal])
def test_what_travels_has_one_encoding(kind: Any) -> None:
    value: Any = {Offer: KEYS.offer, Invitation: INVITATION, Reveal: REVEAL}[kind]
    assert kind.decode(value.encode()) == value
    for place in range(0, len(value.encode()), 7):
        with pytest.raises((MalformedError, RefusedError)):
            kind.decode(value.encode()[:place])
    with pytest.raises(MalformedError):
        kind.decode(value.encode() + b"\x00")


def test_an_invitation_of_a_full_account_fits_a_note() -> None:
    account = SigningKey.from_seed(coins("account"))
    empty = DeviceList.make(account, "n" * 64, ())
    devices = tuple(Device.make(new_keys(n).of(empty.account, DeviceNo(n))) for n in range(1, MAX_DEVICES + 1))
    full = DeviceList.make(account, "n" * 64, devices)
    assert len(Invitation(bytes(32), full, DeviceNo(99), bytes(32)).encode()) <= 4096


# -- the commitment -------------------------------------------------------------------------------


@pytest.mark.spec("LNK-2")
@given(st.sampled_from(("signing", "dh", "nonce", "meeting")), st.integers(0, 255))
def test_a_commitment_opens_to_one_offer_at_one_meeting(what: str, bit: int) -> None:
    def flipped(data: bytes) -> bytes:
        place = bit % (8 * len(data))
        return data[: place // 8] + bytes([data[place // 8] ^ 1 << place % 8]) + data[place // 8 + 1 :]

    meeting = flipped(MEETING) if what == "meeting" else MEETING
    offer = KEYS.offer if what == "meeting" else replace(KEYS.offer, **{what: flipped(getattr(KEYS.offer, what))})
    with pytest.raises(RefusedError) as refused:
        Reveal(offer, REVEAL.proof).device(meeting, COMMITMENT, INVITATION)
    assert refused.value.reason is Reason.LINK_INVALID


def test_a_commitment_says_nothing_about_keys_without_the_nonce() -> None:
    """The same keys under another nonce, and other keys under the same, are unrelated to the eye."""
    seen = {new_keys().offer.commitment(MEETING), replace(KEYS.offer, nonce=bytes(32)).commitment(MEETING)}
    seen |= {new_keys("other").offer.commitment(MEETING), KEYS.offer.commitment(bytes(16))}
    assert len(seen) == 4


@pytest.mark.spec("LNK-2")
def test_whoever_does_not_hold_the_keys_is_refused() -> None:
    elsewhere = Reveal.make(KEYS, replace(INVITATION, number=DeviceNo(3)))
    borrowed = Reveal(KEYS.offer, Reveal.make(new_keys("thief"), INVITATION).proof)
    for reveal in (elsewhere, borrowed, Reveal(KEYS.offer, bytes(64))):
        with pytest.raises(RefusedError) as refused:
            reveal.device(MEETING, COMMITMENT, INVITATION)
        assert refused.value.reason is Reason.LINK_INVALID


def test_a_key_that_is_no_point_is_refused() -> None:
    small = Offer(bytes([1]) + bytes(31), KEYS.offer.dh, KEYS.offer.nonce)
    with pytest.raises(RefusedError) as refused:
        Reveal(small, bytes(64)).device(MEETING, small.commitment(MEETING), INVITATION)
    assert refused.value.reason is Reason.LINK_INVALID


# -- the string -----------------------------------------------------------------------------------


@pytest.mark.spec("LNK-1")
def test_the_string_depends_on_every_part_that_was_fixed() -> None:
    strings = {
        short_string(MEETING, INVITATION.encode(), KEYS.offer),
        short_string(bytes(16), INVITATION.encode(), KEYS.offer),
        short_string(MEETING, invitation("other").encode(), KEYS.offer),
        short_string(MEETING, replace(INVITATION, number=DeviceNo(3)).encode(), KEYS.offer),
        short_string(MEETING, replace(INVITATION, deployment=coins()).encode(), KEYS.offer),
        *(short_string(MEETING, INVITATION.encode(), replace(KEYS.offer, **{part: coins(part, "other")}))
          for part in ("signing", "dh", "nonce")),
    }  # fmt: skip
    assert len(strings) == 8


def test_people_may_write_it_as_they_like() -> None:
    string = short_string(MEETING, INVITATION.encode(), KEYS.offer)
    assert len(string) == DIGITS
    assert string.isdigit()
    for told in (string, in_halves(string), string.replace("0", "O"), " - ".join(string)):
        assert same_string(string, told)
    for told in ("", string[:-1], string + "0", f"{(int(string) + 1) % 10**DIGITS:06d}"):
        assert not same_string(string, told)


# -- the code -------------------------------------------------------------------------------------


@given(st.binary(min_size=7, max_size=7))
def test_a_code_is_read_as_it_was_meant(drawn: bytes) -> None:
    code = new_code(drawn)
    assert len(meeting_of(code)) == 16
    misread = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert meeting_of(misread) == meeting_of(code)


def test_another_code_is_another_meeting() -> None:
    assert len({meeting_of(new_code(n.to_bytes(7, "big"))) for n in range(500)}) == 500


@pytest.mark.parametrize("code", ["", "7K3M9", "7K3M9-Q2XPDD", "7K3M9-Q2XP!", "7K3M9-Q2XPU", "٧K3M9-Q2XPD"])
def test_what_is_no_code_is_a_mistake(code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        meeting_of(code)
    assert refused.value.reason is Reason.USAGE
