"""What custodians answer, request by request: kept, opened as soon as the last of them has answered, and reported."""

from collections.abc import Mapping

from msgspec.structs import replace

from escrow.committee.documents import ShareGeneration
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.agency.commands import CustodianOutcome, Report, RequestReport
from escrow.roles.agency.holders import follow_shares, holders
from escrow.roles.agency.opening import open_items, read_responses
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
from escrow.roles.authorised import context_of
from escrow.roles.calls import GetHead, GetRecord, Release, ReleaseReply, Reply
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read
from escrow.tlog.entry import EntryType

_OUT_OF_REACH = frozenset({Reason.UNAVAILABLE, Reason.TIMED_OUT})


_UNREAD = b"unread/"
"""Requests with answers that fit no generation we know: warrant id ‖ request hash."""


def collect(
    draft: Draft, light: LightView, request_hash: bytes, custodian: Party, reply: Reply | EscrowError, now: Millis
) -> None:
    """Take one custodian's answer to a request; with the last one, open what can be opened."""
    warrant_id = owner_of(draft, request_hash)
    asked = None if warrant_id is None else load_asked(draft, warrant_id, request_hash)
    if warrant_id is None or asked is None:
        return
    asked_now = holders(draft, light, asked)
    if custodian not in asked_now:
        return  # the answer to a question that is not put to it any more
    index = asked_now.index(custodian) + 1
    save_said(draft, warrant_id, request_hash, index, _said(reply))
    said = all_said(draft, warrant_id, request_hash)
    if not asked.done and all(one.outcome != ASKED for one in said.values()):
        asked, unread = _open(draft, light, warrant_id, asked, said)
        if unread or asked.reason == Reason.NOT_ENOUGH_SHARES.name:
            # Perhaps the custodians have passed their shares on since we asked: nobody is named before we know.
            draft.put(_UNREAD + warrant_id + request_hash, b"")
            light.want_newer(draft, EntryType.SHARE_GENERATION, asked.request.committee_key_hash, now)
        save_asked(draft, warrant_id, request_hash, asked)


def read_again(draft: Draft, light: LightView) -> None:
    """The log has answered: read under the newest generation what could not be read, or name who sent it."""
    for key, _ in list(draft.scan(_UNREAD)):
        warrant_id, request_hash = key[len(_UNREAD) : -32], key[-32:]
        asked = load_asked(draft, warrant_id, request_hash)
        if asked is None:
            raise AssertionError("what was answered was asked")
        if not draft.owed(GetHead):
            light.want_generation(draft, asked.period)
        if draft.owed(GetHead) or draft.owed(GetRecord) or _is_owed(draft, asked):
            continue
        draft.delete(key)
        if not asked.done and follow_shares(draft, light, warrant_id, asked, light.generation(draft, asked.period)):
            continue
        asked, unread = _open(draft, light, warrant_id, asked, all_said(draft, warrant_id, request_hash))
        named = {*asked.culprits, *(holders(draft, light, asked)[index - 1] for index in unread)}
        save_asked(draft, warrant_id, request_hash, replace(asked, culprits=tuple(sorted(named))))


def report(view: Read | Draft, light: LightView, warrant_id: bytes) -> Report:
    """All that is known of a warrant."""
    case = load_case(view, warrant_id)
    requests = []
    for request_hash, asked in all_asked(view, warrant_id):
        said, names = all_said(view, warrant_id, request_hash), holders(view, light, asked)
        outcomes = tuple(CustodianOutcome(names[index - 1], one.outcome) for index, one in said.items())
        said_of = asked.opened, asked.reason, asked.culprits, asked.generation.threshold
        requests.append(RequestReport(request_hash, asked.count, outcomes, *said_of))
    opened = [one for one in all_opened(view, warrant_id) if not one.reason]
    window = case.payload.message_window
    return Report(
        warrant_id,
        case.state,
        case.signers,
        case.refused,
        produced=produced(view, warrant_id),
        opened=len(opened),
        requests=tuple(requests),
        beyond=sum(not window.start <= one.ingest_time < window.end for one in opened),
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


def _open(
    draft: Draft, light: LightView, warrant_id: bytes, asked: Asked, said: Mapping[int, Said]
) -> tuple[Asked, frozenset[int]]:
    """Open a request with the responses at hand: what came of it, and who sent what fits no generation we know."""
    key = light.committee_key(draft, asked.period)
    if key is None:
        raise AssertionError("a request was made for a committee that is known")
    context, request = context_of(light.genesis, key), asked.request
    recipient = load_case(draft, warrant_id).recipient_key
    sealed = {index: one.sealed for index, one in said.items() if one.sealed}
    unread, reason, opened, culprits = frozenset(sealed), "", 0, frozenset[int]()
    for generation in _generations(draft, light, asked):
        responses = read_responses(recipient, request, generation, sealed)
        unread -= responses.keys()
        if opened:
            continue
        try:
            items, culprits = open_items(context, generation, request, responses)
        except RefusedError as error:
            reason = error.reason.name
            continue
        for item in items:
            save_opened(draft, warrant_id, item)
        opened = sum(1 for item in items if not item.reason)
        reason = next((item.reason for item in items if item.reason), "")
    named = tuple(holders(draft, light, asked)[index - 1] for index in sorted(culprits))
    return replace(asked, opened=opened, reason=reason, culprits=named), unread


def _generations(draft: Draft, light: LightView, asked: Asked) -> tuple[ShareGeneration, ...]:
    """Of which generations those whom we have asked may have answered."""
    before, newest = asked.generation, light.generation(draft, asked.period)
    if newest is None or (newest.members, newest.threshold) != (before.members, before.threshold):
        return (before,)
    return newest, before


def _is_owed(draft: Draft, asked: Asked) -> bool:
    """Whether an answer is still to come; it may be one of the generation before."""
    owed = (todo.call for todo in draft.owed(Release))
    return any(isinstance(call, Release) and call.request == asked.request_bytes for call in owed)
