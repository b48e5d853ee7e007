"""How a device comes into the world: keys, a logged device list, prekeys at the relay, in this order."""

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey
from escrow.e2ee.bundle import Published, make_prekeys
from escrow.e2ee.devices import Device as ListedDevice
from escrow.e2ee.devices import DeviceList, account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.errors import Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import Append, Appended, Enroll
from escrow.roles.device import monitor
from escrow.roles.device.blame import NOBODY
from escrow.roles.device.conversations import NO_LINEAGE, lineage_of
from escrow.roles.device.directory import RELAY
from escrow.roles.device.state import ESCROW, PLAIN, Me, load_me, prekey_key, raise_alarm, save_me
from escrow.roles.lightview import LOG
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis

ONE_TIME_KEYS = 8
"""One-time prekeys of each kind that a device publishes; the last-resort key serves once they are used up."""
ONE_YEAR = 365 * 24 * 3600 * 1000


def register(draft: Draft, genesis: Genesis, name: str, now: Millis, draw: Coins) -> AccountId:
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
    _make_prekeys(draft, genesis, keys, now, draw)
    entry = Entry.make(EntryType.DEVICE_LIST, devices.encode(), account_key, genesis.log.origin)
    draft.owe(LOG, Append((entry,)))
    return account


def _make_prekeys(draft: Draft, genesis: Genesis, keys: IdentityKeys, now: Millis, draw: Coins) -> None:
    choices = ((PLAIN, NO_LINEAGE), (ESCROW, lineage_of(genesis, ESCROW)))
    lifetime = max(0, genesis.policy.period_bounds(0)[1] - now) + ONE_YEAR
    secrets, published = make_prekeys(draw.take("prekeys", 32), keys, ONE_TIME_KEYS, now, choices, lifetime=lifetime)
    for secret in secrets.keys:
        draft.put(prekey_key(secret.purpose, secret.number), pack(secret))
    draft.put(b"published", pack(published))


def on_logged(draft: Draft, reply: Appended, now: Millis) -> None:
    """The device list is in the log: now the relay may know us."""
    refused = next((one.reason for one in reply.results if one.reason), "")
    if refused or not reply.results:
        raise_alarm(draft, Reason.ENTRY_REFUSED, NOBODY, f"the log does not take the device list: {refused}", now)
        return
    me, published = load_me(draft), unpack(draft.get(b"published") or b"", Published)
    monitor.on_logged(draft, DeviceList.decode(me.device_list).list_hash, reply.results[0].index, now)
    draft.owe(RELAY, Enroll(me.name, published.static, published.ec, published.kem))


def on_enrolled(draft: Draft) -> None:
    """Others can find us."""
    draft.delete(b"published")
    save_me(draft, replace(load_me(draft), enrolled=True))
