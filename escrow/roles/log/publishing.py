"""How the log publishes: it signs a checkpoint, asks every witness, and has a head when a quorum has cosigned.

One publication at a time. A witness that is slow, down or at fault costs its own cosignature and nothing else; what it
has recorded last is remembered per witness, and corrected when it answers with another size (C2SP tlog-witness, 409).
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from msgspec import Struct

from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u16, u64
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.calls import AddCheckpoint, Cosigned, Dating, Reply
from escrow.roles.machine import Draft, Read, Todo
from escrow.roles.state import pack, unpack
from escrow.roles.stored_tree import StoredTree
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.note import Note
from escrow.tlog.quorum import Head, verify_head
from escrow.tlog.witnessing import Request
from escrow.warrant.genesis import Genesis

TREE = StoredTree(b"tree")
"""The tree over the encoded entries."""

_HEAD = b"head"
_PUBLICATION = b"publication"
_RECORDED = b"recorded/"
_DATING = b"dating/"
_OUTCOME = b"publication-outcome"


@unique
class Outcome(StrEnum):
    """How a publication ended."""

    MET = "met"
    MISSED = "missed"


class Published(Struct, frozen=True):
    """A checkpoint under a quorum: what everybody is served."""

    size: int
    time_ms: int
    note: bytes


class Publication(Struct, frozen=True):
    """A checkpoint that is being cosigned. ``asked`` maps open to-dos to witnesses (numbered from 1).

    ``demanded``: somebody waits for it, and is to be told if there is no quorum.
    """

    size: int
    note: bytes
    asked: tuple[tuple[int, int], ...]
    corrected: tuple[int, ...] = ()
    demanded: bool = False


def published(view: Read | Draft) -> Published | None:
    """The newest checkpoint under a quorum, with all lines that it has got."""
    data = view.get(_HEAD)
    return None if data is None else unpack(data, Published)


@dataclass(frozen=True, slots=True)
class Publisher:
    """The publishing half of the log. All state is in the draft that is passed in."""

    genesis: Genesis
    key: SigningKey
    pq_key: MlDsaKey | None = None

    def head(self, view: Read | Draft) -> Published | None:
        """The newest checkpoint under a quorum."""
        return published(view)

    def publish(self, draft: Draft, now: Millis, *, demanded: bool = False) -> None:
        """Ask all witnesses to cosign the tree as it is now, unless a publication is under way."""
        under_way = _publication(draft)
        if under_way is not None and _still_asked(draft, under_way):
            if demanded and not under_way.demanded:
                draft.put(_PUBLICATION, pack(_replace(under_way, demanded=True)))
            return
        size = TREE.size(draft)
        stated = Checkpoint(self.genesis.log.origin, size, TREE.root(draft, size))
        note = checkpoint.sign(stated, self.genesis.log_key.name, self.key)
        if self.pq_key:
            note += cosignature.sign(stated.text(), self.genesis.log_key.name, self.pq_key, now // 1000)
        witnesses = range(1, len(self.genesis.witnesses) + 1)
        asked = tuple((_ask(draft, witness, size, note), witness) for witness in witnesses)
        draft.put(_PUBLICATION, pack(Publication(size, note, asked, demanded=demanded)))

    def on_answer(self, draft: Draft, todo: Todo, reply: Reply | EscrowError) -> None:
        """Take a witness's answer to ``AddCheckpoint``."""
        draft.settle(todo)
        publication = _publication(draft)
        witness = dict(publication.asked).get(todo.number) if publication else None
        if publication is None or witness is None:
            self._on_late_answer(draft, todo, reply)
            return
        asked = tuple(pair for pair in publication.asked if pair[0] != todo.number)
        publication = _replace(publication, asked=asked)
        match reply:
            case Cosigned(line=b"", size=size):
                publication = self._correct(draft, publication, witness, size)
            case Cosigned(line=line):
                _record(draft, witness, publication.size)
                publication = _replace(publication, note=self._attached(publication.note, line, witness))
        self._conclude(draft, publication)

    def dating(self, view: Read | Draft, index: int) -> Dating:
        """The checkpoints around the entry at ``index``; ``RefusedError(NOT_FOUND)``."""
        found = next(view.scan(_DATING, after=_DATING + u64(index), limit=1), None)
        if found is None:
            raise RefusedError(Reason.NOT_FOUND, f"no checkpoint covers entry {index}")
        before, first = unpack(found[1], tuple[bytes, bytes])
        return Dating(self.counted(before) if before else b"", self.counted(first))

    def counted(self, note: bytes) -> bytes:
        """The note for our own parties: without the ML-DSA-44 lines, which they do not count and are most of it."""
        if not self.genesis.pq_cosigners:
            return note
        return Note.parse(note).only(self.genesis.log_key, *self.genesis.witness_rule.witnesses).encode()

    def outcome(self, draft: Draft) -> Outcome | None:
        """How the publication that a step demanded has ended; None if none has just ended.

        Every call to the log asks this first, which uses the answer up: it is meant for the step that is run again.
        """
        data = draft.get(_OUTCOME)
        if data is None:
            return None
        draft.delete(_OUTCOME)
        return Outcome(data.decode())

    def _correct(self, draft: Draft, publication: Publication, witness: int, recorded: int) -> Publication:
        """The witness has recorded another size than we thought: ask again from there, once."""
        _record(draft, witness, recorded)
        if recorded > publication.size or witness in publication.corrected:
            return publication
        again = (_ask(draft, witness, publication.size, publication.note), witness)
        corrected = (*publication.corrected, witness)
        return _replace(publication, asked=(*publication.asked, again), corrected=corrected)

    def _conclude(self, draft: Draft, publication: Publication) -> None:
        """Publish as soon as there is a quorum; give up when nobody is left to answer."""
        try:
            head = verify_head(publication.note, self.genesis.log_key, self.genesis.witness_rule)
        except RefusedError as error:
            if error.reason is not Reason.QUORUM_MISSING:
                raise
            if publication.asked:
                draft.put(_PUBLICATION, pack(publication))
                return
            outcome = Outcome.MISSED
        else:
            self._date(draft, head)
            draft.put(_HEAD, pack(Published(head.size, head.time_ms, head.note)))
            outcome = Outcome.MET
        if publication.demanded:
            draft.put(_OUTCOME, outcome.encode())
        draft.delete(_PUBLICATION)

    def _date(self, draft: Draft, head: Head) -> None:
        """The entries that a checkpoint is the first to cover were logged between the one before and this one."""
        before = self.head(draft)
        if before is None or before.size < head.size:
            draft.put(_DATING + u64(head.size), pack((before.note if before else b"", head.note)))

    def _on_late_answer(self, draft: Draft, todo: Todo, reply: Reply | EscrowError) -> None:
        """A witness answers when the quorum was met without it: one more cosignature for the same head, or nothing."""
        head = self.head(draft)
        if head is None or not isinstance(todo.call, AddCheckpoint) or not isinstance(reply, Cosigned):
            return
        witness = _number_of(todo.to)
        if not reply.line:
            _record(draft, witness, reply.size)
            return
        asked = Request.parse(todo.call.request)
        _record(draft, witness, asked.checkpoint.size)
        if asked.note.text == Note.parse(head.note).text:
            note = self._attached(head.note, reply.line, witness)
            renewed = verify_head(note, self.genesis.log_key, self.genesis.witness_rule)
            draft.put(_HEAD, pack(Published(renewed.size, max(head.time_ms, renewed.time_ms), note)))

    def _attached(self, note: bytes, line: bytes, witness: int) -> bytes:
        """The note with the witness's cosignature, or as it was if that is no good: its loss, nobody else's."""
        try:
            return cosignature.attach(note, line, *self.genesis.witness_keys[witness - 1])
        except EscrowError:
            return note


def _ask(draft: Draft, witness: int, size: int, note: bytes) -> int:
    old = number(draft.get(_RECORDED + u16(witness)) or b"")
    proof = TREE.consistency(draft, old, size) if old <= size else ()
    request = Request.of(min(old, size), proof, note).encode()
    return draft.owe(Party(f"witness/{witness}"), AddCheckpoint(request))


def _record(draft: Draft, witness: int, size: int) -> None:
    draft.put(_RECORDED + u16(witness), u64(size))


def _publication(view: Read | Draft) -> Publication | None:
    data = view.get(_PUBLICATION)
    return None if data is None else unpack(data, Publication)


def _still_asked(draft: Draft, publication: Publication) -> bool:
    """Whether an answer can still come: a driver strikes off what it cannot deliver at all."""
    owed = {todo.number for todo in draft.owed(AddCheckpoint)}
    return any(number in owed for number, _ in publication.asked)


def _number_of(party: Party) -> int:
    return int(party.partition("/")[2])


def _replace(publication: Publication, **changes: object) -> Publication:
    values = {name: getattr(publication, name) for name in publication.__struct_fields__}
    return Publication(**{**values, **changes})
