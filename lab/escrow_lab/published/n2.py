"""N2: rogue LEAFs and shadow keys work always against naive escrow. Here they are tried, on it and on ours."""

from collections.abc import Iterator

from escrow.crypto.coins import Coins
from escrow_lab.letters import Key, read, write
from escrow_lab.published.figure import Finding
from escrow_lab.regime import Message, Order
from escrow_lab.regimes import make
from escrow_lab.regimes.clipper import Clipper

ROGUE, SHADOW = "Blaze, CCS 1994: always", "Kilian and Leighton, CRYPTO 1995: always"
TRIES, QUICK_TRIES = 200, 20


def findings(*, quick: bool) -> Iterator[Finding]:
    """The share of tries in which the recipient reads and whoever was promised access does not."""
    tries = QUICK_TRIES if quick else TRIES
    rogue = sum(map(_rogue_leaf, range(tries))) / tries
    yield Finding("N2", f"rogue LEAFs that evade clipper, of {tries}", ROGUE, 1.0, rogue, "exact", rogue == 1.0)
    for regime, count in (("master-key", tries), ("escrow-tdh2", 2)):
        shadow = sum(shadow_key(regime, number) for number in range(count)) / count
        what = f"shadow keys between two modified clients that evade {regime}, of {count}"
        yield Finding("N2", what, SHADOW, 1.0, shadow, "exact", shadow == 1.0)


def _rogue_leaf(number: int) -> bool:
    chip = Clipper(number, checkword=8)
    sealed, _ = chip.forge(Message(number, 0, "alice", "bob", "unheard"))
    return sealed.delivered and not chip.access(Order("alice", 0, 1)).opened


def shadow_key(regime: str, seed: int) -> bool:
    """Two ends write to a key of their own inside what the regime seals: the access shows a ciphertext."""
    deployment, shadow = make(regime, seed), Key.of(Coins(seed.to_bytes(32, "big")))
    inner = write(shadow.public, b"unheard", Coins(seed.to_bytes(32, "little"))).hex()
    sealed = deployment.seal(Message(0, 0, "alice", "bob", inner))
    opened = deployment.access(Order("alice", 0, 1)).opened[0]
    read_by_bob = read(shadow, bytes.fromhex(inner)) == b"unheard"
    return sealed.delivered and read_by_bob and opened == inner
