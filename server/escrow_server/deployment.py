"""Making a deployment in a folder, once, however many processes start at the same time."""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escrow.ids import Party
from escrow.rpc.clocks import LabClock, system_clock
from escrow.rpc.files import write
from escrow.rpc.home import Home
from escrow.rpc.identity import DevelopmentAuthority
from escrow.secret import Secret
from escrow.world.founding import Terms, found


def ensure(folder: Path, *, terms: Terms | None = None, seed: Secret | None = None, start: int | None = None) -> Home:
    """The deployment in ``folder``; a new one under ``terms`` if there is none yet.

    ``seed`` (32 bytes) decides all signing keys; ``start`` is where the lab clock begins (ms, default the present).
    Both matter only to the process that makes the deployment.
    """
    home = Home(folder)
    if home.exists:
        return home
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        if not home.exists:
            _make(
                home,
                terms or Terms(),
                seed or Secret(secrets.token_bytes(32)),
                system_clock() if start is None else start,
            )
    return home


def enlist(home: Home, party: Party) -> None:
    """Give a custodian that came after the founding its keys, once. Only an order of the roots gives it a share."""
    with _locked(home.folder / ".lock"):
        if not home.has_identity(party):
            DevelopmentAuthority.load(home.ca_folder).issue(party).save(home.keys_folder(party))
            home.save_identity(party, Secret(secrets.token_bytes(32)))


def _make(home: Home, terms: Terms, seed: Secret, start: int) -> None:
    founding = found(seed, terms)
    authority = DevelopmentAuthority.make(home.ca_folder)
    for party, identity in founding.parties.items():
        authority.issue(party).save(home.keys_folder(party))
        home.save_identity(party, identity)
    for name, person in founding.people.items():
        home.save_person(name, person)
    for name, root in founding.roots.items():
        home.save_root(name, root)
    LabClock.make(home.clock_path, start)
    # The commit point: without a genesis the folder counts as empty, and whatever is in it is made anew.
    write(home.genesis_path, founding.document)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
