"""LOG-08: what proves an entry to us proves it to anybody who reads the specifications, and nothing else does.

The other reader is ``tests/oracles/clerk.py``. Clients that others have written check whole logs in
``tests/oracles/test_other_clients.py``, where they are installed.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.errors import EscrowError
from escrow.secret import Secret
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.cosignature import CosignerKey, identity
from escrow.tlog.merkle import leaf_hash, path_of, root_of
from escrow.tlog.note import parse_lines
from escrow.tlog.policy import Policy
from escrow.tlog.proof import Proof
from escrow.tlog.vkey import VerifierKey
from tests.claims.keygen import coins
from tests.claims.measures import Census, effort
from tests.core.crypto.draws import flip
from tests.oracles import clerk

pytestmark = pytest.mark.claim("LOG-08")

ORIGIN, K = "log.example/claims", 2
LOG, PQ_LOG = SigningKey.from_seed(coins("log")), MlDsaKey.from_seed(Secret(coins("pq-log")))
WITNESSES: dict[str, tuple[CosignerKey, ...]] = {
    f"witness.example/{n}": (
        SigningKey.from_seed(coins("witness", n)),
        MlDsaKey.from_seed(Secret(coins("pq-witness", n))),
    )
    for n in range(3)
}
LOG_KEYS = (VerifierKey.of(ORIGIN, LOG.public).format(), identity(ORIGIN, PQ_LOG).format())
WITNESS_KEYS = {name: [identity(name, key).format() for key in keys] for name, keys in WITNESSES.items()}
POLICY = Policy.parse(
    "".join(
        [
            *(f"log {key}\n" for key in LOG_KEYS),
            *(f"witness {name}0 {one}\nwitness {name}1 {two}\n" for name, (one, two) in WITNESS_KEYS.items()),
            *(f"group {name} any {name}0 {name}1\n" for name in WITNESSES),
            f"group most {K} {' '.join(WITNESSES)}\nquorum most\n",
        ]
    ).encode()
)
LEAVES = [b"leaf %d" % index for index in range(40)]

signers = st.lists(st.tuples(st.sampled_from(sorted(WITNESSES)), st.integers(0, 1)), max_size=5)


def written(size: int, index: int, *, plain: bool, post_quantum: bool, who: list[tuple[str, int]]) -> bytes:
    """A proof file as our log and witnesses make it."""
    text = Checkpoint(ORIGIN, size, root_of(LEAVES[:size])).text()
    lines = [checkpoint.sign(Checkpoint.parse(text), ORIGIN, LOG).rpartition(b"\n\n")[2]] if plain else []
    lines += [cosignature.sign(text, ORIGIN, PQ_LOG, 9)] if post_quantum else []
    lines += [cosignature.sign(text, name, WITNESSES[name][kind], 9) for name, kind in who]
    return Proof(index, path_of(LEAVES[:size], index), text + b"\n" + b"".join(lines), b"extra").encode()


def ours(file: bytes, leaf: bytes) -> int | None:
    try:
        return Proof.parse(file).verify(leaf_hash(leaf), POLICY).size
    except EscrowError:
        return None


def theirs(file: bytes, leaf: bytes) -> int | None:
    try:
        return clerk.check(file, leaf, LOG_KEYS, WITNESS_KEYS, K)
    except clerk.Wrong:
        return None


@effort(1.5)
@given(
    size=st.integers(1, 40), place=st.integers(0), plain=st.booleans(), post_quantum=st.booleans(), who=signers,
    bit=st.integers(0), drop=st.integers(0),
)  # fmt: skip
def test_two_readers_of_the_specifications_agree(
    census: Census, size: int, place: int, bit: int, drop: int, *, plain: bool, post_quantum: bool,
    who: list[tuple[str, int]],
) -> None:  # fmt: skip
    index = place % size
    file = written(size, index, plain=plain, post_quantum=post_quantum, who=who)
    good = (plain or post_quantum) and len({name for name, _ in who}) >= K
    assert ours(file, LEAVES[index]) == theirs(file, LEAVES[index]) == (size if good else None)
    census("accepted" if good else "refused")
    lines = file.decode().split("\n")
    without = "\n".join(lines[: drop % len(lines)] + lines[drop % len(lines) + 1 :]).encode()
    for other, leaf in ((file, b"never logged"), (flip(file, bit), LEAVES[index]), (without, LEAVES[index])):
        assert ours(other, leaf) == theirs(other, leaf)
        census("refused" if ours(other, leaf) is None else "accepted")


@effort(0.5)
@given(bit=st.integers(0), kind=st.integers(0, 1), name=st.sampled_from(sorted(WITNESSES)))
def test_a_wrong_signature_of_a_trusted_key_spoils_the_proof_for_everybody(
    census: Census, bit: int, kind: int, name: str
) -> None:
    file = written(13, 6, plain=True, post_quantum=False, who=[(one, kind) for one in WITNESSES])
    begin, blank, end = file.rpartition(b"\n\n")
    lines = end.splitlines(keepends=True)
    for at, line in enumerate(lines):
        if name.encode() in line:
            good = parse_lines(line)[0]
            lines[at] = type(good)(good.name, good.key_id, flip(good.blob, bit)).line()
    spoilt = begin + blank + b"".join(lines)
    assert spoilt != file
    assert ours(file, LEAVES[6]) == theirs(file, LEAVES[6]) == 13
    assert ours(spoilt, LEAVES[6]) is None
    assert theirs(spoilt, LEAVES[6]) is None
    census("refused")
