"""Somebody who checks a proof of logging with the C2SP texts in his hand and none of our code.

Written from tlog-proof, tlog-checkpoint, signed-note, tlog-cosignature and RFC 6962, as plainly as they read.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping
from itertools import chain
from struct import pack

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey


class Wrong(Exception):  # noqa: N818 - what the clerk says
    """The proof does not hold."""


def check(proof: bytes, leaf: bytes, logs: Collection[str], witnesses: Mapping[str, Collection[str]], k: int) -> int:
    """The size of the log that holds ``leaf``; verifier keys of the logs, and of each of the witnesses."""
    lines, note = _head(proof)
    index, path = _number(_after("index ", lines.pop(0))), [_base64(line) for line in lines]
    text, _, signatures = note.rpartition("\n\n")
    stated = text.split("\n")
    if len(stated) != 3 or not signatures.endswith("\n"):
        raise Wrong
    size, root = _number(stated[1]), _base64(stated[2])
    signed = [_signature(line) for line in signatures.removesuffix("\n").split("\n")]
    by = {key: _signs(key, signed, f"{text}\n", size, root) for key in {*logs, *chain(*witnesses.values())}}
    by_log = any(by[key] and key.split("+")[0] == stated[0] for key in logs)
    cosigned = sum(any(by[key] for key in keys) for keys in witnesses.values())
    if not by_log or cosigned < k or _climb(hashlib.sha256(b"\0" + leaf).digest(), index, size, path) != root:
        raise Wrong
    return size


def _head(proof: bytes) -> tuple[list[str], str]:
    try:
        text = proof.decode()
    except UnicodeDecodeError:
        raise Wrong from None
    if any(ord(character) < 32 and character != "\n" for character in text):
        raise Wrong
    head, blank, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    if first != "c2sp.org/tlog-proof@v1" or not blank or note.count("\n\n") != 1:
        raise Wrong
    if lines and lines[0].startswith("extra "):
        _base64(_after("extra ", lines.pop(0)))
    if not lines:
        raise Wrong
    return lines, note


def _signature(line: str) -> tuple[str, bytes]:
    name, _, data = _after("— ", line).partition(" ")
    if not name or "+" in name or len(_base64(data)) < 5 or name.split() != [name]:
        raise Wrong
    return name, _base64(data)


def _signs(vkey: str, signed: list[tuple[str, bytes]], text: str, size: int, root: bytes) -> bool:
    """Whether this key signed; a wrong signature under its name and id makes the whole note worthless."""
    name, _, material = vkey.split("+", 2)
    public = base64.b64decode(material)
    key_id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    kind, public = public[0], public[1:]
    mine = [data[4:] for who, data in signed if (who, data[:4]) == (name, key_id)]
    for data in mine:
        time, origin = data[:8], text.split("\n", maxsplit=1)[0].encode()
        try:
            if kind == 1:
                VerifyKey(public).verify(text.encode(), data)
            elif kind == 4:
                stated = f"cosignature/v1\ntime {int.from_bytes(time, 'big')}\n{text}"
                VerifyKey(public).verify(stated.encode(), data[8:])
            else:
                tree = _short(name.encode()) + time + _short(origin) + pack(">QQ", 0, size) + root
                MLDSA44PublicKey.from_public_bytes(public).verify(data[8:], b"subtree/v1\n\0" + tree)
        except (BadSignatureError, InvalidSignature, ValueError):
            raise Wrong from None
    return bool(mine)


def _climb(node: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 6962, section 2.1.1, read from the root downwards."""
    if not 0 <= index < size:
        raise Wrong
    if size == 1:
        if path:
            raise Wrong
        return node
    if not path:
        raise Wrong
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return hashlib.sha256(b"\1" + _climb(node, index, left, path[:-1]) + path[-1]).digest()
    return hashlib.sha256(b"\1" + path[-1] + _climb(node, index - left, size - left, path[:-1])).digest()


def _after(start: str, line: str) -> str:
    if not line.startswith(start):
        raise Wrong
    return line[len(start) :]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or str(int(text)) != text:
        raise Wrong
    return int(text)


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong from None
    if base64.b64encode(data).decode() != text:
        raise Wrong
    return data


def _short(data: bytes) -> bytes:
    return bytes([len(data)]) + data
