"""ESC-17: the seed of a chain that has begun lies in no store: not at its sender, its receivers, or anybody else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given

from escrow.capsule.chain import new_seeds
from escrow.roles.device import opening
from escrow.roles.device.state import ESCROW
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.claims.thieves import MOST, Step, Talk, steps, street

pytestmark = pytest.mark.claim("ESC-17")


@contextmanager
def seeds_made() -> Iterator[list[bytes]]:
    """All seeds that devices make meanwhile."""
    made = list[bytes]()

    def remembered(hedge: Secret, randoms: Sequence[bytes], label: bytes) -> tuple[Secret, Secret]:
        seed, following = new_seeds(hedge, randoms, label)
        made.append(seed.expose())
        return seed, following

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "new_seeds", remembered)
        yield made


def everything(talk: Talk) -> bytes:
    """What all parties store, one after the other."""
    kept = []
    for party in talk.at.world.network.nodes:
        values, streams = talk.at.world.store(party).snapshot()
        kept += [part for entry in values.items() for part in entry]
        kept += [record for records in streams.values() for record in records]
    return b"|".join(kept)


@pytest.mark.parametrize("chain", [1, 3, MOST])
@pytest.mark.parametrize("group", [False, True])
@effort(0.2)
@given(steps(3, days=True))
def test_no_store_holds_a_seed_of_a_chain_that_has_begun(
    census: Census, chain: int, group: bool, script: list[Step]
) -> None:
    talk = Talk(street(chain), ESCROW, group)
    with seeds_made() as made:
        for what, who, flag in [*script, ("say", 0, True), ("sync", 1, False)]:
            talk.go([(what, who % len(talk.people), flag)])
            kept = everything(talk)
            assert not [seed for seed in made if seed in kept]
    for _ in made:
        census("erased")
