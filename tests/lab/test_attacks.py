"""Attacks that run: each is tried on a regime and ends as threat_model.md says, and the command line says so, too."""

import json
from functools import cache
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from escrow.errors import Kind, MalformedError
from escrow_lab.attack import Detected, Prevented, Succeeded, answered
from escrow_lab.attacks import attack, names, regimes_of, threat_of
from escrow_lab.cli import demo
from escrow_lab.verbs import lab
from scripts.claims_lib.attacks import rows

tried = cache(attack)
WORDS = {"prevented": Prevented, "detected": Detected, "succeeds": Succeeded}


@pytest.mark.parametrize("name", names())
def test_an_attack_ends_as_the_threat_model_says(name: str) -> None:
    assert isinstance(tried(name), WORDS[rows()[name]])
    assert threat_of(name)
    assert regimes_of(name)[0] in {"clipper", "franking", "ghost", "escrow-tdh2"}


@pytest.mark.parametrize("regime", ["escrow-pq", "escrow-hybrid"])
def test_what_a_logarithm_opens_stays_closed_where_the_shares_are_sealed_by_x_wing(regime: str) -> None:
    outcome = attack("harvest-now-decrypt-later", regime)
    assert isinstance(outcome, Prevented)
    assert "X-Wing" in outcome.by


@pytest.mark.skipif(find_spec("py_arkworks_bls12381") is None, reason="extra ibe")
def test_a_logarithm_opens_what_identities_hold() -> None:
    assert isinstance(attack("harvest-now-decrypt-later", "escrow-ibe"), Succeeded)


def test_a_ghost_under_transparency_is_detected_by_its_target_at_once() -> None:
    assert attack("ghost-user", "ghost", {"transparency": "yes"}) == Detected("alice", 0)


@pytest.mark.parametrize("name", ["one-lock", "rogue-approver", "wrong-target", "window-shift", "replay-after-expiry"])
def test_every_custodian_says_why_it_refuses(name: str) -> None:
    outcome = tried(name)
    assert isinstance(outcome, Prevented)
    assert outcome.reason in {"LOCKS_INCOMPLETE", "OUT_OF_SCOPE", "EXPIRED"}


def test_a_share_that_leaves_is_a_success_of_the_attacker() -> None:
    assert answered({"custodian/1": "", "custodian/2": "EXPIRED"}) == Succeeded("shares of custodian/1")
    assert answered({"custodian/1": "EXPIRED"}) == Prevented("every custodian", "EXPIRED")


def test_what_is_unknown_or_means_nothing_is_refused_with_what_there_is() -> None:
    with pytest.raises(MalformedError, match="blaze-leaf") as refused:
        attack("blaze")
    assert refused.value.reason.kind is Kind.USAGE
    with pytest.raises(MalformedError, match="an attack on clipper"):
        attack("blaze-leaf", "e2ee")


def test_both_commands_say_what_became_of_an_attack() -> None:
    ran = CliRunner().invoke(
        lab, ["attack", "ghost-user", "--set", "transparency=yes", "--json"], standalone_mode=False
    )
    assert json.loads(ran.stdout) == {
        "schema_version": 1,
        "event": "attack",
        "attack": "ghost-user",
        "regime": "ghost",
        "outcome": "detected",
        "by": "alice",
        "after": 0,
    }
    ran = CliRunner().invoke(demo, ["--attack", "framing"], standalone_mode=False)
    assert ran.return_value == 0
    assert "PREVENTED (by: the platform" in ran.stdout
