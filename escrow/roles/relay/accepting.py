"""How the relay takes a frame: each item on its own, one signature for all that are accepted.

Step 3 comes first: whatever was accepted before is answered as it was then, also after epoch or roster have moved on. A
refused item changes nothing and never fails its neighbours.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.capsule.envelope import env_path
from escrow.capsule.receipt import MOST_IN_FRAME, Receipt, sign_frame
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u32, u64
from escrow.errors import BehindError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.calls import FrameReply, ItemResult, PlainSend, Submission
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read
from escrow.roles.relay.checks import (
    CHAIN,
    Checked,
    Gate,
    Parsed,
    Sender,
    chain_key,
    chain_number_key,
    chain_value,
    index_key,
    parse,
    root_of_envelopes,
)
from escrow.roles.relay.ingest import TREE, Ingest
from escrow.roles.relay.mailbox import Item, Mail, Mailbox
from escrow.roles.state import pack, unpack

_DONE = b"done/"
_RATE = b"rate/"


class Done(Struct, frozen=True):
    """What became of an accepted item, for whoever sends it again."""

    item_hash: bytes
    result: ItemResult


@dataclass(frozen=True, slots=True)
class Accepted:
    """An item of this frame that waits for the frame's signature."""

    key: bytes
    checked: Checked
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Acceptor:
    """Steps 3 to 13 for the relay with this key. ``rate``: items that a device may have accepted in a second.

    ``view`` is the relay's state before the call.
    """

    ledger: Ledger
    view: Read
    key: SigningKey
    rate: int

    def submit(
        self, draft: Draft, sender: Sender, items: tuple[Submission, ...], now: Millis, *, settled: bool
    ) -> FrameReply:
        """Take a frame of up to 256 items; ``MalformedError(TOO_LARGE)`` for more."""
        if len(items) > MOST_IN_FRAME:
            raise MalformedError("a frame of so many items", Reason.TOO_LARGE)
        ingest = Ingest(self.ledger.genesis, self.key)
        if ingest.blocked(draft, now) and not settled and any(item.escrow for item in items):
            raise BehindError(Reason.INGEST_BLOCKED)
        time = ingest.time(draft, now)
        reasons: dict[int, str] = {}
        accepted: list[Accepted] = []
        for place, item in enumerate(items):
            attempt = Draft(draft)
            try:
                new = self._take(attempt, sender, item, now, time, TREE.size(draft) + len(accepted), settled=settled)
            except (MalformedError, RefusedError) as error:
                reasons[place] = error.reason.name
                continue
            draft.absorb(attempt)
            if new is not None:
                accepted.append(new)
        self._sign(draft, accepted, time)
        done = (None if place in reasons else _done(draft, sender, item) for place, item in enumerate(items))
        return FrameReply(tuple(one.result if one else ItemResult(reasons[n]) for n, one in enumerate(done)))

    def _take(
        self, draft: Draft, sender: Sender, item: Submission, now: Millis, time: Millis, seq: int, *, settled: bool
    ) -> Accepted | None:
        """Steps 2 to 12 and the write-once part of 13; None where nothing is left to be signed for."""
        parsed = parse(item)
        item_hash = root_of_envelopes(parsed.envelopes) if isinstance(parsed, PlainSend) else parsed.signed.hash
        known = _done(draft, sender, item)
        if known is not None:
            # SPEC RLY-3: one key names one item; the same item is answered as it was.
            if known.item_hash != item_hash:
                raise RefusedError(Reason.IDEMPOTENCY_CONFLICT)
            return None
        self._count(draft, sender, now)
        gate = Gate(self.ledger, self.view, draft, sender, time, settled)
        key = _done_key(sender, item)
        draft.put(key, pack(Done(item_hash, ItemResult(""))))
        if isinstance(parsed, PlainSend):
            gate.check_plain(parsed)
            self._deliver_plain(draft, sender, parsed)
            return None
        checked = gate.check(parsed)
        # SPEC RLY-13: while a promise to log receipts is broken, no more are made.
        if Ingest(self.ledger.genesis, self.key).blocked(draft, now):
            raise RefusedError(Reason.INGEST_BLOCKED)
        _pin(draft, sender, checked)
        return Accepted(key, checked, _receipt(checked, seq, time))

    def _count(self, draft: Draft, sender: Sender, now: Millis) -> None:
        window = u64(now // 1000)
        seen = draft.get(_RATE + sender.place()) or b""
        count = number(seen[8:]) if seen[:8] == window else 0
        # SPEC RLY-4: items beyond the rate are refused.
        if count >= self.rate:
            raise RefusedError(Reason.RATE_LIMITED)
        draft.put(_RATE + sender.place(), window + u32(count + 1))

    def _deliver_plain(self, draft: Draft, sender: Sender, item: PlainSend) -> None:
        mailbox = Mailbox(self.ledger.genesis)
        for each in item.envelopes:
            mail = Mail(each.envelope, sender_account=sender.account, sender_device=sender.device)
            mailbox.deliver(draft, each.account, each.device, mail)

    def _sign(self, draft: Draft, accepted: list[Accepted], time: Millis) -> None:
        """Step 13: one frame over all receipts, the ingest leaves, the items and their deliveries."""
        if not accepted:
            return
        genesis = self.ledger.genesis
        receipts = [one.receipt.encode() for one in accepted]
        frame, signature, paths = sign_frame(receipts, self.key, time + genesis.mmd_ms)
        Ingest(genesis, self.key).take(draft, receipts, time)
        for one, receipt, path in zip(accepted, receipts, paths, strict=True):
            result = ItemResult("", receipt, path, frame, signature)
            draft.put(one.key, pack(Done(one.receipt.submit_hash, result)))
            self._deliver(draft, one, result)

    def _deliver(self, draft: Draft, one: Accepted, result: ItemResult) -> None:
        checked, mailbox = one.checked, Mailbox(self.ledger.genesis)
        parsed, members = checked.parsed, tuple(member.account for member in checked.roster.members)
        mails = self._mails(parsed, checked, one.receipt.ingest_seq)
        item = Item(
            label=checked.label_bytes,
            capsule=checked.capsule,
            body=parsed.send.body,
            device_sig=parsed.send.device_sig,
            env_root=parsed.signed.env_root,
            receipt=result.receipt,
            path=result.path,
            frame=result.frame,
            relay_sig=result.relay_sig,
            members=members,
            ingest_time=one.receipt.ingest_time,
            waiting=len(mails),
        )
        mailbox.keep(draft, one.receipt.ingest_seq, item)
        for account, device, mail in mails:
            mailbox.deliver(draft, account, device, mail)

    def _mails(self, parsed: Parsed, checked: Checked, seq: int) -> list[tuple[bytes, int, Mail]]:
        """One for each envelope; in a group whose chain is open, one for each device without any."""
        envelopes = [(each.account, each.device, each.envelope) for each in parsed.send.envelopes]
        if envelopes:
            return [
                (account, device, Mail(envelope, seq, env_path(envelopes, account, device)))
                for account, device, envelope in envelopes
            ]
        sender = (checked.label.sender_account, checked.label.sender_device)
        lists = (self.ledger.device_list(self.view, member.account) for member in checked.roster.members)
        devices = [(AccountId(one.account), each.number) for one in lists if one for each in one.devices]
        return [(account, device, Mail(b"", seq)) for account, device in devices if (account, device) != sender]


def _done_key(sender: Sender, item: Submission) -> bytes:
    return _DONE + sender.place() + item.idempotency_key


def _done(draft: Draft, sender: Sender, item: Submission) -> Done | None:
    data = draft.get(_done_key(sender, item))
    return None if data is None else unpack(data, Done)


def _receipt(checked: Checked, seq: int, time: Millis) -> Receipt:
    label = checked.label
    return Receipt(
        submit_hash=checked.parsed.signed.hash,
        conv_tag=label.conv_tag,
        sender_account=label.sender_account,
        sender_device=label.sender_device,
        epoch=label.epoch,
        ingest_seq=seq,
        ingest_time=time,
    )


def _pin(draft: Draft, sender: Sender, checked: Checked) -> None:
    """Write once: the chain, its number, the body at its index; label and capsule for as long as it may go on."""
    label, header = checked.label, checked.parsed.header
    if checked.starts_chain:
        draft.put(chain_key(sender, label), chain_value(header))
        draft.put(chain_number_key(sender, label), b"")
        if label.n_max > 1:
            draft.put(CHAIN + header.label_hash, checked.label_bytes + checked.capsule)
    draft.put(index_key(header), checked.parsed.signed.body_id)
