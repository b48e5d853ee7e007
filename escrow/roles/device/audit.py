"""Whether the relay keeps its promise: every receipt that this device holds is looked for under a logged root.

A receipt says by when it will be in the log. Once that time is over, with an allowance for clocks, and at most once in
the time that the relay has for its promise, all receipts that are due are looked up together: the newest root from the
log, their paths to it from the relay. Who cannot be reached is not blamed; the next command asks again. A receipt
that is not there is kept with everything that makes it proof against the relay.

The newest root is what the log says it is. That a receipt is under the *first* root after it, and that no root lies
between that the relay would rather have forgotten, is checked by those who follow the whole log.
"""

from collections.abc import Iterator

from msgspec import Struct

from escrow.capsule.receipt import IngestRoot, Receipt, ingest_leaf
from escrow.encoding import number, u64
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import GetIngestPaths, IngestPaths, Reply
from escrow.roles.device.blame import culprits_of
from escrow.roles.device.directory import RELAY
from escrow.roles.device.state import raise_alarm
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import EntryType
from escrow.tlog.merkle import leaf_hash, verify_inclusion

MOST = 256
"""Receipts looked up at once."""

_DUE = b"audit/"
_OMITTED = b"omitted/"
_FROM = b"audit-from"
_VAIN = b"audit-in-vain"
_NO_ANSWER = {Reason.RATE_LIMITED, Reason.UNAUTHENTICATED}
"""Refusals that say nothing about a receipt."""


class SignedReceipt(Struct, frozen=True):
    """A receipt with its path to the frame that the relay has signed: proof of what was promised."""

    receipt: bytes
    path: bytes
    frame: bytes
    relay_sig: bytes


class Audit(Struct, frozen=True):
    """The receipts under ``audit/`` of a device's state."""

    view: LightView

    def keep(self, draft: Draft, kept: SignedReceipt, receipt: Receipt, promised: int) -> None:
        """Remember a receipt, which was verified to be this one, until its time (ms) is over."""
        draft.put(_DUE + u64(promised) + receipt.submit_hash, pack(kept))
        if draft.get(_FROM) is None:
            draft.put(_FROM, u64(promised + self.view.genesis.skew_ms))

    def hope_again(self, draft: Draft) -> None:
        """The user does something: a relay that gave no answer may be asked again."""
        draft.delete(_VAIN)

    def go_on(self, draft: Draft, now: Millis) -> None:
        """Look for what is due: owe the next question about it, or raise ``INGEST_OMITTED``."""
        genesis, start = self.view.genesis, draft.get(_FROM)
        if start is None or now < number(start) or draft.get(_VAIN) is not None or draft.owed(GetIngestPaths):
            return
        head = self.view.head(draft)
        if head is None or head.time_ms < number(start):
            if now - genesis.fresh_ms // 2 >= number(start):
                self.view.refresh(draft, number(start))
            return
        due = list(_due(draft, head.time_ms - genesis.skew_ms, MOST))
        if not due:
            draft.put(_FROM, u64(now + genesis.mmd_ms))
        elif self.view.is_absent(draft, EntryType.INGEST_ROOT, genesis.relay.public):
            self._look_up(draft, due, 0, now)
        elif self.view.is_newest(draft, EntryType.INGEST_ROOT, genesis.relay.public):
            root = self.view.ingest_root(draft)
            self._look_up(draft, due, root.size if root else 0, now)
        else:
            self.view.want(draft, EntryType.INGEST_ROOT, genesis.relay.public)

    def on_answer(self, draft: Draft, call: GetIngestPaths, reply: Reply | EscrowError, now: Millis) -> None:
        """Hold the paths against the root that they were asked for."""
        root = self.view.ingest_root(draft)
        if root is None or root.size != call.size:
            return  # the log has moved on since the question; it is asked again under the newer root
        asked = [(key, kept) for key, kept in _due(draft, now)
                 if Receipt.decode(kept.receipt).ingest_seq in call.places]  # fmt: skip
        match reply:
            case IngestPaths(paths=paths):
                shown = dict(zip(call.places, paths, strict=False))
                for key, kept in asked:
                    self._compare(draft, key, kept, root, shown, now)
            case RefusedError(reason=reason) if reason not in _NO_ANSWER:
                for key, kept in asked:
                    self._omitted(draft, key, kept, f"the relay does not show it: {reason.name}", now)
            case _:
                draft.put(_VAIN, b"")

    def _look_up(self, draft: Draft, due: list[tuple[bytes, SignedReceipt]], size: int, now: Millis) -> None:
        """What lies beyond the newest root was left out of it; for the rest the relay is asked."""
        places = set()
        for key, kept in due:
            place = Receipt.decode(kept.receipt).ingest_seq
            if place < size:
                places.add(place)
            else:
                self._omitted(draft, key, kept, f"the newest root in the log covers {size} receipts", now)
        if places:
            draft.owe(RELAY, GetIngestPaths(size, tuple(sorted(places))))

    def _compare(
        self, draft: Draft, key: bytes, kept: SignedReceipt, root: IngestRoot, shown: dict[int, bytes], now: Millis
    ) -> None:
        """Whether the receipt is where it says it is, and no later than the root above it."""
        receipt = Receipt.decode(kept.receipt)
        path = shown.get(receipt.ingest_seq, b"")
        hashes = [path[at : at + 32] for at in range(0, len(path), 32)]
        try:
            # SPEC RCV-12: what the logged root does not cover was left out.
            verify_inclusion(leaf_hash(ingest_leaf(kept.receipt)), receipt.ingest_seq, root.size, hashes, root.root)
        except EscrowError as error:
            self._omitted(draft, key, kept, error.detail, now)
            return
        if receipt.ingest_time > root.time:
            self._accuse(draft, key, kept, Reason.RECEIPT_INVALID, "it is dated later than the root above it", now)
            return
        draft.delete(key)

    def _omitted(self, draft: Draft, key: bytes, kept: SignedReceipt, why: str, now: Millis) -> None:
        self._accuse(draft, key, kept, Reason.INGEST_OMITTED, why, now)

    def _accuse(self, draft: Draft, key: bytes, kept: SignedReceipt, reason: Reason, why: str, now: Millis) -> None:
        """Settle the receipt for good: it is not looked up again, and never thrown away."""
        receipt = Receipt.decode(kept.receipt)
        detail = f"receipt {receipt.ingest_seq} for {receipt.submit_hash.hex()}: {why}"
        raise_alarm(draft, reason, culprits_of(reason), detail, now)
        draft.put(_OMITTED + receipt.submit_hash, pack(kept))
        draft.delete(key)


def overdue(view: Read | Draft, by: int) -> int:
    """How many receipts promised by ``by`` (ms) could not be looked up, because the relay gave no answer."""
    return 0 if view.get(_VAIN) is None else sum(1 for _ in _due(view, by))


def omitted(view: Read | Draft) -> list[SignedReceipt]:
    """The receipts that are proof against the relay."""
    return [unpack(data, SignedReceipt) for _, data in view.scan(_OMITTED)]


def _due(view: Read | Draft, by: int, limit: int = 1 << 30) -> Iterator[tuple[bytes, SignedReceipt]]:
    """The receipts promised by ``by`` (ms) and where they are kept, oldest promise first."""
    for key, data in view.scan(_DUE, limit=limit):
        if number(key[len(_DUE) : len(_DUE) + 8]) > by:
            return
        yield key, unpack(data, SignedReceipt)
