"""What the desk owes the public: once a warrant's secrecy is over, everything about it that is not about people.

It looks at a case when its time has come. What it fails to publish a custodian that served the warrant does.
"""

from dataclasses import dataclass

from escrow.crypto.sign import SigningKey
from escrow.ids import Millis
from escrow.roles.authority.state import File, wake
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.tlog.entry import EntryType
from escrow.warrant.disclosure import PUBLIC, Disclosure


@dataclass(frozen=True, slots=True)
class Disclosing:
    """The part of the authority that discloses. ``key`` signs what is logged."""

    follower: Follower
    key: SigningKey

    def on_time(self, draft: Draft, file: File, now: Millis) -> None:
        """Disclose what is due of a case, or have it looked at again when it will be."""
        genesis, warrant_id = self.follower.genesis, file.payload.id
        seal = self.follower.seal(draft, file.tag) if file.dsse else None
        if seal is None:
            return
        shown = self.follower.shown(draft, seal)
        if now < shown.secret_until:
            wake(draft, shown.secret_until, warrant_id)
        elif shown.disclosed_ms is None:
            missing = set(PUBLIC) - self.follower.disclosed(draft, file.tag)
            said = Disclosure.of(file.payload, file.dsse, file.salt, missing)
            owe_entry(draft, genesis, self.key, EntryType.DISCLOSURE, said.encode())
            wake(draft, now + genesis.fresh_ms, warrant_id)
