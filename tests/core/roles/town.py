"""A log, its witnesses and a relay, at work without custodians: the committee key is made and certified by hand.

Phones are hand-driven: their envelopes are any bytes, since nobody here opens one. Everything else is the real thing.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.envelope import env_root
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.schemes import scheme_of
from escrow.capsule.submission import SignedContent
from escrow.committee.documents import CommitteeKey, ShareGeneration
from escrow.committee.parts import second_generator
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.sharing import random_polynomial
from escrow.crypto.sign import SigningKey
from escrow.e2ee.bundle import make_prekeys
from escrow.e2ee.devices import Device, DeviceList, account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.roster import root_of_salts
from escrow.ids import AccountId, DeviceNo, Millis, Party
from escrow.node import Node
from escrow.roles.authorised import context_of, proposal_for
from escrow.roles.callers import device_party
from escrow.roles.calls import (
    Append,
    Call,
    DeviceEnvelope,
    Enroll,
    EscrowSend,
    FrameReply,
    GetUpdate,
    PlainSend,
    RegisterRoute,
    RouteMember,
    Submission,
    Submit,
)
from escrow.roles.follower import Follower
from escrow.roles.log import Log
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Role, Tick, Writes
from escrow.roles.relay import Relay
from escrow.roles.witness import Witness
from escrow.secret import Secret
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import dsse, strict
from escrow.warrant.genesis import Genesis
from escrow.warrant.policy import PAYLOAD_TYPE, Reseed, ReseedRules, parse_policy
from escrow.world.clock import SeededEntropy, VirtualClock
from escrow.world.founding import DAY, HOUR, MINUTE, ROOTS, Founding, Terms, derive, found
from escrow.world.loop import complete
from escrow.world.network import Network

START = 20_000 * DAY + 9 * HOUR
SEED = Secret(b"town" * 8)
TERMS = Terms(custodians=3, threshold=2, ingest_cadence=HOUR, most_inclusion_delay=2 * HOUR, activation_delay_s=60)


@cache
def founded(terms: Terms = TERMS, n_max: int = 1) -> Founding:
    """A founding; ``n_max`` above 1 gives it a policy with longer chains, signed anew by its roots."""
    founding = found(SEED, terms)
    if n_max == 1:
        return founding
    longer = Reseed(rule="epoch", n_max=n_max)
    policy = strict.encode(
        msgspec.structs.replace(founding.genesis.policy, reseed=ReseedRules(pairs=longer, groups=longer))
    )
    parse_policy(policy)
    roots = (SigningKey.from_seed(derive(SEED, f"root/{place}")) for place in range(ROOTS))
    envelope = dsse.Envelope(PAYLOAD_TYPE, policy, tuple(dsse.sign(PAYLOAD_TYPE, policy, root) for root in roots))
    document = strict.encode(msgspec.structs.replace(founding.genesis, signed_policy=envelope.encode().decode()))
    return replace(founding, genesis=Genesis.parse(document), document=document)


@dataclass(frozen=True)
class Watcher:
    """A party that follows the log and does nothing else."""

    genesis: Genesis

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        draft, follower = Draft(view), Follower(self.genesis)
        match event:
            case Tick():
                follower.catch_up(draft, now)
            case CatchUp():
                follower.catch_up(draft, now, asked=True)
            case Answered(todo=todo, reply=reply) if isinstance(todo.call, GetUpdate):
                for index, entry in follower.on_update(draft, todo, reply, now):
                    draft.append("seen", bytes([index % 256]) + entry.payload[:8])
            case Called():
                follower.require_fresh(draft, now)
        return draft.writes(), None


class Town:
    """The deployment. ``crowd`` are the parties that run from the start."""

    def __init__(self, terms: Terms = TERMS, n_max: int = 1, start: int = START) -> None:
        self.founding = founded(terms, n_max)
        self.genesis = self.founding.genesis
        self.clock = VirtualClock(start)
        self.network = Network()
        self.add("log", Log(self.genesis, self.key("log")))
        for n in range(1, terms.witnesses + 1):
            self.add(f"witness/{n}", Witness(self.genesis, n, self.key(f"witness/{n}")))
        self.add("relay", Relay(self.genesis, self.key("relay")))

    def key(self, party: str) -> SigningKey:
        return SigningKey.from_seed(self.founding.parties[Party(party)])

    def person(self, name: str) -> SigningKey:
        return SigningKey.from_seed(self.founding.people[name])

    def take_down(self, *parties: str) -> None:
        """These, and no others, are out of reach from now on."""
        self.network.down = {Party(party) for party in parties}

    def add(self, party: str, role: Role) -> Node:
        entropy = SeededEntropy(b"town", party)
        node = Node(Party(party), role, MemoryStore(), self.network, self.clock, entropy)
        self.network.nodes[Party(party)] = node
        return node

    def store(self, party: str) -> MemoryStore:
        store = self.network.nodes[Party(party)].store
        assert isinstance(store, MemoryStore)
        return store

    def watcher(self, name: str = "watcher") -> Node:
        return self.add(name, Watcher(self.genesis))

    # -- doing --------------------------------------------------------------------------------

    @property
    def now(self) -> Millis:
        return self.clock()

    def advance(self, by: int) -> None:
        self.clock.advance_to(self.now + by)

    def ask(self, party: str, call: Call, origin: str = "person/onlooker") -> Any:
        return complete(self.network.call(Party(origin), Party(party), call))

    def tick(self, *parties: str) -> None:
        for party in parties or tuple(self.network.nodes):
            complete(self.network.nodes[Party(party)].tick())

    def catch_up(self, party: str) -> None:
        complete(self.network.nodes[Party(party)].catch_up())

    def append(self, *entries: bytes) -> tuple[str, ...]:
        """The reasons of the log, empty where it took the entry."""
        return tuple(result.reason for result in self.ask("log", Append(entries)).results)

    def entry(self, party: str, entry_type: EntryType, payload: bytes) -> bytes:
        return Entry.make(entry_type, payload, self.key(party), self.genesis.log.origin)

    # -- the committee ------------------------------------------------------------------------

    def committee(self, period: int | None = None) -> CommitteeKey:
        """Make, certify and log the committee key of the present period (or another)."""
        policy = self.genesis.policy
        period = policy.period_of(policy.epoch_of(self.now)) if period is None else period
        key, generation = committee_documents(self.genesis, self.founding, period)
        proposal = proposal_for(self.genesis, period)
        assert self.append(
            self.entry("custodian/1", EntryType.COMMITTEE_PROPOSAL, proposal.encode()),
            self.entry("custodian/1", EntryType.SHARE_GENERATION, generation.encode()),
            self.entry("custodian/1", EntryType.COMMITTEE_KEY, key.encode()),
        ) == ("", "", "")
        return key


@cache
def _polynomial(threshold: int) -> Any:
    return random_polynomial(b"p" * 32, threshold, None)


def committee_documents(genesis: Genesis, founding: Founding, period: int) -> tuple[CommitteeKey, ShareGeneration]:
    """A key and its shares as an undisturbed key generation would leave them."""
    proposal = proposal_for(genesis, period)
    polynomial = _polynomial(proposal.threshold)
    signers = [SigningKey.from_seed(founding.parties[Party(member.id)]) for member in genesis.custodians]
    public = EDWARDS25519.base_mul(polynomial.coefficients[0])
    gamma = second_generator(proposal.hash, public)
    retire_at = genesis.policy.retire_at(period)
    key = CommitteeKey(proposal.hash, public.encode(), gamma.encode(), retire_at, bytes(64), ())
    key = replace(key, certificate=tuple(signer.sign(key.statement) for signer in signers))
    shares = tuple(EDWARDS25519.base_mul(polynomial.evaluate(i)).encode() for i in range(1, proposal.n + 1))
    generation = ShareGeneration(key.hash, 0, proposal.members, proposal.threshold, shares, ())
    return key, replace(generation, acknowledgements=tuple(signer.sign(generation.statement) for signer in signers))


FIRST = DeviceNo(1)


@dataclass
class Phone:
    """A device of an account of its own, registered with log and relay."""

    town: Town
    name: str
    number: DeviceNo = FIRST
    sent: int = 0

    @property
    def keys(self) -> IdentityKeys:
        return identity_keys(self.name, self.number)

    @property
    def account_key(self) -> SigningKey:
        return SigningKey.from_seed(hashlib.sha256(self.name.encode()).digest())

    @property
    def account(self) -> AccountId:
        return account_id(self.account_key.public)

    @property
    def party(self) -> Party:
        return device_party(self.account, self.number)

    def device_list(self, *others: "Phone", previous: DeviceList | None = None) -> DeviceList:
        devices = tuple(Device.make(phone.keys) for phone in (self, *others))
        return DeviceList.make(self.account_key, self.name, devices, previous)

    def list_entry(self, devices: DeviceList) -> bytes:
        return Entry.make(EntryType.DEVICE_LIST, devices.encode(), self.account_key, self.town.genesis.log.origin)

    def enrolment(self, count: int = 1, name: str | None = None) -> Enroll:
        _, published = prekeys(self.name, self.number, count, self.town.now)
        return Enroll(name or self.name, published.static, published.ec, published.kem)

    def register(self, *others: "Phone") -> "Phone":
        assert self.town.append(self.list_entry(self.device_list(*others))) == ("",)
        return self

    def ask(self, call: Call) -> Any:
        return self.town.ask("relay", call, self.party)

    # -- sending ------------------------------------------------------------------------------

    def route(self, *peers: "Phone", tag: bytes = b"", version: int = 0, epoch: int | None = None) -> RegisterRoute:
        policy = self.town.genesis.policy
        epoch = policy.epoch_of(self.town.now) if epoch is None else epoch
        accounts = sorted({self.account, *(peer.account for peer in peers)})
        tag = tag or hashlib.sha256(b"tag%d" % epoch + b"".join(accounts)).digest()
        members = tuple(RouteMember(account, hashlib.sha256(account + tag).digest()) for account in accounts)
        return RegisterRoute(tag, policy.hash, epoch, version, members)

    def label(self, key: CommitteeKey, route: RegisterRoute, **changes: Any) -> Label:
        self.sent += 1
        policy = self.town.genesis.policy
        label = Label(
            suite=policy.suite,
            mode=1,
            policy_hash=policy.hash,
            committee_key_hash=key.hash,
            conv_tag=route.conv_tag,
            roster_version=route.roster_version,
            roster_root=root_of_salts({AccountId(one.account): one.salt for one in route.members}),
            sender_account=self.account,
            sender_device=self.number,
            epoch=route.epoch,
            chain_id=hashlib.sha256(b"%d" % self.sent + self.keys.identity.signing).digest()[:16],
            chain_no=self.sent,
            n_max=policy.n_max_of(len(route.members)),
        )
        return msgspec.structs.replace(label, **changes)

    def draft(self, key: CommitteeKey, label: Label, peers: tuple["Phone", ...], **changes: Any) -> "Letter":
        encoded = label.encode()
        capsule = scheme_of(1).encapsulate(context_of(self.town.genesis, key), encoded, Secret(b"s" * 32))
        envelopes = tuple(
            DeviceEnvelope(peer.account, peer.number, b"envelope for " + peer.name.encode()) for peer in peers
        )
        letter = Letter(self, encoded, capsule, label_hash(encoded), cap_hash(label.suite, capsule), envelopes)
        return replace(letter, **changes)

    def submit(self, *items: Submission) -> FrameReply:
        reply = self.ask(Submit(items))
        assert isinstance(reply, FrameReply)
        return reply

    def send(self, key: CommitteeKey, route: RegisterRoute, *peers: "Phone") -> FrameReply:
        """One honest escrowed message."""
        return self.submit(self.draft(key, self.label(key, route), peers).item())

    def plain(self, *peers: "Phone", idempotency: bytes = b"p" * 16) -> Submission:
        envelopes = tuple(DeviceEnvelope(peer.account, peer.number, b"hello") for peer in peers)
        return Submission(idempotency, None, PlainSend(envelopes))


@dataclass(frozen=True)
class Letter:
    """An escrowed submission in parts, so that a test can put any of them wrong before it is signed."""

    sender: Phone
    label: bytes
    capsule: bytes
    label_hash: bytes
    cap_hash: bytes
    envelopes: tuple[DeviceEnvelope, ...]
    index: int = 0
    kind: ContentClass = ContentClass.CONTENT
    text: bytes = b"text"
    signer: SigningKey | None = None
    idempotency: bytes = b""

    @property
    def body(self) -> bytes:
        mid = hashlib.sha256(self.text).digest()[:16]
        header = Header(self.label_hash, self.cap_hash, self.index, mid, self.kind)
        return seal_body(Secret(b"m" * 32), header, self.text.ljust(64))

    @property
    def signed(self) -> SignedContent:
        root = env_root([(one.account, one.device, one.envelope) for one in self.envelopes])
        return SignedContent(self.label_hash, self.cap_hash, self.index, body_id(self.body), root)

    def item(self) -> Submission:
        signature = self.signed.sign(self.signer or self.sender.keys.signing_key)
        send = EscrowSend(self.label, self.capsule, self.body, self.envelopes, signature)
        key = self.idempotency or self.signed.hash[:16]
        return Submission(key, send, None)

    def later(self, index: int, **changes: Any) -> "Letter":
        """The item at another index of this chain, which brings neither label nor capsule."""
        return replace(self, label=b"", capsule=b"", index=index, text=b"text %d" % index, **changes)


@cache
def identity_keys(name: str, device: DeviceNo) -> IdentityKeys:
    account = account_id(SigningKey.from_seed(hashlib.sha256(name.encode()).digest()).public)
    return IdentityKeys.make(account, device, hashlib.sha256(f"{name}/{device}".encode()).digest())


@cache
def prekeys(name: str, device: DeviceNo, count: int, now: int) -> Any:
    return make_prekeys(b"k" * 32, identity_keys(name, device), count, now, [(0, bytes(32))])


__all__ = ["DAY", "HOUR", "MINUTE", "START", "Letter", "Phone", "Town", "Watcher", "founded"]
