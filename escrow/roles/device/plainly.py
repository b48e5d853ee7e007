"""Reading what was written without escrow. Only the session, or the sender key told in it, proves who wrote it."""

from msgspec import Struct

from escrow.e2ee.content import decode_content
from escrow.e2ee.keys import Identity
from escrow.e2ee.plain import Plain
from escrow.e2ee.sender_keys import Distribution
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.device.adopting import adopt
from escrow.roles.device.conversations import check_member, confirm, held_by_id, version_of
from escrow.roles.device.state import PLAIN, Shown
from escrow.roles.device.voices import hear, take_voice
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft
from escrow.warrant.policy import PAIR


class PlainReader(Struct, frozen=True):
    """Reads for one device what ``sender``, called ``name``, has written."""

    view: LightView
    sender: Identity
    name: str

    def show(self, draft: Draft, opened: bytes, now: Millis) -> Shown:
        """The content of a session message. With it may come a version of the conversation, and a sender key."""
        said = Plain.decode(opened)
        if said.roster:
            adopt(draft, self.view, self.sender, PLAIN, said.roster, now)
        return self._show(draft, said, now)

    def show_spoken(self, draft: Draft, envelope: bytes, now: Millis) -> Shown:
        """The content of a message that is the same for all.

        Raises what ``voices.hear`` raises, and ``SENDER_INCONSISTENT`` for one that says it belongs elsewhere.
        """
        heard, plaintext = hear(draft, self.sender, envelope, now)
        said = Plain.decode(plaintext)
        # SPEC GRP-3: a key is for one version of one group, and tells nothing that only some should know.
        if (said.conversation, said.version) != (heard.conversation, heard.version) or said.roster or said.voice:
            raise RefusedError(Reason.SENDER_INCONSISTENT, "its sender key is for something else")
        return self._show(draft, said, now)

    def _show(self, draft: Draft, said: Plain, now: Millis) -> Shown:
        sender, content = self.sender, decode_content(said.padded)
        held = held_by_id(draft, said.conversation)
        known = version_of(draft, held, said.version)
        if known is None and said.version > held.conversation.version:
            raise DeferredError(Reason.ROSTER_UNKNOWN)
        if held.conversation.mode != PLAIN:
            raise RefusedError(Reason.MODE_MISMATCH)
        if known is None or sender.account not in known.members:
            raise RefusedError(Reason.ROSTER_STALE, "not a conversation of its sender's, or not any more")
        check_member(held, sender.account, now, self.view.genesis.grace_ms)
        if said.voice:
            if len(known.members) <= PAIR:
                raise RefusedError(Reason.CONTENT_INVALID, "a sender key among two")
            take_voice(draft, sender, known, Distribution.decode(said.voice), now)
        confirm(draft, held, sender.account, sender.device, known.version)
        return Shown(sender.account, self.name, PLAIN, content, now, said.mid, held.conversation.id, held.name)
