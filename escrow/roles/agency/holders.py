"""To whom a request goes: the holders of the shares when it was made, or of those that they have passed on since."""

import hashlib

from msgspec.structs import replace

from escrow.committee.documents import ShareGeneration
from escrow.ids import Party
from escrow.roles.agency.state import ASKED, Asked, Said, all_said, forget_said, save_asked, save_said
from escrow.roles.calls import Release
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read


def holders(view: Read | Draft, light: LightView, asked: Asked) -> list[str]:
    """The custodians that a request goes to, in the order of their indices."""
    return light.holders(view, asked.generation)


def owe_release(draft: Draft, light: LightView, warrant_id: bytes, asked: Asked) -> None:
    """Owe a request to every custodian that it goes to, unless it is owed already."""
    request_hash = hashlib.sha256(asked.request_bytes).digest()
    known = all_said(draft, warrant_id, request_hash)
    for index, holder in enumerate(holders(draft, light, asked), start=1):
        if index not in known or known[index].outcome != ASKED:
            save_said(draft, warrant_id, request_hash, index, Said(ASKED))
            draft.owe(Party(holder), Release(asked.request_bytes, asked.signature))


def follow_shares(
    draft: Draft, light: LightView, warrant_id: bytes, asked: Asked, newest: ShareGeneration | None
) -> bool:
    """Put a request to the others that hold the shares now; False if it is they whom we have asked.

    What those before have said is forgotten: shares of two generations never combine.
    """
    before = asked.generation
    if newest is None or (newest.members, newest.threshold) == (before.members, before.threshold):
        return False
    # SPEC HND-16: whoever holds the shares now is asked, and none of the answers from before is combined with theirs.
    request_hash = hashlib.sha256(asked.request_bytes).digest()
    forget_said(draft, warrant_id, request_hash)
    asked = replace(asked, generation_bytes=newest.encode(), reason="", culprits=())
    save_asked(draft, warrant_id, request_hash, asked)
    owe_release(draft, light, warrant_id, asked)
    return True
