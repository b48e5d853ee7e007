"""What an HI1Message asks for, read strictly: one authorisation, its tasks, and the signed document if it came along.

XML from elsewhere is read without document types and entities, and only what is understood is taken: an authorisation
whose tasks ask for different times, or for targets in another format, is refused, not guessed at.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from escrow.errors import Reason, RefusedError
from escrow.warrant.documents import WarrantPayload, parse_warrant
from escrow.warrant.etsi.names import AUTHORISATION, COMMON, CORE, DOCUMENT, TASK, XSI
from escrow.warrant.etsi.terms import OWNER, Terms

MOST: Final = 1 << 22
"""Bytes of the largest message that is read."""

_FORMATS: Final = {
    (OWNER, "AccountId"): re.compile(r"(?P<account>[0-9a-f]{64})"),
    (OWNER, "DeviceId"): re.compile(r"(?P<account>[0-9a-f]{64})/(?P<device>[0-9]{1,9})"),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What a message says. ``document`` are the bytes that locks sign, or empty if the sender has none of ours."""

    reference: str
    terms: Terms
    direction: str
    kind: str
    document: bytes

    @property
    def payload(self) -> WarrantPayload | None:
        """The document, read; none if there is none of ours."""
        return parse_warrant(self.document) if self.document else None


def read(data: bytes) -> Imported:
    """Read a message; ``SCHEMA_INVALID`` or ``TOO_LARGE``, and ``SEAL_MISMATCH`` if document and objects differ."""
    objects = list(_objects(_parsed(data)))
    authorisation = _only([one for kind, one in objects if kind == "AuthorisationObject"], "authorisation")
    tasks = [one for kind, one in objects if kind == "LDTaskObject"]
    if not tasks:
        raise _invalid("no task for lawful disclosure")
    ranges = {_range(_child(task, TASK, "RequestDetails"), TASK) for task in tasks}
    directions = {_word(_child(task, TASK, "RequestDetails"), TASK, "Type") for task in tasks}
    if len(ranges) > 1 or len(directions) > 1:
        raise _invalid("tasks of one warrant ask for one window and in one direction")
    flags = {
        value.text for value in authorisation.iterfind(f".//{{{AUTHORISATION}}}AuthorisationFlag/{{{COMMON}}}Value")
    }
    not_before, not_after = _range(_child(authorisation, AUTHORISATION, "AuthorisationTimespan"), AUTHORISATION)
    targets = tuple(target for task in tasks for target in _targets(task))
    terms = Terms(targets, ranges.pop(), not_before, not_after, urgent="IsEmergency" in flags)
    imported = Imported(
        _text(authorisation, AUTHORISATION, "AuthorisationReference"),
        terms,
        directions.pop(),
        _word(authorisation, AUTHORISATION, "AuthorisationLegalType"),
        _document([one for kind, one in objects if kind == "DocumentObject"]),
    )
    if imported.payload is not None:
        _check_document(imported, imported.payload)
    return imported


def _check_document(imported: Imported, payload: WarrantPayload) -> None:
    """The objects say in other words what the document says, or somebody has changed one of them."""
    said = imported.reference, imported.direction, imported.kind, imported.terms
    if said != (payload.warrant_id, payload.direction, payload.kind, Terms.of(payload).in_seconds()):
        raise RefusedError(Reason.SEAL_MISMATCH, "the objects say something else than the document")


def _document(objects: list[ET.Element]) -> bytes:
    if not objects:
        return b""
    body = _child(_only(objects, "document"), DOCUMENT, "DocumentBody")
    try:
        data = base64.b64decode(_text(body, DOCUMENT, "Contents"), validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("the document is not base64") from None
    if _text(body, DOCUMENT, "Checksum") != hashlib.sha256(data).hexdigest():
        raise _invalid("the document's checksum")
    return data


def _targets(task: ET.Element) -> Iterator[tuple[bytes, int | None]]:
    values = _child(_child(task, TASK, "RequestDetails"), TASK, "RequestValues")
    for value in values.iterfind(f"{{{TASK}}}RequestValue"):
        form, text = _child(value, TASK, "FormatType"), _text(value, TASK, "Value")
        pattern = _FORMATS.get((_text(form, TASK, "FormatOwner"), _text(form, TASK, "FormatName")))
        found = None if pattern is None else pattern.fullmatch(text)
        if found is None:
            raise _invalid("a target that is no account or device of ours")
        device = found.groupdict().get("device")
        yield bytes.fromhex(found["account"]), None if device is None else int(device)


# -- XML ----------------------------------------------------------------------------------------------------


def _parsed(data: bytes) -> ET.Element:
    if len(data) > MOST:
        raise RefusedError(Reason.TOO_LARGE, f"a message of {len(data)} bytes; {MOST} are admitted")
    try:
        text = data.decode("utf-8")
        # Entities are how a small file becomes a large one, or another file.
        if "<!" in text:
            raise _invalid("a message without comments and document type")
        # As text, so that the encoding is what it is and not what the first line claims.
        root = ET.fromstring(text)  # noqa: S314 - nothing is left in it that could expand
    except (UnicodeDecodeError, ET.ParseError):
        raise _invalid("not XML in UTF-8") from None
    if root.tag != f"{{{CORE}}}HI1Message":
        raise _invalid("not an HI1Message")
    return root


def _objects(root: ET.Element) -> Iterator[tuple[str, ET.Element]]:
    """Each object that the message asks to create, with the name of its type."""
    for found in root.iterfind(f".//{{{CORE}}}CREATE/{{{CORE}}}HI1Object"):
        yield found.get(f"{{{XSI}}}type", "").rpartition(":")[2], found


def _only(found: list[ET.Element], what: str) -> ET.Element:
    if len(found) != 1:
        raise _invalid(f"{len(found)} objects for the {what}, not one")
    return found[0]


def _child(parent: ET.Element, space: str, tag: str) -> ET.Element:
    return _only(parent.findall(f"{{{space}}}{tag}"), tag)


def _text(parent: ET.Element, space: str, tag: str) -> str:
    return _child(parent, space, tag).text or ""


def _word(parent: ET.Element, space: str, tag: str) -> str:
    """The value of a dictionary entry."""
    return _text(_child(parent, space, tag), COMMON, "Value")


def _range(parent: ET.Element, space: str) -> tuple[int, int]:
    start, end = (_time(_text(parent, space, tag)) for tag in ("StartTime", "EndTime"))
    return start, end


def _time(text: str) -> int:
    try:
        point = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid("a time that is none") from None
    if point.tzinfo is None or point.microsecond:
        raise _invalid("times are whole seconds, and say of which zone")
    return int(point.timestamp()) * 1000


def _invalid(detail: str) -> RefusedError:
    return RefusedError(Reason.SCHEMA_INVALID, detail)
