"""The label: everything a capsule is bound to. 338 bytes, always; its SHA-256 stands for it everywhere else."""

import hashlib
from functools import lru_cache
from typing import Final, final

from msgspec import Struct

from escrow.crypto.suites import SUITES
from escrow.encoding import number, u8, u16, u32, u64
from escrow.errors import MalformedError
from escrow.tags import T, Tag, fields

"""Suite number -> scheme name."""

ESCROWED: Final = 1
"""The only mode that has a label."""

MOST_IN_CHAIN: Final = 1024
_WIDTHS: Final = (2, 1, 32, 32, 32, 8, 32, 32, 4, 8, 16, 8, 4)


@final
class Label(Struct, frozen=True, gc=False):
    """The fields in their order on the wire; ``roster_root`` hides the members behind salts."""

    suite: int
    mode: int
    policy_hash: bytes
    committee_key_hash: bytes
    conv_tag: bytes
    roster_version: int
    roster_root: bytes
    sender_account: bytes
    sender_device: int
    epoch: int
    chain_id: bytes
    chain_no: int
    n_max: int

    def encode(self) -> bytes:
        """``T("label", …)``, 338 bytes."""
        return T(
            Tag.LABEL,
            u16(self.suite),
            u8(self.mode),
            self.policy_hash,
            self.committee_key_hash,
            self.conv_tag,
            u64(self.roster_version),
            self.roster_root,
            self.sender_account,
            u32(self.sender_device),
            u64(self.epoch),
            self.chain_id,
            u64(self.chain_no),
            u32(self.n_max),
        )

    @staticmethod
    def decode(data: bytes) -> "Label":
        """Read strictly; ``MalformedError`` for any other length, suite, mode or chain length than there is."""
        return _read(data)


@lru_cache(maxsize=64)  # a chain brings the same label with each of its messages
def _read(data: bytes) -> Label:
    raw = fields(Tag.LABEL, data, *_WIDTHS)
    suite, mode, policy, committee, conv_tag, version, root, account, device, epoch, chain_id, chain_no, most = raw
    label = Label(
        number(suite),
        number(mode),
        policy,
        committee,
        conv_tag,
        number(version),
        root,
        account,
        number(device),
        number(epoch),
        chain_id,
        number(chain_no),
        number(most),
    )
    if label.suite not in SUITES.values() or label.mode != ESCROWED or not 1 <= label.n_max <= MOST_IN_CHAIN:
        raise MalformedError("a label with a suite, mode or chain length that does not exist")
    return label


def n_max_of(label: bytes) -> int:
    """The last field of a label that is known to be one, without reading all of it."""
    return number(label[-4:])


def label_hash(label: bytes) -> bytes:
    """SHA-256 of the label's bytes, 32 bytes."""
    return hashlib.sha256(label).digest()
