"""What becomes of a submission: a receipt to check, a refusal that a new chain mends, one that time mends, or an end.

What the user has said is never dropped in silence: it is in the queue, among what was submitted, or among the refused.
A relay that refuses for ever is asked a few times for each thing the user does, not for ever.
"""

from msgspec.structs import replace

from escrow.capsule.body import Body
from escrow.capsule.header import Header
from escrow.capsule.label import Label
from escrow.capsule.receipt import Frame, Receipt
from escrow.crypto.coins import Coins
from escrow.e2ee.content import Delivered, is_automatic
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import FrameReply, ItemResult, RegisterRoute, Reply, Submission, Submit
from escrow.roles.device import voices
from escrow.roles.device.audit import Audit, SignedReceipt
from escrow.roles.device.blame import NOBODY, culprits_of
from escrow.roles.device.chains import close_chain
from escrow.roles.device.conversations import release_name
from escrow.roles.device.directory import RELAY
from escrow.roles.device.opening import route_key
from escrow.roles.device.receipts import authentic, check_names, in_time
from escrow.roles.device.state import Change, Queued, Sent, enqueue, push, queue_key, raise_alarm
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow.warrant.genesis import Genesis

ANEW = {
    Reason.EPOCH_STALE,
    Reason.ROSTER_STALE,
    Reason.POLICY_STALE,
    Reason.COMMITTEE_RETIRED,
    Reason.CHAIN_REUSED,
    Reason.CHAIN_UNKNOWN,
    Reason.INDEX_REUSED,
    Reason.CONV_TAG,
    Reason.RECIPIENTS_MISMATCH,
}
"""Refusals that the same text under a new chain can mend. The tag is unknown where its epoch was over too soon, the
chain where its first message was refused, and devices where an account has others now."""
AGAIN = {Reason.INGEST_BLOCKED, Reason.RATE_LIMITED, Reason.EPOCH_FUTURE}
"""Refusals that the same bytes can mend later."""
MOST_TRIES = 3
"""How often a text is sealed anew before it waits for the user's next command."""


def on_submitted(draft: Draft, genesis: Genesis, call: Submit, reply: Reply | EscrowError, now: Millis) -> None:
    """Take the relay's answer to a submission of one item."""
    item = call.items[0]
    match reply:
        case FrameReply(items=(result,)) if not result.reason:
            _on_accepted(draft, genesis, item, result, now)
        case FrameReply(items=(result,)):
            reason = Reason.__members__.get(result.reason, Reason.MALFORMED)
            _on_refused(draft, genesis, call, reason, now)
        case EscrowError() as error:
            _on_refused(draft, genesis, call, error.reason, now)
        case _:
            # No answer to our question: as good as a lost one, so the same bytes go out again.
            raise_alarm(draft, Reason.MALFORMED, NOBODY, "the relay answered another question", now)
            push(draft, b"later/", call)


def on_route_refused(draft: Draft, call: RegisterRoute, error: EscrowError, now: Millis) -> None:
    """The relay does not know the conversation's tag: tell it again with the next chain that has this tag."""
    draft.delete(route_key(call.conv_tag, call.roster_version))
    if error.reason not in ANEW | AGAIN:
        raise_alarm(draft, error.reason, NOBODY, "the relay does not take a conversation's tag", now)


def refuse(draft: Draft, message: Queued, error: EscrowError, now: Millis, draw: Coins) -> None:
    """A queued message that cannot be sealed: keep it among the refused, and say why."""
    draft.delete(queue_key(message))
    if isinstance(message.content, Change) and message.content.begins:
        release_name(draft, message.to)
    if not is_automatic(message.content):
        draft.put(b"sent/" + draw.take("idempotency", 16), pack(Sent(message, b"", error.reason.name, b"", 0)))
    if isinstance(message.content, Delivered):
        return  # whom it was for is gone, and nobody else waits for it
    detail = f"to {message.to}: {error.detail}" if error.detail else f"to {message.to}"
    raise_alarm(draft, error.reason, error.culprits, detail, now)


def is_about(message: Queued, name: str) -> bool:
    """Whether a queued message needs the account of that name."""
    change = message.content if isinstance(message.content, Change) else Change((), ())
    return name == message.to or name in change.add + change.remove


def hope_again(draft: Draft) -> None:
    """The user does something: what had to wait is tried again."""
    for key, data in list(draft.scan(b"later/")):
        draft.delete(key)
        draft.owe(RELAY, unpack(data, Submit))
    for _, data in list(draft.scan(b"queue/")):
        message = unpack(data, Queued)
        if message.tries:
            enqueue(draft, replace(message, tries=0))


def _on_accepted(draft: Draft, genesis: Genesis, item: Submission, result: ItemResult, now: Millis) -> None:
    """Check what the relay signed for. Un-escrowed items have no receipt."""
    place = b"sent/" + item.idempotency_key
    sent = unpack(draft.get(place) or b"", Sent)
    voices.on_submitted(draft, item.idempotency_key, accepted=True)
    if item.escrow is None:
        _close(draft, place, replace(sent, state="accepted"))
        return
    try:
        receipt, frame = _check_receipt(genesis, sent, Label.decode(item.escrow.label or sent.label), result)
    except (MalformedError, RefusedError) as error:
        # The relay has our message and did not sign for it. Its chain is never used again.
        raise_alarm(draft, Reason.RECEIPT_INVALID, culprits_of(Reason.RECEIPT_INVALID), error.detail, now)
        _close(draft, place, replace(sent, state=Reason.RECEIPT_INVALID.name, label=b""))
        _close_chain(draft, item)
        return
    accepted = replace(sent, state="accepted", receipt=result.receipt, include_by=frame.include_by, label=b"")
    _close(draft, place, accepted)
    kept = SignedReceipt(result.receipt, result.path, result.frame, result.relay_sig)
    Audit(LightView(genesis)).keep(draft, kept, receipt, frame.include_by)


def _check_receipt(genesis: Genesis, sent: Sent, label: Label, result: ItemResult) -> tuple[Receipt, Frame]:
    receipt, frame = authentic(genesis, result.receipt, result.path, result.frame, result.relay_sig)
    check_names(receipt, label)
    if receipt.submit_hash != sent.submit_hash or not in_time(genesis, receipt, label):
        raise RefusedError(Reason.RECEIPT_INVALID, "another item, or another time")
    return receipt, frame


def _on_refused(draft: Draft, genesis: Genesis, call: Submit, reason: Reason, now: Millis) -> None:
    place = b"sent/" + call.items[0].idempotency_key
    sent = unpack(draft.get(place) or b"", Sent)
    if reason not in AGAIN:
        _close_chain(draft, call.items[0])
        voices.on_submitted(draft, call.items[0].idempotency_key, accepted=False)
    if reason is Reason.RECIPIENTS_MISMATCH:
        LightView(genesis).renew(draft, now)
    if reason in ANEW:
        draft.delete(place)
        enqueue(draft, replace(sent.message, tries=sent.message.tries + 1, waits=reason.name))
    elif reason in AGAIN:
        push(draft, b"later/", call)
    else:
        _close(draft, place, replace(sent, state=reason.name, label=b""))
        raise_alarm(draft, reason, NOBODY, f"to {sent.message.to}", now)


def _close(draft: Draft, place: bytes, sent: Sent) -> None:
    """What became of a submission; of what a device says by itself nothing is kept."""
    if is_automatic(sent.message.content):
        draft.delete(place)
    else:
        draft.put(place, pack(sent))


def _close_chain(draft: Draft, item: Submission) -> None:
    """Nothing more is sent under a chain of which something was refused: its keys are never used for other content."""
    if item.escrow is not None:
        close_chain(draft, Header.decode(Body.decode(item.escrow.body).header).label_hash)
