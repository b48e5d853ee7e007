"""LOG-14: whatever is done in whatever order, a monitor accuses those who broke a public rule, and nobody else."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.errors import EscrowError
from escrow.roles.monitor.commands import Alarm
from escrow.roles.monitor.statistics import year_of
from escrow.tlog.entry import EntryType
from escrow.warrant.release import Outcome, ReleaseIntent, ReleaseRecord
from escrow.warrant.request import ReleaseRequest, sign_request
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.measures import Census, effort
from tests.core.roles.onlooker import Onlooker
from tests.core.roles.scene import MINUTE, Scene, scene

pytestmark = pytest.mark.claim("LOG-14")

acts = st.lists(
    st.tuples(
        st.sampled_from(("ask", "ask", "rogue", "rogue intent", "cancel", "suspend", "wait", "look", "nobody asked")),
        st.integers(1, 3),
    ),
    max_size=8,
)


@effort(0.4)
@given(acts)
@example([("ask", 1), ("ask", 2), ("look", 1), ("cancel", 1), ("ask", 3), ("rogue", 3)])
def test_who_keeps_the_rules_is_not_accused_and_who_does_not_is(census: Census, script: list[tuple[str, int]]) -> None:
    at = scene().rewind("ready")
    onlooker, shadow = Onlooker(at).look(), Shadow(at)
    for number, (what, custodian) in enumerate(script):
        if what == "look":
            onlooker.look()
        else:
            shadow.act(what, custodian, number)
        at.settle(1)
    at.settle()
    found = onlooker.look().findings().findings
    accused = {(one.alarm, one.detail) for one in found}
    assert accused == shadow.guilty
    for alarm, _ in accused:
        census(str(Alarm(alarm)))
    census("accused" if accused else "nobody accused")
    said = onlooker.report(year_of(at.world.now))
    assert (said.requests, said.intents, said.released) == (len(shadow.requests), shadow.intents, shadow.released)


class Shadow:
    """What was really done, kept beside the log."""

    def __init__(self, at: Scene) -> None:
        self.at = at
        self.stopped = False
        self.guilty = set[tuple[str, str]]()
        self.requests, self.intents, self.released = set[bytes](), 0, 0
        self._honest = set[int]()

    def act(self, what: str, custodian: int, number: int) -> None:
        at, who = self.at, self.at.key(f"custodian/{custodian}").public.hex()[:16]
        match what:
            case "ask":
                self._ask(custodian)
            case "rogue" | "rogue intent":
                request = replace(at.request, request_id=bytes([number, custodian]) * 8)
                self._rogue(request, custodian, releases=what == "rogue")
                if what == "rogue" and self.stopped:
                    self.guilty.add((Alarm.RELEASE_AFTER_STOP, who))
            case "nobody asked":
                request = replace(at.under(at.rewritten(), at.request.dsse), request_id=bytes([number]) * 16)
                self._rogue(request, custodian, releases=False)
                self.guilty.add((Alarm.INTENT_WITHOUT_SEAL, who))
            case "cancel":
                self._order(EntryType.CANCELLATION, ISSUERS[0])
            case "suspend":
                self._order(EntryType.SUSPENSION, APPROVERS[0])
            case _:
                at.pass_time(MINUTE)

    def _ask(self, custodian: int) -> None:
        """Ask an honest one, which does what it may."""
        try:
            released = bool(self.at.release(custodian=custodian).sealed)
        except EscrowError:
            return
        if released and custodian not in self._honest:
            self._honest.add(custodian)
            self.requests.add(self.at.request.hash)
            self.intents += 1
            self.released += 1

    def _rogue(self, request: ReleaseRequest, custodian: int, *, releases: bool) -> None:
        """An intent of a custodian that decides nothing, and its word that it has released."""
        at, party = self.at, f"custodian/{custodian}"
        key, signature = at.key(party).public, sign_request(at.request_key, request)
        said = request.committee_key_hash, 0, request.hash, request.item_root, request.count, signature
        assert at.log(party, EntryType.RELEASE_INTENT, ReleaseIntent(request.seal_tag, key, *said).encode()) == ("",)
        self.requests.add(request.hash)
        self.intents += 1
        if releases:
            record = ReleaseRecord(request.seal_tag, key, request.hash, bytes(32), Outcome.RELEASED)
            assert at.log(party, EntryType.RELEASE_RECORD, record.encode()) == ("",)
            self.released += 1

    def _order(self, kind: EntryType, person: str) -> None:
        self.at.log("authority", kind, self.at.order(kind, person))
        self.stopped = True
