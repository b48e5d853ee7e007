"""Every reason for which anything in Doublelock says no: one stable name, one sentence, one hint.

The same name appears in an exception, in a log line, in ``ErrorInfo.reason`` over gRPC and on the
command line. A name is never reused for something else and never removed. ``Kind`` is the exit code.
"""

from enum import Enum, IntEnum, unique
from typing import Self


@unique
class Kind(IntEnum):
    """What a refusal means to a caller; the value is the exit code of the command line."""

    UNEXPECTED = 1
    USAGE = 2
    REFUSED = 3
    VERIFICATION = 4
    NOT_FOUND = 5
    UNAVAILABLE = 6
    INTEGRITY = 7


_RETRY = "Nothing was changed; the same call may be repeated."
_REPORT = "Keep the message: it is evidence against whoever sent it."
_FRESH = "Start over with a new chain; the client does this by itself."
_ASK = "Ask the authority for a warrant that covers this, or narrow the request."


@unique
class Reason(Enum):
    """A named refusal. ``value`` is (kind, sentence, hint); ``name`` is what travels."""

    kind: Kind
    sentence: str
    hint: str

    def __new__(cls, kind: Kind, sentence: str, hint: str) -> Self:
        member = object.__new__(cls)
        member._value_ = (kind, sentence, hint)
        member.kind, member.sentence, member.hint = kind, sentence, hint
        return member

    # -- shape ---------------------------------------------------------------------------------
    MALFORMED = Kind.VERIFICATION, "The bytes are not of the form they claim.", "Nothing was changed; look for damage in transit."
    TOO_LARGE = Kind.USAGE, "The item is larger than its limit.", "Split it; the limits stand beside each message in protos/."
    USAGE = Kind.USAGE, "The command or its input is not usable.", "See --help; for a file, the line that is named."
    NOT_FOUND = Kind.NOT_FOUND, "There is no such thing here.", "Check the name; status commands list what exists."
    INTERNAL = Kind.UNEXPECTED, "Something failed that should not.", "Please report it with the command that led here."

    # -- reachability --------------------------------------------------------------------------
    UNAVAILABLE = Kind.UNAVAILABLE, "A party cannot be reached.", "Check that its process runs; " + _RETRY
    TIMED_OUT = Kind.UNAVAILABLE, "A party did not answer in time.", _RETRY
    PORT_IN_USE = Kind.UNAVAILABLE, "The address is already in use.", "Choose another port with --listen, or end the process that holds it."
    CERTIFICATE_MISSING = Kind.UNAVAILABLE, "A certificate or key file is missing.", "Create the deployment first: doublelock serve … --home DIR makes one."
    PROCESS_DIED = Kind.UNAVAILABLE, "A process of the deployment died.", "Its last log lines are in its folder; start it again with the same command."
    STORE_UNAVAILABLE = Kind.UNAVAILABLE, "The store cannot be written.", "Check disk space and permissions; nothing was acknowledged."
    STORE_CORRUPT = Kind.INTEGRITY, "The store is damaged.", "Nothing was overwritten. Keep the folder and restore a backup; without one, begin again in a new folder."
    STORE_LOCKED = Kind.REFUSED, "The store does not open with this key.", "Give the passphrase or key file that it was made with; nothing was changed."
    KEY_EXPOSED = Kind.REFUSED, "Others may read the key file.", "Take their rights away (chmod 600); if they may have read it, begin again in a new folder."

    # -- authentication and the key directory --------------------------------------------------
    UNAUTHENTICATED = Kind.REFUSED, "The caller has not proved who it is.", "Present the certificate of this deployment."
    PERMISSION_DENIED = Kind.REFUSED, "The caller may not do this.", "Only the role named in the documentation may call this."
    RATE_LIMITED = Kind.REFUSED, "Too many requests from this caller.", "Wait and repeat."
    DEVICE_UNKNOWN = Kind.REFUSED, "The device is not in a logged device list.", "Register it, or wait until its list is in the log."
    KEY_CHANGED = Kind.REFUSED, "The other side's keys have changed.", "Compare safety numbers, then confirm the new keys: doublelock chat safety."
    SAFETY_MISMATCH = Kind.VERIFICATION, "The safety numbers differ.", "Somebody may stand between you: do not write before you have met."
    GHOST_DEVICE = Kind.INTEGRITY, "The log holds a list of your devices that this device did not approve.", "Somebody else uses your account's key: warn your contacts in person, and make a new account."
    LIST_OMITTED = Kind.INTEGRITY, "The log does not hold the list of your devices that it said it took.", "Others may be shown other devices as yours: warn them in person, and tell the log's operator."
    NOT_PRIMARY = Kind.REFUSED, "This device does not hold the account's key.", "Link and remove devices on the account's first device."
    DEVICE_LIMIT = Kind.REFUSED, "The account has as many devices as it may have.", "Remove one of them first: chat devices remove."
    CODE_USED = Kind.REFUSED, "The linking code was used by another device.", "Begin again on the new device; if it was none of yours, somebody interferes."
    STRINGS_DIFFER = Kind.VERIFICATION, "The two screens do not show the same string.", "Somebody stands between the two devices, or a code was mistaken: nothing was linked, begin again."
    LINK_INVALID = Kind.VERIFICATION, "The other device contradicts what it promised.", "Nothing was linked; begin again with a new code."
    LINK_EXPIRED = Kind.REFUSED, "The devices were not linked in time.", "Nothing was linked; begin again with a new code."
    NAME_TAKEN = Kind.REFUSED, "The name belongs to another account.", "Choose another name."
    BUNDLE_INVALID = Kind.REFUSED, "A prekey bundle does not verify.", "Fetch it again; if it persists, the relay is at fault."
    PREKEYS_EXPIRED = Kind.REFUSED, "The device's prekeys have expired.", "It publishes new ones when it is next online; then send again."
    PREKEY_UNKNOWN = Kind.REFUSED, "A first message names a prekey that is used up or unknown.", "The sender must fetch a new bundle."

    # -- log, clock, authorisation -------------------------------------------------------------
    LOG_STALE = Kind.REFUSED, "The newest witnessed checkpoint is too old.", "Check that the log and enough witnesses run."
    LOG_INCONSISTENT = Kind.INTEGRITY, "The log contradicts what it showed before.", "Stop using it and keep both checkpoints: they prove the fork."
    CHECKPOINT_CONFLICT = Kind.REFUSED, "The witness has cosigned another size of this log.", "Send the proof from the size that it names."
    QUORUM_MISSING = Kind.REFUSED, "Not enough witnesses have signed.", "Check that enough witnesses run."
    NOT_LOGGED = Kind.REFUSED, "The object is not in the log.", "Wait until it is included."
    ENTRY_REFUSED = Kind.REFUSED, "The log does not take this entry from this submitter.", "Only entitled parties may log this type."
    CLOCK_SKEW = Kind.REFUSED, "The local clock disagrees with the witnesses.", "Set the clock."
    CLOCK_AHEAD = Kind.REFUSED, "The message comes from the future of this clock.", "It is kept and tried again later."
    POLICY_UNAUTHORISED = Kind.REFUSED, "The policy is not authorised by the root keys.", "Do not use it; tell the operator."
    POLICY_STALE = Kind.REFUSED, "The policy is not the one in force.", _FRESH
    COMMITTEE_UNAUTHORISED = Kind.REFUSED, "The committee key is not authorised.", "Do not use it; a substitution is likely."
    COMMITTEE_UNKNOWN = Kind.REFUSED, "The committee key is not known yet.", "It is kept and tried again later."
    COMMITTEE_RETIRED = Kind.REFUSED, "The committee key is retired.", _FRESH
    SUITE_MISMATCH = Kind.REFUSED, "The suite is not the committee's.", _REPORT

    # -- messaging ----------------------------------------------------------------------------
    SESSION_MISSING = Kind.REFUSED, "There is no session with that device in this mode.", "The client starts one by itself."
    MODE_MISMATCH = Kind.REFUSED, "The message's escrow mode is not the conversation's.", "Start a new conversation to change the mode."
    ROSTER_STALE = Kind.REFUSED, "The roster is no longer current.", _FRESH
    ROSTER_UNKNOWN = Kind.REFUSED, "The roster version is not known yet.", "It is kept and tried again later."
    ROSTER_FORKED = Kind.REFUSED, "The admin has signed a roster that does not fit the ones before.", "Leave the group: its admin shows different members to different people."
    ROSTER_ROOT = Kind.REFUSED, "The roster root is not that of the conversation.", _REPORT
    ROSTER_PATH = Kind.REFUSED, "The target is not shown to be in the roster.", "Ask the relay for the roster path."
    CAPSULE_SELF_CHECK = Kind.UNEXPECTED, "A capsule just made does not verify.", "Nothing was sent; please report it."
    CAPSULE_INVALID = Kind.REFUSED, "The capsule's proof does not verify.", _REPORT
    CAPSULE_MISMATCH = Kind.VERIFICATION, "The capsule does not hold the seed of this message.", _REPORT
    CAPSULE_MALFORMED = Kind.VERIFICATION, "The shares are good, the capsule is not: its sender made it so.", _REPORT
    CHAIN_START = Kind.REFUSED, "Label and capsule belong to index 0 and only there.", _FRESH
    CHAIN_UNKNOWN = Kind.REFUSED, "The chain's first message is not here yet.", "It is kept and tried again later."
    CHAIN_MISMATCH = Kind.VERIFICATION, "The message contradicts the chain it names.", _REPORT
    CHAIN_LIMIT = Kind.REFUSED, "The chain is longer than the policy allows.", _FRESH
    CHAIN_REUSED = Kind.REFUSED, "The chain exists with other content.", _FRESH
    INDEX_REUSED = Kind.REFUSED, "The index of this chain is taken.", _FRESH
    INDEX_RANGE = Kind.REFUSED, "The index lies beyond the chain's end.", _FRESH
    SKIP_LIMIT = Kind.REFUSED, "The message skips more keys than allowed.", "Ask the sender to send it again."
    HEADER_MISMATCH = Kind.REFUSED, "The header does not belong to this label and capsule.", _REPORT
    SENDER_MISMATCH = Kind.REFUSED, "The label names another sender than the one who sent it.", _REPORT
    SENDER_INCONSISTENT = Kind.VERIFICATION, "The envelope says something else than the signed submission.", _REPORT
    CONV_TAG = Kind.REFUSED, "The conversation tag is not that of the conversation.", _REPORT
    EPOCH_STALE = Kind.REFUSED, "The epoch has ended.", _FRESH
    EPOCH_FUTURE = Kind.REFUSED, "The epoch has not begun.", "Check the clock."
    RECIPIENTS_MISMATCH = Kind.REFUSED, "The recipients are not the devices of the roster.", _FRESH
    ENV_ROOT = Kind.REFUSED, "The envelopes are not those that were signed.", _REPORT
    SIGNATURE_INVALID = Kind.VERIFICATION, "A signature does not verify.", _REPORT
    IDEMPOTENCY_CONFLICT = Kind.REFUSED, "The same key was used for another request.", "Use a new key for a new request."
    INGEST_BLOCKED = Kind.UNAVAILABLE, "The relay has not logged its receipts in time.", "Repeat after the relay has caught up."
    INGEST_OMITTED = Kind.VERIFICATION, "A receipt is not in the log although its time is over.", "Keep the receipt: it is proof against the relay."
    RECEIPT_INVALID = Kind.VERIFICATION, "The relay's receipt does not verify.", "Do not trust the relay; keep the receipt."
    RELAY_SUBSTITUTED = Kind.VERIFICATION, "The relay delivered other bytes than it accepted.", "Keep the delivery: it is proof against the relay."
    ENVELOPE_INVALID = Kind.VERIFICATION, "The envelope cannot be opened.", "The sender is asked to send it again."
    BODY_MISSING = Kind.REFUSED, "The body has not arrived yet.", "It is kept and tried again later."
    BODY_INVALID = Kind.VERIFICATION, "The body does not decrypt.", _REPORT
    COMMITMENT_MISMATCH = Kind.VERIFICATION, "The body commits to another key.", _REPORT
    CONTENT_INVALID = Kind.VERIFICATION, "The decrypted content is not of the form it claims.", _REPORT
    ATTACHMENT_INVALID = Kind.VERIFICATION, "An attachment is not what its message names.", "Nothing of it was kept; save it again, and if it persists ask the sender."
    RUN_CHANGED = Kind.REFUSED, "The folder holds a run with other parameters.", "Resume with the parameters it was made with, or choose another folder."
    FILE_CHANGED = Kind.USAGE, "The file changed while it was read.", "Nothing was sent; repeat the command when it is at rest."
    RETRY_UNSOLICITED = Kind.REFUSED, "A repetition arrived that nobody asked for.", _REPORT

    # -- key generation and shares -------------------------------------------------------------
    DEALING_INVALID = Kind.VERIFICATION, "A dealer's commitments or proof do not verify.", "The run is repeated without it."
    SHARE_INVALID = Kind.VERIFICATION, "A custodian's share does not verify.", "Others are used; the custodian is named."
    DISPUTE_INVALID = Kind.VERIFICATION, "A complaint does not hold.", "The accuser is named."
    DEALER_SILENT = Kind.UNAVAILABLE, "A dealer did not answer in time.", "The run is repeated; the dealer is named."
    NOT_ENOUGH_SHARES = Kind.REFUSED, "Fewer shares than the threshold.", "Ask more custodians."
    GENERATION_MISMATCH = Kind.REFUSED, "The share belongs to another generation.", "Ask the present members."
    NOT_IN_EFFECT = Kind.REFUSED, "The order is not in effect.", "Wait until its time; one that was logged too late for it never is: begin again."
    CEREMONY_RUNNING = Kind.REFUSED, "Another attempt is under way.", "Finish it, or cancel it: doublelock custody … status shows its nonce."
    CEREMONY_STALE = Kind.REFUSED, "This is not the attempt that is under way.", "Look at it anew: doublelock custody … status shows its nonce and who has signed."
    CEREMONY_UNFINISHED = Kind.UNAVAILABLE, "The ceremony has not come to its end.", "Look who is missing: doublelock custody … status; then verify again."
    NOT_BY_HAND = Kind.REFUSED, "No person takes this step.", "See docs/custody.md: who takes which step of which ceremony."
    PERIOD_RETIRED = Kind.REFUSED, "The period is over and its key is erased.", "Nothing can open it any more."
    NO_COMMITTEE_KEY = Kind.UNAVAILABLE, "The committee has no key for this period yet.", "Wait until key generation has finished."

    # -- warrants -----------------------------------------------------------------------------
    ILLEGAL_STEP = Kind.REFUSED, "The warrant's state does not admit this.", "See the state table in docs/spec/warrant.md."
    SEAL_MISMATCH = Kind.REFUSED, "The warrant is not the one that was sealed.", _ASK
    SEAL_NOT_LOGGED = Kind.REFUSED, "The warrant is not sealed in the log.", "Both locks must sign before it is sealed."
    SEAL_NOT_FIRST = Kind.REFUSED, "The same warrant was sealed before.", "Only the first seal counts."
    LOCKS_INCOMPLETE = Kind.REFUSED, "One lock is not enough.", "Issuer and approver must both sign."
    SEPARATION_OF_DUTIES = Kind.REFUSED, "One person holds both locks.", "Another person must sign."
    ROLE_KEY_UNAUTHORISED = Kind.REFUSED, "The signing key does not hold that role.", "Sign with a key of the right role."
    SCHEMA_INVALID = Kind.REFUSED, "The document does not have the required form.", "See docs/spec/warrant.md."
    WILDCARD = Kind.REFUSED, "A warrant names its targets one by one.", _ASK
    RANGE_INVALID = Kind.REFUSED, "A range is empty or beyond the policy's limit.", _ASK
    IDENTIFIER_INVALID = Kind.REFUSED, "The identifier was not copied in full.", "Compare it digit by digit with its source; nothing was filed."
    IDENTIFIER_MISMATCH = Kind.REFUSED, "The identifiers are not the warrant's targets.", "Stop: one of the two sources is wrong. Do not sign before you know which."
    COMMITTEE_NOT_MINE = Kind.REFUSED, "This custodian is not of that committee.", "Ask its members."
    REQUEST_SIGNATURE = Kind.REFUSED, "The request is not signed by the warrant's request key.", "Use the key named in the warrant."
    RECIPIENT_KEY_INVALID = Kind.REFUSED, "The recipient key is not proved.", "Include a valid proof of possession."
    REQUEST_CONFLICT = Kind.REFUSED, "The same request was made with other content.", "Use a new request id."
    NOT_YET_ACTIVE = Kind.REFUSED, "The warrant is not active yet.", "Wait for its activation."
    EXPIRED = Kind.REFUSED, "The warrant has expired.", _ASK
    REQUEST_EXPIRED = Kind.REFUSED, "The request has expired.", "Make a new one."
    APPROVAL_MISSING = Kind.REFUSED, "The urgent warrant was not approved in time.", _ASK
    CANCELLED = Kind.REFUSED, "The warrant is cancelled.", _ASK
    SUSPENDED = Kind.REFUSED, "The warrant is suspended.", "Both locks must resume it."
    REFUSED = Kind.REFUSED, "A lock refused the warrant.", _ASK
    LAPSED = Kind.REFUSED, "The warrant lapsed without its second lock.", _ASK
    ATTAINED = Kind.REFUSED, "The warrant's aim is attained.", _ASK
    OUT_OF_SCOPE = Kind.REFUSED, "The item is outside the warrant's scope.", _ASK
    NOT_RETAINED = Kind.NOT_FOUND, "The relay no longer holds the item.", "Nothing can be produced."
    LIVE_CHAIN = Kind.REFUSED, "The chain is still growing.", "Wait until its epoch has closed."
    EPOCH_OPEN = Kind.REFUSED, "The epoch is still open.", "Wait until it has closed."
    BEFORE_ACTIVATION = Kind.REFUSED, "The item is older than the warrant's activation.", _ASK
    SUBMISSION_INVALID = Kind.REFUSED, "The item is not a signed submission of its device.", _REPORT
    INGEST_NOT_LOGGED = Kind.REFUSED, "The item's receipt is not under a logged root.", "Wait for the next ingest root."
    PRECEDENCE = Kind.REFUSED, "The item was logged after the first attempt to open it.", _REPORT
    ID_MISMATCH = Kind.REFUSED, "The identities asked for are not those of the items.", _REPORT
    QUOTA_WARRANT = Kind.REFUSED, "The warrant's quota is used up.", _ASK
    QUOTA_URGENT = Kind.REFUSED, "The warrant opens no more before its second lock.", _ASK
    QUOTA_AGENCY = Kind.REFUSED, "The agency's daily cap at the custodian is reached.", "Wait until tomorrow."
    QUOTA_AUTHORITY = Kind.REFUSED, "The authority's daily cap at the custodian is reached.", "Wait until tomorrow."
    QUOTA_TARGET = Kind.REFUSED, "The target's daily cap at the custodian is reached.", "Wait until tomorrow."
    QUOTA_GLOBAL = Kind.REFUSED, "The daily cap of the custodian is reached.", "Wait until tomorrow."
    OPERATOR_PENDING = Kind.UNAVAILABLE, "The custodian's operators have not decided yet.", "Repeat the same request later."
    OPERATOR_REFUSED = Kind.REFUSED, "The custodian's operators refuse this request.", "Ask the custodian's operators; other custodians may release."
    INTENT_PENDING = Kind.UNAVAILABLE, "The intent is not yet in the log under a quorum.", "Repeat the same request."
    SELF_TEST_FAILED = Kind.UNEXPECTED, "A cryptographic self-test failed at start.", "Do not use this installation."
    INTERNAL_DENY = Kind.REFUSED, "The custodian failed and therefore denies.", "Its operator finds the cause in its log."
    INTENT_MISSING = Kind.VERIFICATION, "A release has no logged intent.", "The custodian is named."
    ALARM = Kind.VERIFICATION, "The log shows what should not have happened.", "Each alarm names its place; docs/spec/monitor.md says what it means."
    EVIDENCE_MISMATCH = Kind.VERIFICATION, "The evidence is not what it says.", "Ask the agency for the evidence of this warrant in this deployment."
