"""What a sender makes, in the smallest form: a label, a seed, its capsule, and a request for shares of it."""

from hypothesis import strategies as st

from escrow.capsule.label import Label
from escrow.capsule.schemes import ShareRequest, scheme_of
from escrow.crypto.group import Scalar
from escrow.secret import Secret
from tests.claims.keygen import Committee, coins

SCHEME = scheme_of(1)

seeds: st.SearchStrategy[bytes] = st.binary(min_size=32, max_size=32)
numbers: st.SearchStrategy[int] = st.integers(0, 2**32 - 1)


def label(committee: Committee, number: int = 0) -> bytes:
    """One of many labels for the committee; another number, another label."""
    hashes = [coins(number, what) for what in ("policy", "tag", "roster", "account", "chain")]
    policy, tag, roster, account, chain = hashes
    key_hash = committee.key.hash
    return Label(1, 1, policy, key_hash, tag, 0, roster, account, 1, number % 1000, chain[:16], number, 1).encode()


def capsule(committee: Committee, number: int, seed: bytes) -> bytes:
    return SCHEME.encapsulate(committee.ctx, label(committee, number), Secret(seed))


def request(committee: Committee, number: int, capsule_: bytes, request_hash: bytes = bytes(32)) -> ShareRequest:
    return ShareRequest(committee.ctx, committee.generation.hash, label(committee, number), capsule_, request_hash)


def share(asked: ShareRequest, x: Scalar, index: int) -> bytes:
    return SCHEME.share(asked, Secret(x.encode()), index, coins("proof", index, asked.capsule))


def shares(committee: Committee, asked: ShareRequest, *indices: int) -> dict[int, bytes]:
    """The honest answers of these custodians."""
    return {index: share(asked, committee.shares[index], index) for index in indices}
