"""Four eyes: where a custodian has operators, enough of them must agree to the very request, besides all rules."""

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.errors import RefusedError
from escrow.roles.calls import GetWaiting, JudgeRelease
from escrow.roles.custodian import Custodian
from escrow.secret import Secret
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Lock, Person
from escrow.warrant.operators import operator_statement
from tests.claims.measures import effort
from tests.core.roles.scene import DAY, Scene, scene

NAMES = ("olga", "otto", "oona")
KEYS = {name: SigningKey.from_seed(Secret(name.encode() * 8)) for name in NAMES}
PEOPLE = Lock(threshold=2, people=tuple(Person(person=name, key=KEYS[name].public.hex()) for name in NAMES))


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Scene:
    at = scene().rewind("ready")
    monkeypatch.setattr(at.world["custodian/1"], "role", with_operators(at))
    return at


def with_operators(at: Scene) -> Custodian:
    return replace(cast(Custodian, at.world["custodian/1"].role), people=PEOPLE)


def judge(
    at: Scene, name: str, *, allow: bool = True, request_hash: bytes = b"", signer: str = "", origin: str = ""
) -> None:
    wanted = request_hash or at.request.hash
    statement = operator_statement(at.key("custodian/1").public, at.request.hash, allow=allow)
    call = JudgeRelease(wanted, name, allow, KEYS[signer or name].sign(statement))
    at.world.ask("custodian/1", call, origin or f"operator/{name}")


@pytest.mark.spec("CUST-11")
def test_a_request_waits_for_enough_operators_and_is_counted_only_then(ready: Scene) -> None:
    assert ready.why_not() == "OPERATOR_PENDING"
    (waiting,) = ready.world.ask("custodian/1", GetWaiting(), "operator/olga").requests
    assert (waiting.request_hash, waiting.agency, waiting.count) == (ready.request.hash, "agency/police", 3)
    judge(ready, "olga")
    assert ready.why_not() == "OPERATOR_PENDING"
    assert not list(ready.entries(EntryType.RELEASE_INTENT))
    judge(ready, "otto")
    assert ready.why_not() == ""
    assert ready.world.ask("custodian/1", GetWaiting(), "operator/olga").requests == ()
    assert ready.why_not(custodian=2) == ""  # which has none


@pytest.mark.spec("CUST-11")
def test_what_operators_refuse_is_denied_for_good_and_logged(ready: Scene) -> None:
    assert ready.why_not() == "OPERATOR_PENDING"
    judge(ready, "olga", allow=False)
    judge(ready, "otto")
    assert ready.why_not() == "OPERATOR_PENDING"
    judge(ready, "oona", allow=False)
    assert ready.why_not() == "OPERATOR_REFUSED"
    with pytest.raises(RefusedError, match="NOT_FOUND"):
        judge(ready, "otto", allow=True)
    ready.settle()
    assert len(list(ready.entries(EntryType.DENIAL))) == 1


@effort(0.3)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=6))
def test_only_the_first_word_of_each_counts(words: list[tuple[str, bool]]) -> None:
    at = scene().rewind("ready")
    node = at.world["custodian/1"]
    before, node.role = node.role, with_operators(at)
    try:
        assert at.why_not() == "OPERATOR_PENDING"
        said: dict[str, bool] = {}
        for name, allow in words:
            if list(said.values()).count(False) < 2:
                judge(at, name, allow=allow)
                said.setdefault(name, allow)
        yes, no = list(said.values()).count(True), list(said.values()).count(False)
        assert at.why_not() == ("OPERATOR_REFUSED" if no >= 2 else "" if yes >= 2 else "OPERATOR_PENDING")
    finally:
        node.role = before


@pytest.mark.parametrize("how", [{"signer": "otto"}, {"origin": "operator/otto"}, {"origin": "agency/police"}])
def test_operators_speak_for_themselves(ready: Scene, how: dict[str, Any]) -> None:
    assert ready.why_not() == "OPERATOR_PENDING"
    with pytest.raises(RefusedError, match=r"SIGNATURE_INVALID|PERMISSION_DENIED"):
        judge(ready, "olga", **how)
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        ready.world.ask("custodian/1", GetWaiting(), "agency/police")
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        ready.world.ask("custodian/2", GetWaiting(), "operator/olga")


def test_a_word_about_one_request_serves_for_no_other(ready: Scene) -> None:
    other = replace(ready.request, request_id=b"o" * 16)
    assert ready.why_not(other) == ready.why_not() == "OPERATOR_PENDING"
    for name in NAMES:
        with pytest.raises(RefusedError, match="SIGNATURE_INVALID"):
            judge(ready, name, request_hash=other.hash)
        judge(ready, name)
    assert ready.why_not(other) == "OPERATOR_PENDING"
    assert ready.why_not() == ""


def test_what_waits_is_forgotten_when_the_warrant_is_over(ready: Scene) -> None:
    assert ready.why_not() == "OPERATOR_PENDING"
    judge(ready, "olga")
    ready.pass_time(3 * DAY)
    store = ready.world.store("custodian/1")
    assert not [*store.scan(b"waiting/"), *store.scan(b"verdict/")]
    assert ready.why_not() == "EXPIRED"
