"""Two people with their keys, made once: what the tests of this folder talk about."""

import hashlib
from dataclasses import dataclass
from functools import cache

from escrow.crypto.dh import DhKey
from escrow.crypto.kem import SystemKem
from escrow.crypto.sign import SigningKey
from escrow.e2ee import ratchet
from escrow.e2ee.bundle import Bundle, PrekeySecrets, Published, VerifiedBundle, make_prekeys
from escrow.e2ee.devices import account_id
from escrow.e2ee.keys import Identity, IdentityKeys
from escrow.e2ee.pqxdh import SessionSecret
from escrow.ids import AccountId, DeviceNo
from escrow.secret import Secret

NOW = 1_700_000_000_000
KEM = SystemKem()
PLAIN = (0, bytes(32))
ESCROWED = (1, b"\x07" * 32)
SUPPORTED = (PLAIN, ESCROWED)


def coins(*parts: object) -> bytes:
    """32 bytes that look fresh and are the same in every run."""
    return hashlib.sha256(repr(parts).encode()).digest()


@dataclass(frozen=True)
class Person:
    """A device with everything that is its own, and what it has published."""

    account_key: SigningKey
    keys: IdentityKeys
    secrets: PrekeySecrets
    published: Published

    @property
    def account(self) -> AccountId:
        return self.keys.account

    @property
    def identity(self) -> Identity:
        return self.keys.identity

    def bundle(self, *, ec: bool = True, kem: bool = True) -> Bundle:
        return Bundle(
            self.published.static, self.published.ec[0] if ec else None, self.published.kem[0] if kem else None
        )

    def verified(self, *, ec: bool = True, kem: bool = True) -> VerifiedBundle:
        return self.bundle(ec=ec, kem=kem).verify(self.identity.signing, NOW)


@cache
def person(name: str) -> Person:
    account_key = SigningKey.from_seed(coins(name, "account"))
    keys = IdentityKeys.make(account_id(account_key.public), DeviceNo(1), coins(name, "keys"))
    secrets, published = make_prekeys(coins(name, "prekeys"), keys, 2, NOW, SUPPORTED)
    return Person(account_key, keys, secrets, published)


def ratchet_pair() -> tuple[ratchet.RatchetState, ratchet.RatchetState]:
    """An initiator and a responder that have just agreed on a secret."""
    root, ad, own = Secret(coins("root")), coins("ad"), DhKey.from_seed(coins("signed prekey"))
    alice, bob = person("alice").identity, person("bob").identity
    return (
        ratchet.initiator(SessionSecret(root, ad, bob, *ESCROWED, own.public, None)),
        ratchet.responder(SessionSecret(root, ad, alice, *ESCROWED, b"", own)),
    )
