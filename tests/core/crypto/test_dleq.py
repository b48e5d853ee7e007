import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto import dleq
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import ORDER, Point, Scalar
from escrow.errors import MalformedError, Reason, RefusedError
from tests.core.crypto import edwards
from tests.core.crypto.draws import contexts, flip, nonzero, points, seeds

CONTEXT = (b"capsule", b"\x01")
COINS = bytes(range(32))
X = Scalar(0x1234_5678_9ABC_DEF0)
U = EDWARDS25519.base_mul(Scalar(987654321))


def honest(context: tuple[bytes, ...] = CONTEXT, coins: bytes = COINS) -> bytes:
    return dleq.prove(X, U, EDWARDS25519.base_mul(X), X * U, context, coins)


def refused(h: Point, base2: Point, share: Point, proof: bytes, context: tuple[bytes, ...] = CONTEXT) -> None:
    with pytest.raises(RefusedError) as caught:
        dleq.verify(h, base2, share, proof, context)
    assert caught.value.reason is Reason.SHARE_INVALID
    assert not caught.value.culprits


@given(nonzero, points, contexts, seeds)
def test_an_honest_proof_holds(x: Scalar, base2: Point, context: tuple[bytes, ...], coins: bytes) -> None:
    proof = dleq.prove(x, base2, EDWARDS25519.base_mul(x), x * base2, context, coins)
    assert len(proof) == dleq.PROOF_SIZE
    dleq.verify(EDWARDS25519.base_mul(x), base2, x * base2, proof, context)


@given(points)
def test_a_proof_holds_for_no_other_point_in_any_place(other: Point) -> None:
    h, share, proof = EDWARDS25519.base_mul(X), X * U, honest()
    for statement in ((other, U, share), (h, other, share), (h, U, other), (share, U, h)):
        if statement != (h, U, share):
            refused(*statement, proof)


@given(contexts)
def test_a_proof_holds_in_no_other_context(context: tuple[bytes, ...]) -> None:
    if context != CONTEXT:
        refused(EDWARDS25519.base_mul(X), U, X * U, honest(), context)


@pytest.mark.parametrize(
    "context", [(b"capsule", b"\x02"), (b"capsule\x01",), (b"capsul", b"e\x01"), (), CONTEXT[::-1]]
)
def test_another_index_or_another_cut_of_the_context_is_refused(context: tuple[bytes, ...]) -> None:
    refused(EDWARDS25519.base_mul(X), U, X * U, honest(), context)


@given(st.integers(0, 8 * dleq.PROOF_SIZE - 1))
def test_a_proof_with_any_bit_flipped_is_refused(bit: int) -> None:
    refused(EDWARDS25519.base_mul(X), U, X * U, flip(honest(), bit))


@pytest.mark.parametrize("length", [0, 32, 63, 65, 128])
def test_a_proof_of_another_length_is_refused(length: int) -> None:
    refused(EDWARDS25519.base_mul(X), U, X * U, honest().ljust(length, b"\x00")[:length])


@pytest.mark.parametrize("half", [0, 1])
def test_a_proof_cannot_be_spelled_in_a_second_way(half: int) -> None:
    parts = [honest()[:32], honest()[32:]]
    parts[half] = (int.from_bytes(parts[half], "little") + ORDER).to_bytes(32, "little")
    refused(EDWARDS25519.base_mul(X), U, X * U, b"".join(parts))


def test_a_wrong_share_cannot_be_proved_with_the_right_secret() -> None:
    wrong = (X + Scalar(1)) * U
    refused(EDWARDS25519.base_mul(X), U, wrong, dleq.prove(X, U, EDWARDS25519.base_mul(X), wrong, CONTEXT, COINS))


def test_a_proof_for_another_key_does_not_serve_this_one() -> None:
    y = X + Scalar(1)
    refused(EDWARDS25519.base_mul(X), U, X * U, dleq.prove(y, U, EDWARDS25519.base_mul(y), y * U, CONTEXT, COINS))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_statement_about_the_identity_is_refused(place: int) -> None:
    statement = [EDWARDS25519.base_mul(X), U, X * U]
    statement[place] = EDWARDS25519.identity
    refused(statement[0], statement[1], statement[2], honest())


BAD_POINTS = [
    *(
        edwards.encode(edwards.add(edwards.decode(U.encode()), torsion))
        for torsion in edwards.TORSION
        if torsion != (0, 1)
    ),
    *edwards.NOT_CANONICAL,
    *map(edwards.encode, edwards.TORSION),
    bytes(31),
]


@pytest.mark.parametrize("proof", [honest(), bytes(64), bytes(32) + honest()[32:], honest()[:32] + bytes(32)])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_encoding_that_is_no_point_gets_into_a_sum(place: int, proof: bytes) -> None:
    """Multiplication is what checks them, and where a scalar is zero, there is none."""
    for bad in BAD_POINTS:
        statement = [EDWARDS25519.base_mul(X).encode(), U.encode(), (X * U).encode()]
        statement[place] = bad
        with pytest.raises(RefusedError) as caught:
            dleq.verify_encoded(EDWARDS25519, statement[0], statement[1], statement[2], proof, CONTEXT)
        assert caught.value.detail != "the proof does not hold for this statement"


def test_a_refusal_carries_the_reason_the_caller_asked_for() -> None:
    with pytest.raises(RefusedError) as caught:
        dleq.verify(EDWARDS25519.base_mul(X), U, X * U, bytes(64), CONTEXT, reason=Reason.DISPUTE_INVALID)
    assert caught.value.reason is Reason.DISPUTE_INVALID


def _nonce(proof: bytes, x: Scalar) -> Scalar:
    return Scalar.decode(proof[32:]) - Scalar.decode(proof[:32]) * x


def test_a_stuck_generator_never_repeats_a_nonce_for_another_statement_or_secret() -> None:
    y = X + Scalar(1)
    nonces = {
        _nonce(honest(), X),
        _nonce(honest(context=(b"capsule", b"\x02")), X),
        _nonce(honest(coins=bytes(32)), X),
        _nonce(
            dleq.prove(
                X, EDWARDS25519.base_mul(X), EDWARDS25519.base_mul(X), X * EDWARDS25519.base_mul(X), CONTEXT, COINS
            ),
            X,
        ),
        _nonce(dleq.prove(y, U, EDWARDS25519.base_mul(y), y * U, CONTEXT, COINS), y),
    }
    assert len(nonces) == 5


def test_whoever_knows_coins_and_statement_still_does_not_know_the_nonce() -> None:
    h, share, y = EDWARDS25519.base_mul(X), X * U, X + Scalar(1)
    claimed_by_another = dleq.prove(y, U, h, share, CONTEXT, COINS)
    assert _nonce(honest(), X) != _nonce(claimed_by_another, y)


def test_a_step_that_runs_again_makes_the_same_proof() -> None:
    assert honest() == honest()


def test_coins_of_another_length_are_refused() -> None:
    with pytest.raises(MalformedError):
        honest(coins=b"short")
