"""COCKTAIL with SHA-512, the cryptography of a key generation: commitments, proofs, encrypted shares, transcript.

Not the run: who speaks when, what is logged and who is blamed is ``dkg``. Follows c2sp.org/cocktail-dkg v0.2.1 and its
published vectors; where the two disagree, the vectors count: the text encodes ECDH results as ristretto255, the
vectors as RFC 8032 points. Over ristretto255 the two agree. Over BLS12-381 the protocol is the same, in G2 and under
names of its own, which nobody has published: there it is ours.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from escrow.crypto.aead import TAG_SIZE, xopen, xseal
from escrow.crypto.group import SIZE, Group, Point, Scalar
from escrow.crypto.sharing import Polynomial, evaluate_commitments, verify_share
from escrow.encoding import u64
from escrow.errors import MalformedError, Reason, RefusedError

CIPHERTEXT_SIZE: Final = SIZE + TAG_SIZE
"""An encrypted share without payload."""

_NAMES: Final = {"edwards25519": b"Ed25519", "ristretto255": b"Ristretto255", "BLS12381G2": b"BLS12381G2"}
"""How COCKTAIL calls the groups; the last one is ours."""


def proof_size(group: Group) -> int:
    """Bytes of a proof of possession: a point and a scalar."""
    return group.size + SIZE


def suite_name(group: Group) -> bytes:
    """How COCKTAIL calls its suite over ``group``."""
    return b"COCKTAIL(" + _NAMES[group.name] + b", SHA-512)"


@dataclass(frozen=True, slots=True)
class Context:
    """What binds everything below to one run: the group, and 64 bytes over session, suite and transport keys."""

    group: Group
    value: bytes

    @classmethod
    def of(cls, group: Group, session: bytes, transports: Sequence[bytes]) -> Self:
        """The context of a run among the holders of these keys, in their order."""
        suite = suite_name(group)
        parts = (b"COCKTAIL-DKG-CONTEXT", u64(len(session)), session, u64(len(suite)), suite)
        return cls(group, hashlib.sha512(b"".join((*parts, _u32le(len(transports)), *transports))).digest())


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a dealer says in public: commitments to its polynomial, its ephemeral key, proof that it knows f(0)."""

    points: tuple[bytes, ...]
    proof: bytes
    ephemeral: bytes

    def encode(self) -> bytes:
        """C_0 ‖ .. ‖ C_{t-1} ‖ proof ‖ E."""
        return b"".join((*self.points, self.proof, self.ephemeral))

    @classmethod
    def decode(cls, data: bytes, threshold: int, size: int = SIZE) -> Self:
        """Read exactly ``threshold`` commitments: one more would raise the threshold for everybody, unnoticed.

        ``size`` is that of a point of the group.
        """
        end = threshold * size
        proof = end + size + SIZE
        if len(data) != proof + size:
            raise MalformedError(f"a dealing commits to exactly {threshold} coefficients")
        points = tuple(data[at : at + size] for at in range(0, end, size))
        return cls(points, data[end:proof], data[proof:])

    def decoded(self, group: Group) -> tuple[Point, ...]:
        """The commitments as points; ``MalformedError`` if one is not of ``group``."""
        return tuple(group.decode(point) for point in self.points)


def commit(context: Context, polynomial: Polynomial, ephemeral: Scalar) -> Commitment:
    """The public part of a dealing."""
    points = tuple(point.encode() for point in polynomial.commitments(context.group))
    public = context.group.base_mul(ephemeral).encode()
    proof = schnorr_sign(context.group, polynomial.coefficients[0], context.value + b"".join(points) + public)
    return Commitment(points, proof, public)


def verify_commitment(context: Context, dealt: Commitment) -> None:
    """Raise ``MalformedError`` or ``RefusedError`` unless the points are good and the dealer knows f(0)."""
    first, *_ = dealt.decoded(context.group)
    context.group.decode(dealt.ephemeral)
    schnorr_verify(first, context.value + b"".join(dealt.points) + dealt.ephemeral, dealt.proof)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two Diffie-Hellman points between one dealer and one recipient; together they open one ciphertext."""

    ephemeral: Point
    """dealer's ephemeral key × recipient's transport key"""
    static: Point
    """dealer's transport key × recipient's transport key"""


@dataclass(frozen=True, slots=True)
class Route:
    """The public keys between which one share travels: the dealer's two, the recipient's one."""

    group: Group
    ephemeral: bytes
    dealer: bytes
    recipient: bytes

    def from_dealer(self, ephemeral: Scalar, transport: Scalar) -> Pair:
        """The pair as the dealer computes it."""
        recipient = self.group.decode(self.recipient)
        return Pair(ephemeral * recipient, transport * recipient)

    def from_recipient(self, transport: Scalar) -> Pair:
        """The pair as the recipient computes it."""
        (_, ephemeral), (_, static) = (self.group.decode_times(key, transport) for key in (self.ephemeral, self.dealer))
        return Pair(ephemeral, static)


def encrypt_share(context: Context, route: Route, pair: Pair, share: Scalar, payload: bytes = b"") -> bytes:
    """``|payload| + 48`` bytes. Key and nonce are single use: the dealer's ephemeral key is."""
    key, nonce = _share_key(context, route, pair)
    return xseal(key, nonce, share.encode() + payload, b"")


def decrypt_share(context: Context, route: Route, pair: Pair, ciphertext: bytes) -> tuple[Scalar, bytes]:
    """The share and the payload; ``RefusedError(DEALING_INVALID)`` or ``MalformedError`` if there is none."""
    key, nonce = _share_key(context, route, pair)
    plaintext = xopen(key, nonce, ciphertext, b"", Reason.DEALING_INVALID)
    return context.group.scalar.decode(plaintext[:SIZE]), plaintext[SIZE:]


def open_share(context: Context, route: Route, pair: Pair, index: int, dealt: Commitment, ciphertext: bytes) -> Scalar:
    """Decrypt the share of recipient ``index`` and check it against the dealer's commitments."""
    share, _ = decrypt_share(context, route, pair, ciphertext)
    verify_share(dealt.decoded(context.group), index, share, Reason.DEALING_INVALID)
    return share


def joint_commitments(group: Group, dealings: Sequence[Commitment]) -> tuple[Point, ...]:
    """Commitments to the sum of all polynomials; the first one is the joint public key."""
    first, *rest = (dealt.decoded(group) for dealt in dealings)
    joint = list(first)
    for points in rest:
        joint = [have + more for have, more in zip(joint, points, strict=True)]
    return tuple(joint)


def verification_share(joint: Sequence[Point], index: int) -> Point:
    """h_i, from the joint commitments."""
    return evaluate_commitments(joint, index)


def transcript_hash(
    context: Context, transports: Sequence[bytes], dealings: Sequence[Commitment], extension: bytes
) -> bytes:
    """SHA-512 over everything public in the run; equal for two parties only if all they saw was equal."""
    suite = suite_name(context.group)
    head = (_u64le(len(suite)), suite, _u64le(len(context.value)), context.value)
    sizes = (_u32le(len(transports)), _u32le(len(dealings[0].points)))
    points = (b"".join(dealt.points) for dealt in dealings)
    proofs = (dealt.proof for dealt in dealings)
    ephemerals = (dealt.ephemeral for dealt in dealings)
    tail = (_u64le(len(extension)), extension)
    return hashlib.sha512(b"".join((*head, *sizes, *transports, *points, *proofs, *ephemerals, *tail))).digest()


def schnorr_sign(group: Group, secret: Scalar, message: bytes) -> bytes:
    """R ‖ z 32, with a deterministic nonce. For proofs of possession in a run, never for signatures of people."""
    public = group.base_mul(secret).encode()
    nonce = _hash_to_scalar(group, b"NONCE", secret.encode() + message)
    if nonce.is_zero:
        raise AssertionError("a nonce of zero would reveal the secret")
    commitment = group.base_mul(nonce).encode()
    challenge = _hash_to_scalar(group, b"H7", commitment + public + message)
    return commitment + (nonce + challenge * secret).encode()


def schnorr_verify(public: Point, message: bytes, proof: bytes) -> None:
    """Raise ``RefusedError(DEALING_INVALID)`` or ``MalformedError`` unless the prover knew log ``public``."""
    group = public.group
    if len(proof) != proof_size(group):
        raise MalformedError(f"a proof of possession has {proof_size(group)} bytes")
    said = proof[: group.size]
    commitment, response = group.decode(said), group.scalar.decode(proof[group.size :])
    challenge = _hash_to_scalar(group, b"H7", said + public.encode() + message)
    if group.base_mul(response) != commitment + challenge * public:
        raise RefusedError(Reason.DEALING_INVALID, "the proof of possession does not hold")


def _share_key(context: Context, route: Route, pair: Pair) -> tuple[bytes, bytes]:
    shared = pair.ephemeral.encode() + pair.static.encode()
    keys = route.ephemeral + route.dealer + route.recipient
    bound = _u64le(len(context.value)) + context.value
    okm = hashlib.sha512(_prefix(context.group) + b"H6" + shared + keys + bound).digest()
    return okm[:32], okm[32:56]


def _hash_to_scalar(group: Group, use: bytes, data: bytes) -> Scalar:
    return group.scalar.from_wide(hashlib.sha512(_prefix(group) + use + data).digest())


def _prefix(group: Group) -> bytes:
    return b"COCKTAIL-DKG-" + _NAMES[group.name] + b"-SHA512-"


def _u32le(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _u64le(value: int) -> bytes:
    return value.to_bytes(8, "little")
