"""A few devices in a World, put back to the same morning before every test, and deliveries made by hand.

The forger of ``craft`` holds everything that a test may want to lie with: the sender's keys and sessions, and the key
of the relay. What it leaves alone is what an honest sender and an honest relay would have made.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.chain import message_key
from escrow.capsule.envelope import EnvelopeContent, env_path, env_root
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import Receipt, sign_frame
from escrow.capsule.schemes import scheme_of
from escrow.capsule.submission import SignedContent
from escrow.crypto.sign import SigningKey
from escrow.e2ee.content import Text, encode_content
from escrow.e2ee.devices import Device as ListedDevice
from escrow.e2ee.devices import DeviceList
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.roster import conv_tag, roster_root
from escrow.e2ee.session import Session, seal
from escrow.errors import Reason, RefusedError
from escrow.ids import DeviceNo, Party
from escrow.node import Node
from escrow.roles.authorised import context_of
from escrow.roles.calls import (
    Append,
    Call,
    Delivery,
    EscrowDelivery,
    Fetch,
    Fetched,
    FrameReply,
    ItemResult,
    PlainDelivery,
    Reply,
    Submit,
)
from escrow.roles.device.commands import (
    ChangeGroup,
    ConversationStatus,
    CreateGroup,
    GetInbox,
    GetStatus,
    Send,
    Status,
    Sync,
)
from escrow.roles.device.conversations import all_held
from escrow.roles.device.own_devices import account_seed
from escrow.roles.device.state import ESCROW, PLAIN, Me, Shown, load_me, load_session, save_session
from escrow.roles.ledger import LEAVES
from escrow.roles.lightview import LightView
from escrow.roles.log.publishing import TREE
from escrow.roles.machine import Answered, Draft, Todo
from escrow.secret import Secret
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.world.founding import Terms
from escrow.world.loop import complete
from escrow.world.world import World

State = dict[bytes, bytes]
PEOPLE = ("alice", "bob", "carol")
BY_HAND = 1 << 62
"""The number of a to-do that no device has written down."""
Bytes = Callable[[bytes], bytes]


def same(data: bytes) -> bytes:
    """What an honest party does to the bytes of another."""
    return data


def flipped(data: bytes, place: int = -1) -> bytes:
    """One bit is another."""
    copy = bytearray(data)
    copy[place] ^= 1
    return bytes(copy)


@dataclass(frozen=True)
class Lie:
    """Where a crafted delivery leaves the honest path. Each field acts at its own layer; all layers above follow it."""

    policy_hash: bytes | None = None
    label: dict[str, Any] = field(default_factory=dict)
    capsule_seed: bytes | None = None
    key: Bytes = same
    header: dict[str, Any] = field(default_factory=dict)
    padded: Bytes = same
    body: Bytes = same
    content: dict[str, Any] = field(default_factory=dict)
    plaintext: Bytes = same
    envelope: Bytes = same
    device_key: SigningKey | None = None
    signature: Bytes = same
    receipt: dict[str, Any] = field(default_factory=dict)
    include_by: int = 0
    relay_key: SigningKey | None = None
    delivery: Callable[[EscrowDelivery], EscrowDelivery] = lambda one: one


class Phones:
    """The people's devices, and what a test does with them."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.world = World(terms=terms)
        self.world.make_committee_key()
        for name in PEOPLE:
            self.world.register(name)
        self.morning = self.save()
        self.lists: dict[str, list[DeviceList]] = {}
        self._drawn = 0

    # -- time travel ----------------------------------------------------------------------------

    def save(self) -> dict[Party, Any]:
        """Everything every party holds, and the time."""
        self._saved_at = self.world.now
        return {party: self.world.store(party).snapshot() for party in self.world.network.nodes}

    def reset(self) -> None:
        """It is morning again, and the network is honest."""
        network = self.world.network
        for party, snapshot in self.morning.items():
            self.world.store(party).restore(snapshot)
        self.world.clock._now = self._saved_at
        self.lists.clear()
        network.down.clear()
        network.on_call = lambda _origin, _to, call: call
        network.on_reply = lambda _origin, _to, _call, reply: reply

    # -- what people do -------------------------------------------------------------------------

    def device(self, name: str) -> Node:
        return self.world.devices[name]

    def store(self, name: str) -> MemoryStore:
        store = self.device(name).store
        assert isinstance(store, MemoryStore)
        return store

    def me(self, name: str) -> Me:
        return load_me(self.store(name))

    def send(self, sender: str, to: str, text: str, mode: int = ESCROW) -> None:
        self.world.run(self.device(sender), Send(to, mode, text))

    def begin(self, admin: str, group: str, *members: str, mode: int = ESCROW) -> None:
        self.world.run(self.device(admin), CreateGroup(group, members, mode))

    def change(self, admin: str, group: str, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
        self.world.run(self.device(admin), ChangeGroup(group, add, remove))

    def group(self, name: str, group: str) -> ConversationStatus:
        (found,) = (one for one in self.status(name).conversations if one.peer_name == group)
        return found

    def sync(self, *names: str) -> None:
        for name in names or PEOPLE:
            self.world.run(self.device(name), Sync())

    def texts(self, name: str) -> list[str]:
        return [message.text for message in self.world.run(self.device(name), GetInbox(0)).messages]

    def inbox(self, name: str) -> tuple[Shown, ...]:
        messages: tuple[Shown, ...] = self.world.run(self.device(name), GetInbox(0)).messages
        return messages

    def refuse_next(self, reason: str) -> list[Reply]:
        """The relay refuses the next submission for ``reason``; what it says stands in the answer."""
        said: list[Reply] = []

        def on_call(origin: Party, to: Party, call: Call) -> Call:
            if isinstance(call, Submit) and not said:
                said.append(FrameReply((ItemResult(reason),)))
                raise RefusedError(Reason[reason])
            return before(origin, to, call)

        before = self.world.network.on_call
        self.world.network.on_call = on_call
        return said

    def status(self, name: str) -> Status:
        status: Status = self.world.run(self.device(name), GetStatus())
        return status

    def alarms(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(alarm.reason, alarm.culprits) for alarm in self.status(name).alarms]

    def accused(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        """Its alarms, but for the news that somebody has other devices."""
        return [alarm for alarm in self.alarms(name) if alarm[0] != "KEY_CHANGED"]

    # -- devices that come and go ---------------------------------------------------------------

    def relist(self, name: str, *devices: IdentityKeys) -> None:
        """The account logs its next device list, and everybody who follows the log hears of it."""
        me, lists = self.me(name), self.lists.setdefault(name, [])
        previous = lists[-1] if lists else DeviceList.decode(me.device_list)
        listed = tuple(ListedDevice.make(each) for each in devices)
        lists.append(DeviceList.make(SigningKey.from_seed(account_seed(me)), previous.name, listed, previous))
        self.log(name, lists[-1])
        self.world.settle()

    def new_keys(self, name: str, device: int = 1) -> IdentityKeys:
        """Keys for a device of the account that nobody has heard of."""
        return IdentityKeys.make(self.me(name).keys.account, DeviceNo(device), self.coins())

    # -- the mailbox by hand --------------------------------------------------------------------

    def waiting(self, name: str) -> tuple[Delivery, ...]:
        """What the relay holds for a device; it stays there."""
        call = Fetch(self.me(name).mail, 64)
        items: tuple[Delivery, ...] = self.world.ask("relay", call, origin=self.device(name).party).items
        return items

    def deliver(self, name: str, *items: EscrowDelivery | PlainDelivery) -> None:
        """Hand a device a page of its mailbox. What it asks next is not delivered."""
        first = self.me(name).mail
        page = tuple(
            Delivery(first + n, item if isinstance(item, EscrowDelivery) else None,
                     item if isinstance(item, PlainDelivery) else None)
            for n, item in enumerate(items)
        )  # fmt: skip
        self.answer(name, Todo(BY_HAND, Party("relay"), Fetch(first, 64)), Fetched(page))

    def answer(self, name: str, todo: Todo, reply: Any) -> None:
        complete(self.device(name).step(Answered(todo, reply)))

    def state(self, name: str, *without: bytes) -> State:
        """What a device keeps, less what begins with one of ``without``."""
        values, _ = self.store(name).snapshot()
        return {key: value for key, value in values.items() if not key.startswith(without)}

    # -- forgery --------------------------------------------------------------------------------

    def coins(self) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(32, "big")

    def session(self, owner: str, peer: str, mode: int) -> Session:
        session = load_session(self.store(owner), self.me(peer).keys.account, 1, mode)
        assert session is not None
        return session

    def craft(self, text: str = "forged", lie: Lie | None = None) -> EscrowDelivery:
        """What the relay would deliver to bob if alice had written ``text``, but for the lie."""
        lie, genesis, now = lie or Lie(), self.world.genesis, self.world.now
        policy, alice, bob = genesis.policy, self.me("alice"), self.me("bob")
        conversation = next(
            held.conversation for held in all_held(self.store("alice"))
            if (held.peer(alice), held.conversation.mode) == (bob.keys.account, ESCROW))  # fmt: skip
        named_policy = lie.policy_hash or policy.hash
        epoch = lie.label.get("epoch", policy.epoch_of(now))
        key = LightView(genesis).committee_key(self.store("alice"), policy.period_of(policy.epoch_of(now)))
        assert key is not None
        honest = Label(
            suite=policy.suite,
            mode=ESCROW,
            policy_hash=named_policy,
            committee_key_hash=key.hash,
            conv_tag=conv_tag(conversation.secret, named_policy, epoch),
            roster_version=0,
            roster_root=roster_root(conversation.secret, named_policy, epoch, 0, conversation.members),
            sender_account=alice.keys.account,
            sender_device=1,
            epoch=epoch,
            chain_id=self.coins()[16:],
            chain_no=1000 + self._drawn,
            n_max=1,
        )
        label = changed(honest, lie.label).encode()
        signer = lie.device_key or alice.keys.signing_key
        named, seed = label_hash(label), Secret(self.coins())
        sealed = Secret(lie.capsule_seed) if lie.capsule_seed else seed
        capsule = scheme_of(policy.suite).encapsulate(context_of(genesis, key), label, sealed)
        capped = cap_hash(lie.label.get("suite", policy.suite), capsule)
        header = changed(Header(named, capped, 0, bytes(16), ContentClass.CONTENT), lie.header)
        mk = Secret(lie.key(message_key(seed, named, 0).expose()))
        body = lie.body(seal_body(mk, header, lie.padded(encode_content(Text(text)))))
        said = EnvelopeContent(ESCROW, named, capped, header.index, body_id(body), seed, None)
        content = changed(said, lie.content).encode()
        plaintext = lie.plaintext(content)
        following, message = seal(self.session("alice", "bob", ESCROW), plaintext, b"", self.coins(), now)
        draft = Draft(self.store("alice"))
        save_session(draft, following)
        self.store("alice")._apply(draft.writes())
        envelope = lie.envelope(message)
        place = (bytes(bob.keys.account), 1, envelope)
        signed = SignedContent(named, capped, header.index, body_id(body), env_root([place]))
        read = Label.decode(label)
        stated = Receipt(signed.hash, read.conv_tag, read.sender_account, read.sender_device, read.epoch, 7, now)
        receipt = changed(stated, lie.receipt)
        relay = lie.relay_key or self.relay_key
        promised = receipt.ingest_time + genesis.mmd_ms + lie.include_by
        frame, relay_sig, paths = sign_frame([receipt.encode()], relay, promised)
        return lie.delivery(
            EscrowDelivery(
                label=label,
                capsule=capsule,
                body=body,
                device_sig=lie.signature(signed.sign(signer)),
                envelope=envelope,
                env_root=signed.env_root,
                env_path=env_path([place], bob.keys.account, 1),
                receipt=receipt.encode(),
                path=paths[0],
                frame=frame,
                relay_sig=relay_sig,
            )
        )

    def next_list(self, owner: str, *numbers: int, after: DeviceList | None = None) -> DeviceList:
        """A list that only the account's key can make: the owner's own devices, or others under her name."""
        me = self.me(owner)
        before = after or DeviceList.decode(me.device_list)
        drawn = (IdentityKeys.make(me.keys.account, DeviceNo(number), self.coins()) for number in numbers)
        devices = tuple(ListedDevice.make(keys) for keys in drawn)
        return DeviceList.make(SigningKey.from_seed(account_seed(me)), before.name, devices, before)

    def entry_of(self, owner: str, devices: DeviceList) -> bytes:
        key = SigningKey.from_seed(account_seed(self.me(owner)))
        return Entry.make(EntryType.DEVICE_LIST, devices.encode(), key, self.world.genesis.log.origin)

    def log(self, owner: str, *lists: DeviceList) -> None:
        """An honest log takes the lists."""
        entries = tuple(self.entry_of(owner, one) for one in lists)
        assert [one.reason for one in self.world.ask("log", Append(entries)).results] == [""] * len(lists)

    def slip_in(self, *entries: bytes) -> None:
        """A log that admits what it should not, and that does not look into it."""
        draft = Draft(self.world.store("log"))
        TREE.grow(draft, [leaf_hash(data) for data in entries])
        for data in entries:
            draft.append(LEAVES, data)
        self.world.store("log")._apply(draft.writes())

    @property
    def relay_key(self) -> SigningKey:
        return SigningKey.from_seed(self.world.founding.parties[Party("relay")])

    def draft(self, name: str) -> Draft:
        """A device's state to try something on."""
        return Draft(self.store(name))


def changed(value: Any, changes: dict[str, Any]) -> Any:
    """A copy of a struct or dataclass with other fields."""
    names = getattr(value, "__struct_fields__", None) or value.__dataclass_fields__
    return type(value)(**{name: changes.get(name, getattr(value, name)) for name in names})


@cache
def phones() -> Phones:
    """Strangers who have just registered; built once."""
    return Phones()


@cache
def friends() -> Phones:
    """Alice and bob have written to each other in both modes: sessions stand and conversations are confirmed."""
    built = Phones()
    for mode in (PLAIN, ESCROW):
        for sender, to in (("alice", "bob"), ("bob", "alice")):
            built.send(sender, to, f"hello {to}", mode)
            built.sync()
    assert all(one.confirmed for one in built.status("alice").conversations)
    built.morning = built.save()
    return built
