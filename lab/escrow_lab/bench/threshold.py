"""Other people's threshold cryptography: NuCypher's Umbral and ferveo in Rust, if installed.

``nucypher-core`` (GPL, extra ``bench-copyleft``) holds both. Umbral re-encrypts for a recipient in threshold parts: a
custodian reads the capsule, makes its part and proves it, and the recipient checks each part before it puts them
together. Ferveo's parts carry no proof. pyUmbral, which is Umbral in Python, runs elsewhere: see ``elsewhere``.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from escrow_lab.bench.measure import Contestant

SEED: Final = b"s" * 32
"""What all of them encrypt."""

Steps = Mapping[str, Contestant]
"""By the name of our operation."""


def installed(name: str) -> bool:
    """Whether a peer can be measured."""
    return find_spec(name) is not None


def umbral() -> Steps:
    """What ``nucypher_core.umbral`` does; a message kit is its capsule and ciphertext."""
    from nucypher_core import umbral as library

    few, many = Kit(3, 5), Kit(67, 100)
    return {
        "encrypt": few.encrypt,
        "verify": lambda: library.Capsule.from_bytes(few.raw),
        "share": lambda: few.answer(few.kit.capsule),
        "verify-share": lambda: few.check(few.received[0]),
        "request": lambda: few.answer(library.Capsule.from_bytes(few.raw)),
        "open-3": few.open,
        "open-67": many.open,
    }


class Kit:
    """A message of Umbral's for one key, and the parts of its re-encryption for another."""

    def __init__(self, t: int, n: int) -> None:
        from nucypher_core import umbral as library

        self._library = library
        alice, self._bob = library.SecretKey.random(), library.SecretKey.random()
        signer = library.Signer(library.SecretKey.random())
        self._keys = signer.verifying_key(), alice.public_key(), self._bob.public_key()
        self.kit = self.encrypt()
        self.raw = bytes(self.kit.capsule)
        self._fragments = library.generate_kfrags(
            delegating_sk=alice,
            receiving_pk=self._bob.public_key(),
            signer=signer,
            threshold=t,
            shares=n,
            sign_delegating_key=False,
            sign_receiving_key=False,
        )
        answers = [library.reencrypt(self.kit.capsule, fragment) for fragment in self._fragments[:t]]
        self.received = [library.CapsuleFrag.from_bytes(bytes(answer)) for answer in answers]

    def encrypt(self) -> Any:
        """Make a message."""
        from nucypher_core import MessageKit

        return MessageKit(self._keys[1], SEED, None)

    def answer(self, capsule: Any) -> Any:
        """Make a part and prove it."""
        return self._library.reencrypt(capsule, self._fragments[0])

    def check(self, part: Any) -> Any:
        """Check a part."""
        return part.verify(self.kit.capsule, *self._keys)

    def open(self) -> bytes:
        """Check threshold parts and decrypt with them."""
        checked = [self.check(part) for part in self.received]
        return bytes(self.kit.decrypt_reencrypted(self._bob, self._keys[1], checked))


def ferveo() -> Steps:
    """What ferveo does: its parts have no proof, and making one checks the capsule."""
    few, many = Dealt(3, 5), Dealt(67, 100)
    return {"encrypt": few.encrypt, "request": few.answer, "open-3": few.open, "open-67": many.open}


class Dealt:
    """A key of ferveo's that one dealer has made, and the parts of threshold validators."""

    _AD = b"associated data"

    def __init__(self, t: int, n: int) -> None:
        from nucypher_core import ferveo as library

        self._library, keys = library, [library.Keypair.random() for _ in range(n)]
        everybody = [library.Validator(f"0x{at:040x}", key.public_key(), at) for at, key in enumerate(keys)]
        seen = [library.Dkg(tau=1, shares_num=n, security_threshold=t, validators=everybody, me=me) for me in everybody]
        dealing = library.ValidatorMessage(everybody[0], seen[0].generate_transcript())
        self._public = seen[0].aggregate_transcripts([dealing]).public_key
        self._sealed = self.encrypt()
        make = library.AggregatedTranscript([dealing]).create_decryption_share_simple
        header = self._sealed.header
        self._answers: list[Callable[[], Any]] = [
            partial(make, dkg, header, self._AD, key) for dkg, key in zip(seen, keys, strict=True)
        ]
        self._parts = [answer() for answer in self._answers[:t]]

    def encrypt(self) -> Any:
        """Make a ciphertext."""
        return self._library.encrypt(SEED, self._AD, self._public)

    def answer(self) -> Any:
        """Make a part."""
        return self._answers[0]()

    def open(self) -> bytes:
        """Put threshold parts together and decrypt."""
        shared = self._library.combine_decryption_shares_simple(self._parts)
        return bytes(self._library.decrypt_with_shared_secret(self._sealed, self._AD, shared))
