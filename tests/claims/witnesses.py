"""A log that shows two histories, witnesses of whom some are corrupt, and a verifier for each history."""

from collections.abc import Collection, Sequence

from escrow.crypto.sign import SigningKey
from escrow.errors import EscrowError
from escrow.tlog import checkpoint, cosignature, witnessing
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import root_of
from escrow.tlog.quorum import Quorum, verify_head
from escrow.tlog.vkey import KeyType, VerifierKey
from tests.claims.keygen import coins

N = 5
LOG = SigningKey.from_seed(coins("log"))
LOG_KEY = VerifierKey.of("log.example/claims", LOG.public)
WITNESSES = [SigningKey.from_seed(coins("witness", index)) for index in range(N)]
NAMES = [f"witness.example/{index}" for index in range(N)]
KEYS = tuple(VerifierKey.of(name, key.public, KeyType.COSIGNATURE) for name, key in zip(NAMES, WITNESSES, strict=True))
HISTORIES = [Checkpoint(LOG_KEY.name, 2, root_of([b"genesis", what])) for what in (b"warrant", b"no warrant")]


def line(witness: int, view: int) -> bytes:
    return cosignature.sign(HISTORIES[view].text(), NAMES[witness], WITNESSES[witness], 1_000)


def split_view(k: int, corrupt: Collection[int], order: Sequence[tuple[int, bool]]) -> list[int]:
    """The histories that some verifier accepts, after the log has asked honest witnesses for both in ``order``.

    Corrupt witnesses cosign whatever they are shown. An honest one decides by what it has recorded; the log then
    knows its answer and asks it again with whatever proof it can make up.
    """
    lines: list[dict[int, bytes]] = [{who: line(who, view) for who in corrupt} for view in (0, 1)]
    recorded: dict[int, tuple[int, bytes]] = {}
    for who, other in order:
        if who not in corrupt:
            for old in (0, 2):
                _ask(who, int(other), old, recorded, lines)
    return [view for view in (0, 1) if _accepts(k, view, lines[view].values())]


def _ask(who: int, view: int, old: int, recorded: dict[int, tuple[int, bytes]], lines: list[dict[int, bytes]]) -> None:
    note = checkpoint.sign(HISTORIES[view], LOG_KEY.name, LOG)
    request = witnessing.Request.of(old, (), note)
    try:
        recorded[who] = witnessing.decide(recorded.get(who), request, {LOG_KEY.name: LOG_KEY})
    except EscrowError:
        return
    lines[view][who] = line(who, view)


def _accepts(k: int, view: int, cosigned: Collection[bytes]) -> bool:
    try:
        verify_head(checkpoint.sign(HISTORIES[view], LOG_KEY.name, LOG) + b"".join(cosigned), LOG_KEY, Quorum(KEYS, k))
    except EscrowError:
        return False
    return True
