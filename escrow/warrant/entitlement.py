"""Which office may log which type of entry. Who holds an office is the genesis's to say."""

from collections.abc import Mapping
from typing import Final

from escrow.tlog.entry import EntryType

ANYBODY: Final = "anybody"
ROOT: Final = "root"
LOG: Final = "log"
RELAY: Final = "relay"
AUTHORITY: Final = "authority"
CUSTODIAN: Final = "custodian"

_ROOT: Final = frozenset({ROOT})
_CUSTODIANS: Final = frozenset({CUSTODIAN})
_AUTHORITY: Final = frozenset({AUTHORITY})
# A custodian that receives a signed order logs it too: an authority that keeps it back gains nothing.
_EITHER: Final = frozenset({AUTHORITY, CUSTODIAN})

ENTITLED: Final[Mapping[EntryType, frozenset[str]]] = {
    EntryType.GENESIS: frozenset({ROOT, LOG}),
    EntryType.POLICY: frozenset({ROOT, LOG}),
    EntryType.ROLE_KEY: _ROOT,
    EntryType.RELAY_KEY: _ROOT,
    EntryType.DEVICE_LIST: frozenset({ANYBODY}),
    EntryType.COMMITTEE_PROPOSAL: _CUSTODIANS,
    EntryType.DKG_TRANSPORT: _CUSTODIANS,
    EntryType.DKG_COMMIT: _CUSTODIANS,
    EntryType.DKG_REVEAL: _CUSTODIANS,
    EntryType.DKG_CIPHERTEXTS: _CUSTODIANS,
    EntryType.DKG_DISPUTE: _CUSTODIANS,
    EntryType.DKG_ANSWER: _CUSTODIANS,
    EntryType.DKG_CERTIFY: _CUSTODIANS,
    EntryType.COMMITTEE_KEY: _CUSTODIANS,
    EntryType.HANDOVER_PROPOSAL: _CUSTODIANS,
    EntryType.HANDOVER_TRANSPORT: _CUSTODIANS,
    EntryType.HANDOVER_DEAL: _CUSTODIANS,
    EntryType.HANDOVER_READY: _CUSTODIANS,
    EntryType.HANDOVER_ORDER: _ROOT,
    EntryType.HANDOVER_CANCELLATION: _ROOT,
    EntryType.HANDOVER_ACKNOWLEDGEMENT: _CUSTODIANS,
    EntryType.SHARE_GENERATION: _CUSTODIANS,
    EntryType.ERASURE: _CUSTODIANS,
    EntryType.INGEST_ROOT: frozenset({RELAY}),
    EntryType.WARRANT_SEALED: _AUTHORITY,
    EntryType.APPROVAL: _EITHER,
    EntryType.REFUSAL: _EITHER,
    EntryType.SUSPENSION: _EITHER,
    EntryType.RESUMPTION: _EITHER,
    EntryType.CANCELLATION: _EITHER,
    EntryType.ATTAINMENT: _EITHER,
    EntryType.RELEASE_INTENT: _CUSTODIANS,
    EntryType.RELEASE_RECORD: _CUSTODIANS,
    EntryType.DENIAL: _CUSTODIANS,
    EntryType.NONDISCLOSURE_EXTENDED: _AUTHORITY,
    EntryType.DISCLOSURE: _EITHER,
    EntryType.NOTICE_DELIVERED: _EITHER,
    EntryType.NOTICE_DELAYED: _AUTHORITY,
    EntryType.AUDIT: _AUTHORITY,
    EntryType.ERROR_REPORT: _EITHER,
}
