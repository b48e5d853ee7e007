"""PyPI ``DoubleRatchet`` as one end of a conversation: the ratchet of other authors, with our functions put in.

The library decides when to turn, which key belongs to which message, what to skip and what to keep. What it leaves to
its user comes from the written layout, by way of ``hmac`` and ``cryptography``: the derivations, the header, the
sealing. It runs in this process: it was expected to need an old ``cryptography`` and hence an environment of its own,
but 1.3 works with the one that is locked. It is asynchronous, although nothing in it ever waits.
"""

import hashlib
import hmac
import warnings
from collections.abc import Coroutine
from typing import Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from doubleratchet import (
    AEAD,
    KDF,
    AuthenticationFailedException,
    DoSProtectionException,
    DoubleRatchet,
    DuplicateMessageException,
    EncryptedMessage,
    Header,
)
from doubleratchet.recommended import diffie_hellman_ratchet_curve25519

from tests.oracles.layout import HEADER, NONCE, nonce, tagged

R = TypeVar("R")

AT_NONCE = 32 + HEADER.size
"""Where in the associated data the nonce stands: after the session's 32 bytes and the rest of the header."""


class RefusalError(Exception):
    """An end of a conversation does not take a message."""


def at_once(work: Coroutine[Any, Any, R]) -> R:
    """The result of a coroutine that does not wait."""
    try:
        work.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    raise AssertionError("it waits")


class _RootKdf(KDF):
    @staticmethod
    async def derive(key: bytes, data: bytes, length: int) -> bytes:
        return HKDF(SHA256(), length, salt=key, info=tagged("ratchet-root")).derive(data)


class _Ratchet(DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        return associated_data[:32] + _pack(header) + associated_data[32:]


class Peer:
    """One end. ``secret`` and ``session_ad`` are what the key agreement gave; either ``remote`` or ``own`` is the key
    to start from.

    ``chain`` is the chain key that the last opened message belongs to.
    """

    def __init__(self, secret: bytes, session_ad: bytes, seed: bytes, *, remote: bytes = b"", own: bytes = b"") -> None:
        self.chain = b""
        self._session_ad = session_ad
        self._seed = seed
        self._start: dict[str, Any] = {"shared_secret": secret}
        self._start |= {"recipient_ratchet_pub": remote} if remote else {"own_ratchet_priv": own}
        self._ratchet: _Ratchet | None = None
        self._settings = _settings(self)

    def say(self, text: bytes, ad: bytes) -> bytes:
        """A ratchet message as it stands in an envelope."""
        bound = self._session_ad + ad
        if self._ratchet is None:
            self._ratchet, sealed = at_once(
                _Ratchet.encrypt_initial_message(**self._settings, **self._start, message=text, associated_data=bound)
            )
        else:
            sealed = at_once(self._ratchet.encrypt_message(text, bound))
        return _pack(sealed.header) + sealed.ciphertext

    def hear(self, message: bytes, ad: bytes) -> bytes:
        """The words, or ``RefusalError``."""
        sealed = EncryptedMessage(Header(*HEADER.unpack(message[: HEADER.size])), message[HEADER.size :])
        bound = self._session_ad + ad
        with warnings.catch_warnings():
            # Of a chain whose end is too far away it makes no keys, says so, and goes on.
            warnings.simplefilter("ignore", UserWarning)
            try:
                if self._ratchet is not None:
                    return at_once(self._ratchet.decrypt_message(sealed, bound))
                self._ratchet, text = at_once(
                    _Ratchet.decrypt_initial_message(
                        **self._settings, **self._start, message=sealed, associated_data=bound
                    )
                )
            except (AuthenticationFailedException, DoSProtectionException, DuplicateMessageException) as no:
                raise RefusalError from no
        return text

    def coins(self) -> bytes:
        """The next 32 bytes that look fresh."""
        self._seed = hashlib.sha256(self._seed).digest()
        return self._seed


def _pack(header: Header) -> bytes:
    return HEADER.pack(header.ratchet_pub, header.previous_sending_chain_length, header.sending_chain_length)


def _settings(peer: Peer) -> dict[str, Any]:
    """What the library wants to be told in every call: as classes, which have to know their peer."""
    chains: dict[bytes, bytes] = {}

    class Turn(diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet):
        @staticmethod
        def _generate_priv() -> bytes:
            return peer.coins()

    class ChainKdf(KDF):
        @staticmethod
        async def derive(key: bytes, data: bytes, length: int) -> bytes:
            assert length == 64
            following, message_key = (hmac.digest(key, bytes([each]), "sha256") for each in data)
            # The nonce is a third use of the chain key, and sealing is only shown the second.
            chains[message_key] = key
            return following + message_key

    class Sealing(AEAD):
        @staticmethod
        async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
            number = nonce(chains[key], peer.coins(), associated_data[AT_NONCE:], plaintext)
            return number + ChaCha20Poly1305(key).encrypt(number, plaintext, _with(number, associated_data))

        @staticmethod
        async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
            number, sealed = ciphertext[:NONCE], ciphertext[NONCE:]
            try:
                text = ChaCha20Poly1305(key).decrypt(number, sealed, _with(number, associated_data))
            except InvalidTag:
                raise AuthenticationFailedException from None
            peer.chain = chains[key]
            return text

    return {
        "diffie_hellman_ratchet_class": Turn,
        "root_chain_kdf": _RootKdf,
        "message_chain_kdf": ChainKdf,
        "message_chain_constant": b"\x02\x01",
        "dos_protection_threshold": 1000,
        "max_num_skipped_message_keys": 2000,
        "aead": Sealing,
    }


def _with(number: bytes, ad: bytes) -> bytes:
    return ad[:AT_NONCE] + number + ad[AT_NONCE:]
