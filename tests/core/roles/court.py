"""What the agency of a ``Scene`` brings to court, and a verifier that has nothing but the genesis."""

from collections.abc import Iterable

import msgspec

from escrow.roles.agency.opening import open_items
from escrow.roles.authorised import context_of
from escrow.roles.calls import GetDating, GetHead
from escrow.roles.evidence.bundle import Asked, Bundle, Said
from escrow.roles.evidence.history import History
from escrow.roles.evidence.making import in_order, make_bundle, worth_dating
from escrow.roles.evidence.verifying import Verified, verify_bundle
from escrow.store.memory import MemoryStore
from escrow.warrant.documents import parse_warrant
from escrow.warrant.dsse import Envelope
from escrow.world.loop import complete
from tests.core.roles.corrupt import holding_of
from tests.core.roles.scene import AGENCY, Scene


def bundle_of(at: Scene, warrant_id: bytes = b"") -> Bundle:
    """The evidence as things stand; about another warrant only the log is right."""
    warrant_id = warrant_id or at.warrant_id
    head = at.world.ask("log", GetHead(0, 0))
    entries = at.world.store("log").records("log/leaves", start=0, limit=1 << 30)
    dated = (at.world.ask("log", GetDating(index)) for index in worth_dating(entries, warrant_id))
    notes = [note for one in dated for note in (one.before, one.first)]
    ordered = in_order(at.world.genesis, [*notes, head.note])
    return make_bundle(at.world.genesis, at.world.store(AGENCY), at.warrant_id, entries, ordered)


def bundle_with(at: Scene, *asked: Asked) -> Bundle:
    """A bundle with these requests alone, and the right account of what they open."""
    warrant_id = warrant_of(asked[0])
    bundle = msgspec.structs.replace(bundle_of(at, bytes.fromhex(warrant_id)), requests=asked, warrant_id=warrant_id)
    opened = []
    for one in asked:
        generation, request = one.shares, one.terms
        context = context_of(at.world.genesis, holding_of(at, 1).key)
        items, _ = open_items(context, generation, request, one.responses())
        opened += [Said.of(item) for item in items]
    return msgspec.structs.replace(bundle, opened=tuple(opened))


def warrant_of(asked: Asked) -> str:
    return parse_warrant(Envelope.parse(asked.terms.dsse).payload).warrant_id


def verified(at: Scene, bundle: Bundle) -> Verified:
    """What a stranger makes of it; raises what it finds wrong."""
    return verify(at, bundle.encode())


def verify(at: Scene, data: bytes) -> Verified:
    bundle, genesis, store = Bundle.parse(data), at.world.genesis, MemoryStore()
    history = History.verified(genesis, bundle.entries, notes_of(bundle.checkpoints))
    for step in history.steps(bundle.entries):
        complete(store.commit(step))
    return verify_bundle(genesis, history, store, bundle)


def notes_of(checkpoints: Iterable[str]) -> list[bytes]:
    return [note.encode() for note in checkpoints]
