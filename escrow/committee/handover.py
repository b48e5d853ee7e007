"""A handover as one custodian runs it: verifiable secret redistribution with the log as its only broadcast channel.

The committee key stays, and with it every capsule; the shares change, and perhaps their holders and threshold. A
refresh is a handover to the same members. Old shares are erased by the custodian's role, and only when the log shows
the new generation with the acknowledgement of every one of its members: until then the old one is usable in full.
Sources: Desmedt and Jajodia, 1997; Wong, Wang and Wing, "Verifiable secret redistribution for archive systems", 2002.

Every function is pure: state in, (state, outputs) out. What the log says about the handover is ``resharing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from escrow.committee import cocktail
from escrow.committee.cocktail import CIPHERTEXT_SIZE, Route
from escrow.committee.dispute import Dispute, Ground
from escrow.committee.dkg import PATIENCE, SILENCE
from escrow.committee.messages import (
    Abandoned,
    HandoverOutput,
    Kind,
    Renewed,
    ToLog,
    ToMember,
    ciphertext_hash,
    entry,
    possession,
)
from escrow.committee.resharing import Dealing, Resharing, Side, Stage, name
from escrow.crypto.coins import Coins
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import lagrange_at_zero, random_polynomial
from escrow.crypto.sign import SigningKey
from escrow.encoding import expect, u32
from escrow.errors import EscrowError, MalformedError, Reason
from escrow.secret import Secret

__all__ = ["PATIENCE", "SILENCE", "HandoverState", "Me", "Step", "begin", "on_ciphertext", "on_entry", "on_tick"]

Step = tuple["HandoverState", tuple[HandoverOutput, ...]]


@dataclass(frozen=True, slots=True)
class Me:
    """What a step needs of its custodian and the state does not keep."""

    identity: SigningKey
    share: Secret | None = None
    """x_i of the generation that hands over, of an old member that still has it."""


class HandoverState(msgspec.Struct, frozen=True):
    """One custodian's part in one handover. Replaced by every step; the old one must not be used again."""

    record: Resharing
    giver: int
    """Our index in the old committee; 0: none."""
    taker: int
    """Our index in the new committee; 0: none."""
    since: int
    """When the handover last made progress, ms."""
    transport: Secret | None
    """Opens the shares sent to this custodian. None from before the moment its acknowledgement exists."""
    dealing: Secret | None
    """Coins of polynomial and ephemeral key. None as soon as the shares are encrypted."""
    proof_coins: Secret
    received: tuple[bytes, ...]
    """By dealer, what came from it outside the log."""
    dealt: tuple[bytes, ...] = ()
    said: tuple[bytes, ...] = ()
    """Disputes, and words of being ready, already sent to the log."""
    share: Secret | None = None
    """x'_j, 32 bytes: a scalar, little-endian. Usable once the log shows its generation."""


def begin(me: Me, record: Resharing, now: int, coins: bytes) -> Step:
    """Take part in the handover of which nothing is logged but its proposal. ``coins``: 32 fresh bytes; ``now``: ms."""
    stream, public = Coins(coins), me.identity.public
    members = record.before.members
    giver = members.index(public) + 1 if public in members else 0
    taker = record.proposal.index_of(public) or 0
    if not giver and not taker:
        raise AssertionError("only members of the two committees take part in a handover")
    transport = stream.scalar("transport", record.group.scalar) if taker else None
    state = HandoverState(
        record=record,
        giver=giver,
        taker=taker,
        since=now,
        transport=None if transport is None else Secret(transport.encode()),
        dealing=Secret(stream.take("dealing", 32)) if giver else None,
        proof_coins=Secret(stream.take("dispute", 32)),
        received=(b"",) * record.before.n,
    )
    if transport is None:
        return state, ()
    proof = cocktail.schnorr_sign(record.group, transport, possession(record.session, taker))
    return state, (_log(state, Kind.HANDOVER_TRANSPORT, record.group.base_mul(transport).encode() + proof),)


def on_entry(state: HandoverState, me: Me, kind: Kind, submitter: bytes, payload: bytes, now: int) -> Step:
    """Take the next entry of the log, our own ones too. ``submitter``: the key that signed it, as the log checked."""
    before = state.record
    record = before.after(kind, submitter, payload)
    if record is before:
        return state, ()
    # An opinion about who is silent is no progress.
    state = replace(state, record=record, since=state.since if len(record.votes) > len(before.votes) else now)
    if record.verdict is not None:
        reason, culprits = record.verdict
        return _forget(state), (Abandoned(Reason[reason], frozenset(culprits)),)
    if record.stage is Stage.FINISHED:
        # Everybody logs the document and the first entry counts, so that nobody can hold it back.
        generation = record.outcome.encode()
        return _forget(state), (ToLog(Kind.SHARE_GENERATION, generation), Renewed(generation))
    answers = tuple(
        _log(state, Kind.DKG_ANSWER, u32(accuser) + state.dealt[accuser - 1])
        for accuser, dealer in record.complaints
        if dealer == state.giver and (accuser, dealer) not in before.complaints
    )
    for accuser, dealer, ciphertext in record.answers[len(before.answers) :]:
        if accuser == state.taker:
            state = _receive(state, dealer, ciphertext)
    state, dealings = _deal(state, me)
    state, more = _take(state, me)
    return state, answers + dealings + more


def on_ciphertext(state: HandoverState, me: Me, sender: int, ciphertext: bytes) -> Step:
    """Take a ciphertext that came from old member ``sender`` outside the log, possibly before its hash did.

    Raises ``MalformedError`` for what cannot be one. What is not the ciphertext that was logged is ignored: only the
    log is evidence of what a dealer sent.
    """
    expect(ciphertext, CIPHERTEXT_SIZE, "an encrypted share")
    if not 1 <= sender <= state.record.before.n:
        raise MalformedError(f"{sender} is not the index of an old member")
    if state.transport is None or sender == state.giver:
        return state, ()
    return _take(_receive(state, sender, ciphertext), me)


def on_tick(state: HandoverState, now: int) -> Step:
    """Ask for what is overdue and say who is silent. Harmless at any time, needed every few seconds."""
    record, waited = state.record, now - state.since
    if record.stage >= Stage.FINISHED:
        return state, ()
    disputes = []
    if waited >= PATIENCE and record.stage is Stage.READY and state.transport is not None:
        missing = (dealer for dealer in record.dealers if not _at_hand(state, dealer))
        disputes += [Dispute(Ground.MISSING, dealer) for dealer in missing]
    if waited >= SILENCE:
        sides = (Side.OLD, state.giver, record.before.n), (Side.NEW, state.taker, record.proposal.n)
        disputes += [
            Dispute(Ground.SILENT, index, record.awaited(side, index))
            for side, mine, n in sides
            for index in range(1, n + 1)
            if index != mine and record.owes(side, index)
        ]
    return _say(state, Kind.DKG_DISPUTE, [dispute.encode() for dispute in disputes])


def _deal(state: HandoverState, me: Me) -> Step:
    """As an old member, once all transport keys are known: deal our share, encrypt the parts, forget the polynomial."""
    record = state.record
    if state.dealing is None or me.share is None or record.stage not in (Stage.DEAL, Stage.READY):
        return state, ()
    stream, group, context = Coins(state.dealing.expose()), record.group, record.context
    ephemeral = stream.scalar("ephemeral", group.scalar)
    share = group.scalar.decode(me.share.expose())
    polynomial = random_polynomial(stream.take("polynomial", 32), record.proposal.threshold, share)
    dealt = cocktail.commit(context, polynomial, ephemeral)
    ciphertexts = []
    for index, transport in enumerate(record.transports, start=1):
        route = Route(group, dealt.ephemeral, dealt.ephemeral, transport[: len(dealt.ephemeral)])
        pair = route.from_dealer(ephemeral, ephemeral)
        ciphertexts.append(cocktail.encrypt_share(context, route, pair, polynomial.evaluate(index)))
    named = list(enumerate(ciphertexts, start=1))
    hashes = b"".join(ciphertext_hash(record.session, state.giver, to, sealed) for to, sealed in named)
    state = replace(state, dealing=None, dealt=tuple(ciphertexts))
    if state.taker:
        state = _receive(state, state.giver, ciphertexts[state.taker - 1])
    sent = tuple(ToMember(to, sealed) for to, sealed in named if to != state.taker)
    return state, (_log(state, Kind.HANDOVER_DEAL, Dealing(dealt, hashes).encode()), *sent)


def _receive(state: HandoverState, dealer: int, ciphertext: bytes) -> HandoverState:
    """Keep a ciphertext, unless we have the one that was logged."""
    if _at_hand(state, dealer):
        return state
    return replace(state, received=(*state.received[: dealer - 1], ciphertext, *state.received[dealer:]))


def _at_hand(state: HandoverState, dealer: int) -> bytes:
    """The ciphertext that ``dealer`` has logged for us, if it came; else nothing."""
    ciphertext, dealing = state.received[dealer - 1], state.record.dealing(dealer)
    if not ciphertext or dealing is None:
        return b""
    found = ciphertext_hash(state.record.session, dealer, state.taker, ciphertext)
    return ciphertext if found == dealing.hash_for(state.taker) else b""


def _take(state: HandoverState, me: Me) -> Step:
    """As a new member: dispute the first unsound dealing, or be ready; when all are, take the share."""
    record = state.record
    if state.transport is None or record.stage not in (Stage.READY, Stage.ACKNOWLEDGE):
        return state, ()
    at_hand = {dealer: _at_hand(state, dealer) for dealer in record.dealers}
    if not all(at_hand.values()):
        return state, ()
    transport, parts = record.group.scalar.decode(state.transport.expose()), []
    for dealer, ciphertext in at_hand.items():
        dealing = record.dealing(dealer)
        if dealing is None:
            raise AssertionError("who counts as a dealer has dealt")
        matter = record.matter(dealer, state.taker, dealing)
        pair = matter.route.from_recipient(transport)
        try:
            part = cocktail.open_share(matter.context, matter.route, pair, state.taker, matter.dealt, ciphertext)
        except EscrowError:
            evidence = matter.accuse(transport, ciphertext, state.proof_coins.expose())
            return _say(state, Kind.DKG_DISPUTE, [Dispute(Ground.UNSOUND, dealer, evidence).encode()])
        parts.append(part)
    # SPEC HND-7: the dealers are fixed by everybody's word before anybody erases what opens another's dealing.
    if record.stage is Stage.READY:
        return _say(state, Kind.HANDOVER_READY, [name(record.dealers)])
    return _acknowledge(state, me, parts)


def _acknowledge(state: HandoverState, me: Me, parts: Sequence[Scalar]) -> Step:
    """Keep x'_j = Σ λ_i g_i(j), erase what opens its parts, and only then say so."""
    record, kind = state.record, state.record.group.scalar
    share = kind(0)
    for weight, part in zip(lagrange_at_zero(record.dealers, kind), parts, strict=True):
        share = share + weight * part
    generation = record.outcome
    if record.group.base_mul(share) != generation.share_key(record.group, state.taker):
        raise AssertionError("the sum of verified parts is the committed one")
    # SPEC HND-8: once anybody can see the acknowledgement, nobody can take the transport key any more.
    state = replace(state, transport=None, received=(b"",) * len(state.received), share=Secret(share.encode()))
    return state, (_log(state, Kind.HANDOVER_ACKNOWLEDGEMENT, me.identity.sign(generation.statement)),)


def _say(state: HandoverState, kind: Kind, contents: Sequence[bytes]) -> Step:
    """Log each of these once."""
    new = [content for content in contents if content not in state.said]
    return replace(state, said=(*state.said, *new)), tuple(_log(state, kind, content) for content in new)


def _forget(state: HandoverState) -> HandoverState:
    nothing = (b"",) * len(state.received)
    return replace(state, transport=None, dealing=None, share=None, dealt=(), received=nothing)


def _log(state: HandoverState, kind: Kind, content: bytes) -> ToLog:
    return ToLog(kind, entry(state.record.session, content))
