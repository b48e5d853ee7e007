"""What capsule tests share: a committee whose shares are all at hand, labels, and mutations."""

from functools import cache

from hypothesis import strategies as st

from escrow.capsule.label import Label
from escrow.capsule.schemes import CommitteeContext, ShareRequest, scheme_of
from escrow.committee.documents import ShareGeneration
from escrow.secret import Secret
from tests.core.committee.council import documents, secrets, settled

SCHEME = scheme_of(1)
REQUEST_HASH = b"\x77" * 32

hashes = st.binary(min_size=32, max_size=32)
u32s, u64s = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
seeds = hashes.map(Secret)
labels = st.builds(
    Label,
    suite=st.just(1),
    mode=st.just(1),
    policy_hash=hashes,
    committee_key_hash=hashes,
    conv_tag=hashes,
    roster_version=u64s,
    roster_root=hashes,
    sender_account=hashes,
    sender_device=u32s,
    epoch=u64s,
    chain_id=st.binary(min_size=16, max_size=16),
    chain_no=u64s,
    n_max=st.integers(1, 1024),
)


@cache
def committee(
    n: int = 5, t: int = 3, seed: int = 0, suite: int = 1
) -> tuple[CommitteeContext, ShareGeneration, dict[int, Secret]]:
    council = settled(n, t, seed, suite)
    key, generation = documents(council)
    return CommitteeContext.of(council.proposal, key), generation, secrets(council)


def label(epoch: int = 7, suite: int = 1) -> bytes:
    h = bytes(range(32))
    return Label(suite, 1, h, h, h, 0, h, h, 1, epoch, bytes(16), 0, 1).encode()


def asked(capsule: bytes, about: bytes, seed: int = 0, suite: int = 1) -> ShareRequest:
    ctx, generation, _ = committee(seed=seed, suite=suite)
    return ShareRequest(ctx, generation.hash, about, capsule, REQUEST_HASH)


def answers(request: ShareRequest, seed: int = 0) -> dict[int, bytes]:
    _, _, held = committee(seed=seed, suite=request.ctx.suite)
    return {i: scheme_of(request.ctx.suite).share(request, x, i, bytes([i]) * 32) for i, x in held.items()}


def flip(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


def moved(secret: Secret) -> Secret:
    """Another secret of the same form."""
    return Secret(flip(secret.expose(), 0, 1))
