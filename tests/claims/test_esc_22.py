"""ESC-22: neither a clone nor a backup, with a stuck generator or a good one, says two things under one key."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.node import Node
from escrow.roles.device.state import ESCROW
from tests.claims.aead_book import book
from tests.claims.measures import Census, effort
from tests.claims.thieves import MOST, street

pytestmark = pytest.mark.claim("ESC-22")

TEXTS = ("yes", "no", "maybe")
turns = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(TEXTS), st.booleans()), min_size=2, max_size=10)
"""(which clone speaks, what it says, whether its peer hears and answers)."""


@contextmanager
def stuck(node: Node) -> Iterator[None]:
    """Its generator says the same for ever."""
    entropy, node._entropy = node._entropy, lambda: bytes(32)
    try:
        yield
    finally:
        node._entropy = entropy


@contextmanager
def good(_node: Node) -> Iterator[None]:
    """Its generator works."""
    yield


@pytest.mark.parametrize("generator", [stuck, good])
@pytest.mark.parametrize("chain", [1, MOST])
@effort(0.2)
@given(turns, st.sampled_from(["bob", "#team"]), st.booleans())
def test_clones_and_backups_say_nothing_else_under_one_key_and_nonce(
    census: Census,
    generator: Callable[[Node], AbstractContextManager[None]],
    chain: int,
    script: list[tuple[int, str, bool]],
    to: str,
    back: bool,
) -> None:
    at = street(chain)
    at.reset()
    phone = at.store("alice")
    dawn = phone.snapshot()
    clones = [dawn] * 3
    with generator(at.device("alice")), book() as kept:
        for which, text, heard in script:
            phone.restore(dawn if back else clones[which])
            at.send("alice", to, text, ESCROW)
            if heard:
                at.sync("bob")
                at.send("bob", "alice", text, ESCROW)
                at.sync("alice")
            clones[which] = phone.snapshot()
            census("rolled back" if back else "cloned")
    at.reset()
    assert kept.reused == []
    for _ in range(kept.repeated):
        census("the same once more")
