"""A complaint about a dealer: how it is said, and how everybody who reads the log judges it alike.

MISSING   the ciphertext never came; the dealer answers by logging it. Blames nobody.
UNSOUND   the ciphertext does not hold the committed share. The accuser shows the two Diffie-Hellman points of that
          ciphertext with proofs, so that anybody can decrypt it; one of the two is then at fault, and it shows which.
          The price is that one share, of a run that ends here.
UNPROVEN  a challenge to the KEM key of the accused was answered wrongly. The accuser shows the coins of the challenge,
          so that anybody can repeat it; again one of the two is at fault.
SILENT    somebody owes an entry and its time is over. An opinion, not a proof: ``record`` counts opinions.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

from escrow.committee import cocktail, messages
from escrow.committee.cocktail import CIPHERTEXT_SIZE, Commitment, Context, Pair, Route
from escrow.crypto import dleq
from escrow.crypto.group import Point, Scalar
from escrow.encoding import number, u8, u32
from escrow.errors import EscrowError, MalformedError
from escrow.tags import T, Tag


@unique
class Ground(IntEnum):
    """Why somebody complains; one byte."""

    MISSING = 1
    UNSOUND = 2
    SILENT = 3
    UNPROVEN = 4


@dataclass(frozen=True, slots=True)
class Dispute:
    """A complaint of whoever logged it against ``accused``."""

    ground: Ground
    accused: int
    evidence: bytes = b""

    def encode(self) -> bytes:
        """ground u8 ‖ accused u32 ‖ evidence."""
        return u8(self.ground) + u32(self.accused) + self.evidence

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; the evidence is looked at by whoever uses it."""
        if len(data) < 5 or data[0] not in {ground.value for ground in Ground}:
            raise MalformedError("not a dispute")
        return cls(Ground(data[0]), number(data[1:5]), data[5:])


@dataclass(frozen=True, slots=True)
class Matter:
    """What an UNSOUND dispute is about, all of it public: one ciphertext from one dealer to one recipient."""

    session: bytes
    context: Context
    route: Route
    dealer: int
    recipient: int
    dealt: Commitment

    def _decode(self, point: bytes) -> Point:
        return self.context.group.decode(point)

    @property
    def _statement(self) -> tuple[bytes, ...]:
        return (T(Tag.DKG_DISPUTE, self.session, u32(self.dealer), u32(self.recipient)),)

    def accuse(self, transport: Scalar, ciphertext: bytes, coins: bytes) -> bytes:
        """Evidence: ciphertext 48 ‖ two points ‖ two proofs 128 that they belong to the transport key."""
        pair, mine = self.route.from_recipient(transport), self._decode(self.route.recipient)
        proofs = b"".join(
            dleq.prove(transport, self._decode(theirs), mine, shared, self._statement, coins)
            for theirs, shared in ((self.route.ephemeral, pair.ephemeral), (self.route.dealer, pair.static))
        )
        return ciphertext + pair.ephemeral.encode() + pair.static.encode() + proofs

    def upheld(self, evidence: bytes, logged: bytes) -> bool:
        """Whether the dealer is at fault; otherwise the accuser is: there is nothing between the two.

        ``logged`` is the hash of the ciphertext that the dealer put into the log.
        """
        try:
            ciphertext, pair = self._opened(evidence)
        except EscrowError:
            return False
        if messages.ciphertext_hash(self.session, self.dealer, self.recipient, ciphertext) != logged:
            return False
        try:
            cocktail.open_share(self.context, self.route, pair, self.recipient, self.dealt, ciphertext)
        except EscrowError:
            return True
        return False

    def _opened(self, evidence: bytes) -> tuple[bytes, Pair]:
        size = self.context.group.size
        if len(evidence) != CIPHERTEXT_SIZE + 2 * size + 2 * dleq.PROOF_SIZE:
            raise MalformedError("not evidence of an unsound share")
        ciphertext, rest = evidence[:CIPHERTEXT_SIZE], evidence[CIPHERTEXT_SIZE:]
        pair = Pair(self._decode(rest[:size]), self._decode(rest[size : 2 * size]))
        proofs, mine = rest[2 * size :], self._decode(self.route.recipient)
        shown = (
            (self.route.ephemeral, pair.ephemeral, proofs[: dleq.PROOF_SIZE]),
            (self.route.dealer, pair.static, proofs[dleq.PROOF_SIZE :]),
        )
        for theirs, shared, proof in shown:
            dleq.verify(mine, self._decode(theirs), shared, proof, self._statement)
        return ciphertext, pair
