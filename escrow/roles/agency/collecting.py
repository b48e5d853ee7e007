"""What custodians answer, request by request: kept, opened as soon as the last of them has answered, and reported."""

from msgspec.structs import replace

from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.agency.commands import CustodianOutcome, Report, RequestReport
from escrow.roles.agency.opening import open_items, read_response
from escrow.roles.agency.state import (
    ASKED,
    MISSING,
    RELEASED,
    Asked,
    Said,
    all_asked,
    all_opened,
    all_said,
    load_asked,
    load_case,
    owner_of,
    produced,
    save_asked,
    save_opened,
    save_said,
)
from escrow.roles.authorised import context_of, proposal_for
from escrow.roles.calls import ReleaseReply, Reply
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read

_OUT_OF_REACH = frozenset({Reason.UNAVAILABLE, Reason.TIMED_OUT})


def collect(draft: Draft, light: LightView, request_hash: bytes, custodian: Party, reply: Reply | EscrowError) -> None:
    """Take one custodian's answer to a request; with the last one, open what can be opened."""
    warrant_id = owner_of(draft, request_hash)
    asked = None if warrant_id is None else load_asked(draft, warrant_id, request_hash)
    if warrant_id is None or asked is None:
        return
    index = members(light, asked).index(custodian) + 1
    save_said(draft, warrant_id, request_hash, index, _said(reply))
    said = all_said(draft, warrant_id, request_hash)
    if not asked.done and all(one.outcome != ASKED for one in said.values()):
        asked = _open(draft, light, warrant_id, asked, {index: one.sealed for index, one in said.items() if one.sealed})
        save_asked(draft, warrant_id, request_hash, asked)


def members(light: LightView, asked: Asked) -> list[str]:
    """The custodians that a request goes to, in the order of their indices."""
    names = {key: name for name, key in light.genesis.custodian_keys.items()}
    return [names[member] for member in proposal_for(light.genesis, asked.period).members]


def report(view: Read | Draft, light: LightView, warrant_id: bytes) -> Report:
    """All that is known of a warrant."""
    case = load_case(view, warrant_id)
    requests = []
    for request_hash, asked in all_asked(view, warrant_id):
        said, names = all_said(view, warrant_id, request_hash), members(light, asked)
        outcomes = tuple(CustodianOutcome(names[index - 1], one.outcome) for index, one in said.items())
        requests.append(RequestReport(request_hash, asked.count, outcomes, asked.opened, asked.reason, asked.culprits))
    return Report(
        warrant_id,
        case.state,
        case.signers,
        case.refused,
        produced=produced(view, warrant_id),
        opened=sum(1 for one in all_opened(view, warrant_id) if not one.reason),
        requests=tuple(requests),
    )


def _said(reply: Reply | EscrowError) -> Said:
    match reply:
        case ReleaseReply(sealed=sealed, reason=""):
            return Said(RELEASED, sealed)
        case ReleaseReply(reason=reason):
            return Said(reason)
        case EscrowError() as error:
            return Said(MISSING if error.reason in _OUT_OF_REACH else error.reason.name)
        case _:
            return Said(Reason.MALFORMED.name)


def _open(draft: Draft, light: LightView, warrant_id: bytes, asked: Asked, sealed: dict[int, bytes]) -> Asked:
    """Open a request with the responses at hand; the request with what came of it."""
    key, generation = light.committee_key(draft, asked.period), light.generation(draft, asked.period)
    if key is None or generation is None:
        raise AssertionError("a request was made for a committee that is known")
    request, recipient = asked.request, load_case(draft, warrant_id).recipient_key
    responses, culprits = {}, set[int]()
    for index, data in sealed.items():
        try:
            responses[index] = read_response(recipient, request, generation, index, data)
        except RefusedError:
            culprits.add(index)
    reason, opened = "", 0
    try:
        items, more = open_items(context_of(light.genesis, key), generation, request, responses)
    except RefusedError as error:
        reason = error.reason.name
    else:
        culprits |= more
        for item in items:
            save_opened(draft, warrant_id, item)
        opened = sum(1 for item in items if not item.reason)
        reason = next((item.reason for item in items if item.reason), "")
    named = tuple(members(light, asked)[index - 1] for index in sorted(culprits))
    return replace(asked, opened=opened, reason=reason, culprits=named)
