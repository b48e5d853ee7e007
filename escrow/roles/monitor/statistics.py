"""The transparency report: counted from the entries themselves, so that nobody has to be believed.

An entry belongs to the year in which its first head was witnessed. What an honest log would not take is not counted.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from escrow.roles.monitor.commands import Report
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.release import Denial, Outcome, ReleaseIntent, ReleaseRecord
from escrow.warrant.sealing import SealedLeaf

_COUNTED = {
    EntryType.APPROVAL: "approved_later",
    EntryType.REFUSAL: "refused",
    EntryType.SUSPENSION: "suspended",
    EntryType.RESUMPTION: "resumed",
    EntryType.CANCELLATION: "cancelled",
    EntryType.ATTAINMENT: "attained",
    EntryType.NONDISCLOSURE_EXTENDED: "extensions",
    EntryType.NOTICE_DELAYED: "delays",
    EntryType.DISCLOSURE: "disclosures",
    EntryType.NOTICE_DELIVERED: "notices",
    EntryType.ERROR_REPORT: "errors",
}


def year_of(time_ms: int) -> int:
    """The year (UTC) of a time."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).year


def report(year: int, entries: Iterable[tuple[Entry, int]]) -> Report:
    """The report of ``year`` over entries that count, in log order, each with the time of its first head (ms)."""
    counts, denials = Counter[str](), Counter[str]()
    tags, requests = set[bytes](), set[bytes]()
    for entry, time_ms in entries:
        now = year_of(time_ms) == year
        match entry.type:
            case EntryType.WARRANT_SEALED:
                leaf = SealedLeaf.decode(entry.payload)
                first = leaf.seal_tag not in tags
                tags.add(leaf.seal_tag)
                counts["sealed"] += now and first
                counts["urgent"] += now and first and leaf.urgent
            case EntryType.RELEASE_INTENT:
                intent = ReleaseIntent.decode(entry.payload)
                first = intent.request_hash not in requests
                requests.add(intent.request_hash)
                counts["intents"] += now
                counts["requests"] += now and first
                counts["capsules"] += intent.count if now and first else 0
            case EntryType.RELEASE_RECORD:
                released = ReleaseRecord.decode(entry.payload).outcome is Outcome.RELEASED
                counts["released" if released else "withheld"] += now
            case EntryType.DENIAL:
                denials[Denial.decode(entry.payload).reason.name] += now
            case kind if kind in _COUNTED:
                counts[_COUNTED[kind]] += now
    refused = tuple((reason, count) for reason, count in sorted(denials.items()) if count)
    return Report(year=year, denials=refused, **{name: counts[name] for name in _NAMES})


_NAMES = tuple(name for name in Report.__struct_fields__ if name not in {"year", "denials"})
