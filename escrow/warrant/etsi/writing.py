"""A warrant as one HI1Message that asks to create its objects. It validates against the public schema."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from escrow.warrant.documents import PAYLOAD_TYPE, WarrantPayload, parse_warrant
from escrow.warrant.etsi.names import AUTHORISATION, COMMON, CORE, DOCUMENT, TASK, XSI
from escrow.warrant.etsi.terms import OWNER, STATUS, VERSION, Terms, object_id
from escrow.warrant.table import State


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Who writes to whom. ``country`` is a code of ISO 3166-1; XX is nobody's."""

    sender: str
    receiver: str
    country: str = "XX"


def write(document: bytes, state: State, signers: Iterable[tuple[str, str]], now: int, endpoints: Endpoints) -> bytes:
    """The message about the warrant whose signed bytes are ``document``; ``signers`` are roles and persons.

    ``now`` in milliseconds. Raises what ``parse_warrant`` raises.
    """
    payload = parse_warrant(document)
    root = ET.Element(f"{{{CORE}}}HI1Message")
    _header(root, payload, now, endpoints)
    requests = _nested(root, CORE, "Payload", "RequestPayload", "ActionRequests")
    authorisation = _create(requests, 0, "auth:AuthorisationObject", object_id(payload.id), endpoints)
    _authorisation(authorisation, payload, state, tuple(signers))
    for number, (account, device) in enumerate(Terms.of(payload).targets):
        task = _create(requests, 1 + number, "task:LDTaskObject", object_id(payload.id, f"task/{number}"), endpoints)
        _belongs(task, payload)
        name, value = ("AccountId", account.hex()) if device is None else ("DeviceId", f"{account.hex()}/{device}")
        _task(task, payload, number, endpoints, (name, value))
    name = object_id(payload.id, "document")
    signed = _create(requests, 1 + len(payload.targets), "doc:DocumentObject", name, endpoints)
    _belongs(signed, payload)
    _document(signed, document)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()


def _header(root: ET.Element, payload: WarrantPayload, now: int, endpoints: Endpoints) -> None:
    header = _add(root, CORE, "Header")
    for name, who in (("SenderIdentifier", endpoints.sender), ("ReceiverIdentifier", endpoints.receiver)):
        _endpoint(_add(header, CORE, name), who, endpoints)
    _add(header, CORE, "TransactionIdentifier", object_id(payload.id, f"message/{now}"))
    _add(header, CORE, "Timestamp", _moment(now).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    version = _add(header, CORE, "Version")
    _add(version, CORE, "ETSIVersion", VERSION)
    _add(version, CORE, "NationalProfileOwner", endpoints.country)
    _add(version, CORE, "NationalProfileVersion", "none")


def _authorisation(
    into: ET.Element, payload: WarrantPayload, state: State, signers: tuple[tuple[str, str], ...]
) -> None:
    terms = Terms.of(payload).in_seconds()
    _add(into, AUTHORISATION, "AuthorisationReference", payload.warrant_id)
    _entry(into, AUTHORISATION, "AuthorisationLegalType", payload.kind, OWNER)
    _entry(into, AUTHORISATION, "AuthorisationPriority", "High" if payload.urgent else "Routine")
    _entry(into, AUTHORISATION, "AuthorisationStatus", STATUS[state])
    _timespan(_add(into, AUTHORISATION, "AuthorisationTimespan"), AUTHORISATION, terms.not_before, terms.not_after)
    for role, person in signers:
        approval = _add(into, AUTHORISATION, "AuthorisationApprovalDetails")
        details = _add(approval, COMMON, "ApproverDetails")
        _add(details, COMMON, "ApproverName", person)
        _add(details, COMMON, "ApproverRole", role)
        _add(approval, COMMON, "ApprovalIsEmergency", str(payload.urgent and role == "issuer").lower())
    flags = _add(into, AUTHORISATION, "AuthorisationFlags")
    if payload.urgent:
        _entry(flags, AUTHORISATION, "AuthorisationFlag", "IsEmergency")
    # Research software: whatever reads this must not take it for a warrant.
    _entry(flags, AUTHORISATION, "AuthorisationFlag", "IsTest")


def _task(
    into: ET.Element, payload: WarrantPayload, number: int, endpoints: Endpoints, target: tuple[str, str]
) -> None:
    start, end = Terms.of(payload).in_seconds().window
    _add(into, TASK, "Reference", f"{endpoints.country}-{payload.warrant_id}-{number}")
    _entry(into, TASK, "DesiredStatus", "AwaitingDisclosure", name="LDTaskDesiredStatus")
    details = _add(into, TASK, "RequestDetails")
    _entry(details, TASK, "Type", payload.direction, OWNER, name="RequestType")
    _timespan(details, TASK, start, end)
    value = _nested(details, TASK, "RequestValues", "RequestValue")
    form = _add(value, TASK, "FormatType")
    _add(form, TASK, "FormatOwner", OWNER)
    _add(form, TASK, "FormatName", target[0])
    _add(value, TASK, "Value", target[1])
    _endpoint(_add(into, TASK, "CSPID"), endpoints.receiver, endpoints)


def _document(into: ET.Element, data: bytes) -> None:
    _add(into, DOCUMENT, "DocumentName", "warrant")
    _entry(into, DOCUMENT, "DocumentType", "Warrant")
    body = _add(into, DOCUMENT, "DocumentBody")
    _add(body, DOCUMENT, "Contents", base64.b64encode(data).decode())
    _add(body, DOCUMENT, "ContentType", PAYLOAD_TYPE)
    _add(body, DOCUMENT, "Checksum", hashlib.sha256(data).hexdigest())
    _add(body, DOCUMENT, "ChecksumType", "SHA-256")


# -- XML ----------------------------------------------------------------------------------------------------


def _create(requests: ET.Element, number: int, kind: str, name: str, endpoints: Endpoints) -> ET.Element:
    request = _add(requests, CORE, "ActionRequest")
    _add(request, CORE, "ActionIdentifier", str(number))
    made = _nested(request, CORE, "CREATE", "HI1Object")
    made.set(f"{{{XSI}}}type", kind)
    _add(made, CORE, "ObjectIdentifier", name)
    _add(made, CORE, "CountryCode", endpoints.country)
    _add(made, CORE, "OwnerIdentifier", endpoints.sender)
    return made


def _belongs(into: ET.Element, payload: WarrantPayload) -> None:
    _add(_add(into, CORE, "AssociatedObjects"), CORE, "AssociatedObject", object_id(payload.id))


def _endpoint(into: ET.Element, who: str, endpoints: Endpoints) -> None:
    _add(into, CORE, "CountryCode", endpoints.country)
    _add(into, CORE, "UniqueIdentifier", who)


def _entry(into: ET.Element, space: str, tag: str, value: str, owner: str = "ETSI", name: str = "") -> None:
    """A dictionary entry: a word, and whose word it is."""
    entry = _add(into, space, tag)
    for part, text in (("Owner", owner), ("Name", name or tag), ("Value", value)):
        _add(entry, COMMON, part, text)


def _timespan(into: ET.Element, space: str, start: int, end: int) -> None:
    for tag, time in (("StartTime", start), ("EndTime", end)):
        _add(into, space, tag, _moment(time).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _moment(time: int) -> datetime:
    return datetime.fromtimestamp(time / 1000, UTC)


def _nested(into: ET.Element, space: str, *tags: str) -> ET.Element:
    for tag in tags:
        into = _add(into, space, tag)
    return into


def _add(into: ET.Element, space: str, tag: str, text: str | None = None) -> ET.Element:
    made = ET.SubElement(into, f"{{{space}}}{tag}")
    made.text = text
    return made
