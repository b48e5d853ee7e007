"""Every known way to break the rules of a key generation, and how the run then ends.

One table for the World, for real processes and for the claims. A deviation names the reason for which its player is
named; without one, nobody is, and the run ends with a key. Nothing else may happen: a run never names an honest member.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from escrow.committee import cocktail
from escrow.committee.cocktail import Commitment, Context
from escrow.committee.dispute import Ground
from escrow.committee.documents import TRANSCRIPT_SIZE
from escrow.committee.messages import Kind, Output, ToLog, ToMember, possession
from escrow.committee.record import Stage
from escrow.crypto.group import SIZE, Scalar
from escrow.crypto.sign import SIGNATURE_SIZE
from escrow.encoding import u32
from escrow.errors import Reason
from escrow_lab.malice.forging import Dealing, Moment, Play, after_hearing, beside, dealing, hashes, instead, twisted

_GARBAGE: Final = bytes(cocktail.CIPHERTEXT_SIZE)
_IDENTITY: Final = bytes([1]) + bytes(SIZE - 1)
"""Of edwards25519, as nobody encodes it who is honest."""
_CHOSEN: Final = Scalar(1234)
"""What whoever chooses the sum of all keys would like to know of it."""


@dataclass(frozen=True)
class Deviation:
    """What one custodian does instead of what it should."""

    name: str
    ends: Reason | None
    """Why its player is named; None where nobody is."""
    play: Play


# -- transport keys -------------------------------------------------------------------------------


def _first_heard(stage: Stage, moment: Moment) -> bytes:
    return moment.heard(stage)[0]


def _own_key(moment: Moment, said: bytes) -> bytes:
    proof = cocktail.schnorr_sign(moment.group, moment.transport, said)
    return moment.group.base_mul(moment.transport).encode() + proof


def _key_for_another_index(moment: Moment, _: bytes) -> bytes:
    return _own_key(moment, possession(moment.session, moment.others[0]))


def _key_for_another_run(moment: Moment, _: bytes) -> bytes:
    return _own_key(moment, possession(moment.another_session, moment.index))


def _no_key(_: Moment, content: bytes) -> bytes:
    return _IDENTITY + content[SIZE:]


# -- commitments ----------------------------------------------------------------------------------


def _longer(own: Dealing) -> Commitment:
    more = own.moment.group.base_mul(_CHOSEN).encode()
    return own.proved((*own.commitment.points, more), own.polynomial.coefficients[0])


def _shorter(own: Dealing) -> Commitment:
    return own.proved(own.commitment.points[:-1], own.polynomial.coefficients[0])


def _constant(own: Dealing) -> Commitment:
    """A last coefficient of zero: fewer than a threshold would then do."""
    points = (*own.commitment.points[:-1], _IDENTITY)
    return own.proved(points, own.polynomial.coefficients[0])


def _nothing(own: Dealing) -> Commitment:
    """C_0 = O, whose logarithm everybody knows: R = zB passes for its proof."""
    honest, response = own.commitment, _CHOSEN
    proof = own.moment.group.base_mul(response).encode() + response.encode()
    return Commitment((_IDENTITY, *honest.points[1:]), proof, honest.ephemeral)


def _torsioned(own: Dealing) -> Commitment:
    first, second = (own.moment.group.decode(point) for point in own.commitment.points[:2])
    points = (first.encode(), twisted(second), *own.commitment.points[2:])
    return own.proved(points, own.polynomial.coefficients[0])


def _unproved(own: Dealing) -> Commitment:
    """A point whose logarithm nobody knows, proved with that of another."""
    group, points = own.moment.group, own.commitment.points
    rogue = group.base_mul(_CHOSEN) - group.decode(own.moment.state.record.transports[own.moment.others[0] - 1])
    return own.proved((rogue.encode(), *points[1:]), _CHOSEN)


def _of_another_run(own: Dealing) -> Commitment:
    record = own.moment.state.record
    context = Context.of(own.moment.group, own.moment.another_session, record.transports)
    return own.proved(own.commitment.points, own.polynomial.coefficients[0], context)


def _rogue(moment: Moment) -> bytes:
    """Having heard all others: C_0 = X - ΣC_j0, which would make the committee's key X."""
    own, point = Dealing.of(moment), moment.group.base_mul(_CHOSEN)
    for said in moment.heard(Stage.DKG_REVEAL):
        point = point - moment.group.decode(said[:SIZE])
    return own.proved((point.encode(), *own.commitment.points[1:]), _CHOSEN).encode()


def _copied(moment: Moment) -> tuple[Output, ...]:
    """Commit as another has, and reveal what that one reveals: its proof, under our index."""
    for stage in (Stage.DKG_COMMIT, Stage.DKG_REVEAL):
        if moment.state.record.stage is stage:
            return after_hearing(stage, partial(_first_heard, stage))(moment)
    return moment.outputs


# -- shares ---------------------------------------------------------------------------------------


def _victim(moment: Moment) -> int:
    return moment.others[0]


def _to_victim(send: Callable[[ToMember], tuple[Output, ...]], answer: bytes | None = b"") -> Play:
    """Send one member something else; ``answer`` what it gets when it complains. ``b""`` stands for what it should."""

    def answered(moment: Moment, content: bytes) -> bytes | None:
        return content if answer == b"" else None if answer is None else u32(_victim(moment)) + answer

    def play(moment: Moment) -> tuple[Output, ...]:
        altered: list[Output] = []
        for output in instead(Kind.DKG_ANSWER, answered)(moment):
            victim = isinstance(output, ToMember) and output.index == _victim(moment)
            altered += send(output) if victim and isinstance(output, ToMember) else (output,)
        return tuple(altered)

    return play


def _announced(moment: Moment) -> tuple[Output, ...]:
    """Garbage for one member, and its hash in the log."""
    honest = dict(enumerate(moment.state.dealt, start=1))
    altered = honest | {_victim(moment): _GARBAGE}
    said = instead(Kind.DKG_CIPHERTEXTS, lambda one, _: hashes(one, lambda to: altered[to]))(moment)
    return tuple(ToMember(o.index, altered[o.index]) if isinstance(o, ToMember) else o for o in said)


# -- complaints -----------------------------------------------------------------------------------


def _evidence(moment: Moment) -> tuple[int, bytes]:
    """Of the first share that we had before our transport key should have gone: whose it is, and all that shows it."""
    dealer = next(other for other in moment.others if moment.kept.received[other - 1])
    matter, ciphertext = moment.state.record.matter(dealer, moment.index), moment.kept.received[dealer - 1]
    return dealer, matter.accuse(moment.transport, ciphertext, bytes(32))


def _accuse(alter: Callable[[Moment, bytes], bytes]) -> Play:
    """Instead of certifying, say that an honest share is unsound."""

    def said(moment: Moment) -> tuple[Output, ...]:
        if moment.state.record.stage is not Stage.DKG_CERTIFY:
            return ()  # another deviation certifies too early
        dealer, evidence = _evidence(moment)
        return (moment.dispute(Ground.UNSOUND, dealer, alter(moment, evidence)),)

    return beside(Kind.DKG_CERTIFY, said)


def _true(_: Moment, evidence: bytes) -> bytes:
    return evidence


def _flipped(at: int) -> Callable[[Moment, bytes], bytes]:
    return lambda _, evidence: evidence[:at] + bytes([evidence[at] ^ 1]) + evidence[at + 1 :]


def _with_another_point(moment: Moment, evidence: bytes) -> bytes:
    """With it, the honest ciphertext opens to nothing."""
    at, other = cocktail.CIPHERTEXT_SIZE, moment.group.base_mul(_CHOSEN).encode()
    return evidence[:at] + other + evidence[at + SIZE :]


def _bad_index(index: Callable[[Moment], int]) -> Play:
    return beside(Kind.DKG_CERTIFY, lambda moment: (moment.dispute(Ground.MISSING, index(moment)),))


def _all_silent(moment: Moment) -> tuple[Output, ...]:
    """One opinion that everybody else is silent, in every step."""
    record = moment.state.record
    if record.stage >= Stage.FINISHED:
        return moment.outputs
    votes = (moment.dispute(Ground.SILENT, other, record.awaited(other)) for other in moment.others)
    return (*votes, *moment.outputs)


def _all_missing(moment: Moment) -> tuple[Output, ...]:
    return tuple(moment.dispute(Ground.MISSING, other) for other in moment.others)


# -- the certificate and the log ------------------------------------------------------------------


def _one_signature_less(_: Moment, content: bytes) -> bytes:
    return content[:-SIGNATURE_SIZE]


def _empty_signature(place: int) -> Play:
    """The signature of the key stands before that of the shares."""

    def empty(_: Moment, content: bytes) -> bytes:
        begin = TRANSCRIPT_SIZE + place * SIGNATURE_SIZE
        return content[:begin] + bytes(SIGNATURE_SIZE) + content[begin + SIGNATURE_SIZE :]

    return instead(Kind.DKG_CERTIFY, empty)


def _another_transcript(_: Moment, content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def _second_thought(moment: Moment) -> tuple[Output, ...]:
    """Two reveals in the log; the honest one stands first there."""
    more = [moment.say(Kind.DKG_REVEAL, Dealing.of(moment).commitment.encode()) for _ in _reveals(moment)]
    return (*moment.outputs, *more)


def _reveals(moment: Moment) -> list[ToLog]:
    return [one for one in moment.outputs if isinstance(one, ToLog) and one.kind is Kind.DKG_REVEAL]


def _old_session(moment: Moment) -> tuple[Output, ...]:
    """Everything once more, under the session of another run."""
    logged = [one for one in moment.outputs if isinstance(one, ToLog)]
    again = (moment.say(one.kind, one.payload[-1:], moment.another_session) for one in logged if one.kind.of_keygen)
    return (*again, *moment.outputs)


def _too_early(moment: Moment) -> tuple[Output, ...]:
    return (moment.say(Kind.DKG_CERTIFY, bytes(SIZE)),)


def _garbage(_: Moment) -> tuple[Output, ...]:
    return (ToLog(Kind.DKG_COMMIT, b"garbage"),)


def _withhold(kind: Kind) -> Play:
    return instead(kind, lambda *_: None)


def _unasked(moment: Moment) -> tuple[Output, ...]:
    return (moment.say(Kind.DKG_ANSWER, u32(_victim(moment)) + _GARBAGE),)


_INVALID: Final = Reason.DEALING_INVALID

DEVIATIONS: Final = {
    each.name: each
    for each in (
        Deviation(
            "transport key of another",
            _INVALID,
            after_hearing(Stage.DKG_TRANSPORT, partial(_first_heard, Stage.DKG_TRANSPORT)),
        ),
        Deviation(
            "transport key proved for another index", _INVALID, instead(Kind.DKG_TRANSPORT, _key_for_another_index)
        ),
        Deviation("transport key proved for another run", _INVALID, instead(Kind.DKG_TRANSPORT, _key_for_another_run)),
        Deviation("identity as transport key", _INVALID, instead(Kind.DKG_TRANSPORT, _no_key)),
        Deviation("t+1 commitments", _INVALID, dealing(_longer)),
        Deviation("t-1 commitments", _INVALID, dealing(_shorter)),
        Deviation("identity as last commitment", _INVALID, dealing(_constant)),
        Deviation("identity as first commitment", _INVALID, dealing(_nothing)),
        Deviation("torsioned commitment", _INVALID, dealing(_torsioned)),
        Deviation("commitment without its logarithm", _INVALID, dealing(_unproved)),
        Deviation("proof of another run", _INVALID, dealing(_of_another_run)),
        Deviation("dealing and proof of another member", _INVALID, _copied),
        Deviation("rogue key after hearing all", _INVALID, after_hearing(Stage.DKG_REVEAL, _rogue)),
        Deviation("share that was not committed", _INVALID, dealing(seal=lambda own, to: own.sealed(to, 1))),
        Deviation("announced ciphertext that does not open", _INVALID, _announced),
        Deviation("ciphertext withheld and answered with another", _INVALID, _to_victim(lambda _: (), answer=_GARBAGE)),
        Deviation("ciphertext withheld and not answered", Reason.DEALER_SILENT, _to_victim(lambda _: (), answer=None)),
        Deviation("ciphertext withheld until it is asked for", None, _to_victim(lambda _: ())),
        Deviation(
            "another ciphertext than announced", None, _to_victim(lambda sent: (ToMember(sent.index, _GARBAGE),))
        ),
        Deviation("accusation of an honest dealer", Reason.DISPUTE_INVALID, _accuse(_true)),
        Deviation("accusation with a flipped ciphertext", Reason.DISPUTE_INVALID, _accuse(_flipped(0))),
        Deviation("accusation with a flipped proof", Reason.DISPUTE_INVALID, _accuse(_flipped(239))),
        Deviation("accusation with another point", Reason.DISPUTE_INVALID, _accuse(_with_another_point)),
        Deviation("complaint about index 0", _INVALID, _bad_index(lambda _: 0)),
        Deviation("complaint about index n+1", _INVALID, _bad_index(lambda one: one.state.record.proposal.n + 1)),
        Deviation("complaint about oneself", _INVALID, _bad_index(lambda one: one.index)),
        Deviation("complaint that all is missing", None, beside(Kind.DKG_CERTIFY, _all_missing)),
        Deviation("opinion that all are silent", None, _all_silent),
        Deviation("abort after hearing all reveals", Reason.DEALER_SILENT, _withhold(Kind.DKG_REVEAL)),
        Deviation("abort after hearing all certificates", Reason.DEALER_SILENT, _withhold(Kind.DKG_CERTIFY)),
        Deviation("certificate with one signature", _INVALID, instead(Kind.DKG_CERTIFY, _one_signature_less)),
        Deviation("certificate that does not sign the key", _INVALID, _empty_signature(0)),
        Deviation("certificate that does not sign the shares", _INVALID, _empty_signature(1)),
        Deviation("certificate of another transcript", _INVALID, instead(Kind.DKG_CERTIFY, _another_transcript)),
        Deviation("second thoughts in the log", None, _second_thought),
        Deviation("entries of another run", None, _old_session),
        Deviation("certificate before its stage", _INVALID, beside(Kind.DKG_COMMIT, _too_early)),
        Deviation("entry that is none", _INVALID, beside(Kind.DKG_COMMIT, _garbage)),
        Deviation("answer that nobody asked for", None, beside(Kind.DKG_CERTIFY, _unasked)),
    )
}
"""By name."""


def together(*names: str) -> Play:
    """Several at once."""

    def play(moment: Moment) -> tuple[Output, ...]:
        for name in names:
            moment = replace(moment, outputs=DEVIATIONS[name].play(moment))
        return moment.outputs

    return play
