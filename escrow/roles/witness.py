"""A witness: it cosigns a log's checkpoint if that extends the last one it cosigned, and says when.

It proves consistency and time, not that anything in the log is lawful. Decision and record are one step: two requests
decided against the same record would roll one of them back (C2SP tlog-witness).
"""

from dataclasses import dataclass

from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u64
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import AddCheckpoint, Cosigned
from escrow.roles.machine import Called, Draft, Event, Read, Writes
from escrow.roles.pages import Page, witness_page
from escrow.tlog import cosignature
from escrow.tlog.note import Note, parse_lines
from escrow.tlog.witnessing import CONFLICT, Request, WitnessRefusal, decide
from escrow.warrant.genesis import Genesis

_RECORDED = b"recorded"
_TIME = b"time"
_CHECKPOINT = b"checkpoint"


@dataclass(frozen=True, slots=True)
class Witness:
    """The role of the party ``witness/<index>``; witnesses are numbered from 1 in the order of the genesis."""

    genesis: Genesis
    index: int
    key: SigningKey
    pq_key: MlDsaKey | None = None
    """Cosigns as well where there is one. A world that repeats itself has none: its signatures never do."""

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:  # noqa: ARG002
        """See ``Role.handle``. Anybody may ask: the checkpoint carries the log's signature."""
        draft = Draft(view)
        match event:
            case Called(call=AddCheckpoint(request=request)):
                return self._add_checkpoint(draft, request, now)
            case Called(call=call):
                raise RefusedError(Reason.PERMISSION_DENIED, f"a witness does not answer {type(call).__name__}")
            case _:
                return Writes(), None

    def _add_checkpoint(self, draft: Draft, body: bytes, now: Millis) -> tuple[Writes, Cosigned]:
        request = Request.parse(body)
        recorded = _recorded(draft)
        try:
            size, root = decide(recorded, request, {self.genesis.log.origin: self.genesis.log_key})
        except WitnessRefusal as refusal:
            if refusal.status != CONFLICT:
                raise
            return Writes(), Cosigned(b"", recorded[0] if recorded else 0)
        # SPEC TLG-6: recorded in the step that decided, so no other request is decided on what was before.
        draft.put(_RECORDED, u64(size) + root)
        name, time_s = self.genesis.witness_rule.witnesses[self.index - 1].name, self._time(draft, now)
        keys = [key for key in (self.key, self.pq_key) if key]
        lines = b"".join(cosignature.sign(request.note.text, name, key, time_s) for key in keys)
        # Whoever asks us about the log gets what we saw: its signature, and ours.
        by_log = [line for line in request.note.signatures if line.claims(self.genesis.log_key)]
        draft.put(_CHECKPOINT, Note(request.note.text, (*by_log, *parse_lines(lines))).encode())
        return draft.writes(), Cosigned(lines, size)

    def page(self, view: Read, path: str) -> Page:
        """What ``GET /path`` shows."""
        return witness_page(self.genesis.log.origin, view.get(_CHECKPOINT), path)

    def _time(self, draft: Draft, now: Millis) -> int:
        """Seconds that never go back, whatever our clock does."""
        time_s = max(now // 1000, number(draft.get(_TIME) or b""))
        draft.put(_TIME, u64(time_s))
        return time_s


def _recorded(view: Draft) -> tuple[int, bytes] | None:
    data = view.get(_RECORDED)
    return None if data is None else (number(data[:8]), data[8:])
