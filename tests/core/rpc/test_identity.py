"""Certificates name one party each, and a file that is missing is named."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.rpc.clocks import LabClock
from escrow.rpc.endpoints import Endpoints
from escrow.rpc.identity import Credentials, DevelopmentAuthority, party_of, server_name

DEVICE = f"device/{'0a' * 32}/4294967295"
PARTIES = ["relay", "log", "authority", "custodian/1", "witness/12", DEVICE, "agency/north", "person/judge-imani"]


@pytest.mark.parametrize("party", PARTIES)
def test_a_certificate_names_its_party(party: str, tmp_path: Path) -> None:
    issued = DevelopmentAuthority.make(tmp_path).issue(Party(party))
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert party_of({"peer_uri": [uri.encode()]}) == party
    serves = party.partition("/")[0] in {"relay", "log", "authority", "custodian", "witness"}
    assert (server_name(Party(party)) in names.get_values_for_type(x509.DNSName)) == serves


@given(st.sampled_from(PARTIES), st.sampled_from(PARTIES))
def test_no_two_parties_share_a_server_name(one: str, other: str) -> None:
    assert (server_name(Party(one)) == server_name(Party(other))) == (one == other)


@pytest.mark.parametrize(
    "uris",
    [
        [],
        [b"spiffe://doublelock.lab/relay", b"spiffe://doublelock.lab/log"],
        [b"spiffe://elsewhere.example/relay"],
        [b"https://doublelock.lab/relay"],
        [b"relay/"],
        [b"spiffe://doublelock.lab/custodian/0"],
        [b"spiffe://doublelock.lab/custodian/1/2"],
        [b"spiffe://doublelock.lab/device/AB/1"],
        [b"spiffe://doublelock.lab/\xff"],
    ],
)
def test_a_caller_without_exactly_one_party_is_refused(uris: list[bytes]) -> None:
    with pytest.raises(RefusedError) as refusal:
        party_of({"peer_uri": uris})
    assert refusal.value.reason is Reason.UNAUTHENTICATED


def test_credentials_survive_the_disk_and_their_key_is_for_the_owner_alone(tmp_path: Path) -> None:
    issued = DevelopmentAuthority.make(tmp_path / "ca").issue(Party("relay"))
    issued.save(tmp_path / "relay")
    assert Credentials.load(Party("relay"), tmp_path / "relay") == issued
    for key in (tmp_path / "relay" / "key.pem", tmp_path / "ca" / "key.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(issued)


@pytest.mark.parametrize("name", ["cert.pem", "key.pem", "ca.pem"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    DevelopmentAuthority.make(tmp_path / "ca").issue(Party("relay")).save(tmp_path / "relay")
    (tmp_path / "relay" / name).unlink()
    with pytest.raises(UnavailableError, match=name) as refusal:
        Credentials.load(Party("relay"), tmp_path / "relay")
    assert refusal.value.reason is Reason.CERTIFICATE_MISSING


def test_an_authority_survives_the_disk(tmp_path: Path) -> None:
    made = DevelopmentAuthority.make(tmp_path).issue(Party("relay"))
    assert DevelopmentAuthority.load(tmp_path).issue(Party("log")).root == made.root


def test_endpoints_are_what_was_announced_last(tmp_path: Path) -> None:
    endpoints = Endpoints(tmp_path / "endpoints")
    assert dict(endpoints) == {}
    endpoints.announce(Party("custodian/2"), "127.0.0.1:1")
    endpoints.announce(Party("custodian/2"), "127.0.0.1:2")
    endpoints.announce(Party("relay"), "127.0.0.1:3")
    assert dict(Endpoints(tmp_path / "endpoints")) == {"custodian/2": "127.0.0.1:2", "relay": "127.0.0.1:3"}


def test_a_lab_clock_is_seen_by_all_and_only_moves_forward(tmp_path: Path) -> None:
    mine = LabClock.make(tmp_path / "clock", 0)
    theirs = LabClock(tmp_path / "clock")
    assert theirs() == 0
    mine.advance_to(1 << 41)
    assert theirs() == 1 << 41
    with pytest.raises(AssertionError):
        theirs.advance_to(5)
    assert mine() == 1 << 41


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_a_file_that_holds_no_clock_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "clock").write_bytes(content)
    with pytest.raises(UnavailableError):
        LabClock(tmp_path / "clock")
