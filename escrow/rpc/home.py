"""The folder of a deployment on one machine: what its parts, clients and laboratory find there.

home/
    genesis.json        who may say what; written last, so a folder that has it is complete
    ca/                 the development certificate authority
    keys/PARTY/         identity seed, certificate and TLS key of each part
    people/NAME         the signing seed of each person behind a lock (a laboratory plays all of them)
    roots/NAME          the signing seed behind each root key, for the same reason
    endpoints/PARTY     where each part listens now
    parts/PARTY/        state and log lines of each part; the log's are in log/
    clock               the lab clock
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import final

from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, UnavailableError
from escrow.ids import Millis, Party
from escrow.rpc.clocks import LabClock, system_clock
from escrow.rpc.endpoints import Endpoints
from escrow.rpc.files import write_secret
from escrow.rpc.identity import Credentials, DevelopmentAuthority, folder_of
from escrow.secret import Secret
from escrow.warrant.genesis import Genesis


@final
class Home:
    """Paths and readers. What is missing is named: ``UnavailableError(CERTIFICATE_MISSING)``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether a deployment is complete here."""
        return self.genesis_path.is_file()

    @property
    def genesis_path(self) -> Path:
        """The document that everybody pins."""
        return self.folder / "genesis.json"

    @property
    def clock_path(self) -> Path:
        """The lab clock's file."""
        return self.folder / "clock"

    @property
    def ca_folder(self) -> Path:
        """The certificate authority's folder."""
        return self.folder / "ca"

    @cached_property
    def genesis(self) -> Genesis:
        """The deployment's genesis, checked."""
        return Genesis.parse(_read(self.genesis_path))

    @cached_property
    def endpoints(self) -> Endpoints:
        """Where the parts listen."""
        return Endpoints(self.folder / "endpoints")

    def clock(self, *, lab: bool) -> Callable[[], Millis]:
        """The clock that all parties of this deployment go by."""
        return LabClock(self.clock_path) if lab else system_clock

    def part_folder(self, party: Party) -> Path:
        """Where a part keeps its state and its log lines; made if it is not there, for its owner alone."""
        folder = self.folder / "log" if party == "log" else self.folder / "parts" / folder_of(party)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def keys_folder(self, party: Party) -> Path:
        """Where the keys of a part lie."""
        return self.folder / "keys" / folder_of(party)

    def credentials(self, party: Party) -> Credentials:
        """The certificate and TLS key of a part."""
        return Credentials.load(party, self.keys_folder(party))

    def identity(self, party: Party) -> SigningKey:
        """The signing key under which the genesis knows a part."""
        return SigningKey.from_seed(_seed(self.keys_folder(party) / "seed"))

    def cosigner(self, party: Party) -> MlDsaKey:
        """The ML-DSA-44 key under which the genesis knows the log or a witness."""
        return MlDsaKey.beside(_seed(self.keys_folder(party) / "seed"))

    def person(self, name: str) -> SigningKey:
        """The signing key of a person behind a lock."""
        return SigningKey.from_seed(_seed(self.folder / "people" / name))

    def root(self, name: str) -> SigningKey:
        """The root key of that name."""
        return SigningKey.from_seed(_seed(self.folder / "roots" / name))

    def has_identity(self, party: Party) -> bool:
        """Whether a part has keys here."""
        return (self.keys_folder(party) / "seed").is_file()

    def save_identity(self, party: Party, seed: Secret) -> None:
        """Keep a part's signing seed (32 bytes)."""
        write_secret(self.keys_folder(party) / "seed", Secret(seed.expose().hex().encode()))

    def save_person(self, name: str, seed: Secret) -> None:
        """Keep a person's signing seed (32 bytes)."""
        write_secret(self.folder / "people" / name, Secret(seed.expose().hex().encode()))

    def save_root(self, name: str, seed: Secret) -> None:
        """Keep the seed behind a root key (32 bytes)."""
        write_secret(self.folder / "roots" / name, Secret(seed.expose().hex().encode()))

    def issue(self, party: Party) -> Credentials:
        """A fresh certificate for a caller: a device, an agency, a person."""
        return DevelopmentAuthority.load(self.ca_folder).issue(party)


def _seed(path: Path) -> Secret:
    try:
        return Secret(bytes.fromhex(_read(path).decode("ascii")))
    except ValueError as error:
        raise UnavailableError(Reason.CERTIFICATE_MISSING, f"{path} holds no seed") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(Reason.CERTIFICATE_MISSING, str(path)) from error
