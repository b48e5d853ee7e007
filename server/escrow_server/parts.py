"""Which machine serves which part."""

from collections.abc import Callable, Mapping
from typing import Final

from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.authority import Authority
from escrow.roles.custodian import Custodian
from escrow.roles.log import Log
from escrow.roles.machine import Read, Role
from escrow.roles.relay import Relay
from escrow.roles.relay import next_due as relay_due
from escrow.roles.witness import Witness
from escrow.rpc.home import Home
from escrow.warrant.genesis import Genesis

_MAKERS: Final[Mapping[str, Callable[[Genesis, int, SigningKey], Role]]] = {
    "log": lambda genesis, _, key: Log(genesis, key),
    "relay": lambda genesis, _, key: Relay(genesis, key),
    "authority": lambda genesis, _, key: Authority(genesis, key),
    "custodian": Custodian,
    "witness": Witness,
}
_DUE: Final[Mapping[str, Callable[[Read], int | None]]] = {"relay": relay_due}


def party_of(part: str, index: int | None, genesis: Genesis) -> Party:
    """The party behind ``doublelock serve PART --index INDEX``. Raises ``RefusedError(USAGE)`` for one that is not."""
    counts = {"custodian": len(genesis.custodians), "witness": len(genesis.witnesses)}
    if part not in counts:
        if index is not None:
            raise RefusedError(Reason.USAGE, f"there is only one {part}; leave out --index")
        return Party(part)
    if index is None or not 1 <= index <= counts[part]:
        raise RefusedError(Reason.USAGE, f"--index of a {part} is 1 to {counts[part]} in this deployment")
    return Party(f"{part}/{index}")


def role_of(party: Party, home: Home) -> Role:
    """The machine of ``party``, with its key."""
    part, _, index = party.partition("/")
    return _MAKERS[part](home.genesis, int(index or 0), home.identity(party))


def next_due(party: Party, view: Read) -> int | None:
    """When (ms) something falls due at ``party`` that no call brings about, or None."""
    part = party.partition("/")[0]
    return _DUE[part](view) if part in _DUE else None
