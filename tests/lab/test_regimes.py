"""Every regime: what is sealed arrives, an order opens what the regime says, and a corrupt set what it holds."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import combinations

import pytest

from escrow.errors import Kind, MalformedError
from escrow_lab import regimes
from escrow_lab.letters import tampered
from escrow_lab.regime import Access, Message, Order, Regime, Sealed, Wish
from escrow_lab.regimes import make
from escrow_lab.regimes.clipper import Clipper, with_leaf
from escrow_lab.regimes.franking import Franking
from escrow_lab.regimes.ghost import Ghost

HOUR = 3600
TALK = [
    Message(0, 0, "bob", "alice", "Are you coming?"),
    Message(1, HOUR, "alice", "bob", "contraband"),
    Message(2, 2 * HOUR, "alice", "bob", "contraband"),
    Message(3, 3 * HOUR, "alice", "carol", "contraband"),
    Message(4, 4 * HOUR, "carol", "alice", "No. 🎂"),
    Message(5, 5 * HOUR, "alice", "bob", "See you."),
]
ORDER = Order("alice", 2 * HOUR, 6 * HOUR)
IN_SCOPE = {2, 3, 5}
LACKING = {"client-scan": "pdqhash", "escrow-ibe": "py_arkworks_bls12381"}
REGIMES = [
    pytest.param(
        name, marks=pytest.mark.skipif(find_spec(LACKING.get(name, "escrow")) is None, reason="extra pdq or ibe")
    )
    for name in regimes.names()
]
OPENED: dict[str, tuple[set[int], set[int]]] = {
    "e2ee": (set(), set()),
    "escrow-tdh2": (IN_SCOPE, IN_SCOPE),
    "escrow-ibe": ({1, 2, 3, 5}, {1, 2, 3, 5}),
    "escrow-pq": (IN_SCOPE, IN_SCOPE),
    "escrow-hybrid": (IN_SCOPE, IN_SCOPE),
    "master-key": (IN_SCOPE, {0, 1, 2, 3, 4, 5}),
    "clipper": (IN_SCOPE, {1, 2, 3, 5}),
    "ghost": (IN_SCOPE, {0, 1, 2, 3, 4, 5}),
    "client-scan": ({2, 3}, {1, 2, 3}),
    "franking": (IN_SCOPE, IN_SCOPE),
    "crumple": (IN_SCOPE, IN_SCOPE),
}
"""What an order for half a day of alice opens, and what whatever was handed over for it would open besides."""

SMALLEST: dict[str, set[frozenset[str]]] = {
    "e2ee": set(),
    "escrow": {
        *(frozenset({"relay", *two}) for two in combinations(("custodian/1", "custodian/2", "custodian/3"), 2)),
        frozenset({"issuer", "approver", "agency"}),
    },
    "master-key": {frozenset({"holder of the master key"})},
    "clipper": {frozenset({"family key", "escrow agent/1", "escrow agent/2"})},
    "ghost": {frozenset({"operator"})},
    "client-scan": {frozenset({"operator"})},
    "franking": set(),
    "crumple": {frozenset()},
    "translucent": {frozenset({"authority"})},
}
"""The smallest sets of parties that read a message which they were not given."""


@cache
def told(name: str) -> tuple[Regime, list[Sealed], Access]:
    """The talk under a regime, and the order executed: before it where it must be, and after it."""
    regime = make(name)
    if regime.PROSPECTIVE:
        regime.access(ORDER)
    sealed = [regime.seal(message) for message in TALK]
    return regime, sealed, regime.access(ORDER)


def test_there_is_a_file_for_each_regime_of_the_study() -> None:
    assert set(regimes.names()) >= {*OPENED, "translucent"}
    assert {regimes.kind_of(name).WISH for name in ("e2ee", "clipper", "franking")} == set(Wish)


@pytest.mark.parametrize("name", REGIMES)
def test_what_is_sealed_arrives_and_does_not_lie_open_on_the_wire(name: str) -> None:
    _, sealed, _ = told(name)
    assert [each.delivered for each in sealed] == [True] * len(TALK)
    assert all(message.text.encode() not in each.wire for message, each in zip(TALK, sealed, strict=True))
    assert all((each.sender, each.time) == (said.sender, said.time) for said, each in zip(TALK, sealed, strict=True))


@pytest.mark.parametrize("name", REGIMES)
def test_an_order_opens_what_the_regime_says_and_in_true_words(name: str) -> None:
    _, _, access = told(name)
    assert all(text == TALK[number].text for number, text in access.opened.items())
    assert set(access.opened) <= access.openable
    if name in OPENED:
        assert (set(access.opened), set(access.openable)) == OPENED[name]


def test_escrow_with_a_chain_for_each_message_collects_nothing_beyond_the_scope_and_longer_chains_do() -> None:
    assert len(told("escrow-tdh2")[2].openable) / len(IN_SCOPE) == 1.0
    regime = make("escrow-tdh2", 0, {"chain": "1024"})
    for message in TALK:
        assert regime.seal(message).delivered
    access = regime.access(ORDER)
    assert access.openable == set(access.opened) == IN_SCOPE | {1}, "a day's chain opens whole"


def subsets(parties: tuple[str, ...]) -> Iterator[frozenset[str]]:
    for size in range(len(parties) + 1):
        yield from map(frozenset, combinations(parties, size))


@pytest.mark.parametrize("name", REGIMES)
def test_of_all_corrupt_sets_those_read_that_hold_what_it_takes(name: str) -> None:
    """Exhaustive, and every positive is words that were decrypted."""
    regime, sealed, _ = told(name)
    smallest = SMALLEST["escrow" if name.startswith("escrow-") else name]
    for corrupt in subsets(regime.PARTIES):
        opener = regime.give(corrupt)
        read = {each.number: text for each in sealed if (text := opener(each)) is not None}
        assert all(text == TALK[number].text for number, text in read.items())
        assert bool(read) == any(needed <= corrupt for needed in smallest), sorted(corrupt)


def test_one_seed_makes_one_run_and_another_seed_another() -> None:
    for name in ("clipper", "ghost", "translucent"):
        one, again, other = (make(name, seed).seal(TALK[0]).wire for seed in (1, 1, 2))
        assert one == again != other


# -- what is particular to one of them ----------------------------------------------------------------


def test_a_chip_refuses_a_random_leaf_and_takes_a_forged_one_that_no_agent_can_use() -> None:
    chip = Clipper(3)
    honest = chip.seal(TALK[1])
    assert not Clipper(3)._receive("bob", with_leaf(honest, bytes(16)).wire)
    rogue, trials = chip.forge(TALK[2])
    assert rogue.delivered
    assert trials > 1
    access = chip.access(Order("alice", 0, 6 * HOUR))
    assert access.openable == {1}


def test_a_ghost_under_transparency_is_seen_by_its_target_and_outside_the_log_refused_by_its_peers() -> None:
    answer = replace(TALK[0], number=6, time=9 * HOUR)
    for logged, following, witness in ((True, TALK[1], "alice"), (False, TALK[1], "alice"), (False, answer, "bob")):
        regime = Ghost(0, transparency=True, logged=logged)
        regime.seal(TALK[0])
        assert regime.access(ORDER).detected == ""
        assert regime.seal(following).delivered
        access = regime.access(ORDER)
        assert access.detected == witness
        assert not access.openable
        assert regime.noticed[0] == (witness, following.time)


def test_translucent_opens_what_fell_on_a_known_point_and_nothing_else() -> None:
    regime = make("translucent", 1, {"known": "1", "of": "3"})
    sealed = [regime.seal(replace(TALK[1], number=number)) for number in range(60)]
    opener = regime.give(frozenset({"authority"}))
    opened = {each.number for each in sealed if opener(each) == "contraband"}
    points = {each.number: each.wire[:2] for each in sealed}
    assert len({points[number] for number in opened}) == 1
    assert opened == {number for number, point in points.items() if point == points[min(opened)]}
    assert 5 < len(opened) < 40


def test_the_platform_believes_a_report_of_what_was_said_and_no_other() -> None:
    regime = Franking(0)
    sealed = regime.seal(TALK[1])
    report = regime.report(sealed)
    assert regime.verify(report)
    assert not regime.verify(replace(report, words=b"something worse"))
    assert not regime.verify(replace(report, sealed=replace(sealed, sender="bob")))
    assert not regime.verify(replace(report, sealed=tampered(sealed, bytes(64) + sealed.wire[64:])))
    assert make("franking", 0, {"reports": "0"}).seal(TALK[1]).delivered
    assert not make("franking", 0, {"reports": "0"}).access(ORDER).opened


def test_a_puzzle_costs_what_its_bits_say() -> None:
    costs = []
    for bits in ("4", "8"):
        regime = make("crumple", 5, {"bits": bits})
        for number in range(40):
            regime.seal(replace(TALK[2], number=number))
        assert len(regime.access(ORDER).opened) == 40
        costs.append(regime.hashes)  # type: ignore[attr-defined]
    assert costs[0] < 40 * 2**4
    assert 8 < costs[1] / costs[0] < 32


@pytest.mark.skipif(find_spec("pdqhash") is None, reason="extra pdq")
def test_a_scan_matches_a_picture_that_was_compressed_anew_and_below_the_threshold_opens_nothing() -> None:
    few = make("client-scan", 0, {"threshold": "4"})
    sealed = [few.seal(message) for message in TALK]
    assert not few.access(ORDER).openable
    assert len({len(each.wire) - 2 * len(said.text.encode()) for each, said in zip(sealed, TALK, strict=True)}) == 1


# -- registry -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "listed"),
    [
        ("clippy", {}, "clipper"),
        ("clipper", {"bits": "3"}, "checkword"),
        ("clipper", {"checkword": "many"}, "many"),
        ("ghost", {"transparency": "maybe"}, "'yes' or 'no'"),
        ("e2ee", {"chain": "0"}, "1 to 1024"),
    ],
)
def test_what_is_unknown_is_refused_with_what_there_is(name: str, parameters: dict[str, str], listed: str) -> None:
    with pytest.raises(MalformedError, match=listed) as refused:
        make(name, 0, parameters)
    assert refused.value.reason.kind is Kind.USAGE


def test_a_regime_that_lacks_its_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(_name: str) -> None:
        raise ModuleNotFoundError("No module named 'pdqhash'", name="pdqhash")

    monkeypatch.setattr(regimes, "import_module", lacking)
    with pytest.raises(MalformedError, match="pdqhash"):
        make("client-scan")
