"""WAR-28: successors wait for the end of the other, requests for operators; a wrong identifier stops a warrant."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.errors import RefusedError
from escrow.roles.calls import JudgeRelease
from escrow.roles.custodian import Custodian
from escrow.secret import Secret
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Lock, Person
from escrow.warrant.identifier import confirm, identifier, parse_identifier
from escrow.warrant.operators import operator_statement
from escrow.world.founding import ISSUERS
from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene
from tests.core.warrant.office import warrant

pytestmark = pytest.mark.claim("WAR-28")

OPERATORS = {name: SigningKey.from_seed(Secret(name.encode() * 8)) for name in ("olga", "otto", "oona")}
accounts = st.binary(min_size=32, max_size=32)


@effort(0.1)
@given(st.integers(1, 3), st.sampled_from((EntryType.CANCELLATION, EntryType.SUSPENSION, EntryType.ATTAINMENT)))
def test_a_successor_waits_for_the_cancellation_of_the_other(census: Census, custodian: int, ending: EntryType) -> None:
    at = scene().rewind("ready")
    new = at.sealed_by_force(at.rewritten(supersedes=at.tag.hex()), *at.locks)
    assert at.why_not(new, custodian=custodian) == "NOT_YET_ACTIVE"
    assert at.log("authority", ending, at.order(ending, ISSUERS[0])) == ("",)
    cancelled = ending is EntryType.CANCELLATION
    assert at.why_not(new, custodian=custodian) == ("" if cancelled else "NOT_YET_ACTIVE")
    census("released" if cancelled else "refused")


@effort(0.1)
@given(st.dictionaries(st.sampled_from(sorted(OPERATORS)), st.booleans()))
def test_a_request_waits_for_enough_operators(census: Census, said: dict[str, bool]) -> None:
    at = scene().rewind("ready")
    node, people = at.world["custodian/1"], tuple(OPERATORS.items())
    named = tuple(Person(person=name, key=key.public.hex()) for name, key in people)
    before = node.role
    node.role = replace(cast(Custodian, before), people=Lock(threshold=2, people=named))
    try:
        assert at.why_not() == "OPERATOR_PENDING"
        for name, allow in said.items():
            statement = operator_statement(at.key("custodian/1").public, at.request.hash, allow=allow)
            call = JudgeRelease(at.request.hash, name, allow, OPERATORS[name].sign(statement))
            if sum(not word for word in list(said.values())[: list(said).index(name)]) < 2:
                at.world.ask("custodian/1", call, f"operator/{name}")
        enough = sum(said.values()) >= 2
        assert (at.why_not() == "") == enough
        assert bool(list(at.entries(EntryType.RELEASE_INTENT))) == enough
        census("released" if enough else "refused")
    finally:
        node.role = before


@effort(0.4)
@given(accounts, accounts, st.integers(0, 71), st.sampled_from("0123456789abcdef"))
def test_a_slip_of_the_pen_and_a_mistaken_account_are_caught(
    census: Census, meant: bytes, other: bytes, place: int, digit: str
) -> None:
    assume(meant != other)
    text = identifier(meant)
    place += place >= 64
    if text[place] != digit:
        with pytest.raises(RefusedError, match="IDENTIFIER_INVALID"):
            parse_identifier(text[:place] + digit + text[place + 1 :])
    payload = warrant()
    named = bytes.fromhex(payload.targets[0].account)
    confirm(payload, [identifier(named)])
    if other != named:
        with pytest.raises(RefusedError, match="IDENTIFIER_MISMATCH"):
            confirm(payload, [identifier(other)])
    census("caught")
