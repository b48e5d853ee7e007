"""What travels inside the session to each device beside the body: the seed, and what it belongs to.

The session hides it from the relay; the root over all envelopes stands in the signed submission, so that the relay can
neither exchange one nor hand one to another device.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Self

from msgspec import Struct

from escrow.encoding import number, u8, u32
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag, fields
from escrow.tlog.merkle import leaf_hash, path_of, root_of, verify_inclusion

Envelope = tuple[bytes, int, bytes]
"""(account 32, device u32, envelope)."""


class EnvelopeContent(Struct, frozen=True, gc=False):
    """The plaintext of an envelope. ``seed`` is there iff ``index`` is 0.

    ``genesis`` is the conversation's version, with index 0 until the receiving device has written under it.
    """

    mode: int
    label_hash: bytes
    cap_hash: bytes
    index: int
    body_id: bytes
    seed: Secret | None
    genesis: bytes | None

    def __repr__(self) -> str:
        return f"EnvelopeContent({self.body_id.hex()})"  # the conversation's version holds its secret

    def encode(self) -> bytes:
        """``T("env", mode u8, label_hash, cap_hash, index u32, body_id, seed 0|32|64, [genesis])``."""
        seed = self.seed.expose() if self.seed else b""
        optional = [] if self.genesis is None else [self.genesis]
        return T(
            Tag.ENVELOPE,
            u8(self.mode),
            self.label_hash,
            self.cap_hash,
            u32(self.index),
            self.body_id,
            seed,
            *optional,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; raise ``MalformedError``."""
        mode, label, cap, index, body, seed, *genesis = fields(
            Tag.ENVELOPE, data, 1, 32, 32, 4, 32, None, None, optional=1
        )
        if len(seed) not in ((32, 64) if number(index) == 0 else (0,)):
            raise MalformedError("a seed where none belongs, or none where one does")
        if genesis and number(index):
            raise MalformedError("a conversation travels at the start of a chain only")
        return cls(
            number(mode),
            label,
            cap,
            number(index),
            body,
            Secret(seed) if seed else None,
            genesis[0] if genesis else None,
        )


def env_root(envelopes: Iterable[Envelope]) -> bytes:
    """RFC 6962 root over the envelopes by (account, device); the root of the empty tree where there is none."""
    return root_of(_leaves(envelopes)[0])


class EnvelopePath(Struct, frozen=True):
    """Proof that an envelope stands under a root: u32 index ‖ u32 size ‖ hashes."""

    index: int
    size: int
    hashes: Sequence[bytes]

    def encode(self) -> bytes:
        """8 + 32·n bytes."""
        return u32(self.index) + u32(self.size) + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; raise ``MalformedError``."""
        if len(data) < 8 or len(data) % 32 != 8:
            raise MalformedError("an envelope path of a broken length")
        hashes = tuple(data[at : at + 32] for at in range(8, len(data), 32))
        return cls(number(data[:4]), number(data[4:8]), hashes)


def env_path(envelopes: Iterable[Envelope], account: bytes, device: int) -> bytes:
    """The encoded path of one device's envelope."""
    leaves, places = _leaves(envelopes)
    index = places.index((account, device))
    return EnvelopePath(index, len(leaves), path_of(leaves, index)).encode()


def verify_env_path(envelope: Envelope, path: bytes, root: bytes) -> None:
    """Raise ``RefusedError(ENV_ROOT)`` unless ``envelope`` stands under ``root``; ``MalformedError``."""
    proof = EnvelopePath.decode(path)
    try:
        verify_inclusion(leaf_hash(_leaf(envelope)), proof.index, proof.size, proof.hashes, root)
    except RefusedError:
        raise RefusedError(Reason.ENV_ROOT) from None


def _leaf(envelope: Envelope) -> bytes:
    account, device, data = envelope
    return T(Tag.ENVELOPE_LEAF, account, u32(device), hashlib.sha256(data).digest())


def _leaves(envelopes: Iterable[Envelope]) -> tuple[list[bytes], list[tuple[bytes, int]]]:
    ordered = sorted(envelopes, key=lambda each: each[:2])
    places = [(account, device) for account, device, _ in ordered]
    if len(set(places)) != len(places):
        raise MalformedError("two envelopes for one device")
    return [_leaf(each) for each in ordered], places
