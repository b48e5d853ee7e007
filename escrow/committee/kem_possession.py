"""That a custodian can open what is sealed to its KEM key: each of the others seals a secret to it, and it says which.

A signature would prove nothing: a KEM key signs nothing, and whoever copied one can sign that it is his. So everybody
logs a challenge per custodian, 1120 bytes each, and then the hash of every secret that was sealed to him. Challengers
check what they know; whoever finds a wrong answer shows the coins of that challenge, and everybody can repeat it. One
of the two is then at fault, and it shows which. Coins and answers serve one run, before anything is sealed to the keys.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from escrow.crypto import xwing
from escrow.crypto.xwing import CIPHERTEXT_SIZE, XWingKey
from escrow.encoding import expect, u32
from escrow.errors import EscrowError
from escrow.tags import T, Tag, digest

ANSWER_SIZE: Final = 32


def challenges(session: bytes, challenger: int, keys: Sequence[bytes], secret: bytes) -> bytes:
    """One per key, side by side. ``secret``: 32 bytes of this run alone."""
    coins = (coins_of(session, challenger, member, secret) for member in range(1, len(keys) + 1))
    return b"".join(xwing.encapsulate(key, each)[1] for key, each in zip(keys, coins, strict=True))


def check_challenges(challenged: bytes, n: int) -> None:
    """``MalformedError`` unless there is one for each of n, to which the owner of the key has an answer."""
    for one in _pieces(expect(challenged, n * CIPHERTEXT_SIZE, "challenges"), CIPHERTEXT_SIZE):
        xwing.check_ciphertext(one)


def answers(session: bytes, member: int, key: XWingKey, said: Sequence[bytes]) -> bytes:
    """One per challenger, side by side; ``said``: the challenges of each, all checked."""
    own = (_piece(each, CIPHERTEXT_SIZE, member) for each in said)
    return b"".join(
        _answer(session, challenger, member, key.decapsulate(one)) for challenger, one in enumerate(own, start=1)
    )


def coins_of(session: bytes, challenger: int, member: int, secret: bytes) -> bytes:
    """64 bytes: what a challenger shows who disputes an answer. They reveal no others."""
    return hashlib.sha512(T(Tag.KEM_CHALLENGE, session, u32(challenger), u32(member), secret)).digest()


def is_answered(session: bytes, challenger: int, member: int, key: bytes, coins: bytes, answered: bytes) -> bool:
    """Whether the answers of ``member`` hold that to the challenge which was made of these coins."""
    secret, _ = xwing.encapsulate(key, coins)
    return _piece(answered, ANSWER_SIZE, challenger) == _answer(session, challenger, member, secret)


def judge(
    session: bytes, challenger: int, member: int, key: bytes, challenged: bytes, answered: bytes, evidence: bytes
) -> int:
    """Who is at fault where a challenger says that ``member`` has not answered: one of the two, from the log alone."""
    try:
        _, made = xwing.encapsulate(key, evidence)
    except EscrowError:
        return challenger
    if made != _piece(challenged, CIPHERTEXT_SIZE, member):
        return challenger
    return challenger if is_answered(session, challenger, member, key, evidence, answered) else member


def _answer(session: bytes, challenger: int, member: int, secret: bytes) -> bytes:
    return digest(Tag.KEM_ANSWER, session, u32(challenger), u32(member), secret)


def _piece(data: bytes, size: int, place: int) -> bytes:
    return data[size * (place - 1) : size * place]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))
