"""Who provably deviated when an escrowed delivery is refused: the table of the protocol (4.7), and nothing else blames.

It holds for items whose reason was found by the receiver's checks in their order: what names the sender is found only
under the sender's valid signature. Un-escrowed messages are not signed, so nobody can be named for them.
"""

from collections.abc import Mapping
from typing import Final

from escrow.errors import Reason

CULPRITS: Final[Mapping[Reason, frozenset[str]]] = {
    reason: frozenset({culprit})
    for culprit, reasons in {
        "relay": (
            Reason.RECEIPT_INVALID,
            Reason.RELAY_SUBSTITUTED,
            Reason.SIGNATURE_INVALID,
            Reason.EPOCH_STALE,
            Reason.INGEST_OMITTED,
        ),
        "sender": (
            Reason.SENDER_INCONSISTENT,
            Reason.CONV_TAG,
            Reason.ROSTER_ROOT,
            Reason.CAPSULE_MISMATCH,
            Reason.CHAIN_MISMATCH,
            Reason.COMMITMENT_MISMATCH,
            Reason.BODY_INVALID,
            Reason.CONTENT_INVALID,
        ),
    }.items()
    for reason in reasons
}

NOBODY: Final[frozenset[str]] = frozenset()


def culprits_of(reason: Reason) -> frozenset[str]:
    """The parties that a refusal for ``reason`` names."""
    return CULPRITS.get(reason, NOBODY)
