"""How a device comes into the world: keys, a logged device list, prekeys at the relay, in this order."""

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import Device as ListedDevice
from escrow.e2ee.devices import DeviceList, account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.errors import Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import Append, Appended
from escrow.roles.device import monitor, prekeeping
from escrow.roles.device.blame import NOBODY
from escrow.roles.device.state import Me, load_me, raise_alarm, save_me
from escrow.roles.lightview import LOG
from escrow.roles.machine import Draft
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis


def register(draft: Draft, genesis: Genesis, name: str, draw: Coins) -> AccountId:
    """Make an account with this one device and owe its list to the log. Returns the account's id."""
    if draft.get(b"me") is not None:
        raise RefusedError(Reason.NAME_TAKEN, "this profile is registered already")
    seed = Secret(draw.take("account", 32))
    account_key = SigningKey.from_seed(seed)
    account = account_id(account_key.public)
    keys = IdentityKeys.make(account, DeviceNo(1), draw.take("identity", 32))
    devices = DeviceList.make(account_key, name, (ListedDevice.make(keys),))
    hedge = Secret(draw.take("hedge", 32))
    monitor.approve(draft, devices)
    save_me(draft, Me(name, seed, keys, hedge, devices.encode(), enrolled=False, chains=0, texts=0, mail=0))
    entry = Entry.make(EntryType.DEVICE_LIST, devices.encode(), account_key, genesis.log.origin)
    draft.owe(LOG, Append((entry,)))
    return account


def on_logged(draft: Draft, genesis: Genesis, reply: Appended, now: Millis, draw: Coins) -> None:
    """The device list is in the log: now the relay may know us, and get our first prekeys."""
    refused = next((one.reason for one in reply.results if one.reason), "")
    if refused or not reply.results:
        raise_alarm(draft, Reason.ENTRY_REFUSED, NOBODY, f"the log does not take the device list: {refused}", now)
        return
    monitor.on_logged(draft, DeviceList.decode(load_me(draft).device_list).list_hash, reply.results[0].index, now)
    prekeeping.publish_first(draft, genesis, now, draw)


def on_enrolled(draft: Draft) -> None:
    """Others can find us."""
    save_me(draft, replace(load_me(draft), enrolled=True))
