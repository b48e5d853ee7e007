"""Opening from custodians' shares: combine first, look for culprits only when that fails.

A capsule is a function of its seed, so the result proves itself by being encapsulated again; share proofs are needed
only to say who is at fault. Not whether anybody may: by now the custodians have decided that.

Where a custodian may say that its part of a capsule holds nothing, the others decide whether that is true: if they open
the capsule, it held something. If they are too few, nobody can tell the custodian from the sender, so nobody is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from escrow.capsule.schemes import scheme_of
from escrow.capsule.schemes.base import NO_SHARE, CommitteeContext, Scheme, ShareRequest
from escrow.committee.documents import ShareGeneration
from escrow.errors import DeviationError, EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret


@dataclass(frozen=True, slots=True)
class Opened:
    """The seed, the key of its release unit, whose shares made it, and who sent a share that does not verify."""

    seed: Secret
    key: Secret
    used: tuple[int, ...]
    culprits: frozenset[int]


def open_capsule(request: ShareRequest, generation: ShareGeneration, shares: Mapping[int, bytes]) -> Opened:
    """Open with any threshold good ones of ``shares``, which are by custodian index.

    Raises ``MalformedError`` for an index that is no member's, ``GENERATION_MISMATCH``, ``CAPSULE_INVALID``,
    ``NOT_ENOUGH_SHARES`` naming the custodians whose shares are bad, and ``CAPSULE_MALFORMED`` naming the sender, if
    good shares open something that is no capsule of this committee's.
    """
    if request.generation_hash != generation.hash:
        raise RefusedError(Reason.GENERATION_MISMATCH)
    if any(not 1 <= index <= generation.n for index in shares):
        raise MalformedError("a share of nobody in the committee")
    scheme = scheme_of(request.ctx.suite)
    given = {index: share for index, share in sorted(shares.items()) if share != NO_SHARE}
    first = dict(list(given.items())[: generation.threshold])
    if len(first) == generation.threshold:
        found = _try(scheme, request, first)
        if found is not None:
            rest = {index: share for index, share in shares.items() if index not in first}
            return Opened(*found, tuple(first), _culprits(scheme, request, generation, rest))
    return _open_verified(scheme, request, generation, shares)


def open_another(ctx: CommitteeContext, label: bytes, capsule: bytes, key: Secret) -> Secret:
    """The seed of one more capsule of a unit whose ``key`` has opened one; ``MalformedError``.

    ``CAPSULE_INVALID``, and ``CAPSULE_MALFORMED`` naming the sender: the key has been seen to be right.
    """
    scheme = scheme_of(ctx.suite)
    scheme.verify(ctx, label, capsule)
    seed = scheme.open(ctx, label, capsule, key)
    # SPEC IBE-7: the key of an identity shows nothing but what encapsulates again to the capsule.
    if scheme.encapsulate(ctx, label, seed) != capsule:
        raise DeviationError(Reason.CAPSULE_MALFORMED, culprits=("sender",))
    return seed


def _open_verified(
    scheme: Scheme, request: ShareRequest, generation: ShareGeneration, shares: Mapping[int, bytes]
) -> Opened:
    scheme.verify(request.ctx, request.label, request.capsule)
    # SPEC PQ-3: who is named when a capsule does not open, and when nobody is.
    culprits = _culprits(scheme, request, generation, shares)
    good = {index: share for index, share in sorted(shares.items()) if index not in culprits}
    if len(good) < generation.threshold:
        empty = [index for index in sorted(culprits) if shares[index] == NO_SHARE] if scheme.may_abstain() else []
        named = (f"custodian/{index}" for index in culprits if index not in empty)
        detail = f"{len(good)} of {generation.threshold} needed"
        if empty:
            detail += f"; custodians {', '.join(map(str, empty))} find nothing in their parts"
        raise RefusedError(Reason.NOT_ENOUGH_SHARES, detail, culprits=named)
    used = dict(list(good.items())[: generation.threshold])
    found = _try(scheme, request, used)
    if found is None:
        where = scheme.faults(request.ctx, request.label, request.capsule, good)
        raise DeviationError(Reason.CAPSULE_MALFORMED, where, culprits=("sender",))
    return Opened(*found, tuple(used), culprits)


def _try(scheme: Scheme, request: ShareRequest, shares: Mapping[int, bytes]) -> tuple[Secret, Secret] | None:
    """(Seed, key), if these shares open the capsule to a seed that encapsulates to it again."""
    place = request.ctx, request.label, request.capsule
    try:
        key = scheme.combine(*place, shares)
        seed = scheme.open(*place, key)
    except MalformedError:
        return None
    return (seed, key) if scheme.encapsulate(request.ctx, request.label, seed) == request.capsule else None


def _culprits(
    scheme: Scheme, request: ShareRequest, generation: ShareGeneration, shares: Mapping[int, bytes]
) -> frozenset[int]:
    found = set()
    for index, share in shares.items():
        try:
            scheme.verify_share(request, generation.verification_of(index), index, share)
        except EscrowError:
            found.add(index)
    return frozenset(found)
