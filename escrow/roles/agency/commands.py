"""What investigators ask of their own tool. Local: none of this is a message to anybody."""

from msgspec import Struct

from escrow.e2ee.file import File
from escrow.roles.calls import Call, Done, Reply


class Applied(Reply, frozen=True):
    """The application as filed: its id, and the exact bytes that the locks are asked to sign."""

    warrant_id: bytes
    payload: bytes


class NewApplication(Call, frozen=True):
    """Write an application, make the keys of its warrant, and file it with the authority.

    ``targets`` are account ids; ``window`` is [start, end) of the relay's ingest time, ``not_before`` and ``not_after``
    bound the warrant itself, all in ms. ``instrument`` is the SHA-256 of the legal instrument.
    """

    answer = Applied
    targets: tuple[bytes, ...]
    window: tuple[int, int]
    not_before: int
    not_after: int
    max_capsules: int
    instrument: bytes
    max_identity_keys: int = 0
    """Where the policy's scheme opens identities; then ``max_capsules`` is 0."""
    activation_delay_s: int = 0
    """Never less than the policy's."""
    nondisclosure_until: int = 0
    """Never before ``not_after``."""
    direction: str = "SENT_BY"
    kind: str = "HISTORICAL"
    approve_by: int = 0
    """Not 0: an urgent warrant, which has its second lock by then."""
    profile: str = ""
    """Whose rules it follows beyond the policy's."""


class Succeed(Call, frozen=True):
    """Apply for a warrant that renews another, or narrows it: the same but for what is given, and it ends the other.

    Whatever is None stays as it is. A later end makes it a renewal.
    """

    answer = Applied
    warrant_id: bytes
    not_after: int | None = None
    window: tuple[int, int] | None = None
    max_capsules: int | None = None
    max_identity_keys: int | None = None
    nondisclosure_until: int | None = None


class Withdraw(Call, frozen=True):
    """Take an application back that is not sealed yet."""

    answer = Done
    warrant_id: bytes


class Execute(Call, frozen=True):
    """Ask the relay for what the warrant covers and every custodian for its shares, and open what can be opened.

    Again and again if need be: what was asked before is asked with the same bytes, what is new with a new request.
    """

    answer = Done
    warrant_id: bytes


class CustodianOutcome(Struct, frozen=True):
    """``released``, ``missing`` if it was out of reach, ``asked`` while it has not answered, or its reason."""

    custodian: str
    outcome: str


class RequestReport(Struct, frozen=True):
    """One release request: its hash, how many release units it names, and what each custodian said about it last.

    ``reason`` is empty once it is opened, else why it is not. ``culprits`` sent shares that do not verify.
    ``threshold`` of those who hold the shares must answer.
    """

    request_hash: bytes
    count: int
    custodians: tuple[CustodianOutcome, ...]
    opened: int
    reason: str
    culprits: tuple[str, ...]
    threshold: int


class Report(Reply, frozen=True):
    """A warrant and what came of it. ``refused`` is why the authority or the relay last said no, or empty.

    ``beyond`` of the opened were accepted outside the warrant's window: what opens an epoch does not stop at it.
    """

    warrant_id: bytes
    state: str
    signers: tuple[str, ...]
    refused: str
    produced: int
    opened: int
    requests: tuple[RequestReport, ...]
    beyond: int = 0


class GetReport(Call, frozen=True):
    """What is known of a warrant: nothing is asked of anybody."""

    answer = Report
    warrant_id: bytes


class OpenedItem(Struct, frozen=True):
    """A message that was opened, or with a ``reason`` one that could not be although the shares were there.

    ``file``, if the message is one, has the key to what it names.
    """

    body_id: bytes
    sender_account: bytes
    sender_device: int
    conv_tag: bytes
    ingest_seq: int
    ingest_time: int
    text: str
    reason: str
    file: File | None = None


class Opened(Reply, frozen=True):
    """Opened messages in the order in which the relay took them, from number ``start`` on."""

    start: int
    items: tuple[OpenedItem, ...]


class GetOpened(Call, frozen=True):
    """What was opened under a warrant."""

    answer = Opened
    warrant_id: bytes
    start: int = 0
    limit: int = 1 << 30


class Refresh(Call, frozen=True):
    """Ask the authority where the case stands."""

    answer = Done
    warrant_id: bytes
