"""What an agency remembers, and under which keys of its store.

===========  ================================================================================
``view/``    the light view of the log
``case/``    ``Investigation`` by warrant id; holds the keys of that warrant
``item/``    items that the relay has produced, by (warrant id, place of the item in a request)
``asked/``   which of them are in a request, by the same
``ask/``     ``Asked`` by (warrant id, request hash)
``owner/``   warrant id by request hash
``said/``    ``Said`` by (warrant id, request hash, custodian index)
``opened/``  ``OpenedItem`` by (warrant id, place in the relay's ingest log)
===========  ================================================================================
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from escrow.committee.documents import ShareGeneration
from escrow.crypto.hpke import RecipientKey
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u32, u64
from escrow.errors import Reason, RefusedError
from escrow.roles.agency.commands import OpenedItem
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.warrant.documents import WarrantPayload, parse_warrant
from escrow.warrant.item import Item
from escrow.warrant.request import ReleaseRequest

RELEASED: Final = "released"
MISSING: Final = "missing"
ASKED: Final = "asked"


class Investigation(Struct, frozen=True):
    """A warrant applied for, with its two secret keys, and what the authority last said about it."""

    payload_bytes: bytes
    request_seed: Secret
    recipient_seed: Secret
    state: str = ""
    signers: tuple[str, ...] = ()
    refused: str = ""
    dsse: bytes = b""
    salt: bytes = b""
    profile: str = ""

    @property
    def payload(self) -> WarrantPayload:
        """The warrant."""
        return parse_warrant(self.payload_bytes)

    @property
    def request_key(self) -> SigningKey:
        """Signs the requests."""
        return SigningKey.from_seed(self.request_seed)

    @property
    def recipient_key(self) -> RecipientKey:
        """Opens the responses."""
        return RecipientKey.from_seed(self.recipient_seed.expose())


class Asked(Struct, frozen=True):
    """A request as it was sent. ``reason`` says why not all is opened; ``culprits`` sent bad shares."""

    request_bytes: bytes
    signature: bytes
    period: int
    count: int
    opened: int = 0
    reason: str = ""
    culprits: tuple[str, ...] = ()
    generation_bytes: bytes = b""
    """The share generation that was the newest when we asked those whom we ask."""

    @property
    def request(self) -> ReleaseRequest:
        """The request."""
        return ReleaseRequest.decode(self.request_bytes)

    @property
    def generation(self) -> ShareGeneration:
        """Whose members the request goes to."""
        return ShareGeneration.decode(self.generation_bytes)

    @property
    def done(self) -> bool:
        """Whether everything in it is opened."""
        return bool(self.opened) and not self.reason


class Said(Struct, frozen=True):
    """What a custodian said last: an outcome, and its newest sealed response if it ever gave one."""

    outcome: str
    sealed: bytes = b""


def load_case(view: Read | Draft, warrant_id: bytes) -> Investigation:
    """The investigation; ``NOT_FOUND``."""
    data = view.get(b"case/" + warrant_id)
    if data is None:
        raise RefusedError(Reason.NOT_FOUND, "no such warrant was applied for here")
    return unpack(data, Investigation)


def save_case(draft: Draft, warrant_id: bytes, case: Investigation) -> None:
    """Remember an investigation."""
    draft.put(b"case/" + warrant_id, pack(case))


def keep_item(draft: Draft, warrant_id: bytes, data: bytes) -> None:
    """Keep a produced item; the same one twice is one."""
    draft.put(b"item/" + warrant_id + place_of(Item.decode(data)), data)


def place_of(item: Item) -> bytes:
    """68 bytes that sort as items do in a request."""
    label_hash, cap_hash, index = item.order
    return label_hash + cap_hash + u32(index)


def produced(view: Read | Draft, warrant_id: bytes) -> int:
    """How many items the relay has produced."""
    return sum(1 for _ in view.scan(b"item/" + warrant_id))


def unasked(view: Read | Draft, warrant_id: bytes) -> list[Item]:
    """Produced items that are in no request yet, in order."""
    prefix = b"item/" + warrant_id
    return [
        Item.decode(data)
        for key, data in view.scan(prefix)
        if view.get(b"asked/" + warrant_id + key[len(prefix) :]) is None
    ]


def mark_asked(draft: Draft, warrant_id: bytes, item: Item) -> None:
    """Remember that an item is in a request."""
    draft.put(b"asked/" + warrant_id + place_of(item), b"")


def save_asked(draft: Draft, warrant_id: bytes, request_hash: bytes, asked: Asked) -> None:
    """Remember a request."""
    draft.put(b"ask/" + warrant_id + request_hash, pack(asked))
    draft.put(b"owner/" + request_hash, warrant_id)


def owner_of(view: Read | Draft, request_hash: bytes) -> bytes | None:
    """The warrant that a request of ours was made under."""
    return view.get(b"owner/" + request_hash)


def load_asked(view: Read | Draft, warrant_id: bytes, request_hash: bytes) -> Asked | None:
    """A request of ours, if it is one."""
    data = view.get(b"ask/" + warrant_id + request_hash)
    return None if data is None else unpack(data, Asked)


def all_asked(view: Read | Draft, warrant_id: bytes) -> Iterator[tuple[bytes, Asked]]:
    """Every request under a warrant, by its hash."""
    prefix = b"ask/" + warrant_id
    for key, data in view.scan(prefix):
        yield key[len(prefix) :], unpack(data, Asked)


def save_said(draft: Draft, warrant_id: bytes, request_hash: bytes, index: int, said: Said) -> None:
    """Remember what custodian ``index`` said; a later denial does not undo shares that we have."""
    place = b"said/" + warrant_id + request_hash + u32(index)
    known = draft.get(place)
    sealed = said.sealed or (unpack(known, Said).sealed if known else b"")
    draft.put(place, pack(Said(said.outcome, sealed)))


def all_said(view: Read | Draft, warrant_id: bytes, request_hash: bytes) -> dict[int, Said]:
    """What each custodian said about a request, by index."""
    prefix = b"said/" + warrant_id + request_hash
    return {number(key[len(prefix) :]): unpack(data, Said) for key, data in view.scan(prefix)}


def forget_said(draft: Draft, warrant_id: bytes, request_hash: bytes) -> None:
    """Forget all answers to a request."""
    for key, _ in list(draft.scan(b"said/" + warrant_id + request_hash)):
        draft.delete(key)


def save_opened(draft: Draft, warrant_id: bytes, opened: OpenedItem) -> None:
    """Keep an opened message; the same one twice is one."""
    draft.put(b"opened/" + warrant_id + u64(opened.ingest_seq), pack(opened))


def all_opened(view: Read | Draft, warrant_id: bytes) -> list[OpenedItem]:
    """What was opened, in the order in which the relay took it."""
    return [unpack(data, OpenedItem) for _, data in view.scan(b"opened/" + warrant_id)]
