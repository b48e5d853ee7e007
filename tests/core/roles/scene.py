"""A World in which Bob has written to Alice and the police hold a warrant on him: built once, rewound for every test.

``Scene.ready`` is the moment before any custodian was asked: sealed, active, produced, the request written.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec

from escrow.crypto.sign import SigningKey
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.agency.commands import Execute, GetOpened, GetReport, NewApplication, Report
from escrow.roles.agency.state import Asked, all_asked, load_case
from escrow.roles.calls import Append, Case, Release, ReleaseReply, SignCase
from escrow.roles.device.commands import GetStatus, Send, Sync
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import dsse, strict
from escrow.warrant.documents import PAYLOAD_TYPE, WarrantPayload, recipient_statement
from escrow.warrant.item import Item
from escrow.warrant.orders import Order
from escrow.warrant.request import ReleaseRequest, identities_of, sign_request
from escrow.warrant.sealing import field_root, make_leaf, seal_tag
from escrow.world.founding import APPROVERS, ISSUERS, Terms
from escrow.world.loop import complete
from escrow.world.world import World

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TEXTS = ("one", "two", "three")
AGENCY = "agency/police"
INSTRUMENT = hashlib.sha256(b"instrument").digest()
SALT = b"another salt of 32 bytes, at hand"[:32]
TERMS = Terms(custodians=3, threshold=2, witnesses=3, quorum=2, ingest_cadence=HOUR)


class Scene:
    """See the module. ``at`` names the moments one can rewind to."""

    asked_after = HOUR
    """How long after the last word the police apply."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.world = World(terms=terms)
        self.world.make_committee_key()
        self.alice, self.bob = (self.world.register(name) for name in ("alice", "bob"))
        self.settle()
        self.start = self.world.now
        for text in TEXTS:
            self.say(self.bob, "alice", text)
        self.say(self.alice, "bob", "of Alice")
        self.world.advance(self.asked_after)
        self.settle()
        self.agency = self.world.agency("police")
        self.moments: dict[str, Any] = {}
        self.keep("said")
        self.warrant_id = self.apply()
        self.keep("applied")
        self.sign("issuer", ISSUERS[0])
        self.keep("issued")
        self.sign("approver", APPROVERS[0])
        self.settle()
        self.keep("sealed")
        self.pass_time(2 * MINUTE)
        self.unanswered()
        self.keep("ready")

    # -- rewinding ----------------------------------------------------------------------------

    def keep(self, moment: str) -> None:
        stores = {party: self.world.store(party).snapshot() for party in self.world.network.nodes}
        self.moments[moment] = stores, self.world.now

    def rewind(self, moment: str) -> "Scene":
        stores, now = self.moments[moment]
        for party, snapshot in stores.items():
            self.world.store(party).restore(snapshot)
        self.world.clock._now = now
        self.world.network.down.clear()
        return self

    # -- doing --------------------------------------------------------------------------------

    def settle(self, times: int = 3) -> None:
        for _ in range(times):
            self.world.settle()

    def pass_time(self, by: int) -> None:
        self.world.advance(by)
        self.settle()

    def say(self, sender: Node, to: str, text: str) -> None:
        self.world.run(sender, Send(to, 1, text))
        for device in (self.alice, self.bob):
            self.world.run(device, Sync())

    def account(self, device: Node) -> bytes:
        return bytes(self.world.run(device, GetStatus()).account)

    def application(self, **changes: Any) -> NewApplication:
        now, keys = self.world.now, self.world.genesis.policy.opens_identities
        wanted: dict[str, Any] = {
            "targets": (self.account(self.bob),),
            "window": (self.start, now),
            "not_before": now,
            "not_after": now + 2 * DAY,
            "max_capsules": 0 if keys else 10,
            "max_identity_keys": 10 if keys else 0,
            "instrument": INSTRUMENT,
        }
        return NewApplication(**(wanted | changes))

    def apply(self, **changes: Any) -> bytes:
        return bytes(self.world.run(self.agency, self.application(**changes)).warrant_id)

    def sign(self, role: str, person: str, warrant_id: bytes = b"", *, origin: str = "") -> Case:
        warrant_id = warrant_id or self.warrant_id
        signature = dsse.sign(PAYLOAD_TYPE, self.payload_bytes(warrant_id), self.person(person)).sig
        call = SignCase(warrant_id, role, person, signature)
        reply: Case = self.world.ask("authority", call, origin or f"person/{person}")
        complete(self.world["authority"].pump())
        return reply

    def execute(self, warrant_id: bytes = b"") -> Report:
        self.world.run(self.agency, Execute(warrant_id or self.warrant_id))
        return self.report(warrant_id)

    def report(self, warrant_id: bytes = b"") -> Report:
        reply: Report = self.world.run(self.agency, GetReport(warrant_id or self.warrant_id))
        return reply

    def opened(self, warrant_id: bytes = b"") -> list[str]:
        items = self.world.run(self.agency, GetOpened(warrant_id or self.warrant_id)).items
        return [item.text for item in items]

    def unanswered(self) -> None:
        """Execute while no custodian is in reach: the request is written and nobody has seen it."""
        self.world.network.down.update(self.custodians)
        self.execute()
        self.world.network.down.clear()

    # -- keys and documents -------------------------------------------------------------------

    @property
    def custodians(self) -> list[Party]:
        return [Party(name) for name in self.world.genesis.policy.custodians]

    def person(self, name: str) -> SigningKey:
        return SigningKey.from_seed(self.world.founding.people[name])

    def key(self, party: str) -> SigningKey:
        return SigningKey.from_seed(self.world.founding.parties[Party(party)])

    def payload_bytes(self, warrant_id: bytes = b"") -> bytes:
        return load_case(self.world.store(AGENCY), warrant_id or self.warrant_id).payload_bytes

    @property
    def payload(self) -> WarrantPayload:
        return load_case(self.world.store(AGENCY), self.warrant_id).payload

    @property
    def tag(self) -> bytes:
        return seal_tag(self.warrant_id)

    @property
    def request_key(self) -> SigningKey:
        return load_case(self.world.store(AGENCY), self.warrant_id).request_key

    @property
    def asked(self) -> Asked:
        ((_, asked),) = all_asked(self.world.store(AGENCY), self.warrant_id)
        return asked

    @property
    def request(self) -> ReleaseRequest:
        return self.asked.request

    # -- asking custodians --------------------------------------------------------------------

    def release(self, request: ReleaseRequest | None = None, custodian: int = 1, **how: Any) -> ReleaseReply:
        """Ask one custodian, with a request that is signed as it should be unless ``signature`` is given."""
        request = request or self.request
        signature = how.pop("signature", None) or sign_request(self.request_key, request)
        call = Release(request.encode(), signature)
        reply: ReleaseReply = self.world.ask(f"custodian/{custodian}", call, how.pop("origin", AGENCY))
        return reply

    def why_not(self, request: ReleaseRequest | None = None, **how: Any) -> str:
        """The reason of a denial; a custodian that releases nothing says why."""
        reply = self.release(request, **how)
        assert bool(reply.sealed) == (reply.reason == "")
        return reply.reason

    def with_item(self, **changes: Any) -> ReleaseRequest:
        """The request for its first item alone, changed."""
        return self.about(replace(self.request.items[0], **changes))

    def about(self, *items: Item, **changes: Any) -> ReleaseRequest:
        ordered = tuple(sorted(items, key=lambda item: item.order))
        return replace(self.request, items=ordered, **({"identities": identities_of(ordered)} | changes))

    # -- misusing offices ---------------------------------------------------------------------

    def log(self, party: str, entry_type: EntryType, payload: bytes) -> tuple[str, ...]:
        """An entry of that party's, past its role; the log's reasons."""
        entry = Entry.make(entry_type, payload, self.key(party), self.world.genesis.log.origin)
        reasons = tuple(one.reason for one in self.world.ask("log", Append((entry,))).results)
        self.settle()
        return reasons

    def order(self, entry_type: EntryType, *people: str) -> bytes:
        return Order.signed(entry_type, self.tag, *(self.person(name) for name in people)).encode()

    def rewritten(self, **changes: Any) -> WarrantPayload:
        """The warrant under another id and with other fields, as an authority and locks in league might have it."""
        payload = msgspec.structs.replace(self.payload, **({"warrant_id": "77" * 16} | changes))
        if "recipient_pop" not in changes:
            statement = recipient_statement(payload.id, payload.recipient_public)
            payload = msgspec.structs.replace(payload, recipient_pop=self.request_key.sign(statement).hex())
        return payload

    def sealed_by_force(
        self, payload: WarrantPayload, *signers: SigningKey, document: bytes = b"", wait: int = 2 * MINUTE, **leaf: Any
    ) -> ReleaseRequest:
        """Seal a warrant under whatever signatures; the request under that.

        ``document`` are the bytes to sign if they are not the payload's, ``leaf`` changes what the log is told.
        """
        document = document or strict.encode(payload)
        signatures = tuple(dsse.sign(PAYLOAD_TYPE, document, signer) for signer in signers)
        envelope = dsse.Envelope(PAYLOAD_TYPE, document, signatures).encode()
        sealed = replace(make_leaf(payload, envelope, SALT), **leaf)
        assert self.log("authority", EntryType.WARRANT_SEALED, sealed.encode()) == ("",)
        self.pass_time(wait)
        return self.under(payload, envelope)

    def under(self, payload: WarrantPayload, envelope: bytes) -> ReleaseRequest:
        """The request under another warrant."""
        root, tag = field_root(payload), seal_tag(payload.id)
        return replace(self.request, seal_tag=tag, salt=SALT, dsse=envelope, field_root=root)

    @property
    def locks(self) -> tuple[SigningKey, SigningKey]:
        return self.person(ISSUERS[0]), self.person(APPROVERS[0])

    def entries(self, entry_type: EntryType) -> Iterator[Entry]:
        """What the log holds of one type."""
        for data in self.world.store("log").records("log/leaves", start=0, limit=1 << 30):
            entry = Entry.decode(data)
            if entry.type is entry_type:
                yield entry


@cache
def scene() -> Scene:
    """The one scene of this run; rewind it before use."""
    return Scene()
