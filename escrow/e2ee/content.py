"""What is inside a message once all layers are off: for now, a line of text.

Padded, because whoever sees a body sees its length. The same bytes go into an escrowed body and into the session
message of an un-escrowed conversation, so that the two differ in nothing but the escrow.
"""

from escrow.e2ee.padding import pad, unpad
from escrow.encoding import u8
from escrow.errors import MalformedError, Reason
from escrow.tags import T, Tag, fields

TEXT = 0
"""Kind of content: UTF-8 text."""


def encode_text(text: str) -> bytes:
    """Padded content ``T("content", kind u8, text)``.

    Raises ``RefusedError(TOO_LARGE)`` beyond 60 KiB, ``MalformedError(CONTENT_INVALID)`` for half a surrogate pair.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise MalformedError(error.reason, Reason.CONTENT_INVALID) from None
    return pad(T(Tag.CONTENT, u8(TEXT), data))


def decode_text(padded: bytes) -> str:
    """Undo ``encode_text``; raise ``MalformedError(CONTENT_INVALID)`` for anything else."""
    try:
        kind, text = fields(Tag.CONTENT, unpad(padded), 1, None)
        decoded = text.decode()
    except (MalformedError, UnicodeDecodeError):
        raise MalformedError("content of another form", Reason.CONTENT_INVALID) from None
    if kind != u8(TEXT):
        raise MalformedError("content of an unknown kind", Reason.CONTENT_INVALID)
    return decoded
