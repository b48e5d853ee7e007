"""What an authority keeps to itself a custodian discloses, if it has served the warrant (LOG-09)."""

import pytest

from escrow.roles.ledger import Ledger
from escrow.tlog.entry import EntryType
from escrow.warrant.disclosure import PUBLIC, Disclosure
from escrow.warrant.postponing import Postponement
from tests.core.roles.scene import DAY, HOUR, MINUTE, Scene, scene


@pytest.fixture
def silent() -> Scene:
    """Custodian 1 has served the warrant, and the authority is never heard of again."""
    at = scene().rewind("ready")
    assert at.why_not() == ""
    at.settle()
    at.world.network.down.add(at.world["authority"].party)
    return at


def disclosures(at: Scene) -> list[tuple[bytes, frozenset[str]]]:
    found = at.entries(EntryType.DISCLOSURE)
    return [(entry.submitter, Disclosure.decode(entry.payload).names) for entry in found]


@pytest.mark.spec("DSC-7")
def test_whoever_has_served_discloses_once_the_authority_has_had_its_time(silent: Scene) -> None:
    silent.pass_time(silent.payload.nondisclosure_until - silent.world.now)
    assert disclosures(silent) == []
    silent.pass_time(11 * MINUTE)
    assert disclosures(silent) == [(silent.key("custodian/1").public, frozenset(PUBLIC))]
    ledger, view = Ledger(silent.world.genesis), silent.world.store("relay")
    seal = ledger.seal(view, silent.tag)
    assert seal is not None
    Disclosure.decode(next(iter(silent.entries(EntryType.DISCLOSURE))).payload).check(seal.leaf)
    silent.pass_time(HOUR)
    store = silent.world.store("custodian/1")
    assert not [*store.scan(b"opening/"), *store.scan(b"disclose/")]


def test_an_extension_of_both_locks_is_heeded_and_its_end_as_well(silent: Scene) -> None:
    until = silent.payload.nondisclosure_until + DAY
    kind = EntryType.NONDISCLOSURE_EXTENDED
    said = Postponement.signed(kind, silent.tag, until, *silent.locks).encode()
    assert silent.log("authority", kind, said) == ("",)
    silent.pass_time(silent.payload.nondisclosure_until + HOUR - silent.world.now)
    assert disclosures(silent) == []
    silent.pass_time(DAY)
    assert len(disclosures(silent)) == 1


def test_what_the_authority_has_left_out_is_added(silent: Scene) -> None:
    silent.world.network.down.clear()
    payload = silent.payload
    asked = silent.request
    some = Disclosure.of(payload, asked.dsse, asked.salt, ("kind", "not_after")).encode()
    assert silent.log("authority", EntryType.DISCLOSURE, some) == ("",)
    silent.world.network.down.add(silent.world["authority"].party)
    silent.pass_time(payload.nondisclosure_until + HOUR - silent.world.now)
    assert [names for _, names in disclosures(silent)] == [{"kind", "not_after"}, set(PUBLIC) - {"kind", "not_after"}]


def test_an_authority_that_speaks_is_left_to_speak() -> None:
    at = scene().rewind("ready")
    assert [at.why_not(custodian=n) for n in (1, 2)] == [""] * 2
    at.pass_time(at.payload.nondisclosure_until + HOUR - at.world.now)
    assert [submitter for submitter, _ in disclosures(at)] == [at.key("authority").public]
    at.pass_time(11 * MINUTE)
    assert not list(at.world.store("custodian/2").scan(b"disclose/"))
