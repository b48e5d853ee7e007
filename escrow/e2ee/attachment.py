"""Attachments: a file as a row of sealed chunks, of which no more than one is ever in memory.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015) over ChaCha20-Poly1305: the place of a chunk
and whether it is the last are in its nonce, so that no chunk can be dropped, repeated, moved or added. The AEAD commits
to no key, so a commitment to key and size comes first and is compared before anything is decrypted (as in C2SP
chunked-encryption). The content is padded with zeros (``escrow.e2ee.blob``).

Each attachment has a key of its own. It lies inside the message, so whoever opens the message can open the attachment:
the receiver, and under a warrant on an escrowed conversation the agency.
"""

import hmac
from collections.abc import Iterable, Iterator
from typing import NamedTuple, final

from escrow.crypto import aead
from escrow.crypto.kdf import hkdf_expand, hkdf_extract
from escrow.e2ee.blob import COMMITMENT, NAMELESS, chunk_lengths, extend_name
from escrow.encoding import u8, u32, u64
from escrow.errors import Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag


def attachment_key(hedged: Secret, random: bytes, content_hash: bytes, size: int) -> Secret:
    """The key of a new attachment, from a use of the hedge, 32 random bytes, and SHA-256 and size of its content.

    No generator that is stuck, and no state that was cloned, gives two contents one key: the chunks' nonces repeat in
    every attachment.
    """
    # SPEC ATT-2: the key depends on the content as well as on the generator and the hedge.
    return Secret(hkdf_extract(random, T(Tag.ATTACHMENT, hedged.expose(), content_hash, u64(size))))


def seal(key: Secret, size: int, content: Iterable[bytes]) -> Iterator[bytes]:
    """The sealed chunks of a content of ``size`` bytes, which may come in pieces of any length.

    Raises ``RefusedError``: TOO_LARGE before anything is read, FILE_CHANGED if the content is of another size.
    """
    keys, lengths = _keys(key, size), list(chunk_lengths(size))
    padded = _in_lengths(lengths, size, content)
    for index, chunk in enumerate(padded):
        nonce = _nonce(keys, index, last=index + 1 == len(lengths))
        sealed = aead.seal(keys.encryption.expose(), nonce, chunk, keys.commitment)
        yield sealed if index else keys.commitment + sealed


@final
class Opening:
    """Opens the attachment called ``blob``, of ``size`` bytes, chunk by chunk in their order.

    What ``take`` returns came from whoever holds the key; before ``finish`` it is no file, and nobody may be shown it.
    Raises ``RefusedError(TOO_LARGE)`` before anything is asked for.
    """

    def __init__(self, key: Secret, size: int, blob: bytes) -> None:
        self._keys = _keys(key, size)
        self._lengths = list(chunk_lengths(size))
        self._blob, self._name = blob, NAMELESS
        self._left, self._index, self._whole = size, 0, False

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return len(self._lengths)

    def take(self, sealed: bytes) -> bytes:
        """The content in the next chunk. A refusal ends it: nothing that came before may be used.

        Raises ``RefusedError``: COMMITMENT_MISMATCH for another key or size, else ATTACHMENT_INVALID for whatever is
        not the next chunk of this attachment; with the last chunk also if this is not the blob that was named.
        """
        index, self._index = self._index, self._index + 1
        if index >= len(self._lengths):
            raise RefusedError(Reason.ATTACHMENT_INVALID, "a chunk behind the last")
        last = self._index == len(self._lengths)
        self._name = extend_name(self._name, sealed, last=last)
        if not index:
            # SPEC ATT-3: another key or size is refused before anything is decrypted.
            if not hmac.compare_digest(sealed[:COMMITMENT], self._keys.commitment):
                raise RefusedError(Reason.COMMITMENT_MISMATCH, "the attachment has another key or another size")
            sealed = sealed[COMMITMENT:]
        encryption, nonce = self._keys.encryption.expose(), _nonce(self._keys, index, last=last)
        padded = aead.open_(encryption, nonce, sealed, self._keys.commitment, reason=Reason.ATTACHMENT_INVALID)
        if len(padded) != self._lengths[index] or padded[self._left :].strip(b"\x00"):
            raise RefusedError(Reason.ATTACHMENT_INVALID, "padding of another form")
        # SPEC ATT-4: it is this blob and no other that the sender sealed under this key.
        if last and self._name != self._blob:
            raise RefusedError(Reason.ATTACHMENT_INVALID, "not the one that the message names")
        self._whole = last
        content = padded[: self._left]
        self._left -= len(content)
        return content

    def finish(self) -> None:
        """Raise ``RefusedError(ATTACHMENT_INVALID)`` unless every chunk was taken and none was refused."""
        if not self._whole:
            raise RefusedError(Reason.ATTACHMENT_INVALID, f"{self._index} of {len(self._lengths)} chunks")


class _Keys(NamedTuple):
    encryption: Secret
    commitment: bytes
    prefix: bytes


def _keys(key: Secret, size: int) -> _Keys:
    out = hkdf_expand(key.expose(), T(Tag.ATTACHMENT_KEYS, u64(size)), 32 + COMMITMENT + 7)
    return _Keys(Secret(out[:32]), out[32:64], out[64:])


def _nonce(keys: _Keys, index: int, *, last: bool) -> bytes:
    return keys.prefix + u32(index) + u8(last)


def _in_lengths(lengths: Iterable[int], size: int, content: Iterable[bytes]) -> Iterator[bytes]:
    """The content in pieces of these lengths, filled up with zeros."""
    pieces, held, left = iter(content), bytearray(), size
    for length in lengths:
        wanted = min(length, left)
        while len(held) < wanted and (piece := next(pieces, None)) is not None:
            held += piece
        if len(held) < wanted:
            raise RefusedError(Reason.FILE_CHANGED, "it is shorter now")
        chunk = bytes(held[:wanted])
        del held[:wanted]
        left -= wanted
        if not left and (held or any(pieces)):
            raise RefusedError(Reason.FILE_CHANGED, "it is longer now")
        yield chunk.ljust(length, b"\x00")
