"""One item of a release: a message as the relay accepted it, with all that proves it was logged in time.

The relay produces items, the agency puts them into requests, custodians and verifiers check them. Here is only
the form; what must hold of an item is checked by the roles, in their order.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from escrow.capsule.body import Body
from escrow.capsule.header import Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.schemes import scheme_of
from escrow.encoding import number, u64
from escrow.tags import T, Tag, fields
from escrow.warrant.roster_path import RosterPath, split_path


@dataclass(frozen=True)
class Item:
    """``T("release-item", …)``: the hot objects byte for byte as they were accepted; ``roster_path`` may be absent.

    Sizes in bytes: label 338, device_sig 64, env_root 32, receipt 205, frame 131, relay_sig 64.
    """

    label: bytes
    capsule: bytes
    body: bytes
    device_sig: bytes
    env_root: bytes
    receipt: bytes
    path: bytes
    """Of the receipt in its frame."""
    frame: bytes
    relay_sig: bytes
    root_index: int
    """Position of the ingest root's entry in the main log."""
    root_size: int
    """Size of the ingest tree under that root."""
    ingest_path: tuple[bytes, ...]
    """Of the receipt's hash under that root."""
    roster_path: RosterPath | None = None

    def encode(self) -> bytes:
        """The bytes in a request."""
        parts = [
            self.label,
            self.capsule,
            self.body,
            self.device_sig,
            self.env_root,
            self.receipt,
            self.path,
            self.frame,
            self.relay_sig,
            u64(self.root_index),
            u64(self.root_size),
            b"".join(self.ingest_path),
        ]
        if self.roster_path is not None:
            parts.append(self.roster_path.encode())
        return T(Tag.RELEASE_ITEM, *parts)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``, label and header included; ``MalformedError``."""
        cut = fields(Tag.RELEASE_ITEM, data, 338, None, None, 64, 32, 205, None, 131, 64, 8, 8, None, None, optional=1)
        label, capsule, body, device_sig, env_root, receipt, path, frame, relay_sig, *proof = cut
        item = cls(
            label,
            capsule,
            body,
            device_sig,
            env_root,
            receipt,
            path,
            frame,
            relay_sig,
            root_index=number(proof[0]),
            root_size=number(proof[1]),
            ingest_path=split_path(proof[2]),
            roster_path=RosterPath.decode(proof[3]) if len(proof) > 3 else None,
        )
        item.order  # noqa: B018 - reading it parses label and header, which must be well formed
        return item

    @cached_property
    def terms(self) -> Label:
        """The label, read."""
        return Label.decode(self.label)

    @cached_property
    def header(self) -> Header:
        """The header inside the body, read."""
        return Header.decode(Body.decode(self.body).header)

    @cached_property
    def capsule_id(self) -> tuple[bytes, bytes]:
        """Label hash and capsule hash, 32 bytes each."""
        return label_hash(self.label), cap_hash(self.terms.suite, self.capsule)

    @cached_property
    def unit(self) -> tuple[bytes, ...]:
        """What a share for this item opens, see ``Scheme.unit``: what quotas count."""
        return scheme_of(self.terms.suite).unit(self.label, self.capsule)

    @property
    def order(self) -> tuple[bytes, bytes, int]:
        """The place of the item in a request: by capsule, then by index in its chain."""
        return (*self.capsule_id, self.header.index)
