"""Lists of bob's devices that bob's device knows nothing of, made by whoever has stolen the key of his account."""

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import DeviceList
from escrow.roles.device.commands import Watched, WatchMe
from escrow.roles.device.own_devices import account_seed
from escrow.tlog.entry import Entry, EntryType
from tests.core.roles.phones import Phones


def watch(at: Phones, name: str) -> Watched:
    at.world.run(at.device(name), WatchMe())
    return at.status(name).watched


def in_turn(at: Phones) -> bytes:
    """An honest log takes it, and everybody counts it."""
    return at.entry_of("bob", at.next_list("bob", 1, 2))


def out_of_turn(at: Phones) -> bytes:
    """No follower counts it, but a device that asks for the newest list has no history to hold against it."""
    return at.entry_of("bob", at.next_list("bob", 7, after=at.next_list("bob", 5)))


def under_another_submitter(at: Phones) -> bytes:
    stranger = SigningKey.from_seed(account_seed(at.me("carol")))
    ghost = at.next_list("bob", 3).encode()
    return Entry.make(EntryType.DEVICE_LIST, ghost, stranger, at.world.genesis.log.origin)


def without_the_entrys_signature(at: Phones) -> bytes:
    return at.entry_of("bob", at.next_list("bob", 3))[:-1] + b"\0"


def the_old_list_once_more(at: Phones) -> bytes:
    return at.entry_of("bob", DeviceList.decode(at.me("bob").device_list))


GHOSTS = (in_turn, out_of_turn, under_another_submitter, without_the_entrys_signature, the_old_list_once_more)
