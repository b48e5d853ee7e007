"""WAR-14: evidence that is accepted shows what the target's device signed, whoever helps the agency to invent more."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import EscrowError
from tests.claims.inventing import invented, wide
from tests.claims.measures import Census, effort
from tests.core.roles.corrupt import accepted_by_a_corrupt_relay, released_by_rogues
from tests.core.roles.court import bundle_of, bundle_with, verified, verify
from tests.core.roles.scene import Scene, scene

pytestmark = pytest.mark.claim("WAR-14")

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40)


def executed() -> Scene:
    at = scene().rewind("ready")
    at.execute()
    at.settle()
    return at


@cache
def honest_document() -> bytes:
    return bundle_of(executed()).encode()


@effort(0.3)
@given(WORDS, st.integers(0, 2), st.booleans(), st.booleans())
def test_nothing_that_was_invented_is_believed(
    census: Census, text: str, place: int, relay_helps: bool, after: bool
) -> None:
    """Agency and all custodians together, with the relay or without: they lack the device's key."""
    at = scene().rewind("ready")
    request = wide(at)
    honest = released_by_rogues(at, request) if after else None
    made_up = invented(at, request.items[place], text)
    if relay_helps:
        made_up = accepted_by_a_corrupt_relay(at, made_up)
    forged = released_by_rogues(at, replace(request, items=(made_up,), request_id=bytes(16)))
    with pytest.raises(EscrowError):
        verified(at, bundle_with(at, forged))
    census("refused")
    if honest is not None:
        assert len(verified(at, bundle_with(at, honest)).opened) == len(request.items)
        census("accepted")


@effort(0.6)
@given(st.data())
def test_a_changed_byte_proves_nothing_new(census: Census, data: st.DataObject) -> None:
    at, document = scene(), json.loads(honest_document())
    proved = verify(at, honest_document())
    change(document, data)
    try:
        shown = verify(at, json.dumps(document).encode())
    except EscrowError:
        census("refused")
        return
    # A witness more or less, or a checkpoint that dates nothing: what was said stays what was said.
    assert shown.opened == proved.opened
    assert shown.warrant == proved.warrant
    census("accepted, and says the same")


@effort(0.1)
@given(WORDS)
def test_words_put_into_a_mouth_are_not_what_opens(census: Census, text: str) -> None:
    at, document = scene(), json.loads(honest_document())
    if document["opened"][0]["text"] == text:
        return
    document["opened"][0]["text"] = text
    with pytest.raises(EscrowError):
        verify(at, json.dumps(document).encode())
    census("refused")


def change(document: Any, data: st.DataObject) -> None:
    """Change one character of one text somewhere in the document."""
    places = list(texts(document))
    holder, key = data.draw(st.sampled_from(places), label="where")
    text = holder[key]
    at = data.draw(st.integers(0, max(0, len(text) - 1)), label="place")
    holder[key] = text[:at] + data.draw(st.sampled_from("0aA+/=\n"), label="character") + text[at + 1 :]


def texts(value: Any) -> Any:
    """Every text of a document, as what holds it and the key there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, str):
            yield value, key
        elif isinstance(inner, (dict, list)):
            yield from texts(inner)


def test_the_answers_to_one_request_open_nothing_under_another(census: Census) -> None:
    at = executed()
    (asked,) = bundle_of(at).requests
    other = released_by_rogues(at, at.about(*at.request.items, request_id=bytes(16)))
    bundle = msgspec.structs.replace(
        bundle_with(at, other), requests=(msgspec.structs.replace(other, answers=asked.answers),)
    )
    with pytest.raises(EscrowError):
        verified(at, bundle)
    census("refused")
