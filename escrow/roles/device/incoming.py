"""What comes out of the mailbox: shown, kept for later, or refused; each once, whatever the network repeats."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from msgspec.structs import replace

from escrow.e2ee.keys import Identity
from escrow.encoding import expect, u64
from escrow.errors import DeferredError, MalformedError, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.calls import EscrowDelivery, Fetch, Fetched, PlainDelivery
from escrow.roles.device.audit import Audit, SignedReceipt
from escrow.roles.device.blame import NOBODY, culprits_of
from escrow.roles.device.directory import RELAY, sender_identity
from escrow.roles.device.receiving import Receiver
from escrow.roles.device.state import ESCROW, PLAIN, Deferred, Shown, load_me, push, raise_alarm, save_me
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack

PAGE = 64
"""Deliveries asked for at once: each page is one step, hence one durable write."""
MOST_NUMBER = 1 << 63


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery whose sender is known. ``name`` (32 bytes) is what a repetition of it has in common with it."""

    sender: Identity
    mode: int
    envelope: bytes
    name: bytes
    show: Callable[[Draft, bytes], Shown]


@dataclass(frozen=True, slots=True)
class Incoming:
    """The receiving half of a device."""

    receiver: Receiver

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
            self._take(draft, Deferred(item, b"", "", since), now)
        if news:
            self.fetch(draft)

    def try_again(self, draft: Draft, now: Millis) -> None:
        """Look again at what was kept for later."""
        for _, data in list(draft.scan(b"deferred/")):
            self._take(draft, unpack(data, Deferred), now)

    def _take(self, draft: Draft, item: Deferred, now: Millis) -> None:
        """Show a delivery, keep it for later, or refuse it; never let it hold up the next one."""
        place, opened, name = b"deferred/" + u64(item.delivery.number), item.opened, b""
        attempt = Draft(draft)
        try:
            letter = self._letter(attempt, item, now)
            name = letter.name
            # SPEC RCV-11: what was opened and settled is dropped when it comes again.
            if draft.get(b"settled/" + name) is not None:
                draft.delete(place)
                return
            if not opened:
                opened = self.receiver.unseal(attempt, letter.sender, letter.mode, letter.envelope, now)
                draft.absorb(attempt)  # the ratchet has moved on, whatever comes next
                attempt = Draft(draft)
            shown = letter.show(attempt, opened)
        except DeferredError as wait:
            draft.absorb(attempt)  # it holds the question for what is missing
            draft.put(place, pack(Deferred(item.delivery, opened, wait.reason.name, item.since)))
            return
        except (MalformedError, RefusedError) as error:
            culprits = culprits_of(error.reason) if item.delivery.escrow else NOBODY
            raise_alarm(draft, error.reason, culprits, error.detail, now)
        else:
            draft.absorb(attempt)
            push(draft, b"inbox/", shown)
        if opened:
            draft.put(b"settled/" + name, b"")
        draft.delete(place)

    def _letter(self, draft: Draft, item: Deferred, now: Millis) -> Letter:
        match item.delivery.escrow, item.delivery.plain:
            case escrow, None if escrow is not None:
                return self._escrowed(draft, escrow, item.since, now)
            case None, plain if plain is not None:
                return self._plain(draft, plain, now)
            case _:
                raise MalformedError("a delivery is of exactly one kind")

    def _escrowed(self, draft: Draft, item: EscrowDelivery, since: int, now: Millis) -> Letter:
        checked = self.receiver.check_public(draft, item, since, now)

        def show(attempt: Draft, opened: bytes) -> Shown:
            shown = self.receiver.show(attempt, item, checked, opened)
            kept = SignedReceipt(item.receipt, item.path, item.frame, item.relay_sig)
            Audit(self.receiver.view).keep(attempt, kept)
            return shown

        return Letter(checked.sender, ESCROW, item.envelope, checked.signed.hash, show)

    def _plain(self, draft: Draft, item: PlainDelivery, now: Millis) -> Letter:
        """The sender is the one whom the relay names; the session will tell."""
        account = AccountId(expect(item.sender_account, 32, "an account id"))
        sender, name = sender_identity(draft, self.receiver.view, account, item.sender_device, now)

        def show(attempt: Draft, opened: bytes) -> Shown:
            return self.receiver.show_plain(attempt, sender, name, opened, now)

        return Letter(sender, PLAIN, item.envelope, hashlib.sha256(item.envelope).digest(), show)
