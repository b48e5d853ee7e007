"""How a device comes into the world: keys, a logged device list, prekeys at the relay, in this order."""

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import Device as ListedDevice
from escrow.e2ee.devices import DeviceList, account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.errors import Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import Append, Enroll
from escrow.roles.device import monitor, prekeeping
from escrow.roles.device.state import Me, load_me, save_me
from escrow.roles.lightview import LOG
from escrow.roles.machine import Draft
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis

FIRST_NUMBER = DeviceNo(1)
"""Of the device that registers its account, and alone holds the account's key."""


def register(draft: Draft, genesis: Genesis, name: str, draw: Coins) -> AccountId:
    """Make an account with this one device and owe its list to the log. Returns the account's id."""
    if draft.get(b"me") is not None:
        raise RefusedError(Reason.NAME_TAKEN, "this profile is registered already")
    seed = Secret(draw.take("account", 32))
    account_key = SigningKey.from_seed(seed)
    account = account_id(account_key.public)
    keys = IdentityKeys.make(account, FIRST_NUMBER, draw.take("identity", 32))
    devices = DeviceList.make(account_key, name, (ListedDevice.make(keys),))
    hedge = Secret(draw.take("hedge", 32))
    monitor.approve(draft, devices)
    save_me(draft, Me(name, seed, keys, hedge, devices.encode(), enrolled=False, chains=0, texts=0, mail=0))
    draft.delete(b"joining")  # whoever has an account of her own joins no other
    entry = Entry.make(EntryType.DEVICE_LIST, devices.encode(), account_key, genesis.log.origin)
    draft.owe(LOG, Append((entry,)))
    return account


def publish(draft: Draft, genesis: Genesis, now: Millis, draw: Coins) -> None:
    """The device list is in the log: now the relay may know us, and get our first prekeys, unless it did before."""
    if not load_me(draft).enrolled and not draft.owed(Enroll):
        prekeeping.publish_first(draft, genesis, now, draw)


def on_enrolled(draft: Draft) -> None:
    """Others can find us."""
    save_me(draft, replace(load_me(draft), enrolled=True))
