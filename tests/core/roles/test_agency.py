"""The agency: what it can open with whose help, and that it says who was missing and who cheated."""

from dataclasses import replace as changed
from typing import Any

import msgspec
import pytest

from escrow.errors import RefusedError
from escrow.ids import Party
from escrow.roles.agency.commands import Execute, GetOpened, GetReport, Refresh
from escrow.roles.agency.state import load_case, unasked
from escrow.roles.calls import Call, GetCase, Release, ReleaseReply, Reply
from escrow.tlog.entry import EntryType
from escrow.warrant.release import ReleaseResponse, hpke_info
from escrow.world.founding import APPROVERS, ISSUERS
from tests.core.roles.scene import AGENCY, HOUR, MINUTE, TEXTS, Scene, scene


@pytest.fixture
def ready() -> Scene:
    return scene().rewind("ready")


def outcomes(at: Scene) -> dict[str, str]:
    (request,) = at.report().requests
    return {one.custodian: one.outcome for one in request.custodians}


def test_an_execution_opens_what_the_target_said_and_nothing_else() -> None:
    at = scene().rewind("sealed")
    at.pass_time(2 * MINUTE)
    report = at.execute()
    assert (report.refused, report.produced, report.opened) == ("", 3, 3)
    assert at.opened() == list(TEXTS)
    assert set(outcomes(at).values()) == {"released"}


@pytest.mark.parametrize("moment", ["applied", "issued"])
def test_with_one_lock_or_none_the_relay_produces_nothing(moment: str) -> None:
    at = scene().rewind(moment)
    report = at.execute()
    assert (report.refused, report.produced, report.requests) == ("SEAL_NOT_LOGGED", 0, ())


def test_before_its_activation_a_warrant_produces_nothing() -> None:
    assert scene().rewind("sealed").execute().refused == "NOT_YET_ACTIVE"


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_any_threshold_of_custodians_will_do_and_the_missing_one_is_named(ready: Scene, missing: int) -> None:
    ready.world.network.down.add(Party(f"custodian/{missing}"))
    report = ready.execute()
    assert report.opened == 3
    assert [name for name, said in outcomes(ready).items() if said == "missing"] == [f"custodian/{missing}"]


def test_fewer_than_the_threshold_open_nothing(ready: Scene) -> None:
    ready.world.network.down.update({Party("custodian/1"), Party("custodian/3")})
    report = ready.execute()
    assert report.opened == 0
    assert report.requests[0].reason == "NOT_ENOUGH_SHARES"
    assert ready.opened() == []
    ready.world.network.down.clear()
    assert ready.execute().opened == 3


def test_executing_again_uses_the_same_request_and_one_quota(ready: Scene) -> None:
    first, again = ready.execute(), ready.execute()
    assert again.opened == first.opened == 3
    assert [one.request_hash for one in again.requests] == [one.request_hash for one in first.requests]
    assert len(list(ready.entries(EntryType.RELEASE_INTENT))) == 3


def test_after_expiry_everybody_refuses_and_what_was_opened_stays(ready: Scene) -> None:
    ready.execute()
    ready.pass_time(ready.payload.not_after - ready.world.now)
    report = ready.execute()
    assert report.refused == "EXPIRED"
    assert set(outcomes(ready).values()) == {"EXPIRED"}
    assert ready.opened() == list(TEXTS)


def test_an_agency_asks_for_no_more_than_its_warrant_admits() -> None:
    at = scene().rewind("said")
    warrant_id = at.apply(max_capsules=2)
    at.sign("issuer", ISSUERS[0], warrant_id)
    at.sign("approver", APPROVERS[0], warrant_id)
    at.settle()
    at.pass_time(2 * MINUTE)
    report = at.execute(warrant_id)
    assert (report.produced, report.opened) == (3, 2)
    assert len(unasked(at.world.store(AGENCY), warrant_id)) == 1


def test_a_prospective_warrant_opens_what_comes_later_with_new_requests() -> None:
    at = scene().rewind("said")
    window = (at.world.now, at.world.now + 4 * HOUR)
    warrant_id = at.apply(kind="PROSPECTIVE", window=window)
    at.sign("issuer", ISSUERS[0], warrant_id)
    at.sign("approver", APPROVERS[0], warrant_id)
    at.settle()
    at.pass_time(2 * MINUTE)
    assert at.execute(warrant_id).produced == 0
    for text in ("four", "five"):
        at.say(at.bob, "alice", text)
        at.pass_time(HOUR)
        assert at.execute(warrant_id).requests[-1].reason == ""
    assert at.opened(warrant_id) == ["four", "five"]
    assert len(at.report(warrant_id).requests) == 2


def cheat(at: Scene, index: int, spoil: Any) -> None:
    """Custodian ``index`` answers with what ``spoil`` makes of its response."""
    key = load_case(at.world.store(AGENCY), at.warrant_id).recipient_key
    hpke = at.world[f"custodian/{index}"].role.hpke  # type: ignore[attr-defined]

    def on_reply(_: Party, to: Party, call: Call, reply: Reply) -> Reply:
        if to != f"custodian/{index}" or not isinstance(call, Release) or not isinstance(reply, ReleaseReply):
            return reply
        generation = generation_of(at)
        info = hpke_info(at.tag, at.request.hash, at.key(to).public, generation.hash)
        response = spoil(ReleaseResponse.decode(key.open(info, reply.sealed)))
        return msgspec.structs.replace(reply, sealed=hpke.seal(key.public, info, response.encode()))

    at.world.network.on_reply = on_reply


def generation_of(at: Scene) -> Any:
    from escrow.roles.custodian.state import load_holding

    holding = load_holding(at.world.store("custodian/1"), at.request.committee_key_hash)
    assert holding is not None
    return holding.generation


SPOILS = {
    "a flipped share": lambda r: changed(r, shares=(bytes(96), *r.shares[1:])),
    "shares in another order": lambda r: changed(r, shares=r.shares[::-1]),
    "another index": lambda r: changed(r, index=3),
    "too few shares": lambda r: changed(r, shares=r.shares[:1]),
    "another request": lambda r: changed(r, request_hash=bytes(32)),
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("index", [1, 2])
def test_a_custodian_that_cheats_is_named_and_does_not_stop_the_others(ready: Scene, spoil: str, index: int) -> None:
    try:
        cheat(ready, index, SPOILS[spoil])
        report = ready.execute()
    finally:
        ready.world.network.on_reply = lambda _origin, _to, _call, reply: reply
    assert report.opened == 3
    assert ready.opened() == list(TEXTS)
    assert report.requests[0].culprits == (f"custodian/{index}",)


def test_an_agency_takes_commands_from_its_own_users_alone(ready: Scene) -> None:
    for call in (Execute(ready.warrant_id), GetReport(ready.warrant_id), GetOpened(ready.warrant_id)):
        with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
            ready.world.ask(AGENCY, call, "agency/others")
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        ready.world.run(ready.agency, GetCase(ready.warrant_id))


@pytest.mark.parametrize("call", [Execute, GetReport, Refresh])
def test_a_warrant_that_nobody_applied_for_is_not_found(ready: Scene, call: Any) -> None:
    with pytest.raises(RefusedError, match="NOT_FOUND"):
        ready.world.run(ready.agency, call(bytes(16)))


def test_an_application_beyond_the_policy_is_not_even_filed() -> None:
    at = scene().rewind("said")
    before = at.world.store(AGENCY).snapshot()
    with pytest.raises(RefusedError, match="RANGE_INVALID"):
        at.apply(max_capsules=2_000_000)
    assert at.world.store(AGENCY).snapshot() == before


def test_an_authority_out_of_reach_is_no_loss() -> None:
    at = scene().rewind("said")
    at.world.network.down.add(Party("authority"))
    warrant_id = at.apply()
    assert at.report(warrant_id).state == ""
    at.world.network.down.clear()
    at.world.run(at.agency, Refresh(warrant_id))
    assert at.report(warrant_id).state == "submitted"


def test_the_keys_of_a_warrant_never_show(ready: Scene) -> None:
    case = load_case(ready.world.store(AGENCY), ready.warrant_id)
    assert case.request_seed.expose().hex() not in repr(case)
    assert repr(case.recipient_seed) == "Secret(<32 bytes>)"
