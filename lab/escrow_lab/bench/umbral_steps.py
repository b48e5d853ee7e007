"""pyUmbral, measured in an interpreter of its own: needs nothing but ``umbral`` and the standard library.

Reads lines ``case count`` and answers each with the nanoseconds of CPU that so many steps took. The first line it says
is ``ready``. Started by ``elsewhere``.
"""

import sys
from time import process_time_ns
from typing import Any, Callable, Dict  # noqa: UP035 - the other interpreter may be an old one

import umbral

SEED = b"s" * 32


def steps() -> Dict[str, Callable[[], object]]:  # noqa: UP006
    """By the name of our operation."""
    few, many = Kit(3, 5), Kit(67, 100)
    return {
        "encrypt": few.encrypt,
        "verify": lambda: umbral.Capsule.from_bytes(few.raw),
        "share": lambda: few.answer(few.capsule),
        "verify-share": lambda: few.check(few.received[0]),
        "request": lambda: few.answer(umbral.Capsule.from_bytes(few.raw)),
        "open-3": few.open,
        "open-67": many.open,
    }


class Kit:
    """A capsule for one key, and the parts of its re-encryption for another."""

    def __init__(self, t: int, n: int) -> None:
        alice, self._bob = umbral.SecretKey.random(), umbral.SecretKey.random()
        signer = umbral.Signer(umbral.SecretKey.random())
        self._keys = {
            "verifying_pk": signer.verifying_key(),
            "delegating_pk": alice.public_key(),
            "receiving_pk": self._bob.public_key(),
        }
        self.capsule, self._ciphertext = self.encrypt()
        self.raw = bytes(self.capsule)
        self._fragments = umbral.generate_kfrags(
            delegating_sk=alice,
            receiving_pk=self._bob.public_key(),
            signer=signer,
            threshold=t,
            shares=n,
            sign_delegating_key=False,
            sign_receiving_key=False,
        )
        answers = [umbral.reencrypt(self.capsule, fragment) for fragment in self._fragments[:t]]
        self.received = [umbral.CapsuleFrag.from_bytes(bytes(answer)) for answer in answers]

    def encrypt(self) -> Any:
        """Make a capsule and a ciphertext."""
        return umbral.encrypt(self._keys["delegating_pk"], SEED)

    def answer(self, capsule: Any) -> Any:
        """Make a part and prove it."""
        return umbral.reencrypt(capsule, self._fragments[0])

    def check(self, part: Any) -> Any:
        """Check a part."""
        return part.verify(self.capsule, **self._keys)

    def open(self) -> bytes:
        """Check threshold parts and decrypt with them."""
        opened = umbral.decrypt_reencrypted(
            receiving_sk=self._bob,
            delegating_pk=self._keys["delegating_pk"],
            capsule=self.capsule,
            verified_cfrags=[self.check(part) for part in self.received],
            ciphertext=self._ciphertext,
        )
        return bytes(opened)


def main() -> None:
    """Until the other side closes the pipe."""
    known = steps()
    _say("ready")
    for line in sys.stdin:
        case, count = line.split()
        step, begun = known[case], process_time_ns()
        for _ in range(int(count)):
            step()
        _say(str(process_time_ns() - begun))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
