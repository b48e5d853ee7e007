"""Key generation as one custodian runs it: COCKTAIL-DKG with the log as its only broadcast channel.

Fresh transport keys are logged, then commitments to the dealings, then the dealings, then the hashes of the encrypted
shares, which travel outside the log; at last every custodian erases its transport key and signs. Commit and reveal
narrow what a party can choose after seeing others; they do not stop one from aborting. Whoever breaks the rules is
named, and the custodian's role begins the next run with the same members.

Every function is pure: state in, (state, outputs) out. What the log says about the run is ``record``.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from escrow.committee import cocktail
from escrow.committee.cocktail import CIPHERTEXT_SIZE, Route
from escrow.committee.dispute import Dispute, Ground
from escrow.committee.documents import CommitteeProposal
from escrow.committee.messages import (
    Aborted,
    Finished,
    Kind,
    Output,
    ToLog,
    ToMember,
    ciphertext_hash,
    commitment_hash,
    entry,
    possession,
)
from escrow.committee.record import Record, Stage
from escrow.crypto.coins import Coins
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import random_polynomial
from escrow.crypto.sign import SigningKey
from escrow.encoding import expect, u32
from escrow.errors import EscrowError, MalformedError, Reason
from escrow.secret import Secret

PATIENCE: Final = 10_000
"""Milliseconds after which a ciphertext that did not come is asked for in the log."""

SILENCE: Final = 60_000
"""Milliseconds without progress after which a custodian says who is silent."""

Step = tuple["DkgState", tuple[Output, ...]]


class DkgState(msgspec.Struct, frozen=True):
    """One custodian's part in one run. Replaced by every step; the old one must not be used again."""

    record: Record
    index: int
    since: int
    """When the run last made progress, ms."""
    transport: Secret | None
    """Opens the shares sent to this custodian. None from before the moment its certificate exists."""
    dealing: Secret | None
    """Coins of polynomial and ephemeral key. None as soon as the shares are encrypted."""
    proof_coins: Secret
    commitment: bytes = b""
    dealt: tuple[bytes, ...] = ()
    received: tuple[bytes, ...] = ()
    said: tuple[bytes, ...] = ()
    """Disputes already sent to the log."""
    share: Secret | None = None


def begin(
    identity: SigningKey, index: int, proposal: CommitteeProposal, run: int, retire_at: int, started: int, coins: bytes
) -> Step:
    """Start run ``run`` as custodian ``index``. ``coins``: 32 fresh bytes; ``started``, ``retire_at``: ms."""
    if proposal.members[index - 1] != identity.public:
        raise AssertionError(f"custodian {index} of the proposal has another identity key")
    stream = Coins(coins)
    transport = stream.scalar("transport")
    record = Record.begin(proposal, run, retire_at)
    state = DkgState(
        record=record,
        index=index,
        since=started,
        transport=Secret(transport.encode()),
        dealing=Secret(stream.take("dealing", 32)),
        proof_coins=Secret(stream.take("dispute", 32)),
        received=(b"",) * proposal.n,
    )
    group = proposal.group
    proof = cocktail.schnorr_sign(group, transport, possession(record.session, index))
    return state, (_log(state, Kind.DKG_TRANSPORT, group.base_mul(transport).encode() + proof),)


def on_entry(state: DkgState, identity: SigningKey, kind: Kind, submitter: bytes, payload: bytes, now: int) -> Step:
    """Take the next entry of the log, our own ones too. ``submitter``: the key that signed it, as the log checked."""
    before = state.record
    record = before.after(kind, submitter, payload)
    if record is before:
        return state, ()
    # An opinion about who is silent is no progress.
    since = state.since if len(record.votes) > len(before.votes) else now
    state = replace(state, record=record, since=since)
    if record.verdict is not None:
        reason, culprit = record.verdict
        return _forget(state), (Aborted(Reason[reason], frozenset((culprit,)), record.run),)
    if record.stage is not before.stage:
        return _enter(state, identity)
    answers = tuple(
        _log(state, Kind.DKG_ANSWER, u32(accuser) + state.dealt[accuser - 1])
        for accuser, dealer in record.complaints[len(before.complaints) :]
        if dealer == state.index
    )
    for accuser, dealer, ciphertext in record.answers[len(before.answers) :]:
        if accuser == state.index:
            state = _receive(state, dealer, ciphertext)
    state, more = _collect(state, identity)
    return state, answers + more


def on_ciphertext(state: DkgState, identity: SigningKey, sender: int, ciphertext: bytes) -> Step:
    """Take a ciphertext that came from custodian ``sender`` outside the log, possibly before its hash did.

    Raises ``MalformedError`` for what cannot be one. What is not the ciphertext that was logged is ignored: only the
    log is evidence of what a dealer sent.
    """
    expect(ciphertext, CIPHERTEXT_SIZE, "an encrypted share")
    if not 1 <= sender <= state.record.proposal.n:
        raise MalformedError(f"{sender} is not the index of a custodian")
    if state.transport is None or sender == state.index:
        return state, ()
    return _collect(_receive(state, sender, ciphertext), identity)


def on_tick(state: DkgState, now: int) -> Step:
    """Ask for what is overdue and say who is silent. Harmless at any time, needed every few seconds."""
    record, waited = state.record, now - state.since
    if record.stage >= Stage.FINISHED:
        return state, ()
    disputes = []
    if waited >= PATIENCE and record.stage is Stage.DKG_CERTIFY and state.transport is not None:
        missing = (dealer for dealer, have in enumerate(state.received, start=1) if not have)
        disputes += [Dispute(Ground.MISSING, dealer) for dealer in missing]
    if waited >= SILENCE:
        others = (member for member in range(1, record.proposal.n + 1) if member != state.index)
        silent = (member for member in others if record.owes(member))
        disputes += [Dispute(Ground.SILENT, member, record.awaited(member)) for member in silent]
    return _dispute(state, disputes)


def _enter(state: DkgState, identity: SigningKey) -> Step:
    """Do what the stage that has just begun asks of every custodian."""
    record = state.record
    match record.stage:
        case Stage.DKG_COMMIT:
            state = _deal(state)
            return state, (
                _log(state, Kind.DKG_COMMIT, commitment_hash(record.session, state.index, state.commitment)),
            )
        case Stage.DKG_REVEAL:
            return state, (_log(state, Kind.DKG_REVEAL, state.commitment),)
        case Stage.DKG_CIPHERTEXTS:
            dealt = tuple(enumerate(state.dealt, start=1))
            hashes = b"".join(ciphertext_hash(record.session, state.index, to, sealed) for to, sealed in dealt)
            sent = tuple(ToMember(to, sealed) for to, sealed in dealt if to != state.index)
            return state, (_log(state, Kind.DKG_CIPHERTEXTS, hashes), *sent)
        case Stage.DKG_CERTIFY:
            early = state.received
            state = replace(state, received=(b"",) * len(early))
            for dealer, ciphertext in enumerate(early, start=1):
                state = _receive(state, dealer, ciphertext)
            return _collect(state, identity)
        case _:
            return _finish(state)


def _deal(state: DkgState) -> DkgState:
    """Choose the polynomial, encrypt its shares and forget it."""
    if state.dealing is None or state.transport is None:
        raise AssertionError("a custodian deals once, with its transport key")
    record, stream = state.record, Coins(state.dealing.expose())
    transport, ephemeral = Scalar.decode(state.transport.expose()), stream.scalar("ephemeral")
    polynomial = random_polynomial(stream.take("polynomial", 32), record.proposal.threshold)
    context, keys = record.context, record.transports
    commitment = cocktail.commit(context, polynomial, ephemeral)
    dealt = []
    for index, recipient in enumerate(keys, start=1):
        route = Route(context.group, commitment.ephemeral, keys[state.index - 1], recipient)
        pair = route.from_dealer(ephemeral, transport)
        dealt.append(cocktail.encrypt_share(context, route, pair, polynomial.evaluate(index)))
    state = replace(state, dealing=None, commitment=commitment.encode(), dealt=tuple(dealt))
    return _receive(state, state.index, dealt[state.index - 1])


def _receive(state: DkgState, dealer: int, ciphertext: bytes) -> DkgState:
    """Keep a ciphertext; once the hashes are logged, only the one that was logged."""
    record = state.record
    if record.stage is Stage.DKG_CERTIFY:
        found = ciphertext_hash(record.session, dealer, state.index, ciphertext)
        if found != record.ciphertext_hash(dealer, state.index):
            return state
    return replace(state, received=(*state.received[: dealer - 1], ciphertext, *state.received[dealer:]))


def _collect(state: DkgState, identity: SigningKey) -> Step:
    """With all ciphertexts at hand: dispute the first unsound one, or erase the transport key and certify."""
    record = state.record
    if record.stage is not Stage.DKG_CERTIFY or state.transport is None or not all(state.received):
        return state, ()
    transport, total = Scalar.decode(state.transport.expose()), Scalar(0)
    for dealer, ciphertext in enumerate(state.received, start=1):
        matter = record.matter(dealer, state.index)
        pair = matter.route.from_recipient(transport)
        try:
            share = cocktail.open_share(matter.context, matter.route, pair, state.index, matter.dealt, ciphertext)
        except EscrowError:
            evidence = matter.accuse(transport, ciphertext, state.proof_coins.expose())
            return _dispute(state, [Dispute(Ground.UNSOUND, dealer, evidence)])
        total = total + share
    key, generation = record.outcome.key, record.outcome.generation
    group = record.proposal.group
    if group.base_mul(total) != generation.share_key(group, state.index):
        raise AssertionError("the sum of verified shares is the committed one")
    # The order matters: once anybody can see the certificate, nobody can take the transport key any more.
    state = replace(state, transport=None, received=(), share=Secret(total.encode()))
    signed = key.transcript_hash + identity.sign(key.statement) + identity.sign(generation.statement)
    return state, (_log(state, Kind.DKG_CERTIFY, signed),)


def _finish(state: DkgState) -> Step:
    """Hand out the key. Everybody logs the documents and the first entry counts, so that nobody can hold them back.

    A key counts once the log shows who holds it.
    """
    if state.share is None:
        raise AssertionError("a run finishes with everybody's certificate, so with ours")
    key, generation = state.record.outcome.key.encode(), state.record.outcome.generation.encode()
    documents = ToLog(Kind.SHARE_GENERATION, generation), ToLog(Kind.COMMITTEE_KEY, key)
    return _forget(state), (*documents, Finished(key, generation, state.index, state.share))


def _dispute(state: DkgState, disputes: Sequence[Dispute]) -> Step:
    """Log each dispute once."""
    new = [said for dispute in disputes if (said := dispute.encode()) not in state.said]
    state = replace(state, said=(*state.said, *new))
    return state, tuple(_log(state, Kind.DKG_DISPUTE, said) for said in new)


def _forget(state: DkgState) -> DkgState:
    return replace(state, transport=None, dealing=None, share=None, dealt=(), received=(), commitment=b"")


def _log(state: DkgState, kind: Kind, content: bytes) -> ToLog:
    return ToLog(kind, entry(state.record.session, content))
