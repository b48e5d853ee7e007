"""Keys of attachments: hedged like all others, and kept until the file is sent, so that an upload can go on.

The file itself never passes through here: the device's state knows its hash, and later what the message says of it.
"""

from msgspec import Struct
from msgspec.structs import replace

from escrow.capsule.chain import use_hedge
from escrow.crypto.coins import Coins
from escrow.e2ee.attachment import attachment_key
from escrow.e2ee.blob import padded_size
from escrow.e2ee.file import File
from escrow.encoding import expect
from escrow.roles.device.commands import AttachmentKey, NewAttachment
from escrow.roles.device.state import load_me, save_me
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow.secret import Secret

_ATTACH = b"attach/"


class Begun(Struct, frozen=True):
    """The key of a file that is on its way to the relay."""

    key: Secret


def new_key(draft: Draft, call: NewAttachment, draw: Coins) -> AttachmentKey:
    """The key for a content, until it is sent always the same one; ``RefusedError(TOO_LARGE)``."""
    padded_size(call.size)
    place = _ATTACH + expect(call.content_hash, 32, "a SHA-256")
    begun = draft.get(place)
    if begun is not None:
        return AttachmentKey(unpack(begun, Begun).key)
    me = load_me(draft)
    hedged, hedge = use_hedge(me.hedge, b"attachment")
    save_me(draft, replace(me, hedge=hedge))
    key = attachment_key(hedged, draw.take("attachment", 32), call.content_hash, call.size)
    draft.put(place, pack(Begun(key)))
    return AttachmentKey(key)


def sent(draft: Draft, file: File) -> None:
    """The file is in the queue: the next time, the same content gets another key."""
    for place, data in list(draft.scan(_ATTACH)):
        if unpack(data, Begun).key == file.key:
            draft.delete(place)
