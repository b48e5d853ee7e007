"""Who is calling: the parts of the party name that the transport has authenticated."""

from escrow.errors import Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Party


def device_party(account: bytes, device: int) -> Party:
    """``device/<account hex>/<number>``."""
    return Party(f"device/{account.hex()}/{device}")


def newcomer_party(meeting: bytes) -> Party:
    """``newcomer/<meeting hex>``: a device that is being linked and has no account yet."""
    return Party(f"newcomer/{meeting.hex()}")


def device_of(caller: Party) -> tuple[AccountId, DeviceNo]:
    """The (account, device) behind a caller; ``RefusedError(UNAUTHENTICATED)`` if it is no device."""
    # SPEC RLY-1: who is no device is nobody here.
    kind, _, rest = caller.partition("/")
    account_hex, _, place = rest.partition("/")
    try:
        account, device = bytes.fromhex(account_hex), int(place)
    except ValueError:
        raise RefusedError(Reason.UNAUTHENTICATED, "only a device may call this") from None
    if kind != "device" or len(account) != 32 or caller != device_party(account, device):
        raise RefusedError(Reason.UNAUTHENTICATED, "only a device may call this")
    return AccountId(account), DeviceNo(device)
