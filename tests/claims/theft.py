"""The thief of a key generation: takes secrets, the log and recorded traffic, and tries to rebuild shares."""

from collections.abc import Iterator

from escrow.committee import cocktail
from escrow.committee.dkg import DkgState
from escrow.committee.record import Record
from escrow.crypto.coins import Coins
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import random_polynomial
from escrow.errors import EscrowError
from escrow.secret import Secret
from tests.claims.keygen import Keygen, keygen


def recorded(story: Keygen, dealer: int, to: int) -> Iterator[bytes]:
    """The ciphertext from one custodian to another, if somebody listened."""
    return (sent.payload for author, sent in story.recorded if author == dealer and sent.index == to)


def rebuilt_by_transport_key(story: Keygen, record: Record, secret: Secret, victim: int, dealer: int) -> Scalar | None:
    """The share that ``dealer`` sent to ``victim``, if ``secret`` is the transport key of the victim."""
    matter = record.matter(dealer, victim)
    try:
        pair = matter.route.from_recipient(Scalar.decode(secret.expose()))
        ciphertext = next(recorded(story, dealer, victim), b"")
        return cocktail.open_share(matter.context, matter.route, pair, victim, matter.dealt, ciphertext)
    except EscrowError:
        return None


def is_dealing(record: Record, secret: Secret, dealer: int) -> bool:
    """Whether ``secret`` is the coins from which ``dealer`` made its polynomial, which gives everybody's shares."""
    stream = Coins(secret.expose())
    stream.scalar("ephemeral")
    polynomial = random_polynomial(stream.take("polynomial", 32), record.proposal.threshold)
    return polynomial.commitments(EDWARDS25519) == record.matter(dealer, dealer % record.proposal.n + 1).dealt.decoded(
        EDWARDS25519
    )


def secrets_in(state: DkgState) -> list[Secret]:
    """Every secret that a custodian's state still holds, but for the share itself."""
    held = (getattr(state, name) for name in state.__struct_fields__ if name != "share")
    return [value for value in held if isinstance(value, Secret)]


def loot(state: DkgState, story: Keygen, record: Record) -> list[str]:
    """What these secrets, the log and the recorded ciphertexts rebuild."""
    found, others = [], [dealer for dealer in range(1, record.proposal.n + 1) if dealer != state.index]
    for secret in secrets_in(state):
        if any(rebuilt_by_transport_key(story, record, secret, state.index, dealer) for dealer in others):
            found.append("a share that was sent")
        if is_dealing(record, secret, state.index):
            found.append("a whole dealing")
    return found


__all__ = ["keygen", "loot", "rebuilt_by_transport_key", "secrets_in"]
