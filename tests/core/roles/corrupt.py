"""What offices do that were corrupted: a relay that makes up what it accepted, custodians that decide nothing."""

from collections.abc import Iterable
from dataclasses import replace

from escrow.capsule.body import body_id
from escrow.capsule.receipt import IngestRoot, Receipt, ingest_leaf, sign_frame
from escrow.capsule.schemes import ShareRequest, scheme_of
from escrow.capsule.submission import SignedContent
from escrow.roles.authorised import context_of
from escrow.roles.custodian.state import Holding, load_holding
from escrow.roles.evidence.bundle import Answer, Asked
from escrow.roles.ledger import LEAVES
from escrow.roles.log.publishing import TREE as LOG_TREE
from escrow.roles.machine import Draft, Read, Writes
from escrow.roles.relay.ingest import TREE
from escrow.tlog.entry import EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.warrant.item import Item
from escrow.warrant.release import ReleaseIntent, ReleaseResponse
from escrow.warrant.request import ReleaseRequest, sign_request
from escrow.world.loop import complete
from tests.core.roles.scene import DAY, MINUTE, Scene


def accepted_by_a_corrupt_relay(ready: Scene, item: Item, when: int = 0) -> Item:
    """The item with a receipt of the real relay's key, as the next and only leaf of a grown ingest tree."""
    label = item.terms
    draft = Draft(ready.world.store("relay"))
    seq = TREE.size(draft)
    signed = SignedContent(*item.capsule_id, item.header.index, body_id(item.body), item.env_root)
    time = when or ready.world.now
    sender = label.sender_account, label.sender_device
    receipt = Receipt(signed.hash, label.conv_tag, *sender, label.epoch, seq, time).encode()
    frame, relay_sig, (path,) = sign_frame([receipt], ready.key("relay"), time + DAY)
    TREE.grow(draft, [leaf_hash(ingest_leaf(receipt))])
    root = IngestRoot(ready.key("relay").public, seq + 1, TREE.root(draft, seq + 1), ready.world.now)
    index = ready.world.store("log").length("log/leaves")
    assert ready.log("relay", EntryType.INGEST_ROOT, root.encode()) == ("",)
    return replace(
        item,
        receipt=receipt,
        path=path,
        frame=frame,
        relay_sig=relay_sig,
        root_index=index,
        root_size=seq + 1,
        ingest_path=TREE.inclusion(draft, seq, seq + 1),
    )


def holding_of(at: Scene, custodian: int) -> Holding:
    """What a custodian of the scene holds."""
    ((key, _),) = at.world.store(f"custodian/{custodian}").scan(b"share/")
    holding = load_holding(at.world.store(f"custodian/{custodian}"), key[len(b"share/") :])
    assert holding is not None
    return holding


def released_by_rogues(
    at: Scene, request: ReleaseRequest, custodians: Iterable[int] = (1, 2), *, intents: Iterable[int] | None = None
) -> Asked:
    """What these custodians answer if they decide nothing and only log their intents, or those of ``intents``."""
    custodians = tuple(custodians)
    signature = sign_request(at.request_key, request)
    for custodian in custodians if intents is None else intents:
        holding = holding_of(at, custodian)
        said = request.committee_key_hash, holding.generation.number, request.hash, request.item_root, request.count
        intent = ReleaseIntent(request.seal_tag, at.key(f"custodian/{custodian}").public, *said, signature)
        assert at.log(f"custodian/{custodian}", EntryType.RELEASE_INTENT, intent.encode()) == ("",)
    answers = tuple(Answer(custodian=one, response=_response(at, request, one).encode()) for one in custodians)
    generation = holding_of(at, custodians[0]).generation_bytes
    return Asked(request=request.encode(), signature=signature, generation=generation, answers=answers)


def _response(at: Scene, request: ReleaseRequest, custodian: int) -> ReleaseResponse:
    holding, items = holding_of(at, custodian), {item.unit: item for item in request.items}
    context, generation = context_of(at.world.genesis, holding.key), holding.generation
    assert holding.share is not None
    shares = []
    for one in request.units:
        wanted = ShareRequest(context, generation.hash, items[one].label, items[one].capsule, request.hash)
        shares.append(scheme_of(context.suite).share(wanted, holding.share, holding.index, bytes(32)))
    return ReleaseResponse(holding.index, generation.hash, request.hash, tuple(shares))


def logged_by_force(at: Scene, data: bytes) -> None:
    """A log that has stopped to check takes an entry, and its witnesses cosign what is consistent."""

    def step(view: Read) -> tuple[Writes, None]:
        draft = Draft(view)
        draft.append(LEAVES, data)
        LOG_TREE.grow(draft, [leaf_hash(data)])
        return draft.writes(), None

    complete(at.world["log"].store.commit(step))
    at.pass_time(MINUTE)
