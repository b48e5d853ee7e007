"""Signatures of people over one statement, as hot objects carry them: a public key and 64 bytes each, sorted by key.

For what is not a document in an envelope: orders and postponements. Whether the signers suffice is the caller's rule.
"""

from collections.abc import Iterable, Mapping

from escrow.crypto import sign
from escrow.encoding import join, split
from escrow.errors import EscrowError, MalformedError
from escrow.warrant.dsse import MOST_SIGNATURES
from escrow.warrant.genesis import Genesis
from escrow.warrant.locks import Signers, count_signers

Signed = tuple[tuple[bytes, bytes], ...]
"""Public key (32 bytes) and signature (64 bytes), in the order of the keys, one a key."""


def by_key(signatures: Mapping[bytes, bytes]) -> Signed:
    """Signatures by public key, in their one order."""
    return tuple(sorted(signatures.items()))


def signed_by(keys: Iterable[sign.SigningKey], statement: bytes) -> Signed:
    """The signatures of ``keys`` over ``statement``."""
    return by_key({key.public: key.sign(statement) for key in keys})


def encode(signatures: Signed) -> bytes:
    """One field of an object."""
    return join(*(public + signature for public, signature in signatures))


def decode(data: bytes) -> Signed:
    """Strict inverse of ``encode``; ``MalformedError``."""
    pairs = split(data, most=MOST_SIGNATURES)
    if any(len(pair) != 96 for pair in pairs):
        raise MalformedError("a signature of a person has 96 bytes")
    keys = [pair[:32] for pair in pairs]
    if keys != sorted(set(keys)):
        raise MalformedError("signatures are sorted by key, and each key signs once")
    return tuple((pair[:32], pair[32:]) for pair in pairs)


def people_of(signatures: Signed, statement: bytes, genesis: Genesis) -> Signers:
    """Who has signed ``statement``; ``SEPARATION_OF_DUTIES`` if one person stands in both locks."""
    return count_signers([_maker(public, statement, signature) for public, signature in signatures], genesis)


def _maker(public: bytes, statement: bytes, signature: bytes) -> bytes | None:
    try:
        sign.verify(public, statement, signature)
    except EscrowError:
        return None
    return public
