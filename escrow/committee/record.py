"""What everybody who reads the log knows of one key generation. No secrets, no clock: a function of the log alone.

So there is no coordinator, and whoever reads the same log ends with the same key or names the same culprit. A run goes
through five stages, four where there is no group; in each, every custodian owes one entry, the first of which counts,
and the last custodian's ends the stage. What a single custodian does about it is ``dkg``.

What a suite's group needs stands first in an entry; what its KEM keys need, which is of fixed width, stands last.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, unique
from functools import lru_cache
from typing import NamedTuple, Self

import msgspec
from msgspec.structs import replace

from escrow.committee import cocktail, kem_possession
from escrow.committee.cocktail import CIPHERTEXT_SIZE, Commitment, Context, Route, proof_size
from escrow.committee.dispute import Dispute, Ground, Matter
from escrow.committee.documents import (
    TRANSCRIPT_SIZE,
    CommitteeKey,
    CommitteeProposal,
    ShareGeneration,
)
from escrow.committee.messages import Kind, ciphertext_hash, commitment_hash, possession, read_entry, session_id
from escrow.committee.parts import PublicKey, kem_names, points_of, read_kems
from escrow.crypto import sign, xwing
from escrow.crypto.suites import has_group, has_kem
from escrow.encoding import expect, number, u8, u16, u64
from escrow.errors import EscrowError, MalformedError, Reason
from escrow.tags import T, Tag, digest

HASH_SIZE = 32


@unique
class Stage(IntEnum):
    """What every custodian owes. The names of the first five are those of the log entries that settle it."""

    DKG_TRANSPORT = 0
    DKG_COMMIT = 1
    DKG_REVEAL = 2
    DKG_CIPHERTEXTS = 3
    DKG_CERTIFY = 4
    FINISHED = 5
    ABORTED = 6


Row = tuple[bytes, ...]
"""By custodian, in order of index: its entry of one stage; empty where it is still owed."""


class Said(NamedTuple):
    """An entry of one stage, cut up."""

    group: bytes
    kem: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has computed once all ciphertexts are logged: the two documents, still unsigned."""

    key: CommitteeKey
    generation: ShareGeneration


class Record(msgspec.Struct, frozen=True):
    """The public state of a run. ``after`` returns the next one; nothing else changes it."""

    proposal_bytes: bytes
    run: int
    retire_at: int
    rows: tuple[Row, ...]
    complaints: tuple[tuple[int, int], ...] = ()
    """(accuser, dealer) whose ciphertext is said to be missing and not answered yet."""
    answers: tuple[tuple[int, int, bytes], ...] = ()
    """(accuser, dealer, ciphertext) as logged by the dealer."""
    votes: tuple[tuple[int, int, bytes], ...] = ()
    """(voter, accused, awaited): who is said to be silent, and about what."""
    verdict: tuple[str, int] | None = None
    """Name of the reason and index of the culprit."""

    @classmethod
    def begin(cls, proposal: CommitteeProposal, run: int, retire_at: int) -> Self:
        """A run of which nothing is logged yet."""
        return cls(proposal.encode(), run, retire_at, ((b"",) * proposal.n,) * Stage.FINISHED)

    @property
    def proposal(self) -> CommitteeProposal:
        """The proposal of the run."""
        return _proposal(self.proposal_bytes)

    @property
    def session(self) -> bytes:
        """What tells this run from all others."""
        return session_id(self.proposal_bytes, self.run)

    @property
    def stage(self) -> Stage:
        """The first stage in which somebody owes an entry, or how the run ended."""
        if self.verdict is not None:
            return Stage.ABORTED
        return next((stage for stage in _stages(self.proposal.suite) if not all(self.rows[stage])), Stage.FINISHED)

    def said(self, stage: Stage) -> tuple[Said, ...]:
        """The entries of a stage, by custodian."""
        return tuple(_cut(self.proposal, stage, each) for each in self.rows[stage])

    @property
    def transports(self) -> Row:
        """P_1..P_n, once they are all logged."""
        size = _point_size(self.proposal)
        return tuple(said.group[:size] for said in self.said(Stage.DKG_TRANSPORT))

    @property
    def kems(self) -> Row:
        """The KEM keys, once they are all logged; empty ones where the suite has none."""
        return tuple(said.kem for said in self.said(Stage.DKG_TRANSPORT))

    @property
    def challenges(self) -> Row:
        """What everybody has sealed to all KEM keys."""
        return tuple(said.kem for said in self.said(Stage.DKG_COMMIT))

    def answers_of(self, member: int) -> bytes:
        """What ``member`` said was sealed to its KEM key."""
        return self.said(Stage.DKG_REVEAL)[member - 1].kem

    @property
    def context(self) -> Context:
        """The context of all proofs and ciphertexts of the run, once the transport keys are logged."""
        return Context.of(self.proposal.group, self.session, self.transports)

    @property
    def outcome(self) -> Outcome:
        """The documents to be signed; with their signatures once the run is finished."""
        return _outcome(self.proposal_bytes, self.session, self.retire_at, self.rows)

    def matter(self, dealer: int, recipient: int) -> Matter:
        """What a dispute about one ciphertext is about."""
        dealt = _dealing(self.proposal, self.said(Stage.DKG_REVEAL)[dealer - 1].group)
        keys = self.transports
        route = Route(self.proposal.group, dealt.ephemeral, keys[dealer - 1], keys[recipient - 1])
        return Matter(self.session, self.context, route, dealer, recipient, dealt)

    def ciphertext_hash(self, dealer: int, recipient: int) -> bytes:
        """The hash of that ciphertext, as its dealer logged it."""
        start = HASH_SIZE * (recipient - 1)
        return self.rows[Stage.DKG_CIPHERTEXTS][dealer - 1][start : start + HASH_SIZE]

    def owes(self, member: int) -> bool:
        """Whether the run waits for ``member``, who may not wait for somebody else in turn."""
        if any(dealer == member for _, dealer in self.complaints):
            return True
        waits = any(accuser == member for accuser, _ in self.complaints)
        return not waits and not self.rows[self.stage][member - 1]

    def awaited(self, member: int) -> bytes:
        """What ``member`` may be silent about, 3 bytes: stage u8 ‖ how far it has come in it u16.

        It comes further with its entry and with every complaint from or against it that is settled. An opinion names
        this, so one from before never counts after, and everybody may have another then.
        """
        settled = sum(member in (accuser, dealer) for accuser, dealer, _ in self.answers)
        return u8(self.stage) + u16(settled + bool(self.rows[self.stage][member - 1]))

    def after(self, kind: Kind, submitter: bytes, payload: bytes) -> "Record":
        """The record with one more entry of the log; itself if the entry is none of this run's or changes nothing.

        Entries that break the protocol never raise: they end the run with whoever logged them as the culprit.
        """
        author = self.proposal.index_of(submitter)
        if self.stage >= Stage.FINISHED or author is None or not kind.of_keygen:
            return self
        try:
            session, content = read_entry(payload)
            if session != self.session:
                return self
            if kind is Kind.DKG_DISPUTE:
                return self._disputed(author, Dispute.decode(content))
            if kind is Kind.DKG_ANSWER:
                return self._answered(author, content)
            return self._settled(Stage[kind], author, content)
        except EscrowError:
            return self._condemn(Reason.DEALING_INVALID, author)

    def _settled(self, stage: Stage, author: int, content: bytes) -> "Record":
        if self.rows[stage][author - 1]:
            return self  # sent again after a crash, or a second thought: the first counts
        if stage is not self.stage:
            raise MalformedError("an entry comes before its stage")
        said = _cut(self.proposal, stage, content)
        if has_group(self.proposal.suite):
            _CHECKS[stage](self, author, said.group)
        elif stage is Stage.DKG_CERTIFY:
            _check_certify(self, author, content)
        else:
            expect(said.group, 0, "what a suite without a group says about one")
        if has_kem(self.proposal.suite):
            _check_kem(self, stage, said.kem)
        row = (*self.rows[stage][: author - 1], content, *self.rows[stage][author:])
        rows = (*self.rows[:stage], row, *self.rows[stage + 1 :])
        return replace(self, rows=rows)

    def _disputed(self, author: int, dispute: Dispute) -> "Record":
        accused = dispute.accused
        if not 1 <= accused <= self.proposal.n or accused == author:
            raise MalformedError("a dispute is with another custodian")
        if dispute.ground is Ground.SILENT:
            return self._voted(author, accused, expect(dispute.evidence, 3, "a vote"))
        if self.stage is not Stage.DKG_CERTIFY:
            raise MalformedError("a ciphertext is disputed before all are logged")
        if dispute.ground is Ground.UNPROVEN:
            return self._unproven(author, accused, dispute.evidence)
        if not has_group(self.proposal.suite):
            raise MalformedError("a ciphertext is disputed where there is none")
        if dispute.ground is Ground.UNSOUND:
            logged = self.ciphertext_hash(accused, author)
            if self.matter(accused, author).upheld(dispute.evidence, logged):
                return self._condemn(Reason.DEALING_INVALID, accused)
            return self._condemn(Reason.DISPUTE_INVALID, author)
        expect(dispute.evidence, 0, "the evidence of what is missing")
        settled = any((accuser, dealer) == (author, accused) for accuser, dealer, _ in self.answers)
        if settled or (author, accused) in self.complaints:
            return self
        return replace(self, complaints=(*self.complaints, (author, accused)))

    def _unproven(self, author: int, accused: int, evidence: bytes) -> "Record":
        if not has_kem(self.proposal.suite):
            raise MalformedError("a KEM key is disputed where there is none")
        key, challenged = self.kems[accused - 1], self.challenges[author - 1]
        answered = self.answers_of(accused)
        culprit = kem_possession.judge(self.session, author, accused, key, challenged, answered, evidence)
        return self._condemn(Reason.DEALING_INVALID if culprit == accused else Reason.DISPUTE_INVALID, culprit)

    def _voted(self, author: int, accused: int, awaited: bytes) -> "Record":
        """One opinion. Only ``threshold`` of them name somebody: at least one of those is honest and waited in vain."""
        vote = author, accused, awaited
        if awaited != self.awaited(accused) or vote in self.votes or not self.owes(accused):
            return self
        votes = (*self.votes, vote)
        if sum(said[1:] == vote[1:] for said in votes) >= self.proposal.threshold:
            return self._condemn(Reason.DEALER_SILENT, accused)
        return replace(self, votes=votes)

    def _answered(self, author: int, content: bytes) -> "Record":
        accuser, ciphertext = number(content[:4]), content[4:]
        complaint = accuser, author
        if complaint not in self.complaints:
            return self
        expect(ciphertext, CIPHERTEXT_SIZE, "an encrypted share")
        if ciphertext_hash(self.session, author, accuser, ciphertext) != self.ciphertext_hash(author, accuser):
            raise MalformedError("the answer is not the ciphertext that was announced")
        return replace(
            self,
            complaints=tuple(one for one in self.complaints if one != complaint),
            answers=(*self.answers, (accuser, author, ciphertext)),
        )

    def _condemn(self, reason: Reason, culprit: int) -> "Record":
        return replace(self, verdict=(reason.name, culprit))


def _stages(suite: int) -> tuple[Stage, ...]:
    """Without a group there are no dealings, so none to encrypt."""
    five = tuple(Stage(at) for at in range(Stage.FINISHED))
    return five if has_group(suite) else tuple(stage for stage in five if stage is not Stage.DKG_CIPHERTEXTS)


def _cut(proposal: CommitteeProposal, stage: Stage, content: bytes) -> Said:
    if not has_kem(proposal.suite):
        return Said(content, b"")
    widths = {
        Stage.DKG_TRANSPORT: xwing.PUBLIC_SIZE,
        Stage.DKG_COMMIT: proposal.n * xwing.CIPHERTEXT_SIZE,
        Stage.DKG_REVEAL: proposal.n * kem_possession.ANSWER_SIZE,
    }
    end = max(0, len(content) - widths.get(stage, 0))
    return Said(content[:end], content[end:])


def _check_kem(record: Record, stage: Stage, said: bytes) -> None:
    # SPEC PQ-4: what is no key, challenge or answer is refused.
    match stage:
        case Stage.DKG_TRANSPORT:
            xwing.check_public(said)
            if said in record.kems:
                raise MalformedError("the KEM key is another's")
        case Stage.DKG_COMMIT:
            kem_possession.check_challenges(said, record.proposal.n)
        case Stage.DKG_REVEAL:
            # Whether they are right is known to the challengers alone, who say so in the next stage.
            expect(said, record.proposal.n * kem_possession.ANSWER_SIZE, "an answer per challenge")
        case _:
            pass


def _check_transport(record: Record, author: int, content: bytes) -> None:
    group = record.proposal.group
    expect(content, group.size + proof_size(group), "a transport key with its proof")
    if content[: group.size] in record.transports:
        raise MalformedError("the transport key is another's")
    key = group.decode(content[: group.size])
    cocktail.schnorr_verify(key, possession(record.session, author), content[group.size :])


def _check_commit(_record: Record, _author: int, content: bytes) -> None:
    expect(content, HASH_SIZE, "a hash")


def _check_reveal(record: Record, author: int, content: bytes) -> None:
    if commitment_hash(record.session, author, content) != record.said(Stage.DKG_COMMIT)[author - 1].group:
        raise MalformedError("the dealing is not the one that was committed to")
    cocktail.verify_commitment(record.context, _dealing(record.proposal, content))


def _check_ciphertexts(record: Record, _author: int, content: bytes) -> None:
    expect(content, HASH_SIZE * record.proposal.n, "a hash per custodian")


def _check_certify(record: Record, author: int, content: bytes) -> None:
    expect(content, TRANSCRIPT_SIZE + 2 * sign.SIGNATURE_SIZE, "a certificate")
    outcome, member = record.outcome, record.proposal.members[author - 1]
    transcript, signature, acknowledgement = _certificate(content)
    if transcript != outcome.key.transcript_hash:
        raise MalformedError("the certificate is over another transcript")
    sign.verify(member, outcome.key.statement, signature)
    sign.verify(member, outcome.generation.statement, acknowledgement)


_CHECKS = {
    Stage.DKG_TRANSPORT: _check_transport,
    Stage.DKG_COMMIT: _check_commit,
    Stage.DKG_REVEAL: _check_reveal,
    Stage.DKG_CIPHERTEXTS: _check_ciphertexts,
    Stage.DKG_CERTIFY: _check_certify,
}
"""What an entry of each stage must be, without what it says of KEM keys. Whoever logs another one is the culprit."""


def _point_size(proposal: CommitteeProposal) -> int:
    return proposal.group.size if has_group(proposal.suite) else 0


def _dealing(proposal: CommitteeProposal, data: bytes) -> Commitment:
    return Commitment.decode(data, proposal.threshold, proposal.group.size)


@lru_cache(maxsize=16)
def _proposal(data: bytes) -> CommitteeProposal:
    return CommitteeProposal.decode(data)


@lru_cache(maxsize=16)
def _outcome(proposal_bytes: bytes, session: bytes, retire_at: int, rows: tuple[Row, ...]) -> Outcome:
    proposal = _proposal(proposal_bytes)
    said = {stage: [_cut(proposal, stage, each) for each in rows[stage]] for stage in _stages(proposal.suite)}
    kems = [each.kem for each in said[Stage.DKG_TRANSPORT]] if has_kem(proposal.suite) else []
    proofs = [each.kem for stage in (Stage.DKG_COMMIT, Stage.DKG_REVEAL) for each in said[stage]] if kems else []
    # The base protocol signs neither the ciphertexts nor what the key is for.
    bound = proposal.policy_hash, u64(proposal.period), *rows[Stage.DKG_CIPHERTEXTS], *kems, *proofs
    if has_group(proposal.suite):
        transports = [each.group[: proposal.group.size] for each in said[Stage.DKG_TRANSPORT]]
        dealings = [_dealing(proposal, each.group) for each in said[Stage.DKG_REVEAL]]
        context = Context.of(proposal.group, session, transports)
        transcript = cocktail.transcript_hash(context, transports, dealings, digest(Tag.DKG_EXT, *bound))
        joint = cocktail.joint_commitments(proposal.group, dealings)
        points = points_of(proposal.suite, proposal.hash, joint[0])
        shares = tuple(cocktail.verification_share(joint, i + 1).encode() for i in range(proposal.n))
    else:
        transcript = hashlib.sha512(T(Tag.KEM_TRANSCRIPT, session, *bound)).digest()
        points, shares = (), kem_names(kems)
    public = PublicKey(points, read_kems(proposal.suite, proposal.n, b"".join(kems)))

    signed = [_certificate(each) for each in rows[Stage.DKG_CERTIFY] if each]
    certificate = tuple(signature for _, signature, _ in signed)
    key = CommitteeKey(proposal.hash, public.public, public.gamma, retire_at, transcript, certificate)
    held = proposal.members, proposal.threshold, shares
    return Outcome(key, ShareGeneration(key.hash, 0, *held, tuple(acknowledged for _, _, acknowledged in signed)))


def _certificate(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Transcript hash, signature over the key, signature over the share generation."""
    end = TRANSCRIPT_SIZE + sign.SIGNATURE_SIZE
    return content[:TRANSCRIPT_SIZE], content[TRANSCRIPT_SIZE:end], content[end:]
