"""CUST-11: where a custodian has operators, enough of them must agree to a request before it is counted.

They decide about a request that has passed every check. Whoever has said yes or no has said it for good; once so many
have refused that the others are too few, the request is refused for good.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.encoding import number, u8
from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import JudgeRelease, Waiting, WaitingRequest
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.warrant.genesis import Lock
from escrow.warrant.operators import check_operator
from escrow.warrant.request import ReleaseRequest

_WAITING = b"waiting/"
_VERDICT = b"verdict/"
_SHOWN = 64
"""Requests that are shown at once."""


class _Waits(Struct, frozen=True):
    agency: str
    dsse: bytes
    count: int
    until: int


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of one custodian, by its identity key; ``people`` is None where it has none."""

    custodian: bytes
    people: Lock | None

    def allow(self, draft: Draft, request: ReleaseRequest, agency: Party, until: int) -> bool:
        """Whether the request may go on; False while it waits, at most ``until``. ``OPERATOR_REFUSED``."""
        if self.people is None:
            return True
        # SPEC CUST-11: without the leave of enough operators, where there are any, nothing is released.
        agreed, refused = self._said(draft, request.hash)
        if refused:
            raise RefusedError(Reason.OPERATOR_REFUSED)
        if agreed:
            draft.delete(_WAITING + request.hash)
        else:
            draft.put(_WAITING + request.hash, pack(_Waits(agency, request.dsse, request.count, until)))
        return agreed

    def forget(self, draft: Draft, now: int) -> None:
        """What waits no longer than its warrant lasts."""
        for key, value in list(draft.scan(_WAITING)):
            if unpack(value, _Waits).until <= now:
                draft.delete(key)
                for place, _ in list(draft.scan(_VERDICT + key[len(_WAITING) :])):
                    draft.delete(place)

    def judge(self, draft: Draft, caller: Party, call: JudgeRelease) -> None:
        """Take one operator's word, once. ``PERMISSION_DENIED``, ``NOT_FOUND``, ``SIGNATURE_INVALID``."""
        public = self._key_of(caller, call.person)
        if draft.get(_WAITING + call.request_hash) is None:
            raise RefusedError(Reason.NOT_FOUND, "no such request waits")
        check_operator(public, self.custodian, call.request_hash, call.signature, allow=call.allow)
        place = _VERDICT + call.request_hash + call.person.encode()
        if draft.get(place) is None:
            draft.put(place, u8(call.allow))
        if self._said(draft, call.request_hash)[1]:
            draft.delete(_WAITING + call.request_hash)

    def waiting(self, view: Read | Draft, caller: Party) -> Waiting:
        """What waits, for an operator; ``PERMISSION_DENIED``."""
        self._key_of(caller, caller.removeprefix("operator/"))
        found = ((key[len(_WAITING) :], unpack(value, _Waits)) for key, value in view.scan(_WAITING, limit=_SHOWN))
        return Waiting(tuple(WaitingRequest(key, one.agency, one.dsse, one.count) for key, one in found))

    def _said(self, view: Read | Draft, request_hash: bytes) -> tuple[bool, bool]:
        """Whether enough have agreed, and whether so many have refused that they never will."""
        if self.people is None:
            return True, False
        said = [bool(number(value)) for _, value in view.scan(_VERDICT + request_hash)]
        yes = sum(said)
        return yes >= self.people.threshold, len(self.people.people) - (len(said) - yes) < self.people.threshold

    def _key_of(self, caller: Party, person: str) -> bytes:
        keys = {} if self.people is None else {name: public for public, name in self.people.keys.items()}
        if caller != f"operator/{person}" or person not in keys:
            raise RefusedError(Reason.PERMISSION_DENIED, "for the operators of this custodian, each for themselves")
        return keys[person]
