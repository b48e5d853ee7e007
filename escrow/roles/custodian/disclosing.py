"""Disclosure has force: what an authority does not disclose in time, a custodian that has served the warrant does.

It keeps what opens the seal from its first intent on, and looks once secrecy is over. The authority goes first; it has
as long as anybody may act on an old view of the log.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u64
from escrow.ids import Millis
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import EntryType
from escrow.warrant.disclosure import PUBLIC, Disclosure
from escrow.warrant.documents import parse_warrant
from escrow.warrant.dsse import Envelope
from escrow.warrant.request import ReleaseRequest

_OPENING = b"opening/"
_DISCLOSE = b"disclose/"


class Opening(Struct, frozen=True):
    """What opens a seal: the signed warrant, and the salt."""

    dsse: bytes
    salt: bytes


def keep_opening(draft: Draft, request: ReleaseRequest, secret_until: int) -> None:
    """Keep what opens the seal of a warrant that we mean to serve."""
    if draft.get(_OPENING + request.seal_tag) is None:
        draft.put(_OPENING + request.seal_tag, pack(Opening(request.dsse, request.salt)))
        draft.put(_DISCLOSE + u64(secret_until) + request.seal_tag, b"")


@dataclass(frozen=True, slots=True)
class Disclosing:
    """The part of a custodian that discloses. All state is in the draft that is passed in."""

    follower: Follower
    identity: SigningKey

    def on_tick(self, draft: Draft, now: Millis) -> None:
        """Disclose what is due and what nobody has disclosed."""
        due = []
        for key, _ in draft.scan(_DISCLOSE):
            if number(key[len(_DISCLOSE) :][:8]) > now:
                break
            due.append(key)
        for key in due:
            draft.delete(key)
            self._look(draft, key[len(_DISCLOSE) + 8 :], now)

    def _look(self, draft: Draft, tag: bytes, now: Millis) -> None:
        genesis, kept = self.follower.genesis, draft.get(_OPENING + tag)
        seal = self.follower.seal(draft, tag)
        if kept is None or seal is None:
            return
        shown = self.follower.shown(draft, seal)
        patience = shown.secret_until + genesis.fresh_ms
        if shown.disclosed_ms is not None:
            draft.delete(_OPENING + tag)
        elif now < patience:
            draft.put(_DISCLOSE + u64(patience) + tag, b"")
        else:
            # SPEC DSC-7: what is due and not disclosed is disclosed by whoever has served it.
            opening = unpack(kept, Opening)
            payload = parse_warrant(Envelope.parse(opening.dsse).payload)
            missing = set(PUBLIC) - self.follower.disclosed(draft, tag)
            said = Disclosure.of(payload, opening.dsse, opening.salt, missing)
            owe_entry(draft, genesis, self.identity, EntryType.DISCLOSURE, said.encode())
            draft.put(_DISCLOSE + u64(now + genesis.fresh_ms) + tag, b"")
