"""Anybody who reads the log can tell how a ceremony stands: who has done what, who is missing, whether it is done."""

from typing import Any

import pytest

from escrow.errors import EscrowError
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.calls import GetCommittee
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.succeeding import AGAIN
from escrow.roles.onlooker import Onlooker
from escrow.roles.onlooker.standing import Look, Standing, State
from escrow.world.loop import complete
from escrow.world.world import World
from tests.core.roles.roots import Roots
from tests.core.roles.test_erasing import retire
from tests.core.roles.test_generation import DAY, SHORT, START
from tests.core.roles.test_handing_over import NEW, PERIOD, ordered, settle

ME = Party("person/onlooker")


def onlooker(world: World) -> Node:
    return world.network.nodes.get(ME) or world.add(ME, Onlooker(world.genesis))


def look(world: World, ceremony: str, *about: Any) -> Standing:
    complete(onlooker(world).catch_up())
    at = Look(world.genesis, world.store(ME), world.now)
    match ceremony:
        case "handover":
            return at.handover(*about)
        case "erase":
            return at.erasure(*about)
        case _:
            return at.key_generation(ceremony, *about)


def test_a_handover_is_told_from_its_first_signature_to_its_last_erasure() -> None:
    world, key_hash, roots = ordered()
    assert look(world, "handover", PERIOD).state is State.NONE
    order = roots.order(key_hash, NEW, 2)
    assert roots.sign(order, "root-2") == ""
    told = look(world, "handover", PERIOD)
    assert (told.state, told.done, told.needed, told.missing) == (State.SIGNING, 1, 2, ("root-1", "root-3"))
    assert (told.nonce, told.holders) == (order.nonce, ("custodian/3", "custodian/4", "custodian/5"))
    assert roots.sign(order, "root-1", "root-2") == "" or roots.sign(order, "root-2", "root-1") == ""
    world.network.down.add(Party("custodian/5"))
    settle(world, 4)
    told = look(world, "handover", PERIOD)
    assert (told.state, told.awaits, told.missing) == (State.RUNNING, "HANDOVER_TRANSPORT", ("custodian/5",))
    assert (told.done, told.needed) == (2, 3)
    with pytest.raises(EscrowError, match="CEREMONY_UNFINISHED"):
        told.require_done()
    world.network.down.clear()
    settle(world)
    told = look(world, "handover", PERIOD, order.nonce)
    assert (told.state, told.generation, told.done, told.needed) == (State.DONE, 1, 3, 3)
    told.require_done()


def test_another_nonce_is_another_attempt() -> None:
    world, key_hash, roots = ordered()
    first = roots.order(key_hash, NEW, 2)
    assert roots.sign(first, "root-1") == ""
    with pytest.raises(EscrowError, match="CEREMONY_STALE"):
        look(world, "handover", PERIOD, "ff" * 16)
    assert roots.cancel(first) == ""
    second = roots.give(roots.order(key_hash, NEW, 2, nonce="0b" * 16))
    settle(world)
    assert look(world, "handover", PERIOD, first.nonce).state is State.CANCELLED
    assert look(world, "handover", PERIOD, second.nonce).state is State.DONE
    assert look(world, "handover", PERIOD).nonce == second.nonce
    third = roots.give(roots.order(key_hash, (1, 5), 1, nonce="0c" * 16))
    settle(world)
    assert [look(world, "handover", PERIOD, one.nonce).state for one in (second, third)] == [State.DONE] * 2
    world.run(world["custodian/5"], Refresh(PERIOD))
    settle(world)
    assert look(world, "handover", PERIOD).nonce not in (second.nonce, third.nonce)
    assert look(world, "handover", PERIOD).generation == 3


def test_a_refresh_is_a_handover_that_no_root_has_ordered() -> None:
    world, key_hash, roots = ordered()
    world.run(world["custodian/1"], Refresh(PERIOD))
    settle(world)
    told = look(world, "handover", PERIOD)
    assert (told.state, told.generation, told.holders) == (State.DONE, 1, tuple(world.genesis.policy.custodians))
    assert roots.sign(roots.order(key_hash, NEW, 2), "root-1") == ""
    assert look(world, "handover", PERIOD).state is State.SIGNING
    assert look(world, "handover", PERIOD, told.nonce).state is State.DONE


def test_who_was_silent_is_named_and_what_was_ordered_is_tried_again() -> None:
    world, key_hash, roots = ordered()
    world.network.down.add(Party("custodian/5"))
    roots.give(roots.order(key_hash, NEW, 2))
    settle(world, 4)
    world.advance(61_000)
    settle(world, 3)
    told = look(world, "handover", PERIOD)
    assert (told.state, told.reason, told.culprits) == (State.FAILED, "DEALER_SILENT", ("custodian/5",))
    world.network.down.clear()
    world.advance(AGAIN)
    settle(world)
    assert look(world, "handover", PERIOD).state is State.DONE


def test_a_key_generation_is_told_stage_by_stage_and_the_next_period_has_one_of_its_own() -> None:
    world = World(terms=SHORT, start=START)
    assert look(world, "dkg", PERIOD).state is State.NONE
    world.network.down.add(Party("custodian/3"))
    settle(world, 3)
    told = look(world, "dkg", PERIOD)
    assert (told.state, told.awaits, told.done, told.needed) == (State.RUNNING, "DKG_TRANSPORT", 2, 3)
    assert told.missing == ("custodian/3",)
    world.advance(61_000)
    settle(world, 2)
    again = look(world, "dkg", PERIOD)
    assert (again.reason, again.culprits) == ("DEALER_SILENT", ("custodian/3",))
    assert again.nonce != told.nonce, "another run is another attempt"
    world.network.down.clear()
    world.make_committee_key()
    assert look(world, "dkg", PERIOD).state is State.DONE
    assert look(world, "rotate", PERIOD + 1).state is State.NONE
    world.advance(3 * DAY + 1000)
    settle(world)
    assert look(world, "rotate", PERIOD + 1).state is State.DONE
    assert world.ask("custodian/1", GetCommittee()).committee_key


def test_an_erasure_waits_for_its_time_and_names_who_has_not_attested_it() -> None:
    world, key_hash, _ = ordered()
    assert look(world, "erase", PERIOD).state is State.WAITING
    world.network.down.add(Party("custodian/2"))
    retire(world)
    told = look(world, "erase", PERIOD)
    assert (told.state, told.done, told.needed, told.missing) == (State.ERASING, 2, 3, ("custodian/2",))
    assert told.nonce == key_hash[:16].hex()
    world.network.down.clear()
    settle(world, 4)
    assert look(world, "erase", PERIOD).state is State.DONE


def test_there_is_no_ceremony_of_a_key_that_there_is_not_and_nobody_is_answered() -> None:
    world, _, roots = ordered()
    for ceremony in ("handover", "erase"):
        with pytest.raises(EscrowError, match="NO_COMMITTEE_KEY"):
            look(world, ceremony, PERIOD + 7)
    with pytest.raises(EscrowError, match="PERMISSION_DENIED"):
        world.ask(ME, GetCommittee())
    assert isinstance(roots, Roots)
