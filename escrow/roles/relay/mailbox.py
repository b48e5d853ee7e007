"""The relay's memory of what it accepted: items as they came, a mailbox per device, and how long both are kept.

A device acknowledges by asking for what comes after. An item that all its devices have acknowledged is kept for as
long as the policy says, which may be not at all; until then it can be produced under a warrant.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.encoding import number, u32, u64
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import Delivery, EscrowDelivery, Fetch, Fetched, PlainDelivery
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.warrant.genesis import Genesis

MOST_FETCHED = 256
MOST_BYTES = 4_000_000
"""Of deliveries in one answer."""

_ITEM = b"item/"
_MAIL = b"mail/"
_ABOUT = b"about/"
_EXPIRES = b"expires/"


class Item(Struct, frozen=True):
    """An accepted escrowed submission and what the relay signed for it. ``waiting``: devices yet to acknowledge."""

    label: bytes
    capsule: bytes
    body: bytes
    device_sig: bytes
    env_root: bytes
    receipt: bytes
    path: bytes
    frame: bytes
    relay_sig: bytes
    members: tuple[bytes, ...]
    ingest_time: int
    waiting: int


class Mail(Struct, frozen=True):
    """What waits for one device: an item by its ``ingest_seq``, or an un-escrowed session message from a sender."""

    envelope: bytes
    seq: int | None = None
    env_path: bytes = b""
    sender_account: bytes = b""
    sender_device: int = 0


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Items and mailboxes in a relay's state."""

    genesis: Genesis

    def keep(self, draft: Draft, seq: int, item: Item) -> None:
        """Store an accepted item, findable by its members and its time."""
        for member in item.members:
            draft.put(_about(member, item.ingest_time, seq), b"")
        self._put(draft, seq, item, item.ingest_time)

    def item(self, view: Read | Draft, seq: int) -> Item | None:
        """An item that is still kept."""
        data = view.get(_ITEM + u64(seq))
        return None if data is None else unpack(data, Item)

    def about(self, view: Read | Draft, account: bytes, start: int, end: int) -> list[int]:
        """The numbers of the items kept of conversations of ``account`` with ingest times in ``[start, end)``."""
        found = []
        prefix = _ABOUT + account
        for key, _ in view.scan(prefix, after=prefix + u64(start)):
            time, seq = number(key[len(prefix) : -8]), number(key[-8:])
            if time >= end:
                break
            found.append(seq)
        return found

    def deliver(self, draft: Draft, account: bytes, device: int, mail: Mail) -> None:
        """Put something into a device's mailbox; its stream grows by one, for whoever waits at it."""
        place = draft.append(f"mail/{account.hex()}/{device}", b"")
        draft.put(_mail(account, device) + u64(place), pack(mail))

    def fetch(self, draft: Draft, account: AccountId, device: DeviceNo, call: Fetch, now: Millis) -> Fetched:
        """Acknowledge what comes before ``start``; answer what comes from there on."""
        prefix = _mail(account, device)
        for key, value in list(draft.scan(prefix)):
            if number(key[len(prefix) :]) >= call.start:
                break
            draft.delete(key)
            self._acknowledge(draft, unpack(value, Mail), now)
        deliveries: list[Delivery] = []
        size = 0
        for key, value in draft.scan(prefix, limit=max(1, min(call.limit, MOST_FETCHED))):
            delivery = self._delivery(draft, number(key[len(prefix) :]), unpack(value, Mail))
            size += _size(delivery)
            if deliveries and size > MOST_BYTES:
                break
            deliveries.append(delivery)
        return Fetched(tuple(deliveries))

    def purge(self, draft: Draft, now: Millis) -> None:
        """Forget the items whose time is over."""
        for key, _ in list(draft.scan(_EXPIRES)):
            if number(key[len(_EXPIRES) : -8]) > now:
                break
            draft.delete(key)
            self._drop(draft, number(key[-8:]))

    def _acknowledge(self, draft: Draft, mail: Mail, now: Millis) -> None:
        if mail.seq is None:
            return
        item = self.item(draft, mail.seq)
        if item is not None:
            values = {name: getattr(item, name) for name in item.__struct_fields__}
            self._put(draft, mail.seq, Item(**{**values, "waiting": item.waiting - 1}), now)

    def _put(self, draft: Draft, seq: int, item: Item, now: int) -> None:
        draft.put(_ITEM + u64(seq), pack(item))
        retention = self.genesis.policy.relay_retention
        if item.waiting == 0 and retention:
            draft.put(_EXPIRES + u64(now + retention) + u64(seq), b"")
        elif item.waiting == 0:
            self._drop(draft, seq)

    def _drop(self, draft: Draft, seq: int) -> None:
        item = self.item(draft, seq)
        if item is None:
            return
        for member in item.members:
            draft.delete(_about(member, item.ingest_time, seq))
        draft.delete(_ITEM + u64(seq))

    def _delivery(self, view: Draft, place: int, mail: Mail) -> Delivery:
        if mail.seq is None:
            return Delivery(place, None, PlainDelivery(mail.sender_account, mail.sender_device, mail.envelope))
        item = self.item(view, mail.seq)
        if item is None:
            raise AssertionError("an item is kept until it is acknowledged")
        escrow = EscrowDelivery(
            label=item.label,
            capsule=item.capsule,
            body=item.body,
            device_sig=item.device_sig,
            envelope=mail.envelope,
            env_root=item.env_root,
            env_path=mail.env_path,
            receipt=item.receipt,
            path=item.path,
            frame=item.frame,
            relay_sig=item.relay_sig,
        )
        return Delivery(place, escrow, None)


def _mail(account: bytes, device: int) -> bytes:
    return _MAIL + account + u32(device)


def _about(account: bytes, time: int, seq: int) -> bytes:
    return _ABOUT + account + u64(time) + u64(seq)


def _size(delivery: Delivery) -> int:
    if delivery.escrow is not None:
        return len(delivery.escrow.body) + len(delivery.escrow.envelope) + len(delivery.escrow.capsule) + 2000
    return len(delivery.plain.envelope) if delivery.plain is not None else 0
