"""What comes out of the mailbox: shown, kept for later, or refused; each once, whatever the network repeats."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from escrow.capsule.body import Body
from escrow.capsule.header import ContentClass, Header
from escrow.capsule.label import Label
from escrow.e2ee.content import Delivered, NeedRetry, Retry, is_control
from escrow.e2ee.keys import Identity
from escrow.e2ee.plain import Plain
from escrow.e2ee.sender_keys import Distribution
from escrow.encoding import expect, u32, u64
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.calls import EscrowDelivery, Fetch, Fetched, PlainDelivery
from escrow.roles.device import asking, delivering, retrying, voices
from escrow.roles.device.audit import Audit, SignedReceipt
from escrow.roles.device.blame import NOBODY, culprits_of
from escrow.roles.device.chains import forget_ended, has_ended, place_of
from escrow.roles.device.directory import RELAY, sender_identity
from escrow.roles.device.plainly import PlainReader
from escrow.roles.device.reading import Reader
from escrow.roles.device.receipts import authentic, check_names
from escrow.roles.device.receiving import Receiver
from escrow.roles.device.retrying import SAID_AGAIN
from escrow.roles.device.settling import is_settled, settle
from escrow.roles.device.state import ESCROW, PLAIN, Deferred, Shown, load_me, push, raise_alarm, save_me
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack

PAGE = 64
"""Deliveries asked for at once: each page is one step, hence one durable write."""
MOST_NUMBER = 1 << 63
MOST_UNHEARD = 1000
"""Messages that wait for a sender key at once."""


class Letter(Struct, frozen=True):
    """A delivery whose sender is known, or that has not come whole.

    ``name`` (32 bytes) is what a repetition of it has in common with it, ``asked_as`` (32 bytes) what its sender knows
    it by, if it may be asked for; ``chain`` is the one it goes on in, if it does. ``envelope`` is empty for a later
    message of a group's chain and for what is the same for all; ``receipt_time`` (ms) is 0 where there is no receipt.
    """

    sender: Identity | None
    mode: int
    envelope: bytes
    name: bytes
    receipt_time: int
    show: Callable[[Draft, bytes], Shown]
    asked_as: bytes = b""
    chain: bytes = b""


class Incoming(Struct, frozen=True):
    """The receiving half of a device. ``receipts``: whether it tells senders of what it has shown."""

    receiver: Receiver
    reader: Reader
    receipts: bool

    def fetch(self, draft: Draft) -> None:
        """Owe the question for what waits at the relay, which acknowledges what came before."""
        if not draft.owed(Fetch):
            draft.owe(RELAY, Fetch(load_me(draft).mail, PAGE))

    def on_fetched(self, draft: Draft, call: Fetch, reply: Fetched, now: Millis) -> None:
        """Take a page of the mailbox and ask for the next; one that was taken before changes nothing.

        Raises ``MalformedError`` for a page that cannot be one.
        """
        numbers = [item.number for item in reply.items]
        bounds = [call.start - 1, *numbers, MOST_NUMBER]
        if any(one >= other for one, other in pairwise(bounds)):
            raise MalformedError("a page of the mailbox is in order and begins where it was asked to")
        news = [item for item in reply.items if item.number >= load_me(draft).mail]
        since = self.receiver.view.next_head(draft)
        for item in news:
            save_me(draft, replace(load_me(draft), mail=item.number + 1))
            self._take(draft, Deferred(item, b"", "", since, now), now)
        if news:
            _make_room(draft, now)
            self.fetch(draft)

    def try_again(self, draft: Draft, now: Millis) -> None:
        """Look again at what was kept for later."""
        for _, data in list(draft.scan(b"deferred/")):
            self._take(draft, unpack(data, Deferred), now)

    def follow_up(self, draft: Draft, now: Millis) -> None:
        """Once nothing more is being fetched, ask for what did not open, and tell of what was shown."""
        wants, due = asking.wants(draft), delivering.is_due(draft)
        if not (wants or due) or draft.owed(Fetch):
            return
        if wants:
            asking.ask(draft, self._late(draft), now)
        if due:
            delivering.send(draft, default=self.receipts)

    def _take(self, draft: Draft, item: Deferred, now: Millis) -> None:
        """Show a delivery, keep it for later, or refuse it; never let it hold up the next one."""
        place, opened, letter = b"deferred/" + u64(item.delivery.number), item.opened, None
        attempt = Draft(draft)
        try:
            letter = self._letter(attempt, item, now)
            # SPEC RCV-11: what was opened and settled is dropped when it comes again.
            if is_settled(draft, letter.name):
                draft.delete(place)
                return
            if letter.sender and letter.envelope and not opened:
                opened = self.receiver.unseal(attempt, letter.sender, letter.mode, letter.envelope, now)
                draft.absorb(attempt)  # the ratchet has moved on, whatever comes next
                attempt = Draft(draft)
            shown = self._heard(attempt, letter, letter.show(attempt, opened), now)
        except DeferredError as wait:
            draft.absorb(attempt)  # it holds the question for what is missing
            if not _in_vain(item, wait.reason, now):
                draft.put(place, pack(replace(item, opened=opened, reason=wait.reason.name)))
                if letter is not None:
                    _want(draft, letter, wait.reason, now)
                return
            raise_alarm(draft, wait.reason, NOBODY, "given up", now)
        except (MalformedError, RefusedError) as error:
            culprits = culprits_of(error.reason) if item.delivery.escrow else NOBODY
            raise_alarm(draft, error.reason, culprits, error.detail, now)
        else:
            draft.absorb(attempt)
            if shown is not None:
                push(draft, b"inbox/", shown)
                delivering.note(draft, shown, letter.sender, default=self.receipts)
        draft.delete(place)
        if letter is not None:
            self._settle(draft, letter, opened, now)

    def _settle(self, draft: Draft, letter: Letter, opened: bytes, now: Millis) -> None:
        """It is shown or refused for good."""
        if opened or not letter.envelope:
            settle(draft, letter.name, now)
            asking.settle(draft, letter.asked_as, letter.sender, letter.mode)
        self._forget_chains(draft, letter.receipt_time)

    def _heard(self, draft: Draft, letter: Letter, said: Shown, now: Millis) -> Shown | None:
        """What people are shown of what was said; what devices say to each other is done, and a repetition counted."""
        content = said.content
        if letter.sender and isinstance(content, NeedRetry):
            retrying.answer(draft, letter.sender, letter.mode, content, now)
        if letter.sender and isinstance(content, Delivered):
            delivering.take(draft, letter.sender, letter.mode, content)
        if letter.sender and isinstance(content, Retry):
            original = asking.take(draft, letter.sender, letter.mode, content, now)
            said = replace(said, content=original or content, body_id=content.id)
            if original is None:
                return None
        return None if is_control(said.content) else said

    def _late(self, draft: Draft) -> set[bytes]:
        """The chains whose first message is here and waits for something that may still come by itself."""
        waiting = (unpack(data, Deferred) for _, data in draft.scan(b"deferred/"))
        late = [item for item in waiting if item.reason != Reason.ENVELOPE_INVALID.name]
        escrowed = (item.delivery.escrow for item in late)
        chains = {place_of(Label.decode(item.label)) for item in escrowed if item is not None and _may_be_first(item)}
        return chains | {chain for item in late for chain in _tells(item)}

    def _forget_chains(self, draft: Draft, time: int) -> None:
        """Forget the chains whose time is over, unless something of theirs still waits."""
        if has_ended(draft, time):
            waiting = (unpack(data, Deferred).delivery.escrow for _, data in draft.scan(b"deferred/"))
            forget_ended(draft, time, {place_of(Label.decode(item.label)) for item in waiting if item is not None})

    def _letter(self, draft: Draft, item: Deferred, now: Millis) -> Letter:
        match item.delivery.escrow, item.delivery.plain:
            case escrow, None if escrow is not None:
                return self._escrowed(draft, escrow, item.since, now)
            case None, plain if plain is not None:
                return self._plain(draft, plain, now)
            case _:
                raise MalformedError("a delivery is of exactly one kind")

    def _escrowed(self, draft: Draft, item: EscrowDelivery, since: int, now: Millis) -> Letter:
        if not item.body:
            receipt, _ = authentic(self.receiver.genesis, item.receipt, item.path, item.frame, item.relay_sig)
            check_names(receipt, Label.decode(item.label))
            return Letter(None, ESCROW, b"", receipt.submit_hash, receipt.ingest_time, _not_yet)
        checked = self.receiver.check_public(draft, item, since, now)

        def show(attempt: Draft, opened: bytes) -> Shown:
            shown = self.reader.show(attempt, item, checked, opened, now)
            kept = SignedReceipt(item.receipt, item.path, item.frame, item.relay_sig)
            Audit(self.receiver.view).keep(attempt, kept, checked.receipt, checked.promised)
            return shown

        named, taken = (checked.receipt.submit_hash, checked.signed.body_id), checked.receipt.ingest_time
        again = checked.header.content_class is ContentClass.RETRY  # what was said again is not asked for once more
        chain = place_of(checked.label) if checked.header.index else b""
        sender, asked_as = checked.sender, b"" if again else named[1]
        return Letter(sender, ESCROW, item.envelope, named[0], taken, show, asked_as, chain)

    def _plain(self, draft: Draft, item: PlainDelivery, now: Millis) -> Letter:
        """The sender is the one whom the relay names; the session will tell."""
        if not item.envelope:
            raise MalformedError("an un-escrowed message is its envelope")
        account = AccountId(expect(item.sender_account, 32, "an account id"))
        sender, name = sender_identity(draft, self.receiver.view, account, item.sender_device, now)

        reader, named = PlainReader(self.receiver.view, sender, name), hashlib.sha256(item.envelope).digest()
        if voices.is_spoken(item.envelope):
            # One envelope for all: whoever else may be said to have sent it, it is settled for this one alone.
            settles = hashlib.sha256(named + sender.encode()).digest()
            chain = voices.place_of(sender, item.envelope)

            def listen(attempt: Draft, _opened: bytes) -> Shown:
                return reader.show_spoken(attempt, item.envelope, now)

            return Letter(sender, PLAIN, b"", settles, 0, listen, named, chain)

        def show(attempt: Draft, opened: bytes) -> Shown:
            return reader.show(attempt, opened, now)

        return Letter(sender, PLAIN, item.envelope, named, 0, show, named)


def _may_be_first(item: EscrowDelivery) -> bool:
    return not item.body or Header.decode(Body.decode(item.body).header).index == 0


def _tells(item: Deferred) -> Iterator[bytes]:
    """The sender key that an un-escrowed message brings, once it can be shown."""
    plain = item.delivery.plain
    if plain is not None and item.opened and (voice := Plain.decode(item.opened).voice):
        yield voices.told_in(plain.sender_account + u32(plain.sender_device), Distribution.decode(voice))


def _want(draft: Draft, letter: Letter, reason: Reason, now: Millis) -> None:
    """What does not open by itself is asked for again: its envelope is of no use, or its chain's first message is."""
    if reason in (Reason.ENVELOPE_INVALID, Reason.CHAIN_UNKNOWN) and letter.sender and letter.asked_as:
        broken = reason is Reason.ENVELOPE_INVALID
        wanted = asking.Wanted(letter.sender, letter.mode, letter.name, letter.chain, broken=broken, time=now)
        asking.want(draft, letter.asked_as, wanted)


def _in_vain(item: Deferred, reason: Reason, now: Millis) -> bool:
    """Whether what would open it can no longer come: the keys are forgotten by then, and nobody says it again."""
    # SPEC RCV-18: what did not open for so long is given up.
    return reason in (Reason.ENVELOPE_INVALID, Reason.CHAIN_UNKNOWN) and now >= item.came + SAID_AGAIN


def _make_room(draft: Draft, now: Millis) -> None:
    """Of messages under sender keys that nobody has told us the newest are kept."""
    unheard = [(key, data) for key, data in draft.scan(b"deferred/") if _is_unheard(unpack(data, Deferred))]
    # SPEC GRP-6: whatever comes under whatever name, only so much waits.
    for key, data in unheard[: max(0, len(unheard) - MOST_UNHEARD)]:
        plain = unpack(data, Deferred).delivery.plain
        assert plain is not None
        asking.give_up(draft, hashlib.sha256(plain.envelope).digest())
        raise_alarm(draft, Reason.CHAIN_UNKNOWN, NOBODY, "given up for newer ones", now)
        draft.delete(key)


def _is_unheard(item: Deferred) -> bool:
    return item.delivery.plain is not None and item.reason == Reason.CHAIN_UNKNOWN.name


def _not_yet(_attempt: Draft, _opened: bytes) -> Shown:
    # SPEC RCV-15: what comes without its body waits for the whole.
    raise DeferredError(Reason.BODY_MISSING)
