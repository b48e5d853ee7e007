"""Steps 2 to 12 of what the relay checks before it accepts an item (protocol 4.6), strictly in their order.

Each check raises ``RefusedError`` or ``MalformedError`` with the reason of the list; the first failure ends it. Nothing
here writes. ``BehindError`` instead of a reason means that our view of the log may be too old to say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from escrow.capsule.body import Body, body_id
from escrow.capsule.envelope import env_root
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.schemes import scheme_of
from escrow.capsule.submission import SignedContent
from escrow.e2ee.devices import DeviceList
from escrow.encoding import u32, u64
from escrow.errors import BehindError, EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.authorised import context_of
from escrow.roles.calls import DeviceEnvelope, EscrowSend, PlainSend, Submission
from escrow.roles.ledger import Ledger, LoggedKey
from escrow.roles.machine import Draft, Read
from escrow.roles.relay.routes import Roster, Routes, rosters

MOST_ENVELOPE = 80 * 1024
MOST_ENVELOPES = 4096
MOST_CAPSULE = 64 * 1024
"""Of the suites with KEM keys and their largest committee; another length than the committee's is refused later."""

CHAIN = b"chain/"
"""label hash -> label and capsule of an open chain."""
CHAIN_ID = b"chain-id/"
CHAIN_NO = b"chain-no/"
INDEX = b"index/"


class Sender(NamedTuple):
    """The authenticated device."""

    account: AccountId
    device: DeviceNo

    def place(self) -> bytes:
        """36 bytes: the prefix of what is kept per device."""
        return self.account + u32(self.device)


@dataclass(frozen=True, slots=True)
class Parsed:
    """An escrowed item after step 2. ``opening`` is label and capsule where the item brings them."""

    send: EscrowSend
    opening: tuple[bytes, bytes]
    header: Header
    signed: SignedContent


@dataclass(frozen=True, slots=True)
class Checked:
    """An escrowed item after step 12: what is accepted."""

    parsed: Parsed
    label_bytes: bytes
    capsule: bytes
    label: Label
    roster: Roster

    @property
    def starts_chain(self) -> bool:
        """Whether this is index 0."""
        return self.parsed.header.index == 0


def parse(item: Submission) -> Parsed | PlainSend:
    """Step 2, and of step 5 that an item is of exactly one kind. ``TOO_LARGE``, ``MALFORMED``, ``MODE_MISMATCH``."""
    # SPEC RLY-2: what is too large, or not of its one encoding, is refused.
    if len(item.idempotency_key) != 16:
        raise MalformedError("an idempotency key has 16 bytes")
    send = item.escrow or item.plain
    # SPEC RLY-5: an item of both kinds, or of none, is refused.
    if send is None or (item.escrow is not None and item.plain is not None):
        raise RefusedError(Reason.MODE_MISMATCH, "an item is escrowed or it is not")
    _check_envelopes(send.envelopes)
    if isinstance(send, PlainSend):
        return send
    if len(send.capsule) > MOST_CAPSULE:
        raise MalformedError("a capsule", Reason.TOO_LARGE)
    if len(send.device_sig) != 64:
        raise MalformedError("a signature has 64 bytes")
    if send.label:
        Label.decode(send.label)
    header = Header.decode(Body.decode(send.body).header)
    root = root_of_envelopes(send.envelopes)
    signed = SignedContent(header.label_hash, header.cap_hash, header.index, body_id(send.body), root)
    return Parsed(send, (send.label, send.capsule), header, signed)


def root_of_envelopes(envelopes: tuple[DeviceEnvelope, ...]) -> bytes:
    """The root that the submission signs; for an un-escrowed item the hash that names it."""
    return env_root([(each.account, each.device, each.envelope) for each in envelopes])


@dataclass(frozen=True, slots=True)
class Gate:
    """Steps 5 to 12. ``settled``: our view of the log was brought up to date for this very call.

    ``view`` is the state before the frame: log and routes, which no item changes. ``pinned`` is the state with the
    items of the frame that were accepted so far.
    """

    ledger: Ledger
    view: Read
    pinned: Read | Draft
    sender: Sender
    time: Millis
    settled: bool

    def check_plain(self, item: PlainSend) -> None:
        """An un-escrowed item comes from a device that exists, and goes to such devices, at least to one."""
        self._own_list()
        known = {each.account for each in item.envelopes}
        devices = {place for account in known for place in self._devices(account)}
        if not item.envelopes or not {(each.account, each.device) for each in item.envelopes} <= devices:
            raise self._missing(Reason.RECIPIENTS_MISMATCH)

    def check(self, parsed: Parsed) -> Checked:
        """Steps 6 to 12."""
        label_bytes, capsule = self._opening(parsed)
        label = Label.decode(label_bytes)
        self._check_header(parsed.header, label_bytes, label, capsule)
        key = self._check_committee(label)
        roster = self._check_label(label, parsed.header)
        self._check_unused(parsed.header, label)
        self._check_recipients(parsed, roster)
        self._check_signature(parsed)
        # SPEC RLY-12: a capsule that does not verify is refused.
        if parsed.header.index == 0:
            context = context_of(self.ledger.genesis, key.key)
            scheme_of(label.suite).verify(context, label_bytes, capsule)
        return Checked(parsed, label_bytes, capsule, label, roster)

    # -- the chain ----------------------------------------------------------------------------

    def _opening(self, parsed: Parsed) -> tuple[bytes, bytes]:
        """Label and capsule: brought by index 0, remembered for the others."""
        # SPEC RLY-6: label and capsule begin a chain, and whatever follows is of a chain that has begun.
        present = tuple(bool(part) for part in parsed.opening)
        starts = parsed.header.index == 0
        if present != (starts, starts):
            raise RefusedError(Reason.CHAIN_START)
        if starts:
            return parsed.opening
        known = self.pinned.get(CHAIN + parsed.header.label_hash)
        if known is None:
            raise RefusedError(Reason.CHAIN_UNKNOWN)
        return known[:338], known[338:]

    def _check_header(self, header: Header, label_bytes: bytes, label: Label, capsule: bytes) -> None:
        if (header.label_hash, header.cap_hash) != (label_hash(label_bytes), cap_hash(label.suite, capsule)):
            raise RefusedError(Reason.HEADER_MISMATCH)
        if header.index >= label.n_max:
            raise RefusedError(Reason.INDEX_RANGE)

    # -- policy and committee -----------------------------------------------------------------

    def _check_committee(self, label: Label) -> LoggedKey:
        # SPEC RLY-7: a policy that is not in force, or a committee that is not its own, is refused.
        policy = self.ledger.genesis.policy
        if label.policy_hash != policy.hash:
            raise RefusedError(Reason.POLICY_STALE)
        key = self.ledger.committee_key(self.view, label.policy_hash, policy.period_of(label.epoch))
        if key is None or key.key.hash != label.committee_key_hash:
            raise self._missing(Reason.COMMITTEE_UNAUTHORISED)
        if label.suite != policy.suite:
            raise RefusedError(Reason.SUITE_MISMATCH)
        if self.time >= key.key.retire_at:
            raise RefusedError(Reason.COMMITTEE_RETIRED)
        return key

    # -- the label ----------------------------------------------------------------------------

    def _check_label(self, label: Label, header: Header) -> Roster:
        # SPEC RLY-8: a label that is not its sender's, its route's, or of its time is refused.
        genesis = self.ledger.genesis
        if (label.sender_account, label.sender_device) != self.sender:
            raise RefusedError(Reason.SENDER_MISMATCH)
        registered = rosters(self.view, *self.sender, label.conv_tag)
        if not registered or (registered[0].policy_hash, registered[0].epoch) != (label.policy_hash, label.epoch):
            raise RefusedError(Reason.CONV_TAG)
        roster = next((one for one in registered if one.version == label.roster_version), None)
        if roster is None or roster.root != label.roster_root:
            raise RefusedError(Reason.ROSTER_ROOT)
        newest = registered[-1]
        in_grace = header.index > 0 and registered[-2:][0] is roster and self.time < newest.since + genesis.grace_ms
        if roster is not newest and not in_grace:
            raise RefusedError(Reason.ROSTER_STALE)
        Routes(genesis).check_epoch(label.epoch, self.time)
        longest = genesis.policy.n_max_of(len(roster.members))
        if label.n_max != (1 if header.content_class is ContentClass.RETRY else longest):
            raise RefusedError(Reason.CHAIN_LIMIT)
        return roster

    # -- write once ---------------------------------------------------------------------------

    def _check_unused(self, header: Header, label: Label) -> None:
        # SPEC RLY-9: chain, number and index are written once.
        if header.index == 0:
            chain = self.pinned.get(chain_key(self.sender, label))
            if chain not in (None, chain_value(header)):
                raise RefusedError(Reason.CHAIN_REUSED)
            if chain is None and self.pinned.get(chain_number_key(self.sender, label)) is not None:
                raise RefusedError(Reason.CHAIN_REUSED, "the chain's number is taken")
        if self.pinned.get(index_key(header)) is not None:
            raise RefusedError(Reason.INDEX_REUSED)

    # -- recipients ---------------------------------------------------------------------------

    def _check_recipients(self, parsed: Parsed, roster: Roster) -> None:
        given = [(each.account, each.device) for each in parsed.send.envelopes]
        expected = {place for member in roster.members for place in self._devices(member.account)} - {self.sender}
        # SPEC RLY-10: envelopes for others than the roster's devices, or for fewer, are refused.
        group = len(roster.members) > 2
        if parsed.header.content_class is ContentClass.RETRY:
            right = bool(given) and set(given) <= expected
        else:
            right = set(given) == expected or (group and parsed.header.index > 0 and not given)
        if not right:
            raise self._missing(Reason.RECIPIENTS_MISMATCH)

    def _devices(self, account: bytes) -> set[tuple[AccountId, DeviceNo]]:
        devices = self.ledger.device_list(self.view, account)
        return set() if devices is None else {(AccountId(account), one.number) for one in devices.devices}

    # -- the device ---------------------------------------------------------------------------

    def _check_signature(self, parsed: Parsed) -> None:
        # SPEC RLY-11: what a logged device has not signed is refused.
        devices = self._own_list()
        parsed.signed.verify(devices.device(self.sender.device).signing, parsed.send.device_sig)

    def _own_list(self) -> DeviceList:
        """The sender's list, with the sending device in it."""
        devices = self.ledger.device_list(self.view, self.sender.account)
        if devices is None or all(one.number != self.sender.device for one in devices.devices):
            raise self._missing(Reason.DEVICE_UNKNOWN)
        return devices

    def _missing(self, reason: Reason) -> EscrowError:
        """Something is not in the log: that is final if we have just looked."""
        missing: Callable[[Reason], EscrowError] = RefusedError if self.settled else BehindError
        return missing(reason)


def chain_key(sender: Sender, label: Label) -> bytes:
    """Where the chain's label and capsule are pinned."""
    return CHAIN_ID + sender.place() + label.chain_id


def chain_value(header: Header) -> bytes:
    """What is pinned there: the hashes of label and capsule, which the header was checked against."""
    return header.label_hash + header.cap_hash


def chain_number_key(sender: Sender, label: Label) -> bytes:
    """Where the chain's number is taken."""
    return CHAIN_NO + sender.place() + label.conv_tag + u64(label.chain_no)


def index_key(header: Header) -> bytes:
    """Where the body of one index is pinned; the label hash names device and chain."""
    return INDEX + header.label_hash + u32(header.index)


def _check_envelopes(envelopes: tuple[DeviceEnvelope, ...]) -> None:
    if len(envelopes) > MOST_ENVELOPES or any(len(each.envelope) > MOST_ENVELOPE for each in envelopes):
        raise MalformedError("envelopes", Reason.TOO_LARGE)
    if any(len(each.account) != 32 or not 0 <= each.device < 1 << 32 for each in envelopes):
        raise MalformedError("an envelope is for a device of an account")
