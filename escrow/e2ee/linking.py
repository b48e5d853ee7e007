"""Linking a device to an account: what two devices tell each other, and the short string that people compare.

The channel between them belongs to nobody, so nothing that comes over it proves anything. The new device commits to its
keys and a nonce, the account's first device answers with its account and a nonce of its own, and only then the new one
opens its commitment: whoever stands between has to choose what both ends will show before knowing it, and has one guess
in a million (Vaudenay, "Secure Communications over Insecure Channels Based on Short Authenticated Strings", CRYPTO
2005). Who may link, and when it is over, is the roles' business.
"""

from typing import Self

from msgspec import Struct

from escrow.crypto.sign import SIGNATURE_SIZE, check_public, verify
from escrow.e2ee.devices import Device, DeviceList, claim
from escrow.e2ee.keys import Identity, IdentityKeys
from escrow.encoding import number, u32
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields

MEETING_SIZE = 16
LIFETIME = 10 * 60 * 1000
"""How long two devices may take to meet, in ms."""
DIGITS = 6
"""Of the short string: one guess succeeds with probability 10**-6, about 2**-20."""

_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE = str.maketrans("OIL", "011", " -")
_CODE = 10


def new_code(coins: bytes) -> str:
    """A code of ten symbols (50 bits of at least 7 bytes) that name a meeting; it is no secret.

    The symbols are those of Crockford's base 32: none looks like another.
    """
    value = int.from_bytes(coins[:7], "big")
    symbols = "".join(_SYMBOLS[value >> 5 * place & 31] for place in range(_CODE))
    return f"{symbols[:5]}-{symbols[5:]}"


def meeting_of(code: str) -> bytes:
    """The 16 bytes under which both devices find each other; ``RefusedError(USAGE)`` for what is no code."""
    symbols = code.upper().translate(_ALIKE)
    if len(symbols) != _CODE or not set(symbols) <= set(_SYMBOLS):
        raise RefusedError(Reason.USAGE, f"a linking code has {_CODE} letters and digits, like 7K3M9-Q2XPD")
    return digest(Tag.LINK_MEETING, symbols.encode())[:MEETING_SIZE]


class Offer(Struct, frozen=True):
    """What the new device commits to: its public keys, and 32 bytes that nobody can guess."""

    signing: bytes
    dh: bytes
    nonce: bytes

    def encode(self) -> bytes:
        """``T("link-offer", signing 32, dh 32, nonce 32)``."""
        return T(Tag.LINK_OFFER, self.signing, self.dh, self.nonce)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        return cls(*fields(Tag.LINK_OFFER, data, 32, 32, 32))

    def commitment(self, meeting: bytes) -> bytes:
        """32 bytes: binding, and hiding while the nonce is unknown."""
        return digest(Tag.LINK_COMMIT, meeting, self.encode())


class NewKeys(Struct, frozen=True):
    """The secrets of a device that has no account yet: seeds of 32 bytes, and the nonce of its offer."""

    signing: Secret
    dh: Secret
    nonce: Secret

    @property
    def offer(self) -> Offer:
        """What it offers; not to be shown before the other side has answered the commitment."""
        identity = self.of(AccountId(bytes(32)), DeviceNo(0)).identity
        return Offer(identity.signing, identity.dh, self.nonce.expose())

    def of(self, account: AccountId, place: DeviceNo) -> IdentityKeys:
        """The same keys, as those of a device of an account."""
        return IdentityKeys(account, place, self.signing, self.dh)


class Invitation(Struct, frozen=True):
    """What the account's first device answers: the account as it is, and the number that the new device would have."""

    deployment: bytes
    devices: DeviceList
    number: DeviceNo
    nonce: bytes

    def encode(self) -> bytes:
        """``T("link-invitation", deployment 32, number u32, nonce 32, device list)``; at most 4 KiB."""
        return T(Tag.LINK_INVITATION, self.deployment, u32(self.number), self.nonce, self.devices.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode``, the list verified; raise ``MalformedError``, or ``RefusedError(SIGNATURE_INVALID)``."""
        deployment, place, nonce, devices = fields(Tag.LINK_INVITATION, data, 32, 4, 32, None)
        return cls(deployment, DeviceList.decode(devices), DeviceNo(number(place)), nonce)


class Reveal(Struct, frozen=True):
    """The opened commitment, and the device's proof that it holds its keys in the place it was given."""

    offer: Offer
    proof: bytes

    @classmethod
    def make(cls, keys: NewKeys, invitation: Invitation) -> Self:
        """The new device's answer to an invitation."""
        device = Device.make(keys.of(invitation.devices.account, invitation.number))
        return cls(keys.offer, device.proof)

    def encode(self) -> bytes:
        """``T("link-reveal", offer, proof 64)``."""
        return T(Tag.LINK_REVEAL, self.offer.encode(), self.proof)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        offer, proof = fields(Tag.LINK_REVEAL, data, None, SIGNATURE_SIZE)
        return cls(Offer.decode(offer), proof)

    def device(self, meeting: bytes, commitment: bytes, invitation: Invitation) -> Device:
        """The entry that the account may sign; ``RefusedError(LINK_INVALID)`` unless what was promised holds."""
        account = invitation.devices.account
        # SPEC LNK-2: an opening of another commitment, or without proof of its keys, is refused.
        if self.offer.commitment(meeting) != commitment:
            raise RefusedError(Reason.LINK_INVALID, "it is not what the new device committed itself to")
        identity = Identity(account, invitation.number, self.offer.signing, self.offer.dh)
        try:
            check_public(identity.signing)
            verify(identity.signing, claim(identity), self.proof)
        except (MalformedError, RefusedError) as error:
            raise RefusedError(Reason.LINK_INVALID, "the new device does not hold its keys") from error
        return Device(invitation.number, identity.signing, identity.dh, self.proof)


def short_string(meeting: bytes, invitation: bytes, offer: Offer) -> str:
    """What both screens show: six digits over everything that was fixed before it could be known.

    The proof in the opening stays out: its maker may choose among many, and could try them until the digits fit.
    """
    # SPEC LNK-1: the string depends on what both sides have fixed, and on nothing that either may still choose.
    value = int.from_bytes(digest(Tag.LINK_STRING, meeting, invitation, offer.encode()), "big") % 10**DIGITS
    return f"{value:0{DIGITS}d}"


def same_string(shown: str, told: str) -> bool:
    """Whether ``told`` is the string on the screen; blanks between the digits do not count."""
    return told.translate(_ALIKE) == shown


def in_halves(string: str) -> str:
    """The string as people read it: ``123 456``."""
    return f"{string[: DIGITS // 2]} {string[DIGITS // 2 :]}"
