"""How roles write their state down: msgpack of frozen structs, strictly typed on the way back.

Only for a role's own store, never for the wire and never for anything signed or hashed.
"""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from escrow.crypto.dh import DhKey
from escrow.errors import IntegrityError, Reason
from escrow.secret import Secret

S = TypeVar("S")


def _encode(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.expose()
    if isinstance(value, DhKey):
        return value.pair.expose()
    raise TypeError(f"{type(value).__name__} is not state")


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(value)
    if kind is DhKey:
        return DhKey.from_pair(Secret(value))
    raise TypeError(f"{kind.__name__} is not state")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode)


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind, dec_hook=_decode)


def pack(value: object) -> bytes:
    """Bytes of a struct, tuple or plain value."""
    return _encoder.encode(value)


def unpack(data: bytes, kind: type[S]) -> S:
    """Undo ``pack``. What does not decode was not written by us: ``IntegrityError``."""
    try:
        value: S = _decoder(cast(Hashable, kind)).decode(data)
    except msgspec.MsgspecError as error:
        raise IntegrityError(Reason.STORE_CORRUPT, kind.__name__) from error
    return value
