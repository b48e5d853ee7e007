"""How DoubleRatchet is configured as a peer; imported only where it is installed."""

from typing import Any

from doubleratchet import DoubleRatchet, Header
from doubleratchet.recommended import (
    HashFunction,
    aead_aes_hmac,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)


class Ratchet(DoubleRatchet):
    """Binds the header to the message, as the specification asks."""

    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        counts = (header.sending_chain_length, header.previous_sending_chain_length)
        return associated_data + header.ratchet_pub + b"".join(count.to_bytes(8, "big") for count in counts)


class RootChain(kdf_hkdf.KDF):
    """HKDF with SHA-256."""

    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"doublelock bench root"


class MessageChain(kdf_separate_hmacs.KDF):
    """An HMAC for each of the two keys."""

    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class Aead(aead_aes_hmac.AEAD):
    """AES-256-CBC and HMAC, the one AEAD that comes with it."""

    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"doublelock bench message"


CONFIGURATION: dict[str, Any] = {
    "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
    "root_chain_kdf": RootChain,
    "message_chain_kdf": MessageChain,
    "message_chain_constant": b"\x01\x02",
    "dos_protection_threshold": 1000,
    "max_num_skipped_message_keys": 1000,
    "aead": Aead,
}
