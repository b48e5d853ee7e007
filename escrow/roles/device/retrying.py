"""Saying again what did not open at the other end: only to a device that it was sealed for, with the keys it had then.

The plaintext is in the outbox. It is sealed anew, as one more message in a chain of its own; no seed and no key is ever
sent twice. Whoever has other keys by now, or was not there, asks in vain, however good the reason.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from escrow.e2ee.content import Content, NeedRetry, Original, Retry
from escrow.e2ee.keys import Identity
from escrow.ids import Millis
from escrow.roles.device.state import Sent, say
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack

SAID_AGAIN = 30 * 24 * 3600 * 1000
"""How long after it was sealed a message is said again, in ms: as long as a receiver keeps keys of skipped ones."""


class Copies(Struct, frozen=True):
    """For whom the submission ``key`` was sealed, and who has asked for it again: hashes of their identities."""

    key: bytes
    devices: tuple[bytes, ...]
    again: tuple[bytes, ...] = ()

    def are_for(self, device: Identity) -> bool:
        """Whether the device, with these keys, is one of them."""
        return _hash(device) in self.devices


def remember(draft: Draft, content: Content, name: bytes, key: bytes, devices: Sequence[Identity]) -> None:
    """Note under ``name`` (32 bytes) for which devices a submission was sealed, if it may be said again."""
    if isinstance(content, Original):
        draft.put(b"copy/" + name, pack(Copies(key, tuple(map(_hash, devices)))))


def answer(draft: Draft, asker: Identity, mode: int, question: NeedRetry, now: Millis) -> None:
    """Queue again, for ``asker`` alone, what it may ask for, once; stay silent about everything else."""
    for name in question.names:
        copies = copies_of(draft, name)
        entitled = copies.are_for(asker) and _hash(asker) not in copies.again
        sent = draft.get(b"sent/" + copies.key) if entitled else None
        # SPEC RTY-1: other devices, other keys, the other mode, long after, or once more: no answer.
        original = None if sent is None else unpack(sent, Sent)
        if original is None or original.message.mode != mode or now >= original.time + SAID_AGAIN:
            continue
        content = original.message.content
        if not isinstance(content, Original):
            continue
        draft.put(b"copy/" + name, pack(replace(copies, again=(*copies.again, _hash(asker)))))
        say(draft, original.message.to, mode, Retry(name, original.id, content), only=asker)


def copies_of(view: Read | Draft, name: bytes) -> Copies:
    """For whom the message with this name, or id, was sealed; for nobody if it is none of ours."""
    data = view.get(b"copy/" + name)
    return Copies(b"", ()) if data is None else unpack(data, Copies)


def _hash(device: Identity) -> bytes:
    return hashlib.sha256(device.encode()).digest()
