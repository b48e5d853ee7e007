"""Proof files: one spelling, checked with nothing at hand but a policy file, and good for one entry at one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.cosignature import CosignerKey, identity
from escrow.tlog.merkle import leaf_hash, path_of, root_of
from escrow.tlog.policy import Policy
from escrow.tlog.proof import Proof
from escrow.tlog.vkey import VerifierKey

LOG = SigningKey.from_seed(bytes(31) + b"\x01")
LOG_KEY = VerifierKey.of("log.example/1", LOG.public)
WITNESSES: dict[str, tuple[CosignerKey, ...]] = {
    f"witness.example/{n}": (SigningKey.from_seed(bytes([n] * 32)), MlDsaKey.from_seed(Secret(bytes([n] * 32))))
    for n in (1, 2, 3)
}
POLICY = Policy.parse(
    (
        f"log {LOG_KEY.format()}\n"
        + "".join(
            f"witness {name}/{kind} {identity(name, key).format()}\n"
            for name, keys in WITNESSES.items()
            for kind, key in enumerate(keys)
        )
        + "".join(f"group {name} any {name}/0 {name}/1\n" for name in WITNESSES)
        + f"group most 2 {' '.join(WITNESSES)}\nquorum most\n"
    ).encode()
)
LEAVES = [b"leaf %d" % index for index in range(21)]


def proof(size: int, index: int, cosigners: list[tuple[str, int]], extra: bytes | None = None) -> Proof:
    stated = Checkpoint(LOG_KEY.name, size, root_of(LEAVES[:size]))
    note = checkpoint.sign(stated, LOG_KEY.name, LOG)
    note += b"".join(cosignature.sign(stated.text(), name, WITNESSES[name][kind], 9) for name, kind in cosigners)
    return Proof(index, path_of(LEAVES[:size], index), note, extra)


cosigners = st.lists(st.tuples(st.sampled_from(sorted(WITNESSES)), st.integers(0, 1)), max_size=5, unique=True)


@given(st.integers(1, 21), st.integers(0), st.none() | st.binary(max_size=9), cosigners)
def test_a_file_says_what_was_written_and_counts_each_witness_once(
    size: int, place: int, extra: bytes | None, who: list[tuple[str, int]]
) -> None:
    index = place % size
    made = proof(size, index, who, extra)
    read = Proof.parse(made.encode())
    assert (read, read.encode()) == (made, made.encode())
    if len({name for name, _ in who}) < 2:
        with pytest.raises(RefusedError) as refused:
            read.verify(leaf_hash(LEAVES[index]), POLICY)
        assert refused.value.reason is Reason.QUORUM_MISSING
    else:
        head = read.verify(leaf_hash(LEAVES[index]), POLICY)
        assert (head.size, head.time_ms) == (size, 9_000)


MADE = proof(13, 6, [("witness.example/1", 0), ("witness.example/2", 1)], b"where to look")
FILE = MADE.encode().decode()
LINES = FILE.split("\n")


@pytest.mark.spec("TLG-4")
def test_an_entry_is_where_the_file_says_and_nowhere_else() -> None:
    assert MADE.verify(leaf_hash(LEAVES[6]), POLICY).size == 13
    for index in (0, 5, 7, 12, 13):
        with pytest.raises(RefusedError) as refused:
            Proof(index, MADE.path, MADE.note).verify(leaf_hash(LEAVES[6]), POLICY)
        assert refused.value.reason is Reason.NOT_LOGGED
    with pytest.raises(RefusedError):
        MADE.verify(leaf_hash(b"never logged"), POLICY)


def test_a_log_that_the_policy_does_not_name_proves_nothing() -> None:
    with pytest.raises(RefusedError) as refused:
        MADE.verify(leaf_hash(LEAVES[6]), Policy.parse(b"quorum none\n"))
    assert refused.value.reason is Reason.SIGNATURE_INVALID


@given(st.integers(0, len(FILE.encode()) - 1), st.integers(0, 7))
def test_no_bit_of_a_file_can_be_turned_unless_nobody_vouches_for_it(at: int, bit: int) -> None:
    data = bytearray(FILE.encode())
    data[at] ^= 1 << bit
    try:
        read = Proof.parse(bytes(data))
        assert read.encode() == data
        read.verify(leaf_hash(LEAVES[6]), POLICY)
    except EscrowError:
        return
    assert (read.index, read.path, read.note) == (MADE.index, MADE.path, MADE.note)
    assert read.extra != MADE.extra


@pytest.mark.parametrize(
    "text",
    [
        "",
        FILE.replace("proof@v1", "proof@v2"),
        FILE.replace("index 6", "index 06"),
        FILE.replace("index 6", "index -6"),
        FILE.replace("index 6\n", ""),
        FILE.replace("extra ", "extra  "),
        FILE.replace("extra ", "Extra "),
        FILE.replace(LINES[1] + "\n", LINES[1] + "\n" + LINES[1] + "\n"),
        FILE.replace(LINES[3], LINES[3][:-4]),
        FILE.replace("\n", "\r\n"),
        "\n".join(LINES[:6]) + "\n",
        FILE.replace(LINES[3] + "\n", 64 * (LINES[3] + "\n")),
    ],
)
def test_a_file_with_a_flaw_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        Proof.parse(text.encode())


def test_a_file_has_an_end() -> None:
    with pytest.raises(MalformedError) as refused:
        Proof.parse(FILE.encode() + bytes(1 << 21))
    assert refused.value.reason is Reason.TOO_LARGE
