"""What whoever runs a monitor asks of it. Local: none of this is a message to anybody."""

from enum import StrEnum, unique

from msgspec import Struct

from escrow.roles.calls import Call, Done, Reply


@unique
class Alarm(StrEnum):
    """What a monitor raises its voice for."""

    FORK = "fork"
    """The log contradicts itself, or what it has shown to others."""
    UNPROVED = "unproved"
    """The log answered with what no quorum of its witnesses has seen."""
    LOG_SILENT = "log-silent"
    """The newest checkpoint is older than anybody may act on."""
    CLOCK = "clock"
    """The witnesses' time and ours, or the log's order and its times, do not fit."""
    ENTRY_REFUSED = "entry-refused"
    """The log holds an entry that an honest log does not take."""
    SEALED_AGAIN = "sealed-again"
    """One warrant was sealed more than once."""
    INTENT_WITHOUT_SEAL = "intent-without-seal"
    """A custodian meant to release under a warrant that was not sealed before."""
    RELEASE_TOO_EARLY = "release-too-early"
    """A custodian released before the public delay after the seal was over."""
    RELEASE_UNAPPROVED = "release-unapproved"
    """A custodian released under an urgent warrant that had no second lock when its time was over."""
    RELEASE_AFTER_STOP = "release-after-stop"
    """A custodian released although the warrant was stopped in the log before its intent, and still when it said so."""
    TOO_MUCH = "too-much"
    """More was released under a warrant than it says: its size class while it is sealed, its number once disclosed."""
    NOT_DISCLOSED = "not-disclosed"
    """Secrecy is over, and a grace with it, and the warrant is not disclosed."""
    NOT_NOTIFIED = "not-notified"
    """The time to tell the target is over, and the log shows no notice."""
    NOT_ERASED = "not-erased"
    """A period has retired and a custodian has not said that it erased its share."""
    GHOST_DEVICE = "ghost-device"
    """A watched account has a device list that its owner does not know."""


class Finding(Struct, frozen=True, order=True):
    """One alarm. ``about`` is a seal tag, an account, a custodian's key, or empty."""

    alarm: str
    about: bytes
    index: int
    """Place in the log; -1 for what is not there."""
    detail: str


class Watched(Struct, frozen=True):
    """An account, and the newest version of its device list that its owner knows."""

    account: bytes
    version: int


class Findings(Reply, frozen=True):
    """All alarms as of now, in a fixed order, and how far the log was followed (``time_ms``: of its newest head)."""

    findings: tuple[Finding, ...]
    size: int
    time_ms: int


class GetFindings(Call, frozen=True):
    """Everything that is wrong, as far as the followed log shows."""

    answer = Findings
    watched: tuple[Watched, ...] = ()


class Compare(Call, frozen=True):
    """Hold a checkpoint that somebody else got against the log that we follow.

    It must be one of our tree: ``BehindError(LOG_STALE)`` if it is larger. Raises what ``verify_head`` raises. One that
    is not is kept as a ``FORK``.
    """

    answer = Done
    note: bytes


class Report(Reply, frozen=True):
    """What happened in a year (UTC), counted over the log: see ``statistics``."""

    year: int
    sealed: int
    urgent: int
    approved_later: int
    refused: int
    suspended: int
    resumed: int
    cancelled: int
    attained: int
    requests: int
    """Distinct release requests, whoever answered them."""
    capsules: int
    """What these asked for."""
    intents: int
    released: int
    withheld: int
    denials: tuple[tuple[str, int], ...]
    """By reason."""
    extensions: int
    """Of secrecy."""
    delays: int
    """Of notices."""
    disclosures: int
    notices: int
    errors: int


class GetReport(Call, frozen=True):
    """The transparency report of a year."""

    answer = Report
    year: int
