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
    """Padded content ``T("content", kind u8, text)``; raise ``RefusedError(TOO_LARGE)`` beyond 60 KiB."""
    return pad(T(Tag.CONTENT, u8(TEXT), text.encode()))


def decode_text(padded: bytes) -> str:
    """Undo ``encode_text``; raise ``MalformedError(CONTENT_INVALID)`` for anything else."""
    try:
        kind, text = fields(Tag.CONTENT, unpad(padded), 1, None)
        if kind != u8(TEXT):
            raise MalformedError("content of an unknown kind")
        return text.decode()
    except (MalformedError, UnicodeDecodeError) as error:
        raise MalformedError(str(error), Reason.CONTENT_INVALID) from None
