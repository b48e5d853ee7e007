"""Key generation as one custodian runs it: COCKTAIL-DKG with the log as its only broadcast channel.

Fresh transport keys are logged, then commitments to the dealings, then the dealings, then the hashes of the encrypted
shares, which travel outside the log; at last every custodian erases its transport key and signs. Commit and reveal
narrow what a party can choose after seeing others; they do not stop one from aborting. Whoever breaks the rules is
named, and the custodian's role begins the next run with the same members.

A suite with KEM keys adds one per custodian, with a proof of possession by challenge and answer; a suite with nothing
else has no dealings, and the custodian's KEM key is its share.

Every function is pure: state in, (state, outputs) out. What the log says about the run is ``record``.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from escrow.committee import cocktail, kem_possession
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
from escrow.crypto.suites import has_group, has_kem
from escrow.crypto.xwing import SEED_SIZE, XWingKey
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
    """What ``Finished`` hands out. There from the moment the certificate exists."""
    kem: Secret | None = None
    """Seed of this custodian's KEM key; part of ``share`` later."""
    challenge: Secret | None = None
    """What our challenges to the KEM keys of all are made of."""


def begin(
    identity: SigningKey, index: int, proposal: CommitteeProposal, run: int, retire_at: int, started: int, coins: bytes
) -> Step:
    """Start run ``run`` as custodian ``index``. ``coins``: 32 fresh bytes; ``started``, ``retire_at``: ms."""
    if proposal.members[index - 1] != identity.public:
        raise AssertionError(f"custodian {index} of the proposal has another identity key")
    stream, content = Coins(coins), b""
    record = Record.begin(proposal, run, retire_at)
    state = DkgState(
        record=record,
        index=index,
        since=started,
        transport=None,
        dealing=None,
        proof_coins=Secret(stream.take("dispute", 32)),
        received=(b"",) * proposal.n,
    )
    if has_group(proposal.suite):
        group = proposal.group
        transport = stream.scalar("transport", group.scalar)
        state = replace(state, transport=Secret(transport.encode()), dealing=Secret(stream.take("dealing", 32)))
        proof = cocktail.schnorr_sign(group, transport, possession(record.session, index))
        content += group.base_mul(transport).encode() + proof
    if has_kem(proposal.suite):
        kem = stream.take("kem", SEED_SIZE)
        state = replace(state, kem=Secret(kem), challenge=Secret(stream.take("challenge", 32)))
        content += XWingKey.from_seed(kem).public
    return state, (_log(state, Kind.DKG_TRANSPORT, content),)


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
            content = b""
            if has_group(record.proposal.suite):
                state = _deal(state)
                content = commitment_hash(record.session, state.index, state.commitment)
            return state, (_log(state, Kind.DKG_COMMIT, content + _challenges(state)),)
        case Stage.DKG_REVEAL:
            return state, (_log(state, Kind.DKG_REVEAL, state.commitment + _answers(state)),)
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
    kind = record.proposal.group.scalar
    transport, ephemeral = kind.decode(state.transport.expose()), stream.scalar("ephemeral", kind)
    polynomial = random_polynomial(stream.take("polynomial", 32), record.proposal.threshold, kind=kind)
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
    if record.stage is not Stage.DKG_CERTIFY or state.share is not None:
        return state, ()
    disputes = _unproven(state)
    total = b""
    if has_group(record.proposal.suite):
        if not all(state.received):
            return _dispute(state, disputes)
        summed = _sum(state)
        if isinstance(summed, Dispute):
            return _dispute(state, [*disputes, summed])
        total = summed.encode()
    if disputes:
        return _dispute(state, disputes)
    key, generation = record.outcome.key, record.outcome.generation
    share = Secret(total + (state.kem.expose() if state.kem else b""))
    # The order matters: once anybody can see the certificate, nobody can take the transport key any more.
    state = replace(state, transport=None, received=(), kem=None, challenge=None, share=share)
    signed = key.transcript_hash + identity.sign(key.statement) + identity.sign(generation.statement)
    return state, (_log(state, Kind.DKG_CERTIFY, signed),)


def _sum(state: DkgState) -> Scalar | Dispute:
    """The sum of the shares that were sent to us, or why there is none."""
    record = state.record
    if state.transport is None:
        raise AssertionError("the transport key is kept until the certificate")
    group = record.proposal.group
    transport, total = group.scalar.decode(state.transport.expose()), group.scalar(0)
    for dealer, ciphertext in enumerate(state.received, start=1):
        matter = record.matter(dealer, state.index)
        pair = matter.route.from_recipient(transport)
        try:
            share = cocktail.open_share(matter.context, matter.route, pair, state.index, matter.dealt, ciphertext)
        except EscrowError:
            return Dispute(Ground.UNSOUND, dealer, matter.accuse(transport, ciphertext, state.proof_coins.expose()))
        total = total + share
    if group.base_mul(total) != record.outcome.generation.share_key(group, state.index):
        raise AssertionError("the sum of verified shares is the committed one")
    return total


def _challenges(state: DkgState) -> bytes:
    """To the KEM keys of all, if there are any."""
    if state.challenge is None:
        return b""
    record = state.record
    return kem_possession.challenges(record.session, state.index, record.kems, state.challenge.expose())


def _answers(state: DkgState) -> bytes:
    """To what everybody has sealed to our KEM key."""
    if state.kem is None:
        return b""
    record, key = state.record, XWingKey.from_seed(state.kem.expose())
    return kem_possession.answers(record.session, state.index, key, record.challenges)


def _unproven(state: DkgState) -> list[Dispute]:
    """The first who has not answered our challenge: one is enough to end the run."""
    if state.challenge is None:
        return []
    session, mine = state.record.session, state.index
    for member, key in enumerate(state.record.kems, start=1):
        coins = kem_possession.coins_of(session, mine, member, state.challenge.expose())
        # SPEC PQ-5: whoever was answered wrongly does not certify.
        if member != mine and not kem_possession.is_answered(
            session, mine, member, key, coins, state.record.answers_of(member)
        ):
            return [Dispute(Ground.UNPROVEN, member, coins)]
    return []


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
    emptied = replace(state, transport=None, dealing=None, kem=None, challenge=None, share=None)
    return replace(emptied, dealt=(), received=(), commitment=b"")


def _log(state: DkgState, kind: Kind, content: bytes) -> ToLog:
    return ToLog(kind, entry(state.record.session, content))
