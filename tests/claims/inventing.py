"""Inventing what a target never wrote: what is left for those who hold the chain's seed, and who may help them."""

from dataclasses import replace

import msgspec

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.chain import first_chain_key, message_key
from escrow.capsule.combine import open_capsule
from escrow.capsule.header import Header
from escrow.capsule.schemes import ShareRequest
from escrow.capsule.submission import SignedContent
from escrow.crypto.sign import SigningKey
from escrow.e2ee.content import Text, encode_content
from escrow.roles.authorised import context_of
from escrow.roles.device.state import load_me
from escrow.secret import Secret
from escrow.warrant.item import Item
from escrow.warrant.request import ReleaseRequest
from tests.core.roles.corrupt import holding_of, released_by_rogues
from tests.core.roles.scene import HOUR, Scene


def seed_of(at: Scene, item: Item) -> Secret:
    """The seed of a message's chain, as whoever was released it knows it."""
    request = at.about(item)
    asked, holding = released_by_rogues(at, request, intents=()), holding_of(at, 1)
    shares = {index: response.shares[0] for index, response in asked.responses().items()}
    context, generation = context_of(at.world.genesis, holding.key), holding.generation
    wanted = ShareRequest(context, generation.hash, item.label, item.capsule, request.hash)
    return open_capsule(wanted, generation, shares).seed


def invented(at: Scene, item: Item, text: str, signer: SigningKey | None = None) -> Item:
    """The item with other words in its body, sealed under the right key; signed anew if somebody has a key to."""
    label_hash, cap_hash = item.capsule_id
    key = message_key(first_chain_key(seed_of(at, item), label_hash), label_hash, 0)
    header = Header(label_hash, cap_hash, 0, b"invented by them", item.header.content_class)
    body = seal_body(key, header, encode_content(Text(text)))
    if signer is None:
        return replace(item, body=body)
    said = SignedContent(label_hash, cap_hash, 0, body_id(body), item.env_root)
    return replace(item, body=body, device_sig=signer.sign(said.encode()))


def device_key(at: Scene) -> SigningKey:
    """The key of Bob's device, for those who stole it."""
    return load_me(at.world.store(at.bob.party)).keys.signing_key


def wide(at: Scene) -> ReleaseRequest:
    """A request under a warrant whose window reaches beyond the present."""
    window = msgspec.structs.replace(at.payload.message_window, end=at.world.now + HOUR)
    return at.sealed_by_force(at.rewritten(message_window=window), *at.locks)
