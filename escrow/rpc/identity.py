"""Who is at the other end: X.509 certificates whose URI SAN names a party, under a development CA.

Callers are known by the URI in their certificate and by nothing they say. Servers are known by a DNS name that
only their certificate carries (``1.custodian.doublelock.lab``), whatever address they listen on, so that one part
cannot answer in the place of another. The CA's key lies in the deployment's folder: good for one machine and for
experiments, and one of the reasons why this is never for real communications.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self, final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.rpc.files import write, write_secret
from escrow.secret import Secret

TRUST_DOMAIN: Final = "doublelock.lab"
PARTS: Final = frozenset({"relay", "custodian", "authority", "log", "witness"})
"""First words of the parties that serve; all others only call."""

_PREFIX: Final = f"spiffe://{TRUST_DOMAIN}/"
_PARTY: Final = re.compile(
    r"(relay|authority|log|(custodian|witness)/[1-9][0-9]{0,4}|device/[0-9a-f]{64}/[0-9]{1,10}|newcomer/[0-9a-f]{32}"
    r"|(agency|person)/[a-z0-9][a-z0-9._-]{0,62})"
)
_LEAF: Final = timedelta(days=397)
_ROOT: Final = timedelta(days=3650)
_EARLY: Final = timedelta(hours=1)


def party_of(auth_context: Mapping[str, Iterable[bytes]]) -> Party:
    """The caller that a verified TLS connection proves. Raises ``RefusedError(UNAUTHENTICATED)``."""
    uris = list(auth_context.get("peer_uri", ()))
    if len(uris) != 1:
        raise RefusedError(Reason.UNAUTHENTICATED, "a certificate names exactly one party")
    path = uris[0].decode("ascii", "replace").removeprefix(_PREFIX)
    if _PARTY.fullmatch(path) is None:
        raise RefusedError(Reason.UNAUTHENTICATED, "the certificate names no party of this deployment")
    return Party(path)


def server_name(party: Party) -> str:
    """The DNS name that the certificate of ``party`` carries: ``custodian/1`` -> ``1.custodian.doublelock.lab``."""
    return ".".join((*reversed(party.split("/")), TRUST_DOMAIN))


def folder_of(party: Party) -> str:
    """The name under which files of ``party`` lie: ``custodian/1`` -> ``custodian-1``."""
    return party.replace("/", "-")


@final
@dataclass(frozen=True, slots=True)
class Credentials:
    """A party's certificate, its private key, and the root that it trusts; PEM, all three."""

    party: Party
    certificate: bytes
    key: Secret
    root: bytes

    def save(self, folder: Path) -> None:
        """Write ``cert.pem``, ``key.pem`` (for its owner alone) and ``ca.pem``."""
        write_secret(folder / "key.pem", self.key)
        write(folder / "cert.pem", self.certificate)
        write(folder / "ca.pem", self.root)

    @classmethod
    def load(cls, party: Party, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises ``UnavailableError(CERTIFICATE_MISSING)`` naming the file."""
        certificate, key, root = (_read(folder / name) for name in ("cert.pem", "key.pem", "ca.pem"))
        return cls(party, certificate, Secret(key), root)

    def for_server(self) -> grpc.ServerCredentials:
        """Callers must present a certificate under our root."""
        pair = (self.key.expose(), self.certificate)
        return grpc.ssl_server_credentials([pair], self.root, require_client_auth=True)

    def for_client(self) -> grpc.ChannelCredentials:
        """The other side must present a certificate under our root; which one is the channel's matter."""
        return grpc.ssl_channel_credentials(self.root, self.key.expose(), self.certificate)


@final
class DevelopmentAuthority:
    """A certificate authority on disk."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def make(cls, folder: Path) -> Self:
        """A new one, saved to ``folder``."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Doublelock development CA")
        certificate = (
            _builder(name, name, key.public_key(), _ROOT)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_secret(folder / "key.pem", Secret(_pem(key)))
        write(folder / "cert.pem", certificate.public_bytes(Encoding.PEM))
        return cls(certificate, key)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The one saved in ``folder``. Raises ``UnavailableError(CERTIFICATE_MISSING)`` naming the file."""
        certificate = x509.load_pem_x509_certificate(_read(folder / "cert.pem"))
        key = load_pem_private_key(_read(folder / "key.pem"), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise UnavailableError(Reason.CERTIFICATE_MISSING, f"{folder / 'key.pem'} is not a key of ours")
        return cls(certificate, key)

    def issue(self, party: Party) -> Credentials:
        """A fresh key and a certificate that names ``party``."""
        if _PARTY.fullmatch(party) is None:
            raise AssertionError(f"{party} is no party")
        key = ec.generate_private_key(ec.SECP256R1())
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = (
            _builder(_name(party.partition("/")[0]), self._certificate.subject, key.public_key(), _LEAF)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(usages, critical=False)
            .add_extension(x509.SubjectAlternativeName(_names(party)), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        root = self._certificate.public_bytes(Encoding.PEM)
        return Credentials(party, certificate.public_bytes(Encoding.PEM), Secret(_pem(key)), root)


def _names(party: Party) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(_PREFIX + party)]
    if party.partition("/")[0] in PARTS:
        names += [x509.DNSName(server_name(party)), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    return names


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    # Certificates live in the machine's time, whatever the lab clock says.
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(Reason.CERTIFICATE_MISSING, str(path)) from error
