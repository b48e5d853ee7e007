import pytest
from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import MAX_DEVICES, Device, DeviceList, account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import DeviceNo
from tests.core.e2ee.people import coins, person

ALICE = person("alice")


def device(number: int) -> Device:
    return Device.make(IdentityKeys.make(ALICE.account, DeviceNo(number), coins("device", number)))


def make(*devices: Device, name: str = "alice", previous: DeviceList | None = None) -> DeviceList:
    return DeviceList.make(ALICE.account_key, name, devices, previous)


def signed(unsigned: DeviceList, key: SigningKey = ALICE.account_key) -> bytes:
    return unsigned.body + key.sign(unsigned.body)


def refusal(data: bytes) -> Reason:
    with pytest.raises(EscrowError) as caught:
        DeviceList.decode(data)
    return caught.value.reason


def test_a_list_has_one_encoding_and_knows_its_devices() -> None:
    listed = make(device(2), device(1))
    assert DeviceList.decode(listed.encode()) == listed
    assert [entry.number for entry in listed.devices] == [1, 2]
    assert listed.account == ALICE.account == account_id(ALICE.account_key.public)
    assert listed.device(DeviceNo(2)) == device(2)
    with pytest.raises(RefusedError) as caught:
        listed.device(DeviceNo(3))
    assert caught.value.reason is Reason.DEVICE_UNKNOWN


def test_an_entry_names_the_identity_that_sessions_use() -> None:
    assert Device.make(ALICE.keys).identity(ALICE.account) == ALICE.identity


def test_every_flipped_byte_of_a_list_is_refused() -> None:
    data = make(device(1)).encode()
    for place in range(len(data)):
        mutated = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        assert refusal(mutated) in {Reason.SIGNATURE_INVALID, Reason.MALFORMED}


@pytest.mark.parametrize("length", [0, 10, 64, 100])
def test_a_list_that_is_cut_short_is_refused(length: int) -> None:
    refusal(make(device(1)).encode()[:length])


def test_a_device_cannot_be_listed_without_its_key_or_by_another_account() -> None:
    mallory = person("mallory")
    with pytest.raises(RefusedError) as caught:
        DeviceList.make(mallory.account_key, "mallory", (Device.make(ALICE.keys),))
    assert caught.value.reason is Reason.SIGNATURE_INVALID
    entry = device(1)
    for forged in (replace(entry, dh=bytes(32)), replace(entry, number=DeviceNo(2)), replace(entry, proof=bytes(64))):
        with pytest.raises(RefusedError):
            make(forged)


def test_devices_in_disorder_or_twice_are_malformed() -> None:
    listed = make(device(1), device(2))
    first, second = listed.devices
    same_key = Device.make(
        replace(IdentityKeys.make(ALICE.account, DeviceNo(2), coins("device", 1)), device=DeviceNo(3))
    )
    for devices in ((second, first), (first, first), (first, same_key)):
        assert refusal(signed(replace(listed, devices=devices))) is Reason.MALFORMED


def test_a_list_of_too_many_devices_is_malformed() -> None:
    make(*(device(number) for number in range(MAX_DEVICES)))
    with pytest.raises(MalformedError):
        make(*(device(number) for number in range(MAX_DEVICES + 1)))


@pytest.mark.parametrize("name", ["", " alice", "alice\n", "a" * 65, "é" * 33, "\x00"])
def test_a_name_that_could_mislead_is_malformed(name: str) -> None:
    with pytest.raises(MalformedError):
        make(device(1), name=name)


def test_a_name_that_is_not_utf8_is_malformed() -> None:
    body = make(device(1), name="alice").body.replace(b"alice", b"alic\xff")
    assert refusal(body + ALICE.account_key.sign(body)) is Reason.MALFORMED


def test_lists_form_a_chain() -> None:
    first = make(device(1))
    second = make(device(1), device(2), previous=first)
    third = make(device(2), previous=second)
    first.check_follows(None)
    second.check_follows(first)
    third.check_follows(second)
    fork = make(device(3), previous=first)
    other = DeviceList.make(person("bob").account_key, "bob", ())
    for listed, previous in (
        (second, None),
        (first, first),
        (third, first),
        (first, second),
        (third, fork),
        (make(device(1), name="new"), first),
        (replace(second, account_key=other.account_key), first),
    ):
        with pytest.raises(RefusedError) as caught:
            listed.check_follows(previous)
        assert caught.value.reason is Reason.KEY_CHANGED


def test_an_account_key_of_small_order_is_refused() -> None:
    identity = b"\x01" + bytes(31)
    assert refusal(signed(replace(make(), account_key=identity))) is Reason.MALFORMED
