"""How a warrant, its execution and what it opened are printed, and which error an execution ends with."""

from collections import Counter
from pathlib import Path

from escrow.cli import printable
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.roles.agency.commands import OpenedItem, Report, RequestReport
from escrow.roles.agency.state import ASKED, MISSING, RELEASED
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.identifier import identifier
from escrow_client.output import Output, file_facts, moment


def print_standing(out: Output, payload: WarrantPayload, state: str, signers: tuple[str, ...]) -> None:
    """Where a warrant stands and what it covers."""
    targets = [target.account for target in payload.targets]
    identifiers = [identifier(bytes.fromhex(account)) for account in targets]
    window, whose = payload.message_window, "sent by" if payload.direction == "SENT_BY" else "in conversations of"
    keys = payload.max_identity_keys
    most = f"{keys} identity keys, whole epochs each" if keys else str(payload.max_capsules)
    out.data(
        "warrant",
        f"warrant {payload.warrant_id}: {state or 'not filed yet'}\n"
        f"  signed by: {', '.join(signers) or 'nobody'}\n"
        f"  covers: messages {whose} {', '.join(account[:8] for account in targets)}"
        f" from {moment(window.start)} to {moment(window.end)}, at most {most}\n"
        f"  in force: from {moment(payload.not_before)} to {moment(payload.not_after)},"
        f" and not before {payload.activation_delay_s} s after its seal is witnessed\n"
        f"  identifiers: {', '.join(identifiers)}",
        warrant=payload.warrant_id,
        state=state,
        signers=list(signers),
        targets=targets,
        identifiers=identifiers,
        direction=payload.direction,
        start=window.start,
        end=window.end,
        not_before=payload.not_before,
        not_after=payload.not_after,
        activation_delay_s=payload.activation_delay_s,
        max_capsules=payload.max_capsules,
        max_identity_keys=keys,
    )


def print_release(out: Output, report: Report) -> None:
    """What each custodian answered, request by request."""
    for request in report.requests:
        answers = {one.custodian: one.outcome for one in request.custodians}
        out.data(
            "release",
            f"{request.opened} of {request.count} opened: {_listed(request)}",
            request=request.request_hash.hex(),
            count=request.count,
            opened=request.opened,
            reason=request.reason,
            custodians=answers,
            culprits=list(request.culprits),
        )
        missing = [name for name, outcome in answers.items() if outcome == MISSING]
        if missing:
            out.remark(f"out of reach: {', '.join(missing)}")
        if request.culprits:
            out.remark(f"sent shares that do not verify: {', '.join(request.culprits)}")


def print_opened(out: Output, item: OpenedItem) -> None:
    """One message that was opened, or why it was not."""
    sender = item.sender_account.hex()
    text = f"not opened: {item.reason}" if item.reason else printable(item.text)
    out.data(
        "opened",
        f"{moment(item.ingest_time)}  {sender[:8]}  {text}",
        sender=sender,
        device=item.sender_device,
        conversation=item.conv_tag.hex(),
        time=item.ingest_time,
        text=item.text,
        reason=item.reason,
        body=item.body_id.hex(),
        file=file_facts(item.file),
    )


def print_saved(out: Output, item: OpenedItem, path: Path | None, reason: str) -> None:
    """Where the file of an opened message lies now, or why it could not be had."""
    line = f"  not saved: {reason}" if path is None else f"  saved: {printable(str(path))}"
    place = None if path is None else str(path)
    out.data("saved", line, body=item.body_id.hex(), path=place, reason=reason)


def failure(report: Report) -> EscrowError | None:
    """Why an execution was not served in full: the first refusal it met, also of what it had been given before."""
    if report.refused:
        return RefusedError(Reason[report.refused], f"warrant {report.warrant_id.hex()}")
    reasons = ((request, _reason(request)) for request in report.requests)
    return next((RefusedError(Reason[reason], _listed(request)) for request, reason in reasons if reason), None)


def settled(report: Report) -> bool:
    """Whether nothing of an execution is still under way."""
    asked = sum(request.count for request in report.requests)
    answered = all(one.outcome != ASKED for request in report.requests for one in request.custodians)
    return answered and (asked > 0 or report.produced == 0)


def _reason(request: RequestReport) -> str:
    """What most custodians gave as their reason if too few released; else why the request is not opened, or empty."""
    said = Counter(one.outcome for one in request.custodians)
    denials = [outcome for outcome, _ in said.most_common() if outcome not in (RELEASED, MISSING, ASKED)]
    return denials[0] if denials and said[RELEASED] < request.threshold else request.reason


def _listed(request: RequestReport) -> str:
    return ", ".join(f"{one.custodian} {one.outcome}" for one in request.custodians)
