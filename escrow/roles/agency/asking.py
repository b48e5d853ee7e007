"""From produced items to release requests: one committee each, no unit split, none beyond the warrant's quota."""

from collections.abc import Iterator

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.roles.agency.holders import owe_release
from escrow.roles.agency.state import (
    Asked,
    Investigation,
    all_asked,
    mark_asked,
    save_asked,
    unasked,
)
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft
from escrow.warrant.item import Item
from escrow.warrant.request import ReleaseRequest, identities_of, sign_request
from escrow.warrant.sealing import field_root, seal_tag

MOST_ITEMS = 256
MOST_BYTES = 8 << 20
"""Bounds of one request."""


def ask(draft: Draft, light: LightView, warrant_id: bytes, case: Investigation, coins: Coins) -> bool:
    """Make requests of all produced items and owe them to their custodians.

    False while a committee's key has yet to come from the log; the questions for it are owed then. Items that name a
    committee which is not the authorised one are left alone.
    """
    policy = light.genesis.policy
    by_period: dict[int, list[Item]] = {}
    for item in unasked(draft, warrant_id):
        by_period.setdefault(policy.period_of(item.terms.epoch), []).append(item)
    complete = True
    room = case.payload.quota - sum(asked.count for _, asked in all_asked(draft, warrant_id))
    for period, items in sorted(by_period.items()):
        if light.want_generation(draft, period):
            complete = False
            continue
        key, generation = light.committee_key(draft, period), light.generation(draft, period)
        held = b"" if generation is None else generation.encode()
        mine = [item for item in items if key is not None and item.terms.committee_key_hash == key.hash]
        for chunk in _chunks(mine, room):
            request = _request(case, chunk, coins)
            room -= request.count
            asked = Asked(request.encode(), sign_request(case.request_key, request), period, request.count)
            asked = replace(asked, generation_bytes=held)
            save_asked(draft, warrant_id, request.hash, asked)
            for item in chunk:
                mark_asked(draft, warrant_id, item)
            owe_release(draft, light, warrant_id, asked)
    return complete


def _chunks(items: list[Item], room: int) -> Iterator[tuple[Item, ...]]:
    """Cut items into requests, whole release units each, at most ``room`` units in all."""
    units: dict[tuple[bytes, ...], list[Item]] = {}
    for item in items:
        units.setdefault(item.unit, []).append(item)
    chunk: list[Item] = []
    size = 0
    for together in list(units.values())[: max(room, 0)]:
        weight = sum(len(item.encode()) for item in together)
        if chunk and (len(chunk) + len(together) > MOST_ITEMS or size + weight > MOST_BYTES):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk += together
        size += weight
    if chunk:
        yield tuple(chunk)


def _request(case: Investigation, items: tuple[Item, ...], coins: Coins) -> ReleaseRequest:
    payload = case.payload
    ordered = tuple(sorted(items, key=lambda item: item.order))
    return ReleaseRequest(
        seal_tag=seal_tag(payload.id),
        salt=case.salt,
        field_root=field_root(payload),
        dsse=case.dsse,
        request_id=coins.take("request-id", 16),
        committee_key_hash=items[0].terms.committee_key_hash,
        item_salt=coins.take("item-salt", 32),
        items=ordered,
        nonce=coins.take("nonce", 16),
        expires=payload.not_after,
        identities=identities_of(ordered),
    )
