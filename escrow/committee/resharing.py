"""What everybody who reads the log knows of one handover. No secrets, no clock: a function of the log alone.

New members log transport keys; old members deal their shares; new members say which dealings they can use; and when
all can use the same, the first ``t`` in the log that are good, each erases its transport key and acknowledges its new
share. A bad dealing costs its dealer its place among the ``t``; whatever a new member breaks ends the handover, and
the old generation stays. What a single custodian does about it is ``handover``.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from functools import lru_cache
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from escrow.committee import cocktail
from escrow.committee.cocktail import CIPHERTEXT_SIZE, Commitment, Context, Route, proof_size
from escrow.committee.dispute import Dispute, Ground, Matter
from escrow.committee.documents import ShareGeneration
from escrow.committee.messages import Kind, ciphertext_hash, possession, read_entry
from escrow.committee.succession import HandoverProposal, verify_shares
from escrow.crypto import sign
from escrow.crypto.group import Group, Point
from escrow.crypto.sharing import evaluate_commitments, lagrange_at_zero
from escrow.encoding import expect, number, u8, u16, u32, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import Tag, digest

HASH_SIZE: Final = 32


@unique
class Stage(IntEnum):
    """What the handover waits for."""

    TRANSPORT = 0
    """The transport key of every new member."""
    DEAL = 1
    """Good dealings of ``t`` old members."""
    READY = 2
    """Every new member's word that it can use them."""
    ACKNOWLEDGE = 3
    """Every new member's signature that it holds its share, and no transport key."""
    FINISHED = 4
    ABORTED = 5


@unique
class Side(IntEnum):
    """On which side of the handover somebody owes something; one byte."""

    OLD = 0
    NEW = 1


Row = tuple[bytes, ...]
"""By new member, in order of index: what it has said; empty where that is still owed."""


@dataclass(frozen=True, slots=True)
class Dealing:
    """A logged dealing of one old member: the commitments to its polynomial, and a hash per encrypted share."""

    dealt: Commitment
    hashes: bytes

    def encode(self) -> bytes:
        """commitment ‖ n' hashes."""
        return self.dealt.encode() + self.hashes

    @classmethod
    def decode(cls, data: bytes, proposal: HandoverProposal) -> Self:
        """Read exactly ``threshold`` commitments and ``n`` hashes."""
        end = len(data) - HASH_SIZE * proposal.n
        if end < 0:
            raise MalformedError("a dealing has a hash per new member")
        return cls(Commitment.decode(data[:end], proposal.threshold, proposal.group.size), data[end:])

    def hash_for(self, recipient: int) -> bytes:
        """The hash of the ciphertext to new member ``recipient``."""
        return self.hashes[HASH_SIZE * (recipient - 1) : HASH_SIZE * recipient]


class Resharing(msgspec.Struct, frozen=True):
    """The public state of a handover. ``after`` returns the next one; nothing else changes it."""

    proposal_bytes: bytes
    before_bytes: bytes
    """The generation that hands over."""
    place: int
    """Where the log shows the proposal. No two handovers have the same."""
    transports: Row
    ready: Row
    """The dealers whose dealings a new member can use, as it has named them last."""
    acknowledgements: Row
    dealings: tuple[tuple[int, bytes], ...] = ()
    """(old index, dealing) in the order of the log; the first one of each."""
    excluded: tuple[tuple[int, str], ...] = ()
    """(old index, name of the reason) of those whose dealings do not count."""
    complaints: tuple[tuple[int, int], ...] = ()
    """(new index, old index) whose ciphertext is said to be missing and not answered yet."""
    answers: tuple[tuple[int, int, bytes], ...] = ()
    """(new index, old index, ciphertext) as logged by the dealer."""
    votes: tuple[tuple[int, int, int, bytes], ...] = ()
    """(old index of the voter, new index, accused, awaited): who is said to be silent, and about what."""
    verdict: tuple[str, Row] | None = None
    """Name of the reason and identity keys of the culprits."""

    @classmethod
    def begin(cls, proposal: HandoverProposal, before: ShareGeneration, public: bytes, place: int) -> Self:
        """A handover of which nothing is logged yet.

        ``public`` is the committee key. Raises ``GENERATION_MISMATCH`` if ``before`` is not the generation that is
        proposed to end, ``SUITE_MISMATCH``, and what ``verify_shares`` raises.
        """
        # SPEC HND-2: a handover is of the generation that its proposal names, and of no other.
        if proposal.generation_hash != before.hash:
            raise RefusedError(Reason.GENERATION_MISMATCH, "the handover is of another generation")
        verify_shares(before, proposal.group.decode(public))
        nothing = (b"",) * proposal.n
        return cls(proposal.encode(), before.encode(), place, nothing, nothing, nothing)

    @property
    def proposal(self) -> HandoverProposal:
        """What was proposed."""
        return _proposal(self.proposal_bytes)

    @property
    def committee(self) -> tuple[tuple[bytes, ...], int]:
        """Who will hold the shares, and how many of them will open."""
        return self.proposal.members, self.proposal.threshold

    @property
    def before(self) -> ShareGeneration:
        """The generation that hands over."""
        return _generation(self.before_bytes)

    @property
    def group(self) -> Group:
        """Where the shares live."""
        return self.proposal.group

    @property
    def session(self) -> bytes:
        """32 bytes that no other handover has."""
        return digest(Tag.HANDOVER_SESSION, self.proposal_bytes, u64(self.place))

    @property
    def context(self) -> Context:
        """The context of all proofs and ciphertexts, once the transport keys are logged."""
        return Context.of(self.group, self.session, self._keys)

    @property
    def dealers(self) -> tuple[int, ...]:
        """S: the first ``t`` old members, in the order of the log, whose dealings are good; empty while they are fewer.

        Everybody has the same, because there is one log.
        """
        bad = self._bad
        good = [dealer for dealer, _ in self.dealings if dealer not in bad][: self.before.threshold]
        return tuple(good) if len(good) == self.before.threshold else ()

    @property
    def stage(self) -> Stage:
        """What the handover waits for, or how it ended."""
        if self.verdict is not None:
            return Stage.ABORTED
        if not all(self.transports):
            return Stage.TRANSPORT
        dealers = self.dealers
        if not dealers:
            return Stage.DEAL
        if any(said != name(dealers) for said in self.ready):
            return Stage.READY
        return Stage.FINISHED if all(self.acknowledgements) else Stage.ACKNOWLEDGE

    @property
    def outcome(self) -> ShareGeneration:
        """The next generation, once its dealers are known; with the acknowledgements once they are all there."""
        proposal, before = self.proposal, self.before
        chosen = tuple(dealing for dealing in self.dealings if dealing[0] in self.dealers)
        shares = _verification_shares(self.proposal_bytes, chosen)
        held = proposal.members, proposal.threshold, shares
        signed = tuple(said for said in self.acknowledgements if said)
        return ShareGeneration(before.committee_key_hash, before.number + 1, *held, signed)

    def dealing(self, dealer: int) -> Dealing | None:
        """What old member ``dealer`` has dealt, if it has."""
        found = next((said for index, said in self.dealings if index == dealer), None)
        return None if found is None else Dealing.decode(found, self.proposal)

    def matter(self, dealer: int, recipient: int, dealing: Dealing) -> Matter:
        """What a dispute about one ciphertext is about.

        A dealer need not be a new member, so it has no transport key; its ephemeral key stands in the place of one.
        """
        ephemeral, mine = dealing.dealt.ephemeral, self._keys[recipient - 1]
        route = Route(self.group, ephemeral, ephemeral, mine)
        return Matter(self.session, self.context, route, dealer, recipient, dealing.dealt)

    def owes(self, side: Side, index: int) -> bool:
        """Whether the handover waits for this member, who may not wait for somebody else in turn."""
        stage = self.stage
        if side is Side.OLD:
            if index in self._bad:
                return False
            asked = stage is Stage.READY and any(dealer == index for _, dealer in self.complaints)
            return asked or (stage is Stage.DEAL and all(dealer != index for dealer, _ in self.dealings))
        match stage:
            case Stage.TRANSPORT:
                return not self.transports[index - 1]
            case Stage.READY:
                waits = any(accuser == index for accuser, _ in self.complaints)
                return not waits and self.ready[index - 1] != name(self.dealers)
            case Stage.ACKNOWLEDGE:
                return not self.acknowledgements[index - 1]
            case _:
                return False

    def awaited(self, side: Side, index: int) -> bytes:
        """What a member may be silent about, 4 bytes: side u8 ‖ stage u8 ‖ how far it has come u16.

        An opinion names this, so that one from before the member or the handover got further never counts after.
        """
        if side is Side.OLD:
            come = sum(dealer == index for _, dealer, _ in self.answers)
        else:  # with other dealers, there is other work
            come = sum(accuser == index for accuser, *_ in self.answers) + len(self.excluded)
        return u8(side) + u8(self.stage) + u16(come)

    def after(self, kind: Kind, submitter: bytes, payload: bytes) -> "Resharing":
        """The record with one more entry of the log; itself if the entry is none of this one's or changes nothing.

        Entries that break the protocol never raise: they cost whoever logged them its part in it.
        """
        session, content = _said(payload)
        if self.stage >= Stage.FINISHED or session != self.session:
            return self
        old, new = _index(self.before.members, submitter), _index(self.proposal.members, submitter)
        try:
            return self._take(kind, old, new, content)
        except EscrowError:
            # Whoever is on both sides loses the one on which it spoke.
            if old and (not new or kind in (Kind.HANDOVER_DEAL, Kind.DKG_ANSWER)):
                return self._exclude(Reason.DEALING_INVALID, old)
            return self._abort(Reason.DISPUTE_INVALID if kind is Kind.DKG_DISPUTE else Reason.DEALING_INVALID, new)

    def _take(self, kind: Kind, old: int, new: int, content: bytes) -> "Resharing":
        """``old`` and ``new``: the author's indices; 0 where it has none."""
        after = self
        match kind:
            case Kind.HANDOVER_TRANSPORT if new:
                after = self._take_transport(new, content)
            case Kind.HANDOVER_DEAL if old:
                after = self._take_dealing(old, content)
            case Kind.HANDOVER_READY if new:
                after = self._take_ready(new, content)
            case Kind.HANDOVER_ACKNOWLEDGEMENT if new:
                after = self._take_acknowledgement(new, content)
            case Kind.DKG_ANSWER if old:
                after = self._take_answer(old, content)
            case Kind.DKG_DISPUTE if old or new:
                dispute = Dispute.decode(content)
                silent = dispute.ground is Ground.SILENT
                after = self._voted(old, new, dispute) if silent else self._disputed(new, dispute)
        return after

    # -- what new members say -----------------------------------------------------------------

    def _take_transport(self, author: int, content: bytes) -> "Resharing":
        if self.transports[author - 1]:
            return self  # sent again after a crash, or a second thought: the first counts
        size = self.group.size
        expect(content, size + proof_size(self.group), "a transport key with its proof")
        if content[:size] in self._keys:
            raise MalformedError("the transport key is another's")
        cocktail.schnorr_verify(self.group.decode(content[:size]), possession(self.session, author), content[size:])
        return replace(self, transports=_with(self.transports, author, content))

    def _take_ready(self, author: int, content: bytes) -> "Resharing":
        # SPEC HND-6: whoever is ready for other dealings than those that count now is not ready.
        if self.stage is not Stage.READY or content != name(self.dealers) or content == self.ready[author - 1]:
            return self
        return replace(self, ready=_with(self.ready, author, content))

    def _take_acknowledgement(self, author: int, content: bytes) -> "Resharing":
        if self.stage is not Stage.ACKNOWLEDGE:
            raise MalformedError("an acknowledgement comes before its stage")
        if self.acknowledgements[author - 1]:
            return self
        member = self.proposal.members[author - 1]
        sign.verify(member, self.outcome.statement, expect(content, sign.SIGNATURE_SIZE, "an acknowledgement"))
        return replace(self, acknowledgements=_with(self.acknowledgements, author, content))

    # -- what old members say -----------------------------------------------------------------

    def _take_dealing(self, author: int, content: bytes) -> "Resharing":
        if author in self._bad or self.dealing(author) is not None or self.stage >= Stage.ACKNOWLEDGE:
            return self
        if self.stage is Stage.TRANSPORT:
            raise MalformedError("a dealing comes before its stage")
        # SPEC HND-3: a dealing has exactly t' commitments.
        dealing = Dealing.decode(content, self.proposal)
        cocktail.verify_commitment(self.context, dealing.dealt)
        # SPEC HND-4: what is dealt is the share that the dealer holds.
        if dealing.dealt.points[0] != self.before.verification[author - 1]:
            raise RefusedError(Reason.DEALING_INVALID, "the dealt value is not the dealer's share")
        return replace(self, dealings=(*self.dealings, (author, content)))

    def _take_answer(self, author: int, content: bytes) -> "Resharing":
        accuser, ciphertext = number(content[:4]), content[4:]
        dealing = self.dealing(author)
        if dealing is None or (accuser, author) not in self.complaints:
            return self
        expect(ciphertext, CIPHERTEXT_SIZE, "an encrypted share")
        if ciphertext_hash(self.session, author, accuser, ciphertext) != dealing.hash_for(accuser):
            raise MalformedError("the answer is not the ciphertext that was announced")
        return replace(
            self,
            complaints=tuple(one for one in self.complaints if one != (accuser, author)),
            answers=(*self.answers, (accuser, author, ciphertext)),
        )

    # -- disputes -----------------------------------------------------------------------------

    def _disputed(self, author: int, dispute: Dispute) -> "Resharing":
        if not author:
            raise MalformedError("only new members receive ciphertexts")
        dealer, dealing = dispute.accused, self.dealing(dispute.accused)
        if dealing is None:
            raise MalformedError("a dispute is about a logged dealing")
        if dealer in self._bad or self.stage >= Stage.ACKNOWLEDGE:
            return self
        if dispute.ground is Ground.UNSOUND:
            # SPEC HND-5: whoever is at fault is named, and a bad dealing is replaced by the next good one.
            if self.matter(dealer, author, dealing).upheld(dispute.evidence, dealing.hash_for(author)):
                return self._exclude(Reason.DEALING_INVALID, dealer)
            return self._abort(Reason.DISPUTE_INVALID, author)
        if dispute.ground is Ground.UNPROVEN:
            raise MalformedError("a handover has no KEM keys")
        expect(dispute.evidence, 0, "the evidence of what is missing")
        settled = any(answer[:2] == (author, dealer) for answer in self.answers)
        if settled or (author, dealer) in self.complaints:
            return self
        return replace(self, complaints=(*self.complaints, (author, dealer)))

    def _voted(self, old: int, new: int, dispute: Dispute) -> "Resharing":
        """One opinion. As many as either threshold name somebody: one of them is honest and waited in vain."""
        accused, awaited = dispute.accused, expect(dispute.evidence, 4, "a vote")
        if awaited[0] not in (Side.OLD, Side.NEW):
            raise MalformedError("a vote is about an old or a new member")
        side = Side(awaited[0])
        voter, most = (old, self.before.n) if side is Side.OLD else (new, self.proposal.n)
        if not 1 <= accused <= most or accused == voter:
            raise MalformedError("a vote is about another member")
        vote = old, new, accused, awaited
        if awaited != self.awaited(side, accused) or vote in self.votes or not self.owes(side, accused):
            return self
        votes = (*self.votes, vote)
        voters = [cast[:2] for cast in votes if cast[2:] == vote[2:]]
        of_old, of_new = (sum(1 for cast in voters if cast[at]) for at in (0, 1))
        if of_old < self.before.threshold and of_new < self.proposal.threshold:
            return replace(self, votes=votes)
        if side is Side.OLD:
            return self._exclude(Reason.DEALER_SILENT, accused)
        return self._abort(Reason.DEALER_SILENT, accused)

    # -- consequences -------------------------------------------------------------------------

    def _exclude(self, reason: Reason, dealer: int) -> "Resharing":
        """Go on without a dealer; give up if too few are left. Once all are ready, the dealers are fixed."""
        if self.stage >= Stage.ACKNOWLEDGE or dealer in self._bad:
            return self
        excluded = (*self.excluded, (dealer, reason.name))
        complaints = tuple(one for one in self.complaints if one[1] != dealer)
        verdict = None
        if self.before.n - len(excluded) < self.before.threshold:
            verdict = reason.name, tuple(self.before.members[index - 1] for index, _ in excluded)
        return replace(self, excluded=excluded, complaints=complaints, verdict=verdict)

    def _abort(self, reason: Reason, culprit: int) -> "Resharing":
        """What new member ``culprit`` has broken, nobody else can mend."""
        return replace(self, verdict=(reason.name, (self.proposal.members[culprit - 1],)))

    @property
    def _bad(self) -> frozenset[int]:
        return frozenset(index for index, _ in self.excluded)

    @property
    def _keys(self) -> Row:
        return tuple(said[: self.group.size] for said in self.transports)


def name(dealers: tuple[int, ...]) -> bytes:
    """How a new member names the dealings that it can use."""
    return b"".join(u32(dealer) for dealer in dealers)


def _said(payload: bytes) -> tuple[bytes, bytes]:
    try:
        return read_entry(payload)
    except MalformedError:
        return b"", b""  # of no session, so nobody's


def _index(members: Row, member: bytes) -> int:
    return members.index(member) + 1 if member in members else 0


def _with(row: Row, index: int, said: bytes) -> Row:
    return (*row[: index - 1], said, *row[index:])


@lru_cache(maxsize=16)
def _proposal(data: bytes) -> HandoverProposal:
    return HandoverProposal.decode(data)


@lru_cache(maxsize=16)
def _generation(data: bytes) -> ShareGeneration:
    return ShareGeneration.decode(data)


@lru_cache(maxsize=16)
def _verification_shares(proposal_bytes: bytes, chosen: tuple[tuple[int, bytes], ...]) -> Row:
    """h'_1..h'_n', from the commitments to Σ λ_i g_i."""
    proposal = _proposal(proposal_bytes)
    weights = lagrange_at_zero(tuple(dealer for dealer, _ in chosen), proposal.group.scalar)
    joint = [proposal.group.identity] * proposal.threshold
    for weight, (_, said) in zip(weights, chosen, strict=True):
        points: tuple[Point, ...] = Dealing.decode(said, proposal).dealt.decoded(proposal.group)
        joint = [have + weight * more for have, more in zip(joint, points, strict=True)]
    return tuple(evaluate_commitments(joint, index).encode() for index in range(1, proposal.n + 1))
