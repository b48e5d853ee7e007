"""The cases of ``doublelock bench e2ee``: what is done, what bounds it from below, and who else does it."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from escrow.roles.device.state import ESCROW, PLAIN
from escrow_lab.bench import floor, peers
from escrow_lab.bench.escrowed import Deployment
from escrow_lab.bench.measure import FULL, QUICK, Contest, Figure, Step, contend
from escrow_lab.bench.sides import Agreement, Chain, Group

SESSIONS, FEW_SESSIONS = 10_000, 500


def figures(*, quick: bool = False) -> Iterator[Figure]:
    """Every case, one after the other. With ``quick`` only long enough to see that all of them run."""
    effort = QUICK if quick else FULL
    for case, contest in CASES.items():
        yield contend(case, contest(), effort)
    ours, stored = Agreement().talk().memory(FEW_SESSIONS if quick else SESSIONS)
    yield Figure("memory-session", "B", ours, stored, {}, (), 1, 0.0)


def _one_way(size: int) -> Contest:
    text = bytes(size)
    talk = Agreement().talk()
    return _beside_peers(lambda: talk.one_way(text), floor.message(size), lambda peer: lambda: peer.one_way(text))


def _stored_one_way() -> Contest:
    text = bytes(256)
    talk = Agreement().talk()
    return _beside_peers(
        lambda: talk.stored_one_way(text), floor.message(256), lambda peer: lambda: peer.stored_one_way(text)
    )


def _ping_pong() -> Contest:
    text = bytes(256)
    talk = Agreement().talk()
    limit = floor.both(*2 * (floor.turn, floor.message(256)))
    return _beside_peers(lambda: talk.round_trip(text), limit, lambda peer: lambda: peer.round_trip(text), per=2)


def _beside_peers(ours: Step, limit: Step, step: Callable[[peers.Talk], Step], *, per: int = 1) -> Contest:
    there = {name: step(peers.talk_of(name)) for name in peers.PEERS if peers.installed(name)}
    return Contest(ours, limit, there, [name for name in peers.PEERS if name not in there], per)


def _pqxdh() -> Contest:
    agreement = Agreement()
    return Contest(agreement.agree, floor.agreement(agreement.bob.signed_parts))


def _group() -> Contest:
    text = bytes(256)
    group = Group()
    limit = floor.both(floor.message(256), floor.sign, floor.check)
    floors = {"signature": floor.both(floor.sign, floor.check)}
    if not peers.installed("vodozemac"):
        return Contest(lambda: group.one_way(text), limit, missing=["megolm"], floors=floors)
    megolm = peers.Megolm()
    return Contest(lambda: group.one_way(text), limit, {"megolm": lambda: megolm.one_way(text)}, floors=floors)


def _escrowed_chain() -> Contest:
    text = bytes(256)
    chain, talk = Chain(), Agreement().talk()
    off = {"escrow-off": lambda: talk.one_way(text)}
    return Contest(lambda: chain.one_way(text), floor.message(256), off, floors={"every call": _EPOCH})


def _escrowed_group() -> Contest:
    text = bytes(256)
    chain, group = Chain(), Group()
    limit = floor.both(floor.message(256), floor.sign, floor.check)
    off = {"escrow-off": lambda: group.one_way(text)}
    floors = {"every call": floor.both(_EPOCH, floor.sign, floor.check)}
    return Contest(lambda: chain.signed_one_way(text), limit, off, floors=floors)


_EPOCH: Final = floor.symmetric(aeads=2, hmacs=10, hashes=4, wide_hashes=0)
"""On each side two steps of the chain and three for the keys of a body, its AEAD, the hashes of header and body."""


@cache
def _deployment() -> Deployment:
    return Deployment()


def _escrowed_send() -> Contest:
    off = _deployment().sending(PLAIN, 256)
    # The capsule, the sender's own check of it, and the device's signature.
    limit = floor.both(off, floor.multiplications(3, 6), floor.sign)
    # The check subtracts; the capsule hashes four times to scalars and a mask, its check once; the hedge is used twice.
    calls = floor.symmetric(aeads=1, hmacs=10, hashes=8, wide_hashes=5)
    floors = {"every call": floor.both(limit, floor.multiplications(0, 0, adds=2), calls)}
    ours = _deployment().sending(ESCROW, 256)
    return Contest(ours, limit, {"escrow-off": off}, floors=floors, beyond="escrow-off")


def _escrowed_receive() -> Contest:
    off = _deployment().receiving(PLAIN, 256)
    # The capsule made again, the signatures of the sender's device and of the relay's receipt.
    limit = floor.both(off, floor.multiplications(2, 3), floor.check, floor.check)
    calls = floor.symmetric(aeads=1, hmacs=4, hashes=9, wide_hashes=4)
    floors = {"every call": floor.both(limit, calls)}
    ours = _deployment().receiving(ESCROW, 256)
    return Contest(ours, limit, {"escrow-off": off}, floors=floors, beyond="escrow-off")


CASES: Final[dict[str, Callable[[], Contest]]] = {
    "oneway-256": lambda: _one_way(256),
    "oneway-4096": lambda: _one_way(4096),
    "oneway-256-stored": _stored_one_way,
    "pingpong-256": _ping_pong,
    "pqxdh": _pqxdh,
    "group-32": _group,
    "escrow-epoch-oneway-256": _escrowed_chain,
    "escrow-epoch-group-32": _escrowed_group,
    "escrow-message-send": _escrowed_send,
    "escrow-message-receive": _escrowed_receive,
}
"""By name, in the order of the report. The limit of an escrowed device step is the same step without escrow and the
operations on curves that escrow adds."""
