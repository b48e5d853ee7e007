"""MSG-10: who was removed from a group opens nothing that is sealed later, and who was added nothing from before."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.roles.calls import EscrowDelivery, PlainDelivery
from escrow.roles.device.state import ESCROW, PLAIN
from tests.claims.measures import Census, effort
from tests.core.roles.phones import Phones
from tests.core.roles.test_device_groups import name_of, office

pytestmark = pytest.mark.claim("MSG-10")

SPEAKERS = st.lists(st.sampled_from(("alice", "bob")), min_size=1, max_size=4)


def overheard(at: Phones, name: str) -> list[EscrowDelivery | PlainDelivery]:
    """What waits for a device, as the relay could give it to another one."""
    found: list[EscrowDelivery | PlainDelivery] = []
    for mail in at.waiting(name):
        if mail.escrow is not None:
            bare = replace(mail.escrow, envelope=b"", env_path=b"")
            found += [mail.escrow, bare]
        elif mail.plain is not None:
            found.append(mail.plain)
    return found


@effort(0.5)
@given(st.sampled_from((PLAIN, ESCROW)), SPEAKERS, SPEAKERS)
@example(PLAIN, ["bob", "bob"], ["bob", "bob"])
@example(ESCROW, ["bob"], ["bob"])
def test_with_all_that_was_ever_sent_neither_reads_more(
    census: Census, mode: int, earlier: list[str], later: list[str]
) -> None:
    """Carol leaves and dora comes; the relay gives both of them whatever it gives to the others."""
    at = office()
    at.reset()
    team = name_of(mode)
    for number, who in enumerate(earlier):
        at.send(who, team, f"before {number}", mode)
    said = [mail for name in ("alice", "bob") for mail in overheard(at, name)]
    at.sync()
    heard = sorted(at.texts("carol"))
    assert heard == sorted(f"before {number}" for number in range(len(earlier)))
    at.change("alice", team, remove=("carol",))
    at.change("alice", team, add=("dora",))
    at.sync("alice", "bob", "dora")
    for number, who in enumerate(later):
        at.send(who, team, f"after {number}", mode)
    more = [mail for name in ("alice", "bob", "dora") for mail in overheard(at, name)]
    at.deliver("carol", *more)
    assert sorted(at.texts("carol")) == heard
    census("nothing later")
    at.deliver("dora", *said)
    assert at.texts("dora") == []
    census("nothing earlier")
    at.sync("alice", "bob")
    for name in ("alice", "bob"):
        others = [f"after {number}" for number, who in enumerate(later) if who != name]
        assert [text for text in at.texts(name) if text.startswith("after")] == others
    census("read by the others")
