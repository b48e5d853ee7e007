"""LOG-13: devices that somebody else adds to an account are noticed by its owner, wherever in the log they stand."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import IntegrityError
from escrow.ids import Party
from escrow.roles.calls import Call, GetUpdate, Reply, Update
from escrow.roles.device import monitor
from escrow.roles.device.commands import WatchMe
from escrow.roles.device.monitor import Monitor, progress
from escrow.roles.lightview import LightView, SeenHead
from escrow.roles.state import pack
from tests.claims.measures import Census, effort
from tests.core.roles.ghosts import GHOSTS, watch
from tests.core.roles.phones import Phones, phones

pytestmark = pytest.mark.claim("LOG-13")


@effort(0.4)
@given(
    ghosts=st.lists(st.sampled_from(GHOSTS), max_size=3),
    noise=st.lists(st.binary(max_size=80), max_size=6),
    order=st.randoms(use_true_random=False),
    page=st.integers(1, 20),
)
def test_every_ghost_is_counted_and_nothing_else_is(
    census: Census, ghosts: list[Callable[[Phones], bytes]], noise: list[bytes], order: object, page: int
) -> None:
    at = phones()
    at.reset()
    entries = [ghost(at) for ghost in ghosts] + noise
    order.shuffle(entries)  # type: ignore[attr-defined]
    at.slip_in(*entries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "PAGE", page)
        for name, expected in (("bob", len(ghosts)), ("carol", 0)):
            assert watch(at, name).ghosts == expected
            assert [reason for reason, _ in at.alarms(name)] == ["GHOST_DEVICE"] * expected
    census("noticed" if ghosts else "nothing to notice")
    at.reset()


@effort(0.2)
@given(ghost=st.sampled_from(GHOSTS), after=st.integers(0, 3), instead=st.binary(max_size=80), page=st.integers(1, 20))
def test_a_log_that_shows_its_owner_something_else_is_stopped(
    census: Census, ghost: Callable[[Phones], bytes], after: int, instead: bytes, page: int
) -> None:
    at = phones()
    at.reset()
    hidden = at.world.store("log").length("log/leaves")
    at.slip_in(ghost(at), *(b"noise %d" % number for number in range(after)))

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if not isinstance(call, GetUpdate) or not isinstance(reply, Update):
            return reply
        entries = [instead if reply.start + n == hidden else one for n, one in enumerate(reply.entries)]
        return msgspec.structs.replace(reply, entries=tuple(entries))

    at.world.network.on_reply = on_reply
    with pytest.MonkeyPatch.context() as patch, suppress(IntegrityError):
        patch.setattr(monitor, "PAGE", page)
        at.world.run(at.device("bob"), WatchMe())
    assert progress(at.store("bob")).size <= hidden
    at.world.network.on_reply = lambda _o, _t, _c, reply: reply
    assert watch(at, "bob").ghosts == 1
    census("hiding stopped")
    at.reset()


@effort(0.1)
@given(root=st.binary(min_size=32, max_size=32))
def test_the_owner_reads_the_tree_that_others_are_shown(census: Census, root: bytes) -> None:
    """Even if enough witnesses have signed another tree for him."""
    at = phones()
    at.reset()
    watch(at, "bob")
    at.slip_in(b"harmless")
    draft, now = at.draft("bob"), at.world.now
    known = progress(draft)
    question = GetUpdate(known.size, 0, 1)
    page: Update = at.world.ask("log", question)
    draft.put(b"view/head", pack(SeenHead(known.size + 1, root, now, now, 1)))
    with pytest.raises(IntegrityError, match="LOG_INCONSISTENT"):
        Monitor(LightView(at.world.genesis)).on_update(draft, question, page, now)
    assert progress(draft) == known
    census("hiding stopped")
    at.reset()
