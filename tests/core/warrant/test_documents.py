"""What a warrant must say, and how it is refused when one thing in it is wrong."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.errors import EscrowError, Reason, RefusedError
from escrow.warrant import strict
from escrow.warrant.documents import EpochRange, Target, WarrantPayload, Window, check_home, parse_warrant, validate
from escrow.warrant.policy import Policy, Reseed, ReseedRules
from tests.core.warrant.office import DAY, GENESIS, HOUR, OTHER, POLICY, TARGET, changed, key, warrant

BOB = Target(account=TARGET.hex(), device=None)
CAROL = Target(account=OTHER.hex(), device=None)
EIGHT = Reseed(rule="epoch", n_max=8)
GOVERNING = POLICY.hash.hex()


def accept(payload: WarrantPayload, policy: Policy = POLICY) -> None:
    """Everything that is asked of the document itself."""
    parsed = parse_warrant(strict.encode(payload))
    assert parsed == payload
    validate(parsed, policy)
    check_home(parsed, GENESIS)


def epochs(first: int, end: int, policy: str = GOVERNING) -> EpochRange:
    return EpochRange(policy=policy, first=first, end=end)


RIGHT: dict[str, dict[str, Any]] = {
    "as it stands": {},
    "three targets, one by device": {"targets": (BOB, CAROL, Target(account=OTHER.hex(), device=7))},
    "a whole conversation": {"direction": "CONVERSATION_OF"},
    "one conversation": {"conv_tags": ("aa" * 32,)},
    "what is to come": {"kind": "PROSPECTIVE"},
    "an urgent one": {"urgent": True, "approve_by": 12 * DAY},
    "one that must be approved by its end": {"urgent": True, "approve_by": 15 * DAY},
    "epochs in two parts": {"epochs": (epochs(3, 4), epochs(2, 3))},
    "the epoch before, for late arrivals": {"epochs": (epochs(1, 4),)},
    "part of an epoch": {"message_window": Window(start=2 * DAY + HOUR, end=3 * DAY), "epochs": (epochs(2, 3),)},
    "the longest window": {"message_window": Window(start=0, end=5 * DAY), "epochs": (epochs(0, 5),)},
    "the longest secrecy": {"nondisclosure_until": 100 * DAY},
    "the shortest secrecy": {"nondisclosure_until": 15 * DAY},
    "the longest time in force": {"not_after": 20 * DAY},
    "as many as the policy admits": {"max_capsules": 1000},
}


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_a_warrant_within_the_policy_is_accepted(changes: dict[str, Any]) -> None:
    accept(warrant(**changes))


WRONG: dict[str, tuple[dict[str, Any], Reason]] = {
    "no target": ({"targets": ()}, Reason.WILDCARD),
    "everybody": ({"targets": (Target(account="*", device=None),)}, Reason.WILDCARD),
    "everybody, beside Bob": ({"targets": (BOB, Target(account="ALL", device=None))}, Reason.WILDCARD),
    "a target without digits": ({"targets": (Target(account="bob", device=None),)}, Reason.SCHEMA_INVALID),
    "a device of a conversation": (
        {"direction": "CONVERSATION_OF", "targets": (CAROL, Target(account=TARGET.hex(), device=1))},
        Reason.SCHEMA_INVALID,
    ),
    "tags that do not exist yet": ({"kind": "PROSPECTIVE", "conv_tags": ("aa" * 32,)}, Reason.SCHEMA_INVALID),
    "an unknown direction": ({"direction": "ABOUT"}, Reason.SCHEMA_INVALID),
    "an unknown kind": ({"kind": "LIVE"}, Reason.SCHEMA_INVALID),
    "a salt too few": ({"salts": {"warrant_id": "00" * 16}}, Reason.SCHEMA_INVALID),
    "a recipient key too short": ({"recipient_hpke_key": "33" * 1215}, Reason.SCHEMA_INVALID),
    "too many targets": (
        {"targets": tuple(Target(account=TARGET.hex(), device=n) for n in range(4))},
        Reason.RANGE_INVALID,
    ),
    "a target twice": ({"targets": (BOB, BOB)}, Reason.RANGE_INVALID),
    "no conversation": ({"conv_tags": ()}, Reason.RANGE_INVALID),
    "no suite": ({"suites": ()}, Reason.RANGE_INVALID),
    "a suite of another policy": ({"suites": (1, 2)}, Reason.RANGE_INVALID),
    "too many capsules": ({"max_capsules": 1001}, Reason.RANGE_INVALID),
    "identity keys": ({"max_identity_keys": 1}, Reason.RANGE_INVALID),
    "an empty window": ({"message_window": Window(start=3 * DAY, end=3 * DAY)}, Reason.RANGE_INVALID),
    "an empty window inside an epoch": (
        {"message_window": Window(start=2 * DAY + HOUR, end=2 * DAY + HOUR), "epochs": (epochs(2, 3),)},
        Reason.RANGE_INVALID,
    ),
    "one range of epochs beside the window": ({"epochs": (epochs(2, 4), epochs(8, 9))}, Reason.RANGE_INVALID),
    "a window backwards": ({"message_window": Window(start=4 * DAY, end=2 * DAY)}, Reason.RANGE_INVALID),
    "a window too long": (
        {"message_window": Window(start=0, end=5 * DAY + 1), "epochs": (epochs(0, 6),)},
        Reason.RANGE_INVALID,
    ),
    "a window beyond the epochs": ({"message_window": Window(start=2 * DAY, end=4 * DAY + 1)}, Reason.RANGE_INVALID),
    "a gap between the epochs": (
        {"epochs": (epochs(2, 3), epochs(4, 5)), "message_window": Window(start=2 * DAY, end=5 * DAY)},
        Reason.RANGE_INVALID,
    ),
    "no epochs": ({"epochs": ()}, Reason.RANGE_INVALID),
    "an empty range of epochs": ({"epochs": (epochs(2, 4), epochs(4, 4))}, Reason.RANGE_INVALID),
    "epochs long before the window": ({"epochs": (epochs(0, 4),)}, Reason.RANGE_INVALID),
    "epochs after the window": ({"epochs": (epochs(2, 5),)}, Reason.RANGE_INVALID),
    "one that replaces another in haste": (
        {"supersedes": "bb" * 32, "urgent": True, "approve_by": 12 * DAY},
        Reason.SCHEMA_INVALID,
    ),
    "never in force": ({"not_before": 15 * DAY}, Reason.RANGE_INVALID),
    "in force too long": ({"not_after": 20 * DAY + 1}, Reason.RANGE_INVALID),
    "too short a delay": ({"activation_delay_s": 59}, Reason.RANGE_INVALID),
    "secrecy shorter than the warrant": ({"nondisclosure_until": 15 * DAY - 1}, Reason.RANGE_INVALID),
    "secrecy too long": ({"nondisclosure_until": 100 * DAY + 1}, Reason.RANGE_INVALID),
    "a late approval of what is not urgent": ({"approve_by": 12 * DAY}, Reason.RANGE_INVALID),
    "an urgent one without a date": ({"urgent": True}, Reason.RANGE_INVALID),
    "an urgent one approved after its end": ({"urgent": True, "approve_by": 15 * DAY + 1}, Reason.RANGE_INVALID),
    "another policy": ({"policy": "aa" * 32}, Reason.POLICY_UNAUTHORISED),
    "epochs of another policy": ({"epochs": (epochs(2, 4), epochs(2, 4, "aa" * 32))}, Reason.POLICY_UNAUTHORISED),
    "no proof for the recipient key": ({"recipient_pop": "00" * 64}, Reason.RECIPIENT_KEY_INVALID),
    "another recipient key than was proved": (
        {"recipient_pop": warrant().recipient_pop, "recipient_hpke_key": "34" * 1216},
        Reason.RECIPIENT_KEY_INVALID,
    ),
    "a proof for another warrant": (
        {"recipient_pop": warrant().recipient_pop, "warrant_id": "12" * 16},
        Reason.RECIPIENT_KEY_INVALID,
    ),
    "a request key that signs everything": ({"request_key": "01" + "00" * 31}, Reason.RECIPIENT_KEY_INVALID),
    "another log": ({"log_origin": "log.other"}, Reason.SEAL_NOT_LOGGED),
    "another authority": ({"authority": key("mallory").public.hex()}, Reason.ROLE_KEY_UNAUTHORISED),
}


@pytest.mark.spec("WRT-5")
@pytest.mark.spec("WRT-6")
@pytest.mark.spec("WRT-8")
@pytest.mark.parametrize(("changes", "reason"), WRONG.values(), ids=WRONG)
def test_a_warrant_with_one_fault_is_refused_for_it(changes: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(RefusedError) as refused:
        accept(warrant(**changes))
    assert refused.value.reason is reason


@pytest.mark.spec("WRT-7")
@pytest.mark.parametrize("office", ["ida", "anna", "authority", "custodian/1", "relay", "root/0", "log", "witness/1"])
def test_whoever_holds_an_office_does_not_apply(office: str) -> None:
    payload = changed(warrant(), request_key=key(office).public.hex())
    with pytest.raises(RefusedError) as refused:
        check_home(payload, GENESIS)
    assert refused.value.reason is Reason.SEPARATION_OF_DUTIES


def test_chains_of_many_messages_admit_no_epoch_beside_the_window() -> None:
    long = changed(POLICY, reseed=ReseedRules(pairs=EIGHT, groups=EIGHT))
    cited = long.hash.hex()
    exact = warrant(policy=cited, epochs=(epochs(2, 4, cited),))
    validate(exact, long)
    with pytest.raises(RefusedError) as refused:
        validate(changed(exact, epochs=(epochs(1, 4, cited),)), long)
    assert refused.value.reason is Reason.RANGE_INVALID


def test_a_warrant_before_the_first_epoch_is_refused() -> None:
    late = changed(POLICY, epoch_origin=3 * DAY)
    cited = late.hash.hex()
    payload = warrant(policy=cited, epochs=(epochs(0, 2, cited),))
    with pytest.raises(RefusedError) as refused:
        validate(payload, late)
    assert refused.value.reason is Reason.RANGE_INVALID


@pytest.mark.parametrize("name", sorted(json.loads(strict.encode(warrant()))))
def test_every_field_is_needed_and_no_other_is_known(name: str) -> None:
    fields = json.loads(strict.encode(warrant()))
    del fields[name]
    for wrong in (fields, json.loads(strict.encode(warrant())) | {f"{name}s_": 1}):
        with pytest.raises(RefusedError) as refused:
            parse_warrant(json.dumps(wrong).encode())
        assert refused.value.reason is Reason.SCHEMA_INVALID


TEXT = strict.encode(warrant())


@given(st.integers(0, len(TEXT) - 1), st.integers(0, 255))
def test_a_changed_byte_never_crashes_a_reader(place: int, value: int) -> None:
    try:
        parsed = parse_warrant(TEXT[:place] + bytes([value]) + TEXT[place + 1 :])
        validate(parsed, POLICY)
    except EscrowError:
        event("refused")
        return
    event("accepted")
    assert strict.encode(parsed) is not None


@given(first=st.integers(0, 6), length=st.integers(0, 6), start=st.integers(0, 6 * 24), hours=st.integers(0, 6 * 24))
def test_an_accepted_window_is_not_empty_and_lies_inside_policy_and_epochs(
    first: int, length: int, start: int, hours: int
) -> None:
    window = Window(start=start * HOUR, end=(start + hours) * HOUR)
    with suppress(RefusedError):
        validate(warrant(epochs=(epochs(first, first + length),), message_window=window), POLICY)
        event("accepted")
        _holds(first, length, window)
        return
    event("refused")


def _holds(first: int, length: int, window: Window) -> None:
    assert first * DAY <= window.start < window.end <= (first + length) * DAY
    assert window.end - window.start <= POLICY.limits.max_window
    assert length * DAY < window.end - window.start + 3 * DAY
