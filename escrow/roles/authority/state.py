"""What the authority remembers, and under which keys of its store.

=========  =========================================================================
``log/``   the followed log
``case/``  ``File`` by warrant id
``tag/``   warrant id by seal tag
``due/``   cases that want attention at a time, by (time, warrant id)
=========  =========================================================================
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from escrow.encoding import number, u64
from escrow.errors import Reason, RefusedError
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.warrant import table
from escrow.warrant.documents import PAYLOAD_TYPE, WarrantPayload, parse_warrant
from escrow.warrant.dsse import Envelope, Signature
from escrow.warrant.sealing import seal_tag
from escrow.warrant.table import State

_CASE = b"case/"
_TAG = b"tag/"
_DUE: Final = b"due/"


class Signed(Struct, frozen=True):
    """One person's signature in a role, over the warrant or, once that is sealed, over its approval.

    ``ending`` is their signature over the cancellation of the warrant that this one replaces, if it does.
    """

    role: str
    person: str
    signature: bytes
    ending: bytes = b""


class Collected(Struct, frozen=True):
    """One person's signature over an order or a postponement; ``detail`` is the turn of one, the time of the other."""

    kind: int
    detail: int
    person: str
    signature: bytes


class File(Struct, frozen=True):
    """A case. ``dsse`` is fixed by the seal and empty before; ``salt`` opens the seal, 32 bytes.

    ``state`` is where the case stood when it was given to the log; what came later the log says, and ``orders``, which
    are on their way there.
    """

    applicant: str
    payload_bytes: bytes
    salt: bytes
    state: str
    signed: tuple[Signed, ...] = ()
    approvals: tuple[Signed, ...] = ()
    dsse: bytes = b""
    collected: tuple[Collected, ...] = ()
    orders: tuple[bytes, ...] = ()
    profile: str = ""

    @property
    def payload(self) -> WarrantPayload:
        """The warrant as applied for."""
        return parse_warrant(self.payload_bytes)

    @property
    def tag(self) -> bytes:
        """The seal tag that it has or will have."""
        return seal_tag(self.payload.id)

    @property
    def envelope(self) -> bytes:
        """The signed envelope: the sealed one, or the signatures so far."""
        return self.dsse or Envelope(PAYLOAD_TYPE, self.payload_bytes, self._signatures).encode()

    def after(self, event: table.Event) -> "File":
        """The case one step on; ``ILLEGAL_STEP``."""
        return replace(self, state=str(table.step(State(self.state), event)))

    @property
    def _signatures(self) -> tuple[Signature, ...]:
        return tuple(Signature("", one.signature) for one in self.signed)


def load_file(view: Read | Draft, warrant_id: bytes) -> File:
    """The case of a warrant; ``NOT_FOUND``."""
    file = find_file(view, warrant_id)
    if file is None:
        raise RefusedError(Reason.NOT_FOUND, "no such case")
    return file


def find_file(view: Read | Draft, warrant_id: bytes) -> File | None:
    """The case of a warrant, if there is one."""
    data = view.get(_CASE + warrant_id)
    return None if data is None else unpack(data, File)


def file_of(view: Read | Draft, tag: bytes) -> File:
    """The case of the warrant with this tag; ``NOT_FOUND``."""
    return load_file(view, view.get(_TAG + tag) or b"")


def save_file(draft: Draft, file: File) -> File:
    """Remember a case."""
    draft.put(_CASE + file.payload.id, pack(file))
    draft.put(_TAG + file.tag, file.payload.id)
    return file


def wake(draft: Draft, when: int, warrant_id: bytes) -> None:
    """Have a case looked at when a time has come."""
    draft.put(_DUE + u64(when) + warrant_id, b"")


def woken(draft: Draft, now: int) -> Iterator[bytes]:
    """The cases whose time has come, each once, the earliest first."""
    due = []
    for key, _ in draft.scan(_DUE):
        if number(key[len(_DUE) :][:8]) > now:
            break
        due.append(key)
    for key in due:
        draft.delete(key)
    yield from dict.fromkeys(key[len(_DUE) + 8 :] for key in due)
