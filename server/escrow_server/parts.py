"""Which machine serves which part."""

from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.machine import Role
from escrow.rpc.home import Home
from escrow.warrant.genesis import Genesis

# Each part loads its own role and no other: a process that never releases should not even hold the code for it.


MOST_CUSTODIANS = 99_999


def party_of(part: str, index: int | None, genesis: Genesis, *, newcomers: bool = False) -> Party:
    """The party behind ``doublelock serve PART --index INDEX``. Raises ``RefusedError(USAGE)`` for one that is not.

    ``newcomers``: there may be custodians beyond those of the genesis.
    """
    counts = {"custodian": len(genesis.custodians), "witness": len(genesis.witnesses)}
    if part not in counts:
        if index is not None:
            raise RefusedError(Reason.USAGE, f"there is only one {part}; leave out --index")
        return Party(part)
    if newcomers and part == "custodian":
        counts[part] = MOST_CUSTODIANS
    if index is None or not 1 <= index <= counts[part]:
        raise RefusedError(Reason.USAGE, f"--index of a {part} is 1 to {counts[part]} in this deployment")
    return Party(f"{part}/{index}")


def role_of(party: Party, home: Home) -> Role:
    """The machine of ``party``, with its key."""
    part, _, index = party.partition("/")
    genesis, key = home.genesis, home.identity(party)
    match part:
        case "log":
            from escrow.roles.log import Log

            return Log(genesis, key, home.cosigner(party))
        case "relay":
            from escrow.roles.relay import Relay

            return Relay(genesis, key)
        case "authority":
            from escrow.roles.authority import Authority
            from escrow.rpc.profiles import shipped_profiles

            return Authority(genesis, key, shipped_profiles())
        case "custodian":
            from escrow.roles.custodian import Custodian
            from escrow_server.hands import Hands

            return Custodian(genesis, int(index), key, together=Hands())
        case "witness":
            from escrow.roles.witness import Witness

            return Witness(genesis, int(index), key, home.cosigner(party))
        case _:
            raise AssertionError(f"{party} is not served")
