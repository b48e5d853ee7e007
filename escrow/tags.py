"""Every domain-separation tag, one line per use, and the hash over them.

``T(use, x1..xn)`` is the injective encoding of ``("escrow/v1/" + use, x1, .., xn)``. A tag is never reused
for another purpose and never removed.
"""

import hashlib
from enum import Enum, unique
from struct import Struct

from escrow.encoding import join, join_behind, split
from escrow.errors import MalformedError


@unique
class Tag(Enum):
    """What a byte string is for. The value is ``use``, without the common prefix; ``head`` opens every encoding."""

    head: bytes
    layouts: dict[tuple[int | None, ...], "_Layout"]

    def __init__(self, use: str) -> None:
        self.head = join(b"escrow/v1/" + use.encode())
        self.layouts = {}

    # group layer
    CTX = "ctx"
    GAMMA = "gamma"
    DLEQ = "dleq"
    DLEQ_NONCE = "dleq-nonce"
    # tdh2
    TDH2_R = "r"
    TDH2_S = "s"
    TDH2_KEM = "kem"
    TDH2_E = "e"
    # ibe
    IBE_ID = "id"
    IBE_R = "ibe-r"
    IBE_K = "ibe-k"
    IBE_KEM = "ibe-kem"
    IBE_E = "ibe-e"
    # pq
    PQ_Z = "z"
    PQ_COEFFICIENT = "coef"
    PQ_COINS = "eseed"
    PQ_RHO = "rho"
    PQ_WRAP = "wrap"
    PQ_WRAP_AD = "wrap-ad"
    PQ_COM = "com"
    PQ_KEM = "pq-kem"
    # chains and bodies
    CAP = "cap"
    LABEL = "label"
    HEADER = "hdr"
    BODY = "body"
    ENVELOPE = "env"
    ENVELOPE_LEAF = "env-leaf"
    PLAIN = "plain"
    CONTENT = "content"
    RETRY = "retry"
    FILE = "file"
    BLOB = "blob"
    ATTACHMENT = "attachment"
    ATTACHMENT_KEYS = "attachment-keys"
    SUBMIT = "submit"
    RECEIPT = "receipt"
    FRAME = "frame"
    INGEST_ROOT = "ingest-root"
    HEDGE_OUT = "hedge-out"
    HEDGE_NEXT = "hedge-next"
    SEED = "seed"
    HYBRID = "hybrid"
    MESSAGE_KEY = "mk"
    CHAIN_KEY = "ck"
    BODY_KEY = "key"
    # sessions, conversations, rosters
    ACCOUNT = "account"
    DEVICE_LIST = "device-list"
    DEVICE_POP = "device-pop"
    BUNDLE = "bundle"
    BUNDLE_USED = "bundle-used"
    PREKEY = "prekey"
    PQXDH_INFO = "pqxdh-info"
    SESSION_AD = "session-ad"
    RATCHET_ROOT = "ratchet-root"
    RATCHET_TURN = "ratchet-turn"
    SESSION_MODE = "session-mode"
    SENDER_CHAIN = "sender-chain"
    SENDER_KEY = "sender-key"
    SENDER_SEED = "sender-seed"
    SENDER_AD = "sender-ad"
    INITIAL = "initial"
    CONVERSATION = "conversation"
    CONVERSATION_ID = "conversation-id"
    ROSTER = "roster"
    ROSTER_LINK = "roster-link"
    MEMBER = "member"
    MEMBER_SALT = "member-salt"
    MEMBER_PROOF = "member-proof"
    CONV_TAG = "conv-tag"
    SAFETY = "safety"
    # linking a device
    LINK_MEETING = "link-meeting"
    LINK_OFFER = "link-offer"
    LINK_COMMIT = "link-commit"
    LINK_INVITATION = "link-invitation"
    LINK_REVEAL = "link-reveal"
    LINK_STRING = "link-string"
    # committee
    PROPOSAL = "committee-proposal"
    COMMITTEE_KEY = "committee-key"
    GENERATION = "share-generation"
    HANDOVER_COMMITTEE = "handover-committee"
    SHARE_ACK = "share-ack"
    DKG_SESSION = "dkg-session"
    DKG_ENTRY = "dkg-entry"
    DKG_TRANSPORT = "dkg-transport"
    DKG_COMMIT = "dkg-commit"
    DKG_CIPHERTEXT = "dkg-ciphertext"
    DKG_EXT = "dkg-ext"
    DKG_CERTIFY = "dkg-certify"
    DKG_DISPUTE = "dkg-dispute"
    HANDOVER = "handover"
    HANDOVER_SESSION = "handover-session"
    ERASURE = "erasure"
    KEM_NAME = "kem-name"
    KEM_CHALLENGE = "kem-challenge"
    KEM_ANSWER = "kem-answer"
    KEM_TRANSCRIPT = "kem-transcript"
    # log
    ENTRY = "entry"
    ENTRY_SIG = "entry-sig"
    ML_DSA_SEED = "ml-dsa-seed"
    # documents and warrants
    WARRANT_ID = "wid"
    SEAL = "seal"
    FIELD = "field"
    WARRANT_SEALED = "warrant-sealed"
    RELEASE_INTENT = "release-intent"
    RELEASE_RECORD = "release-record"
    DENIAL = "denial"
    APPROVAL = "approval"
    CANCELLATION = "cancellation"
    REFUSAL = "refusal"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    ATTAINMENT = "attainment"
    ORDER = "order"
    POSTPONEMENT = "postponement"
    NONDISCLOSURE_EXTENDED = "nondisclosure-extended"
    NOTICE_DELAYED = "notice-delayed"
    DISCLOSURE = "disclosure"
    OPENED_FIELD = "opened-field"
    NOTICE_DELIVERED = "notice-delivered"
    ERROR_REPORT = "error-report"
    ERROR_DETAIL = "error-detail"
    OPERATOR = "operator"
    ITEM = "item"
    ITEM_SALT = "item-salt"
    RELEASE_ITEM = "release-item"
    ROSTER_PATH = "roster-path"
    REQUEST = "request"
    RELEASE_REQUEST = "release-request"
    RELEASE = "release"
    RELEASE_RESPONSE = "release-response"
    RECIPIENT_POP = "recipient-pop"
    # a store at rest
    KEYRING = "keyring"
    KEYRING_CHECK = "keyring-check"
    KEYRING_FILE = "keyring-file"
    STORE_VALUE = "store-value"
    STORE_RECORD = "store-record"
    # derivation of randomness from one step's coins
    COINS = "coins"


def T(tag: Tag, *fields: bytes) -> bytes:  # noqa: N802 - the name the specification gives it
    """The injective encoding of a tagged tuple."""
    return join_behind(tag.head, fields)


def digest(tag: Tag, *fields: bytes) -> bytes:
    """SHA-256 of ``T``: 32 bytes."""
    return hashlib.sha256(join_behind(tag.head, fields)).digest()


def fields(tag: Tag, data: bytes, *widths: int | None, optional: int = 0) -> tuple[bytes, ...]:
    """Undo ``T`` strictly: the right tag, exactly ``len(widths)`` fields, each of its width.

    ``None`` admits any length. The last ``optional`` fields may be missing as whole elements.
    Raises ``MalformedError``; whatever is returned encodes to ``data`` again.
    """
    if not optional and None not in widths:
        layout = tag.layouts.get(widths) or tag.layouts.setdefault(widths, _Layout(tag, widths))
        if (found := layout.read(data)) is not None:
            return found
        # What does not fit goes through the reader below, which says what is wrong with it.
    if not data.startswith(tag.head):
        raise MalformedError(f"not a {tag.value}")
    found = split(data, most=len(widths), start=len(tag.head))
    if not len(widths) - optional <= len(found) <= len(widths):
        raise MalformedError(f"a {tag.value} has {len(widths)} fields, not {len(found)}")
    for field, width in zip(found, widths, strict=False):
        if len(field) != width and width is not None:
            raise MalformedError(f"a field of {tag.value} has {len(field)} bytes, not {width}")
    return found


class _Layout:
    """Fields of fixed widths read in one go: between them stand the same bytes in every such encoding."""

    __slots__ = ("_between", "_struct")

    def __init__(self, tag: Tag, widths: tuple[int | None, ...]) -> None:
        lengths = [width or 0 for width in widths]
        prefixes = [length.to_bytes(8, "big") for length in lengths]
        self._between = (tag.head, *prefixes)
        self._struct = Struct(f"{len(tag.head)}s" + "".join(f"8s{length}s" for length in lengths))

    def read(self, data: bytes) -> tuple[bytes, ...] | None:
        """The fields, or None if these are other bytes."""
        if len(data) != self._struct.size:
            return None
        head, *parts = self._struct.unpack(data)
        return tuple(parts[1::2]) if (head, *parts[::2]) == self._between else None
