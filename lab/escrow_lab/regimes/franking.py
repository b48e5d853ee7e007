"""Message franking: nobody but its ends reads a message, and its recipient can prove to the platform what it said.

The sender commits to its words with a key that travels inside; the platform tags the commitment with who, to whom and
when. A report shows words, key and tag, and convinces the platform of exactly that message.
Source: Facebook, "Messenger Secret Conversations", 2016; Grubbs, Lu and Ristenpart, CRYPTO 2017.
"""

import hmac
from dataclasses import dataclass

from escrow.crypto.kdf import hmac_sha256
from escrow.encoding import join, u64
from escrow.errors import MalformedError, Reason
from escrow_lab.letters import Peopled, read, write
from escrow_lab.regime import Access, Message, Opener, Order, Sealed, Wish, nothing

_FRANK = 32


@dataclass(frozen=True, slots=True)
class Report:
    """What a recipient shows of a message."""

    sealed: Sealed
    words: bytes
    key: bytes


class Franking(Peopled):
    """wire: commitment 32 ‖ the platform's tag 32 ‖ letter of (key 32 ‖ words). ``reports``: the share reported."""

    WISH = Wish.REMOVE
    PARTIES = ("platform",)

    def __init__(self, seed: int, *, reports: float = 1.0) -> None:
        super().__init__(seed)
        if not 0 <= reports <= 1:
            raise MalformedError("franking: 'reports' is a share from 0 to 1", Reason.USAGE)
        self._share = reports
        self._platform = self.coins("platform").take("key", 32)

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``; the recipient refuses a commitment that is not to what it reads."""
        coins = self.coins("message", message.number)
        words, key = message.text.encode(), coins.take("frank", 32)
        commitment = hmac_sha256(key, words)
        tag = self._tag(message, commitment)
        wire = commitment + tag + write(self.key(message.recipient).public, key + words, coins)
        said = read(self.key(message.recipient), wire[2 * _FRANK :])
        honest = said is not None and hmac.compare_digest(hmac_sha256(said[:_FRANK], said[_FRANK:]), commitment)
        return self.store(message, wire, said[_FRANK:] if said is not None and honest else None)

    def report(self, sealed: Sealed) -> Report:
        """What its recipient reports of a message."""
        said = read(self.key(sealed.recipient), sealed.wire[2 * _FRANK :]) or b""
        return Report(sealed, said[_FRANK:], said[:_FRANK])

    def verify(self, report: Report) -> bool:
        """Whether the platform believes that these were the words of that sender to that recipient at that time."""
        commitment, tag = report.sealed.wire[:_FRANK], report.sealed.wire[_FRANK:][:_FRANK]
        committed = hmac.compare_digest(hmac_sha256(report.key, report.words), commitment)
        return committed and hmac.compare_digest(self._tag(report.sealed, commitment), tag)

    def access(self, order: Order) -> Access:
        """Recipients report, the platform verifies and takes down. What nobody reports stays closed."""
        reports = [self.report(each) for each in self.in_scope(order) if self._is_reported(each)]
        opened = {one.sealed.number: one.words.decode() for one in reports if self.verify(one)}
        return Access(opened, frozenset(opened))

    def give(self, corrupt: frozenset[str]) -> Opener:  # noqa: ARG002
        """The platform holds tags and no key."""
        return nothing

    def _is_reported(self, sealed: Sealed) -> bool:
        drawn = int.from_bytes(self.coins("report", sealed.number).take("whether", 8), "big")
        return drawn < self._share * 2**64

    def _tag(self, about: Message | Sealed, commitment: bytes) -> bytes:
        named = about.sender.encode(), about.recipient.encode(), u64(about.time)
        return hmac_sha256(self._platform, join(commitment, *named))


REGIME = Franking
