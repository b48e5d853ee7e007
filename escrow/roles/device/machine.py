"""The device's steps: commands of its user, answers of the others, and what follows from either.

Every step ends the same way: queued messages are sealed as far as what they need is known, deferred deliveries are
tried again, and whatever is missing is asked for. So a crash, a late answer and a new message take one and the same
path. Checks and byte layouts live in ``sending`` and ``receiving``.
"""

from dataclasses import dataclass, field

from msgspec.structs import replace

from escrow.capsule.receipt import verify_receipt
from escrow.crypto.coins import Coins
from escrow.crypto.kem import Kem, SystemKem
from escrow.crypto.sign import SigningKey
from escrow.e2ee.bundle import Bundle, Published, make_prekeys
from escrow.e2ee.devices import Device as ListedDevice
from escrow.e2ee.devices import DeviceList, account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.session import open_session
from escrow.encoding import u64
from escrow.errors import DeferredError, EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import (
    Append,
    Appended,
    Delivery,
    Done,
    Enroll,
    Fetch,
    Fetched,
    FrameReply,
    GetBundle,
    ItemResult,
    Lookup,
    PrekeyBundle,
    RegisterRoute,
    Reply,
    Submit,
)
from escrow.roles.device import commands, report
from escrow.roles.device.conversations import NO_LINEAGE, lineage_of
from escrow.roles.device.directory import RELAY, device_list, on_lookup, sender_identity
from escrow.roles.device.receiving import Receiver, sender_of
from escrow.roles.device.sending import Sender
from escrow.roles.device.state import (
    ESCROW,
    PLAIN,
    Deferred,
    Me,
    Queued,
    Sent,
    Shown,
    load_me,
    load_session,
    prekey_key,
    push,
    raise_alarm,
    save_me,
    save_session,
)
from escrow.roles.lightview import LOG, LightView
from escrow.roles.machine import Answered, Called, Draft, Event, Read, Writes
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis

ONE_TIME_KEYS = 8
"""One-time prekeys of each kind that a device publishes; the last-resort key serves once they are used up."""
ONE_YEAR = 365 * 24 * 3600 * 1000
PAGE = 64
"""Deliveries asked for at once: each page is one step, hence one durable write."""
ANEW = {Reason.EPOCH_STALE, Reason.ROSTER_STALE, Reason.POLICY_STALE, Reason.COMMITTEE_RETIRED, Reason.CHAIN_REUSED}
"""Refusals that the same text under a new chain can mend."""
AGAIN = {Reason.INGEST_BLOCKED, Reason.RATE_LIMITED}
"""Refusals that the same bytes can mend later."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one account. ``kem`` is a port: encapsulation draws randomness of its own."""

    genesis: Genesis
    kem: Kem = field(default_factory=SystemKem)

    @property
    def view(self) -> LightView:
        """What this device knows of the log."""
        return LightView(self.genesis)

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        """Take one step; see ``Role.handle``."""
        draft, draw = Draft(view), Coins(coins)
        result: object = None
        match event:
            case Called(call=call):
                result = self._command(draft, call, now, draw)
            case Answered():
                self._answer(draft, event, now, draw)
            case _:
                self.view.hope_again(draft)
        if draft.get(b"me") is not None:
            self._progress(draft, now, draw)
        return draft.writes(), result

    # -- commands -----------------------------------------------------------------------------

    def _command(self, draft: Draft, call: object, now: Millis, draw: Coins) -> Reply:
        match call:
            case commands.Register(name=name):
                return self._register(draft, name, now, draw)
            case commands.Send(to=to, mode=mode, text=text):
                if mode not in (PLAIN, ESCROW):
                    raise RefusedError(Reason.USAGE, f"no mode {mode}")
                load_me(draft)
                self.view.hope_again(draft)
                push(draft, b"queue/", Queued(to, mode, text))
                return Done()
            case commands.Sync():
                self.view.hope_again(draft)
                self._fetch(draft, load_me(draft).mail)
                return Done()
            case commands.GetInbox(start=start):
                return report.inbox(draft, start)
            case commands.GetStatus():
                return report.status(draft, self.view)
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, type(call).__name__)

    def _register(self, draft: Draft, name: str, now: Millis, draw: Coins) -> Reply:
        if draft.get(b"me") is not None:
            raise RefusedError(Reason.NAME_TAKEN, "this profile is registered already")
        seed = Secret(draw.take("account", 32))
        account_key = SigningKey.from_seed(seed)
        account = account_id(account_key.public)
        keys = IdentityKeys.make(account, DeviceNo(1), draw.take("identity", 32))
        devices = DeviceList.make(account_key, name, (ListedDevice.make(keys),))
        me = Me(name, seed, keys, Secret(draw.take("hedge", 32)), devices.encode(), enrolled=False, chains=0, mail=0)
        save_me(draft, me)
        choices = ((PLAIN, NO_LINEAGE), (ESCROW, lineage_of(self.genesis, ESCROW)))
        lifetime = max(0, self.genesis.policy.period_bounds(0)[1] - now) + ONE_YEAR
        secrets, published = make_prekeys(
            draw.take("prekeys", 32), keys, ONE_TIME_KEYS, now, choices, lifetime=lifetime
        )
        for secret in secrets.keys:
            draft.put(prekey_key(secret.purpose, secret.number), pack(secret))
        draft.put(b"published", pack(published))
        entry = Entry.make(EntryType.DEVICE_LIST, devices.encode(), account_key, self.genesis.log.origin)
        draft.owe(LOG, Append((entry,)))
        return commands.Registered(account, name)

    def _fetch(self, draft: Draft, start: int) -> None:
        if not draft.owed(Fetch):
            draft.owe(RELAY, Fetch(start, PAGE))

    # -- answers ------------------------------------------------------------------------------

    def _answer(self, draft: Draft, event: Answered, now: Millis, draw: Coins) -> None:  # noqa: C901 - one line a case
        if self.view.on_answer(draft, event, now):
            return
        match event.todo.call, event.reply:
            case Append(), Appended():
                self._on_logged(draft)
            case Enroll(), Done():
                draft.delete(b"published")
                save_me(draft, replace(load_me(draft), enrolled=True))
            case (Append() | Enroll() | RegisterRoute()), EscrowError() as error:
                raise_alarm(draft, error.reason, error.culprits, type(event.todo.call).__name__, now)
            case Lookup() as call, _:
                on_lookup(draft, call, event)
                return
            case GetBundle() as call, PrekeyBundle() as reply:
                self._on_bundle(draft, call, reply, now, draw)
            case GetBundle() as call, EscrowError() as error:
                self._give_up(draft, AccountId(call.account), call.device, error, now)
            case Submit() as call, FrameReply() as reply:
                self._on_submitted(draft, call.items[0].idempotency_key, reply, now)
            case Submit() as call, EscrowError() as error:
                self._on_refused(draft, call.items[0].idempotency_key, error.reason, now)
            case Fetch(), Fetched(items=items):
                self._on_fetched(draft, items, now)
            case _:
                pass  # done, or out of reach: the next command asks again
        draft.settle(event.todo)

    def _on_logged(self, draft: Draft) -> None:
        """The device list is in the log: now the relay may know us."""
        published = unpack(draft.get(b"published") or b"", Published)
        name = load_me(draft).name
        draft.owe(RELAY, Enroll(name, published.static, published.ec, published.kem))

    def _on_bundle(self, draft: Draft, call: GetBundle, reply: PrekeyBundle, now: Millis, draw: Coins) -> None:
        """Start the sessions that wait for these prekeys: one for each mode in which something is queued."""
        account, me = AccountId(call.account), load_me(draft)
        devices = device_list(draft, self.view, account)
        if devices is None:
            return
        identity = devices.device(DeviceNo(call.device)).identity(account)
        bundle = Bundle(reply.bundle, reply.ec_key or None, reply.kem_key or None)
        mode = self._waiting_mode(draft, account, call.device)
        if mode is None:
            return
        lineage, coins = lineage_of(self.genesis, mode), draw.take("session", 32)
        try:
            theirs = bundle.verify(identity.signing, now)
            session = open_session(me.keys, theirs, mode, lineage, self.kem, coins, now)
        except (RefusedError, MalformedError) as error:
            self._give_up(draft, account, call.device, error, now)
            return
        if theirs.identity != identity:
            self._give_up(draft, account, call.device, RefusedError(Reason.BUNDLE_INVALID, "another identity"), now)
        else:
            save_session(draft, session)

    def _give_up(self, draft: Draft, account: AccountId, device: int, error: EscrowError, now: Millis) -> None:
        """No session is to be had: what waits for it is not sent, and the user is told why."""
        for key, data in list(draft.scan(b"queue/")):
            message = unpack(data, Queued)
            if self._waits_for(draft, message, account, device):
                draft.delete(key)
        raise_alarm(draft, error.reason, error.culprits, error.detail, now)

    def _waiting_mode(self, draft: Draft, account: AccountId, device: int) -> int | None:
        """The mode of the first queued message to that device that has no session yet."""
        waiting = (unpack(data, Queued) for _, data in draft.scan(b"queue/"))
        return next((each.mode for each in waiting if self._waits_for(draft, each, account, device)), None)

    def _waits_for(self, draft: Draft, message: Queued, account: AccountId, device: int) -> bool:
        meant = draft.get(b"name/" + message.to.encode()) or message.to.encode()
        return meant in (account, account.hex().encode()) and not load_session(draft, account, device, message.mode)

    def _on_submitted(self, draft: Draft, key: bytes, reply: FrameReply, now: Millis) -> None:
        """Check what the relay signed for, or start over where it refused."""
        result: ItemResult = reply.items[0]
        if result.reason:
            self._on_refused(draft, key, Reason[result.reason], now)
            return
        sent = unpack(draft.get(b"sent/" + key) or b"", Sent)
        if not sent.submit_hash:
            draft.put(b"sent/" + key, pack(replace(sent, state="accepted")))
            return
        try:
            receipt, frame = verify_receipt(
                result.receipt, result.path, result.frame, result.relay_sig, self.genesis.relay.public
            )
            policy = self.genesis.policy
            late = receipt.ingest_time >= policy.epoch_end(receipt.epoch) + self.genesis.grace_ms
            early = receipt.ingest_time < policy.epoch_start(receipt.epoch)
            if receipt.submit_hash != sent.submit_hash or late or early:
                raise RefusedError(Reason.RECEIPT_INVALID, "another item, or another time")
        except EscrowError as error:
            # The relay has our message and did not sign for it. Its chain is never used again.
            raise_alarm(draft, Reason.RECEIPT_INVALID, frozenset({"relay"}), error.detail, now)
            draft.put(b"sent/" + key, pack(replace(sent, state=Reason.RECEIPT_INVALID.name)))
            return
        accepted = replace(sent, state="accepted", receipt=result.receipt, include_by=frame.include_by)
        draft.put(b"sent/" + key, pack(accepted))

    def _on_refused(self, draft: Draft, key: bytes, reason: Reason, now: Millis) -> None:
        """Queue the text once more where a new chain mends it; otherwise say why it was not sent."""
        sent = unpack(draft.get(b"sent/" + key) or b"", Sent)
        if reason in ANEW:
            draft.delete(b"sent/" + key)
            push(draft, b"queue/", sent.message)
        else:
            draft.put(b"sent/" + key, pack(replace(sent, state=reason.name)))
            raise_alarm(draft, reason, frozenset(), f"to {sent.message.to}", now)

    # -- the mailbox --------------------------------------------------------------------------

    def _on_fetched(self, draft: Draft, items: tuple[Delivery, ...], now: Millis) -> None:
        me = load_me(draft)
        for item in items:
            if item.number >= me.mail:
                self._take(draft, Deferred(item, b"", ""), now)
        if items:
            following = max(me.mail, items[-1].number + 1)
            save_me(draft, replace(load_me(draft), mail=following))
            self._fetch(draft, following)

    def _take(self, draft: Draft, item: Deferred, now: Millis) -> None:
        """Show a delivery, keep it for later, or refuse it; never let it hold up the next one."""
        try:
            shown = self._check(draft, item, now)
        except _WaitsError as wait:
            later = Deferred(item.delivery, wait.opened, wait.reason.name)
            draft.put(b"deferred/" + u64(item.delivery.number), pack(later))
            return
        except EscrowError as error:
            raise_alarm(draft, error.reason, error.culprits, error.detail, now)
        else:
            push(draft, b"inbox/", shown)
        draft.delete(b"deferred/" + u64(item.delivery.number))

    def _check(self, draft: Draft, item: Deferred, now: Millis) -> Shown:
        receiver, attempt, opened = Receiver(self.genesis, self.view), Draft(draft), item.opened
        try:
            match item.delivery.escrow, item.delivery.plain:
                case escrow, None if escrow is not None:
                    checked = receiver.check_public(attempt, escrow, now)
                    opened = opened or receiver.unseal(attempt, checked.sender, ESCROW, escrow.envelope, now)
                    draft.absorb(attempt)  # the ratchet has moved on, whatever comes next
                    attempt = Draft(draft)
                    shown = receiver.show(attempt, escrow, checked, opened)
                case None, plain if plain is not None:
                    account, device = sender_of(plain)
                    sender, name = sender_identity(attempt, self.view, account, device)
                    opened = opened or receiver.unseal(attempt, sender, PLAIN, plain.envelope, now)
                    draft.absorb(attempt)
                    attempt = Draft(draft)
                    shown = receiver.show_plain(attempt, sender, name, opened, now)
                case _:
                    raise MalformedError("a delivery is of exactly one kind")
        except DeferredError as error:
            draft.absorb(attempt)  # it holds the question for what is missing
            raise _WaitsError(error.reason, opened) from error
        draft.absorb(attempt)
        return shown

    # -- what follows -------------------------------------------------------------------------

    def _progress(self, draft: Draft, now: Millis, draw: Coins) -> None:
        """Seal what can be sealed, oldest first and in order per peer; try deferred deliveries again."""
        sender, blocked = Sender(self.genesis, self.view), set[tuple[str, int]]()
        for key, data in list(draft.scan(b"queue/")):
            message = unpack(data, Queued)
            if (message.to, message.mode) in blocked:
                continue
            try:
                sealed = sender.send(draft, message, now, draw)
            except RefusedError as error:
                raise_alarm(draft, error.reason, error.culprits, f"to {message.to}", now)
                sealed = True
            if sealed:
                draft.delete(key)
            else:
                blocked.add((message.to, message.mode))
        for _, data in list(draft.scan(b"deferred/")):
            self._take(draft, unpack(data, Deferred), now)


class _WaitsError(Exception):
    """An item has to wait; ``opened`` is what was already opened of it."""

    def __init__(self, reason: Reason, opened: bytes) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.opened = opened
