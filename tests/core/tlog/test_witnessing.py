"""The witness: it cosigns one history, and answers everything else with the status of the specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.errors import MalformedError
from escrow.tlog import checkpoint, tree
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import EMPTY_ROOT, leaf_hash
from escrow.tlog.vkey import VerifierKey
from escrow.tlog.witnessing import Request, WitnessRefusal, decide

ORIGIN = "log.example/1"
LOG = SigningKey.from_seed(bytes(31) + b"\x01")
STRANGER = SigningKey.from_seed(bytes(31) + b"\x02")
KNOWN = {ORIGIN: VerifierKey.of(ORIGIN, LOG.public)}


def no_nodes(level: int, index: int) -> bytes:
    raise AssertionError(f"an empty tree has no node {level}, {index}")


HASHES = [leaf_hash(b"%d" % index) for index in range(40)]
_, NODES = tree.append(0, HASHES, no_nodes)
_, FORKED = tree.append(0, [leaf_hash(b"other"), *HASHES[1:]], no_nodes)


def read(level: int, index: int) -> bytes:
    return NODES[level, index]


def fork(level: int, index: int) -> bytes:
    return FORKED[level, index]


def request(old: int, size: int, history: tree.ReadNode = read, proof: tuple[bytes, ...] | None = None) -> Request:
    stated = Checkpoint(ORIGIN, size, tree.root(size, history))
    if proof is None:
        proof = tree.consistency(old, size, history) if 0 < old <= size else ()
    return Request.of(old, proof, checkpoint.sign(stated, ORIGIN, LOG))


def status(recorded: tuple[int, bytes] | None, asked: Request) -> int:
    try:
        decide(recorded, asked, KNOWN)
    except WitnessRefusal as refusal:
        return refusal.status
    return 200


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=12))
def test_a_witness_cosigns_growing_prefixes_of_one_history(asked: list[tuple[int, int, bool]]) -> None:
    recorded: tuple[int, bytes] | None = None
    history = None
    for old, size, forked in asked:
        try:
            new = decide(recorded, request(old, size, fork if forked else read), KNOWN)
        except WitnessRefusal:
            continue
        assert new[0] >= (recorded or (0, b""))[0]
        if new[0]:
            assert history in {None, forked}, "two histories were cosigned"
            history = forked
        recorded = new


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_request_survives_its_encoding(old: int, size: int) -> None:
    asked = request(old, size)
    assert Request.parse(asked.encode()) == asked


def test_the_first_checkpoint_needs_no_proof_and_may_not_bring_one() -> None:
    assert decide(None, request(0, 7), KNOWN) == (7, tree.root(7, read))
    assert status(None, request(0, 7, proof=(bytes(32),))) == 422


def test_the_same_checkpoint_may_be_cosigned_again() -> None:
    recorded = (7, tree.root(7, read))
    assert decide(recorded, request(7, 7), KNOWN) == recorded
    assert decide(None, request(0, 0), KNOWN) == (0, EMPTY_ROOT)
    assert decide((0, EMPTY_ROOT), request(0, 0), KNOWN) == (0, EMPTY_ROOT)


def test_another_root_at_the_same_size_is_a_fork() -> None:
    assert status((7, tree.root(7, read)), request(7, 7, fork)) == 422
    assert status((7, tree.root(7, read)), request(7, 9, fork)) == 422
    assert status((7, tree.root(7, read)), request(7, 9, proof=())) == 422


def test_an_empty_tree_with_a_root_is_refused() -> None:
    note = checkpoint.sign(Checkpoint(ORIGIN, 0, bytes(32)), ORIGIN, LOG)
    assert status(None, Request.of(0, (), note)) == 422


def test_an_old_size_beyond_the_new_one_is_a_bad_request() -> None:
    assert status((9, tree.root(9, read)), request(9, 7)) == 400


@pytest.mark.parametrize("old", [0, 5, 8])
def test_another_old_size_is_answered_with_the_recorded_one(old: int) -> None:
    with pytest.raises(WitnessRefusal) as refusal:
        decide((7, tree.root(7, read)), request(old, 9), KNOWN)
    assert (refusal.value.status, refusal.value.body) == (409, b"7\n")
    with pytest.raises(WitnessRefusal) as refusal:
        decide(None, request(5, 9), KNOWN)
    assert (refusal.value.status, refusal.value.body) == (409, b"0\n")


def test_an_unknown_origin_is_not_found_whoever_signed() -> None:
    note = checkpoint.sign(Checkpoint("log.example/2", 7, bytes(32)), ORIGIN, LOG)
    assert status(None, Request.of(0, (), note)) == 404


def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden() -> None:
    stated = Checkpoint(ORIGIN, 7, tree.root(7, read))
    assert status(None, Request.of(0, (), checkpoint.sign(stated, ORIGIN, STRANGER))) == 403
    good = checkpoint.sign(stated, ORIGIN, LOG)
    assert status(None, Request.of(0, (), good + checkpoint.sign(stated, "x", STRANGER).split(b"\n\n")[1])) == 200
    bad = checkpoint.sign(Checkpoint(ORIGIN, 8, bytes(32)), ORIGIN, LOG).split(b"\n\n")[1]
    assert status(None, Request.of(0, (), good + bad)) == 403


BODY = request(7, 9).encode().decode()
HEAD, NOTE = BODY.split("\n\n", 1)
LINE = HEAD.split("\n")[1]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n" + BODY,
        BODY.replace("old 7", "old 07"),
        BODY.replace("old 7", "old -7"),
        BODY.replace("old 7", "old  7"),
        BODY.replace("old 7", "Old 7"),
        BODY.replace("old 7\n", "old 7\r\n"),
        BODY.replace("old 7\n", ""),
        BODY.replace(LINE, LINE[:-1]),
        BODY.replace(LINE, "AAAA"),
        BODY.replace(LINE, LINE + " "),
        HEAD + "\n" + NOTE,
        HEAD + "\n\n\n" + NOTE,
        "old 7\n" + 64 * (LINE + "\n") + "\n" + NOTE,
        HEAD + "\n\n" + NOTE.replace("\n9\n", "\n9\nextension\n\n"),
        HEAD + "\n\n" + NOTE.replace("\n9\n", "\n09\n"),
    ],
)
def test_a_malformed_request_is_a_bad_request(body: str) -> None:
    assert body != BODY
    with pytest.raises(WitnessRefusal) as refusal:
        Request.parse(body.encode())
    assert refusal.value.status == 400


@given(st.binary(max_size=120))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    statuses = set[int]()
    for body in (
        data,
        BODY.encode() + data,
        data + BODY.encode(),
        BODY.encode().replace(b"\n\n", b"\n" + data + b"\n\n"),
    ):
        try:
            assert Request.parse(body).encode() == body
        except WitnessRefusal as refusal:
            statuses.add(refusal.status)
    assert statuses <= {400, 403}


@pytest.mark.parametrize("note", ["", NOTE[:-1], NOTE[:-3] + "x=\n", NOTE[: NOTE.index("\n\n") + 2]])
def test_a_checkpoint_that_is_no_signed_note_is_forbidden(note: str) -> None:
    with pytest.raises(WitnessRefusal) as refusal:
        Request.parse(f"{HEAD}\n\n{note}".encode())
    assert refusal.value.status == 403


def test_a_log_that_misforms_its_own_request_hears_so() -> None:
    with pytest.raises(MalformedError):
        Request.of(0, (), b"no note\n")
