"""A mistyped identifier is nobody's, and two people who read two sources notice the rest (WAR-28)."""

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from escrow.errors import Reason, RefusedError
from escrow.warrant.identifier import confirm, identifier, parse_identifier
from tests.core.warrant.office import OTHER, TARGET, warrant

accounts = st.binary(min_size=32, max_size=32)
DIGITS = "0123456789abcdef"


@given(accounts)
def test_an_identifier_is_read_as_it_was_written(account: bytes) -> None:
    text = identifier(account)
    assert parse_identifier(text) == parse_identifier(f" {text.upper()}\n") == account


@pytest.mark.spec("WRT-18")
@given(accounts, st.integers(0, 71), st.sampled_from(DIGITS))
def test_one_wrong_digit_is_always_noticed(account: bytes, place: int, digit: str) -> None:
    text = identifier(account)
    place += place >= 64  # the hyphen
    assume(text[place] != digit)
    refused(text[:place] + digit + text[place + 1 :])


@pytest.mark.spec("WRT-18")
@given(accounts, st.integers(0, 70))
def test_two_neighbours_that_changed_places_are_always_noticed(account: bytes, place: int) -> None:
    text = identifier(account)
    changed = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assume(changed != text)
    refused(changed)


@given(accounts, st.integers(1, 72))
def test_what_was_cut_off_is_noticed(account: bytes, kept: int) -> None:
    refused(identifier(account)[:kept])
    refused(identifier(account)[kept:])


def refused(text: str) -> None:
    with pytest.raises(RefusedError) as error:
        parse_identifier(text)
    assert error.value.reason is Reason.IDENTIFIER_INVALID


@pytest.mark.spec("WRT-19")
@given(st.sets(st.sampled_from((TARGET, OTHER, bytes(32)))))
def test_whoever_confirms_names_all_targets_and_no_other(named: set[bytes]) -> None:
    payload = warrant()
    if named == {TARGET}:
        event("accepted")
        confirm(payload, map(identifier, named))
        return
    event("refused")
    with pytest.raises(RefusedError) as error:
        confirm(payload, map(identifier, named))
    assert error.value.reason is Reason.IDENTIFIER_MISMATCH
