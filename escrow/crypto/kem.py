"""ML-KEM-1024 (FIPS 203), and the port behind which encapsulation gets its randomness.

``SystemKem`` draws its own; ``SeededKem`` takes it from its owner, so that a simulated world repeats itself.
The latter needs the extra ``pq``, is pure Python, slow and leaks by timing: never for a real message.
Decapsulation does not fail: a wrong ciphertext yields another secret, and whatever is sealed with it tells.
"""

from collections.abc import Callable
from typing import Protocol, final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey

from escrow.encoding import expect
from escrow.errors import MalformedError

PUBLIC_SIZE = 1568
CIPHERTEXT_SIZE = 1568


class Kem(Protocol):
    """Encapsulation for ML-KEM-1024."""

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """A ciphertext (1568 bytes) and the secret in it (32); raise ``MalformedError`` for an invalid key."""
        ...


@final
class MlKemKey:
    """A private key. Its public half is made when asked for, since a key that was published only decapsulates."""

    __slots__ = ("_key",)

    def __init__(self, key: MLKEM1024PrivateKey) -> None:
        self._key = key

    @classmethod
    def from_seed(cls, seed: bytes) -> "MlKemKey":
        """The key of 64 uniform bytes (d ‖ z)."""
        return cls(MLKEM1024PrivateKey.from_seed_bytes(seed))

    @property
    def public(self) -> bytes:
        """1568 bytes."""
        return self._key.public_key().public_bytes_raw()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-byte secret; raise ``MalformedError`` for a wrong length and for nothing else."""
        return self._key.decapsulate(expect(ciphertext, CIPHERTEXT_SIZE, "an ML-KEM-1024 ciphertext"))


@final
class SystemKem:
    """Encapsulation with the randomness of the operating system."""

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """As ``Kem``."""
        try:
            key = MLKEM1024PublicKey.from_public_bytes(public)
        except ValueError:
            raise MalformedError("not an ML-KEM-1024 key") from None
        secret, ciphertext = key.encapsulate()
        return ciphertext, secret


@final
class SeededKem:
    """Encapsulation with the randomness of ``draw``, which returns as many bytes as it is asked for."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        self._draw = draw

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """As ``Kem``."""
        from kyber_py.ml_kem import ML_KEM_1024

        try:
            secret, ciphertext = ML_KEM_1024._encaps_internal(public, self._draw(32))
        except ValueError:
            raise MalformedError("not an ML-KEM-1024 key") from None
        return ciphertext, secret
