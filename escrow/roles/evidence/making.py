"""The agency's side of evidence: what it holds of a warrant, put together so that others need not believe it."""

from collections.abc import Iterable, Sequence

from escrow.committee.documents import ShareGeneration
from escrow.crypto.hpke import RecipientKey
from escrow.errors import MalformedError
from escrow.roles.agency.opening import read_responses
from escrow.roles.agency.state import Asked, all_asked, all_opened, all_said, load_case
from escrow.roles.evidence import bundle
from escrow.roles.lightview import LightView
from escrow.roles.machine import Read
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.quorum import verify_head
from escrow.warrant.genesis import Genesis
from escrow.warrant.orders import KINDS
from escrow.warrant.release import ReleaseResponse
from escrow.warrant.sealing import seal_tag

_DATED = frozenset({EntryType.WARRANT_SEALED, EntryType.RELEASE_INTENT, *KINDS})


def worth_dating(entries: Sequence[bytes], warrant_id: bytes) -> list[int]:
    """The places of entries about a warrant of which a verifier must know when they were logged.

    Its seal, the orders of its locks, and the custodians' intents. Ask the log for the ``GetDating`` of each.
    """
    tag, found = seal_tag(warrant_id), []
    for index, data in enumerate(entries):
        try:
            entry = Entry.decode(data)
        except MalformedError:
            continue  # the log holds what it holds
        if entry.type in _DATED and tag in entry.payload:
            found.append(index)
    return found


def in_order(genesis: Genesis, notes: Iterable[bytes]) -> list[bytes]:
    """Checkpoints as a bundle has them: by size and then by time, one of each; empty ones are left out."""
    heads = [verify_head(note, genesis.log_key, genesis.witness_rule) for note in notes if note]
    distinct = {(head.size, head.time_ms): head.note for head in heads}
    return [distinct[place] for place in sorted(distinct)]


def make_bundle(
    genesis: Genesis, view: Read, warrant_id: bytes, entries: Sequence[bytes], notes: Sequence[bytes]
) -> bundle.Bundle:
    """The evidence that an agency with the state ``view`` can give, on the log of ``entries``; see ``Bundle``.

    Requests that too few custodians have answered are left out: nothing was opened under them. ``NOT_FOUND``.
    """
    recipient, light, requests = load_case(view, warrant_id).recipient_key, LightView(genesis), []
    for request_hash, asked in all_asked(view, warrant_id):
        sealed = {index: said.sealed for index, said in all_said(view, warrant_id, request_hash).items() if said.sealed}
        newest = light.generation(view, asked.period)
        generation, responses = _best(recipient, asked, newest, sealed)
        if generation is None or len(responses) < generation.threshold:
            continue
        answers = (bundle.Answer(custodian=index, response=each.encode()) for index, each in sorted(responses.items()))
        requests.append(
            bundle.Asked(
                request=asked.request_bytes,
                signature=asked.signature,
                generation=generation.encode(),
                answers=tuple(answers),
            )
        )
    return bundle.Bundle(
        schema_version=1,
        genesis_hash=genesis.hash.hex(),
        warrant_id=warrant_id.hex(),
        requests=tuple(requests),
        opened=tuple(bundle.Said.of(item) for item in all_opened(view, warrant_id)),
        checkpoints=tuple(note.decode() for note in notes),
        entries=tuple(entries),
    )


def _best(
    recipient: RecipientKey, asked: Asked, newest: ShareGeneration | None, sealed: dict[int, bytes]
) -> tuple[ShareGeneration | None, dict[int, ReleaseResponse]]:
    """The generation under which most answers can be read: perhaps shares were passed on while we asked."""
    before = ShareGeneration.decode(asked.generation_bytes) if asked.generation_bytes else newest
    known = dict.fromkeys(one for one in (newest, before) if one is not None)
    read = [(one, read_responses(recipient, asked.request, one, sealed)) for one in known]
    return max(read, key=lambda pair: len(pair[1]), default=(None, {}))
