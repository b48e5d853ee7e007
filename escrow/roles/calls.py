"""Everything one party can ask another, and the answers. One struct per message of ``protos/``.

Field names and order are those of the wire (``escrow.rpc.codec`` maps them one to one). Objects that are
signed or hashed travel as ``bytes`` and are never rebuilt from parts.
"""

from typing import ClassVar

from msgspec import Struct

from escrow.errors import Reason


class Reply(Struct, frozen=True):
    """An answer."""


class Call(Struct, frozen=True, tag=True):
    """A question. ``durable`` ones are owed until answered; others are given up when the peer is out of reach."""

    answer: ClassVar[type[Reply]]
    durable: ClassVar[bool] = True


class Done(Reply, frozen=True):
    """It is done, durably."""


# -- log ------------------------------------------------------------------------------------------


class AppendResult(Struct, frozen=True):
    """``index`` of the entry if ``reason`` is empty; the same entry twice has one index."""

    index: int
    reason: str


class Appended(Reply, frozen=True):
    """A result per entry, in order."""

    results: tuple[AppendResult, ...]


class Append(Call, frozen=True):
    """Ask the log to take signed entries (``escrow.tlog.entry``). One bad entry never fails its neighbours."""

    answer = Appended
    entries: tuple[bytes, ...]


class Head(Reply, frozen=True):
    """A cosigned checkpoint and its consistency proof from ``known_size`` (none when that was 0 or equal)."""

    note: bytes
    proof: tuple[bytes, ...]


class GetHead(Call, frozen=True):
    """The newest cosigned checkpoint, cosigned not before ``fresh_after`` (ms), covering every entry taken."""

    answer = Head
    durable = False
    known_size: int
    fresh_after: int


class Update(Reply, frozen=True):
    """Entries ``start ..`` and a cosigned checkpoint; ``proof`` leads from ``start + len(entries)`` to its size."""

    start: int
    entries: tuple[bytes, ...]
    note: bytes
    proof: tuple[bytes, ...]


class GetUpdate(Call, frozen=True):
    """What a follower that holds ``known_size`` entries is missing, at most ``limit`` entries at a time."""

    answer = Update
    durable = False
    known_size: int
    fresh_after: int
    limit: int


class Record(Reply, frozen=True):
    """An entry, its place, and its inclusion path in the tree of the size that was asked for."""

    index: int
    entry: bytes
    path: tuple[bytes, ...]


class GetRecord(Call, frozen=True):
    """The newest entry of ``entry_type`` about ``subject`` within the first ``size`` entries (NOT_FOUND).

    An account is the subject of its device lists; followed by a version (u64), of that one list.
    """

    answer = Record
    durable = False
    entry_type: int
    subject: bytes
    size: int


class GetPath(Call, frozen=True):
    """The entry at ``index`` and its inclusion path in the tree of ``size``."""

    answer = Record
    durable = False
    index: int
    size: int


class Dating(Reply, frozen=True):
    """Two checkpoints under a quorum: the last without the entry (empty: there was none), and the first with it."""

    before: bytes
    first: bytes


class GetDating(Call, frozen=True):
    """When the entry at ``index`` was logged (NOT_FOUND: it is under no checkpoint yet)."""

    answer = Dating
    durable = False
    index: int


class Cosigned(Reply, frozen=True):
    """A witness's answer: a signature line for each of its keys, or the size it has recorded (409) and no line."""

    line: bytes
    size: int


class AddCheckpoint(Call, frozen=True):
    """A C2SP tlog-witness ``add-checkpoint`` request body."""

    answer = Cosigned
    durable = False
    request: bytes


# -- relay ----------------------------------------------------------------------------------------


class Enroll(Call, frozen=True):
    """Make the calling device reachable under ``name``; publish its prekeys. Its list must be in the log.

    A bundle and one-time keys with higher numbers than before replace those before; the same again changes nothing.
    """

    answer = Done
    name: str
    bundle: bytes
    ec_keys: tuple[bytes, ...]
    kem_keys: tuple[bytes, ...]


class Found(Reply, frozen=True):
    """The account that a name belongs to."""

    account: bytes


class Lookup(Call, frozen=True):
    """The account behind a name: a convenience, checked by safety numbers, never trusted."""

    answer = Found
    name: str


class PrekeyBundle(Reply, frozen=True):
    """The static bundle and at most one one-time key of each kind (empty: none left); each ends with its signature."""

    bundle: bytes
    ec_key: bytes
    kem_key: bytes


class GetBundle(Call, frozen=True):
    """The prekeys of a device; takes a one-time key of each kind if any is left and the asker has not had its share."""

    answer = PrekeyBundle
    account: bytes
    device: int


class RouteMember(Struct, frozen=True):
    """An account of the roster with its salt for this (epoch, roster version)."""

    account: bytes
    salt: bytes


class RegisterRoute(Call, frozen=True):
    """Tell the relay the conversation tag and member salts of a route before its first submission of an epoch."""

    answer = Done
    conv_tag: bytes
    policy_hash: bytes
    epoch: int
    roster_version: int
    members: tuple[RouteMember, ...]


class DeviceEnvelope(Struct, frozen=True):
    """A session message for one device."""

    account: bytes
    device: int
    envelope: bytes


class EscrowSend(Struct, frozen=True):
    """A submission of an escrowed conversation. Label and capsule are present iff index is 0."""

    label: bytes
    capsule: bytes
    body: bytes
    envelopes: tuple[DeviceEnvelope, ...]
    device_sig: bytes


class PlainSend(Struct, frozen=True):
    """A submission of an un-escrowed conversation: session messages and nothing else."""

    envelopes: tuple[DeviceEnvelope, ...]


class Submission(Struct, frozen=True):
    """Exactly one of the two kinds, under the device's idempotency key (16 bytes)."""

    idempotency_key: bytes
    escrow: EscrowSend | None
    plain: PlainSend | None


class ItemResult(Struct, frozen=True):
    """``reason`` is empty when accepted. An escrowed item then carries its receipt, the receipt's path, and the signed
    frame the path leads to: the frame of this call, or for an item sent again the one it was first accepted in.
    """

    reason: str
    receipt: bytes = b""
    path: bytes = b""
    frame: bytes = b""
    relay_sig: bytes = b""


class FrameReply(Reply, frozen=True):
    """A result per item, in order. The relay signs once for all items that the call adds."""

    items: tuple[ItemResult, ...]


class Submit(Call, frozen=True):
    """A frame of up to 256 submissions. One bad item never fails its neighbours."""

    answer = FrameReply
    items: tuple[Submission, ...]


class EscrowDelivery(Struct, frozen=True):
    """Everything a receiver checks: what was submitted, what the relay signed for it."""

    label: bytes
    capsule: bytes
    body: bytes
    device_sig: bytes
    envelope: bytes
    env_root: bytes
    env_path: bytes
    receipt: bytes
    path: bytes
    frame: bytes
    relay_sig: bytes


class PlainDelivery(Struct, frozen=True):
    """A session message and who the relay says it is from; the session proves it."""

    sender_account: bytes
    sender_device: int
    envelope: bytes


class Delivery(Struct, frozen=True):
    """One item of a device's mailbox; ``number`` is its place there."""

    number: int
    escrow: EscrowDelivery | None
    plain: PlainDelivery | None


class PrekeyStock(Struct, frozen=True):
    """What the relay has of a device's prekeys: the number of its signed prekey, the first number of the one-time keys
    that it published last (0: never), and how many of these are left of each kind.
    """

    signed: int
    one_time: int
    ec_left: int
    kem_left: int


class Fetched(Reply, frozen=True):
    """Deliveries in the order of their numbers, and what others find of the device's prekeys (None: nothing)."""

    items: tuple[Delivery, ...]
    prekeys: PrekeyStock | None = None


class Fetch(Call, frozen=True):
    """The mailbox from ``start`` on. Everything before ``start`` is acknowledged by this call."""

    answer = Fetched
    durable = False
    start: int
    limit: int


class ChunkStored(Reply, frozen=True):
    """How many chunks of a blob the relay holds, from the first on, and whether that is all."""

    chunks: int
    whole: bool


class PutChunk(Call, frozen=True):
    """The chunk at ``index`` of the blob called ``blob`` (``escrow.e2ee.blob``), in order. The same in both modes.

    One that is there already changes nothing, nor does one that does not come next; the answer says which does.
    """

    answer = ChunkStored
    durable = False
    blob: bytes
    index: int
    last: bool
    data: bytes


class Chunk(Reply, frozen=True):
    """A sealed chunk."""

    data: bytes


class GetChunk(Call, frozen=True):
    """The chunk at ``index`` of a whole blob (NOT_RETAINED). Whoever knows its name may have it: it is sealed."""

    answer = Chunk
    durable = False
    blob: bytes
    index: int


class IngestPaths(Reply, frozen=True):
    """For each place asked for, in order, its inclusion path: the 32-byte hashes one after the other."""

    paths: tuple[bytes, ...]


class GetIngestPaths(Call, frozen=True):
    """Where receipts stand in the relay's ingest tree of ``size``: paths of up to 256 ``places`` (``ingest_seq``).

    Refused for a size that the tree never had (NOT_FOUND) and a place beyond it (NOT_LOGGED).
    """

    answer = IngestPaths
    durable = False
    size: int
    places: tuple[int, ...]


class LeaveNote(Call, frozen=True):
    """Leave a note (at most 4 KiB) at a meeting (16 bytes) of two devices that do not know each other yet.

    Places are 0, 1 and 2, each written once; the first opens the meeting, which is over after ten minutes.
    """

    answer = Done
    meeting: bytes
    place: int
    note: bytes


class Notes(Reply, frozen=True):
    """What was left at a meeting, in order of the places. Anybody may have written it."""

    notes: tuple[bytes, ...]


class GetNotes(Call, frozen=True):
    """Everything that was left at a meeting (NOT_FOUND: there is none, or it is over)."""

    answer = Notes
    durable = False
    meeting: bytes


class Produced(Reply, frozen=True):
    """Items in scope (``escrow.warrant.request.Item`` bytes) and where to go on (0: that was all)."""

    items: tuple[bytes, ...]
    next: int


class Produce(Call, frozen=True):
    """Ask the relay for what a sealed, logged, active warrant covers, and nothing else."""

    answer = Produced
    durable = False
    dsse: bytes
    salt: bytes
    start: int


# -- custodian ------------------------------------------------------------------------------------


class DeliverDealing(Call, frozen=True):
    """A key-generation ciphertext from one member to another; its hash is in the log."""

    answer = Done
    proposal_hash: bytes
    run: int
    ciphertext: bytes


class ReleaseReply(Reply, frozen=True):
    """``sealed`` (HPKE to the warrant's recipient key) when released; else ``reason`` and the signed denial."""

    sealed: bytes
    reason: str
    denial: bytes
    signature: bytes

    @property
    def pending(self) -> bool:
        """The intent is written down and on its way to the log; the same request will be answered later."""
        return self.reason == Reason.INTENT_PENDING.name


class Release(Call, frozen=True):
    """A signed release request (``escrow.warrant.request``)."""

    answer = ReleaseReply
    durable = False
    request: bytes
    signature: bytes


class CommitteeStatus(Reply, frozen=True):
    """The committee key and share generation this custodian serves; empty while there is none."""

    committee_key: bytes
    generation: bytes
    run: int


class GetCommittee(Call, frozen=True):
    """What a custodian holds a share of."""

    answer = CommitteeStatus
    durable = False


class DeliverOrder(Call, frozen=True):
    """An order of the locks (``escrow.warrant.orders``), straight from whoever holds it: what stops a warrant does not
    wait for the log.
    """

    answer = Done
    order: bytes


class JudgeRelease(Call, frozen=True):
    """One operator's word on a request that waits at their custodian, under their key (``warrant.operators``)."""

    answer = Done
    request_hash: bytes
    person: str
    allow: bool
    signature: bytes


class WaitingRequest(Struct, frozen=True):
    """A request that operators have yet to decide: who asks, under which warrant, for how many capsules."""

    request_hash: bytes
    agency: str
    dsse: bytes
    count: int


class Waiting(Reply, frozen=True):
    """What waits, in the order of the hashes."""

    requests: tuple[WaitingRequest, ...]


class GetWaiting(Call, frozen=True):
    """What waits for this custodian's operators; for them alone."""

    answer = Waiting
    durable = False


# -- authority ------------------------------------------------------------------------------------


class Case(Reply, frozen=True):
    """A case of the authority: its state and the public parts of its warrant; ``seal_index`` is set once sealed."""

    warrant_id: bytes
    state: str
    payload: bytes
    dsse: bytes
    salt: bytes
    sealed: bool
    signers: tuple[str, ...]
    turn: int = 0
    """How often it was resumed: what the next suspension or resumption is signed for."""
    secret_until: int = 0
    """The end of secrecy as it stands, once sealed."""
    waiting: tuple[str, ...] = ()
    """Who has signed an order that still wants other signatures, as kind and person."""


class Apply(Call, frozen=True):
    """File an application: the exact payload bytes that the locks will sign, and the profile whose rules it follows
    (empty: the policy's alone).
    """

    answer = Case
    payload: bytes
    profile: str = ""


class SignCase(Call, frozen=True):
    """One person's DSSE signature over the payload, as issuer (first lock) or approver (second lock).

    ``ending``, of an issuer, is their signature over the cancellation of the warrant that this one replaces, if any.
    ``identifiers`` are the targets as this person has them from elsewhere, where the profile wants them confirmed.
    """

    answer = Case
    warrant_id: bytes
    role: str
    person: str
    signature: bytes
    ending: bytes = b""
    identifiers: tuple[str, ...] = ()


class OrderCase(Call, frozen=True):
    """One person's signature over an order or a postponement about a warrant (``kind``: the type of its log entry).

    ``detail`` is the order's turn, or the time to which something is put off. Where more than one signature is needed,
    the case waits for the others.
    """

    answer = Case
    warrant_id: bytes
    kind: int
    detail: int
    person: str
    signature: bytes


class WithdrawCase(Call, frozen=True):
    """The applicant takes an application back that is not sealed yet."""

    answer = Case
    warrant_id: bytes


class GetCase(Call, frozen=True):
    """Where a case stands; only for its applicant and the people of the locks."""

    answer = Case
    durable = False
    warrant_id: bytes


AnyCall = (
    Append | GetHead | GetUpdate | GetRecord | GetPath | GetDating | AddCheckpoint
    | Enroll | Lookup | GetBundle | RegisterRoute | Submit | Fetch | PutChunk | GetChunk
    | GetIngestPaths | LeaveNote | GetNotes | Produce
    | DeliverDealing | Release | GetCommittee | DeliverOrder | JudgeRelease | GetWaiting
    | Apply | SignCase | OrderCase | WithdrawCase | GetCase
)  # fmt: skip
"""Every call that can be owed to another party."""
