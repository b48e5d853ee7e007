"""Padding to a few lengths, so that the size of a ciphertext says little about what is in it.

A 0x80 byte and then zeros (ISO/IEC 7816-4) up to the next bucket. Padding hides a length and protects nothing: it is
applied before encryption and checked after authentication.
"""

from escrow.errors import MalformedError, Reason, RefusedError

BUCKETS: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048, *range(4096, 60 * 1024 + 1, 4096))
MAX_CONTENT = BUCKETS[-1] - 1
"""The longest content, in bytes."""


def pad(content: bytes) -> bytes:
    """Fill up to the smallest bucket that holds one byte more; raise ``RefusedError(TOO_LARGE)``."""
    return (content + b"\x80").ljust(_bucket(len(content)), b"\x00")


def unpad(padded: bytes) -> bytes:
    """Undo ``pad``; raise ``MalformedError(CONTENT_INVALID)`` for anything it does not return."""
    content = padded.rstrip(b"\x00")
    if not content.endswith(b"\x80") or len(content) > MAX_CONTENT + 1:
        raise MalformedError("content without padding", Reason.CONTENT_INVALID)
    content = content[:-1]
    if len(padded) != _bucket(len(content)):
        raise MalformedError("content padded to the wrong length", Reason.CONTENT_INVALID)
    return content


def _bucket(length: int) -> int:
    for bucket in BUCKETS:
        if length < bucket:
            return bucket
    raise RefusedError(Reason.TOO_LARGE, f"content of {length} bytes; {MAX_CONTENT} fit")
