"""The second half of the story: what officers, the desk and the two locks do, each with its own key and certificate."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes import ShareRequest
from escrow.crypto.hpke import RecipientKey
from escrow.errors import EscrowError
from escrow.roles.agency.commands import Execute, GetOpened, GetReport, NewApplication, OpenedItem, Report
from escrow.roles.agency.opening import read_response
from escrow.roles.agency.state import Investigation, all_asked, all_said, load_case
from escrow.roles.authorised import context_of
from escrow.roles.calls import Append, Call, GetCase, Release, ReleaseReply, SignCase
from escrow.roles.lightview import LightView
from escrow.roles.machine import Read
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import dsse, strict
from escrow.warrant.documents import PAYLOAD_TYPE, parse_warrant
from escrow.warrant.item import Item
from escrow.warrant.request import ReleaseRequest, identities_of, sign_request
from escrow.warrant.sealing import field_root, make_leaf, seal_tag
from escrow_lab.demo.stage import Stage

INSTRUMENT = sha256(b"A study's instrument: no court has seen it.").digest()


@dataclass(frozen=True, slots=True)
class Terms:
    """What an officer applies for: messages that ``account`` sent within ``window``; all times in ms."""

    account: bytes
    window: tuple[int, int]
    not_before: int
    not_after: int


@dataclass(frozen=True, slots=True)
class Application:
    """A filed application: whose it is, its id, and the bytes that the locks sign."""

    agency: str
    warrant_id: bytes
    payload: bytes


async def apply(stage: Stage, agency: str, terms: Terms) -> Application:
    """File an application at the authority."""
    policy = stage.genesis.policy
    wanted = NewApplication(
        targets=(terms.account,),
        window=terms.window,
        not_before=terms.not_before,
        not_after=terms.not_after,
        max_capsules=0 if policy.opens_identities else policy.limits.max_capsules,
        max_identity_keys=policy.limits.max_identity_keys if policy.opens_identities else 0,
        instrument=INSTRUMENT,
    )
    applied: Any = await (await stage.agency(agency)).run(wanted)
    return Application(agency, applied.warrant_id, applied.payload)


async def sign(stage: Stage, application: Application, role: str, person: str) -> None:
    """A person reads the case at the desk and signs exactly what is there."""
    case: Any = await stage.call(f"person/{person}", "authority", GetCase(application.warrant_id))
    signature = dsse.sign(PAYLOAD_TYPE, case.payload, stage.person_key(person)).sig
    await stage.call(f"person/{person}", "authority", SignCase(application.warrant_id, role, person, signature))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A warrant as a request cites it."""

    agency: str
    case: Investigation
    dsse: bytes
    salt: bytes


async def seal_with_one_lock(stage: Stage, application: Application, issuer: str) -> Sealed:
    """A corrupt desk seals what only the issuer has signed, with the authority's own key."""
    signature = dsse.sign(PAYLOAD_TYPE, application.payload, stage.person_key(issuer))
    envelope = dsse.Envelope(PAYLOAD_TYPE, application.payload, (signature,)).encode()
    salt = sha256(b"any salt will do").digest()
    leaf = make_leaf(parse_warrant(application.payload), envelope, salt).encode()
    origin = stage.genesis.log.origin
    entry = Entry.make(EntryType.WARRANT_SEALED, leaf, stage.party_key("authority"), origin)
    await stage.call("authority", "log", Append((entry,)))
    await stage.settle()
    case = await (await stage.agency(application.agency)).read(lambda view: load_case(view, application.warrant_id))
    return Sealed(application.agency, case, envelope, salt)


async def request(stage: Stage, sealed: Sealed, items: Sequence[Item]) -> dict[str, str]:
    """Ask every custodian for these items; what each answered: its reason, or ``""`` if it released."""
    wanted = _request(sealed.case, sealed.dsse, sealed.salt, items)
    return await _ask_all(stage, sealed.agency, sealed.case, wanted, list(stage.genesis.custodian_keys))


async def execute(stage: Stage, agency: str, warrant_id: bytes) -> Report:
    """Production, release and opening; what came of it."""
    node = await stage.agency(agency)
    await node.run(Execute(warrant_id))
    return cast(Report, await node.ask(node.party, GetReport(warrant_id)))


async def opened(stage: Stage, agency: str, warrant_id: bytes) -> list[OpenedItem]:
    """The messages that were opened."""
    node = await stage.agency(agency)
    reply: Any = await node.ask(node.party, GetOpened(warrant_id))
    return [item for item in reply.items if not item.reason]


async def repeat(stage: Stage, agency: str, warrant_id: bytes, items: Sequence[Item]) -> dict[str, str]:
    """The first request of a warrant once more, byte for byte; one for ``items`` if there was nothing to ask for."""
    case, first = await (await stage.agency(agency)).read(lambda view: _first_request(view, warrant_id, items))
    return await _ask_all(stage, agency, case, first, list(stage.genesis.custodian_keys))


async def replays(
    stage: Stage,
    agency: str,
    warrant_id: bytes,
    items: Sequence[Item],
    other: RecipientKey,
    answered: Sequence[str],
) -> tuple[dict[str, str], dict[str, str]]:
    """What ``repeat`` asks: with other bytes under its id, and with another recipient key in its warrant.

    The former goes to the custodians that ``answered`` the first; to any other it would be new, and the warrant's own.
    """
    case, first = await (await stage.agency(agency)).read(lambda view: _first_request(view, warrant_id, items))
    altered = _changed(first, nonce=b"another nonce!!!")
    envelope = dsse.Envelope.parse(first.dsse)
    payload = strict.tree(envelope.payload)
    payload["recipient_hpke_key"] = other.public.hex()
    forged = dsse.Envelope(PAYLOAD_TYPE, strict.encode(payload), envelope.signatures).encode()
    rekeyed = _changed(first, dsse=forged, request_id=b"another request!")
    answers = [
        await _ask_all(stage, agency, case, each, parties)
        for each, parties in ((altered, answered), (rekeyed, list(stage.genesis.custodian_keys)))
    ]
    return answers[0], answers[1]


async def released_seed(stage: Stage, agency: str, warrant_id: bytes) -> tuple[Item, Secret] | None:
    """An item and the seed of its chain: what three custodians' shares give to an agency."""
    light = LightView(stage.genesis)

    def combine(view: Read) -> tuple[Item, Secret] | None:
        case = load_case(view, warrant_id)
        for request_hash, asked in all_asked(view, warrant_id):
            key, generation = light.committee_key(view, asked.period), light.generation(view, asked.period)
            if key is None or generation is None:
                continue
            wanted, item = asked.request, asked.request.items[0]
            place = wanted.units.index(item.unit)
            responses = {
                index: read_response(case.recipient_key, wanted, generation, index, said.sealed)
                for index, said in all_said(view, warrant_id, request_hash).items()
                if said.sealed
            }
            shares = {index: response.shares[place] for index, response in responses.items()}
            context = context_of(stage.genesis, key)
            share_request = ShareRequest(context, generation.hash, item.label, item.capsule, wanted.hash)
            return item, open_capsule(share_request, generation, shares).seed
        return None

    return await (await stage.agency(agency)).read(combine)


async def _ask_all(
    stage: Stage, agency: str, case: Investigation, wanted: ReleaseRequest, parties: Sequence[str]
) -> dict[str, str]:
    call = Release(wanted.encode(), sign_request(case.request_key, wanted))
    return {party: await _ask(stage, agency, party, call) for party in parties}


async def _ask(stage: Stage, agency: str, party: str, call: Call) -> str:
    try:
        reply = await stage.call(f"agency/{agency}", party, call)
    except EscrowError as error:
        return error.reason.name
    return reply.reason if isinstance(reply, ReleaseReply) else "no answer"


def _first_request(view: Read, warrant_id: bytes, items: Sequence[Item]) -> tuple[Investigation, ReleaseRequest]:
    """A warrant and the first request under it; one for ``items`` where its scope was empty."""
    case = load_case(view, warrant_id)
    for _, asked in all_asked(view, warrant_id):
        return case, asked.request
    return case, _request(case, case.dsse, case.salt, items)


def _request(case: Investigation, envelope: bytes, salt: bytes, items: Sequence[Item]) -> ReleaseRequest:
    ordered = sorted(items, key=lambda item: item.order)
    return ReleaseRequest(
        seal_tag=seal_tag(case.payload.id),
        salt=salt,
        field_root=field_root(case.payload),
        dsse=envelope,
        request_id=bytes(16),
        committee_key_hash=ordered[0].terms.committee_key_hash,
        item_salt=bytes(32),
        items=tuple(ordered),
        nonce=bytes(16),
        expires=case.payload.not_after,
        identities=identities_of(ordered),
    )


def _changed(request: ReleaseRequest, **changes: Any) -> ReleaseRequest:
    names = ReleaseRequest.__dataclass_fields__
    return ReleaseRequest(**{**{name: getattr(request, name) for name in names}, **changes})
