"""What the relay hands over under a warrant: the retained items in its scope, with their proofs, and nothing else.

It runs the same checks as every custodian, on its own view of the log. Without retention there is nothing to produce.
"""

from dataclasses import dataclass

from escrow.capsule.label import Label
from escrow.e2ee.roster import MemberProof
from escrow.errors import BehindError, Reason, RefusedError
from escrow.ids import AccountId, Millis, Party
from escrow.roles.calls import Produce, Produced
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.roles.relay.ingest import TREE
from escrow.roles.relay.mailbox import Item as Stored
from escrow.roles.relay.mailbox import Mailbox
from escrow.roles.relay.routes import rosters
from escrow.roles.warrant_checks import Clock, SealedWarrant, check_scope, check_warrant
from escrow.warrant.item import Item
from escrow.warrant.roster_path import RosterPath

PAGE = 256
"""Items in one answer: as many as a release request may cite at once."""
MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Producer:
    """Production from a relay's state. ``relay`` is its public key."""

    follower: Follower
    relay: bytes

    def produce(self, draft: Draft, caller: Party, call: Produce, now: Millis) -> Produced:
        """A page of items from ``call.start`` on.

        ``PERMISSION_DENIED`` for anybody but an agency; CUST-1 (freshness) and CUST-3 to CUST-8 with their reasons;
        ``NOT_RETAINED`` where the policy keeps nothing. ``BehindError`` while something may only be missing *here*.
        """
        if not caller.startswith("agency/"):
            raise RefusedError(Reason.PERMISSION_DENIED, "the relay produces for an agency")
        head = self.follower.require_fresh(draft, now)
        try:
            warrant = check_warrant(self.follower, draft, call.dsse, call.salt, now, head)
        except RefusedError as error:
            if error.reason is Reason.SEAL_NOT_LOGGED:
                raise BehindError(error.reason, error.detail) from None
            raise
        clock = Clock.of(now, head)
        mailbox = Mailbox(self.follower.genesis)
        items: list[bytes] = []
        size = 0
        for seq in self._candidates(draft, warrant, call.start):
            stored = mailbox.item(draft, seq)
            item = stored and self._item(draft, warrant, clock, seq, stored)
            if not item:
                continue
            size += len(item)
            if items and (len(items) == PAGE or size > MOST_BYTES):
                return Produced(tuple(items), seq)
            items.append(item)
        if not items and not self.follower.genesis.policy.relay_retention:
            raise RefusedError(Reason.NOT_RETAINED)
        return Produced(tuple(items), 0)

    def _candidates(self, draft: Draft, warrant: SealedWarrant, start: int) -> list[int]:
        """The numbers of what may be in scope, ascending: conversations of the targets within the warrant's epochs."""
        policy, genesis = self.follower.genesis.policy, self.follower.genesis
        mailbox = Mailbox(genesis)
        found: set[int] = set()
        for epochs in warrant.payload.epochs:
            first, end = policy.epoch_start(epochs.first), policy.epoch_start(epochs.end) + genesis.grace_ms
            for target in warrant.payload.targets:
                found.update(mailbox.about(draft, bytes.fromhex(target.account), first, end))
        return sorted(seq for seq in found if seq >= start)

    def _item(self, draft: Draft, warrant: SealedWarrant, clock: Clock, seq: int, stored: Stored) -> bytes | None:
        """The item as a request carries it; None if it is out of scope."""
        label = Label.decode(stored.label)
        path = self._roster_path(draft, warrant, label)
        try:
            check_scope(self.follower.genesis, warrant, clock, label, stored.ingest_time, path)
        except RefusedError:
            return None
        root = self.follower.root_covering(draft, self.relay, seq)
        if root is None:
            raise BehindError(Reason.INGEST_NOT_LOGGED)
        return Item(
            label=stored.label,
            capsule=stored.capsule,
            body=stored.body,
            device_sig=stored.device_sig,
            env_root=stored.env_root,
            receipt=stored.receipt,
            path=stored.path,
            frame=stored.frame,
            relay_sig=stored.relay_sig,
            root_index=root.index,
            root_size=root.size,
            ingest_path=TREE.inclusion(draft, seq, root.size),
            roster_path=path,
        ).encode()

    def _roster_path(self, draft: Draft, warrant: SealedWarrant, label: Label) -> RosterPath | None:
        """The opening of a target's leaf under the label's roster root, where the warrant is on conversations."""
        if warrant.payload.direction != "CONVERSATION_OF":
            return None
        registered = rosters(draft, label.sender_account, label.sender_device, label.conv_tag)
        for roster in registered:
            for target in warrant.payload.targets:
                account = AccountId(bytes.fromhex(target.account))
                if roster.root == label.roster_root and account in roster.salts:
                    proof = MemberProof.make(roster.salts, account)
                    return RosterPath(account, proof.salt, proof.index, proof.size, proof.path)
        return None
