"""What a custodian remembers, and under which keys of its store.

==============  ==========================================================================
``log/``        the followed log
``run/``        the key generation in progress, by period
``made/``       hash of the committee key that was made, by period
``proposed/``   periods for which this custodian has asked the others to begin
``share/``      ``Holding`` by committee key hash; the share in it is the secret of this role
``request/``    request hash by (seal tag, request id)
``intent/``     ``Admitted`` by (seal tag, request hash): counted, and on its way to the log
``answer/``     generation hash ‖ sealed response by the same; erased at the warrant's end
``until/``      when that end is, at the latest, by the same
``capsule/``    size of our log when we first intended to open a release unit, by what names it
``debit/``      release units admitted, by day and by whose cap it is
``waiting/``    ``Waiting`` by request hash: what operators have yet to decide
``verdict/``    what they have said, by (request hash, operator)
``opening/``    ``Opening`` by seal tag: what opens the seal of a warrant served here, until it is disclosed
``disclose/``   seal tags of these, by the time when we look whether somebody has disclosed them
``denied/``     request hashes with a logged denial
``order/``      orders received directly that the log does not show yet, by (seal tag, hash)
``again/``      entries that the log has turned away unread, by their place in the outbox
``erasing/``    what is erased and not attested yet: committee key hash, and that of the generation if not all
``handover/``   the handover in progress, by committee key hash
``successor/``  our share of a generation that we have acknowledged, by (committee key hash, generation hash)
``tried/``      when a handover that was ordered may be proposed again, by hash of the generation that ends
``certified/``  ``Holding`` of a key that we have certified and the log has not settled, by (period, key hash)
``clock``       the latest time we have acted on
``rate/``       calls of this minute, by caller
==============  ==========================================================================
"""

from msgspec import Struct

from escrow.committee.documents import CommitteeKey, ShareGeneration
from escrow.encoding import number, u64
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret

RUN = b"run/"
MADE = b"made/"
CERTIFIED = b"certified/"
ERASING = b"erasing/"
HANDOVER = b"handover/"
SUCCESSOR = b"successor/"
TRIED = b"tried/"


class Holding(Struct, frozen=True):
    """Our part of one committee key. ``share`` is what the scheme opens with; None once it is erased: the period has
    retired, or the generation has passed to others.
    """

    period: int
    run: int
    index: int
    key_bytes: bytes
    generation_bytes: bytes
    share: Secret | None

    @property
    def key(self) -> CommitteeKey:
        """The committee key."""
        return CommitteeKey.decode(self.key_bytes)

    @property
    def generation(self) -> ShareGeneration:
        """The generation that our share belongs to."""
        return ShareGeneration.decode(self.generation_bytes)


class Admitted(Struct, frozen=True):
    """A request that was counted against the quotas: how many release units."""

    count: int


def load_holding(view: Read | Draft, key_hash: bytes) -> Holding | None:
    """Our part of the committee key with that hash, if we ever had one."""
    data = view.get(b"share/" + key_hash)
    return None if data is None else unpack(data, Holding)


def save_holding(draft: Draft, key_hash: bytes, holding: Holding) -> None:
    """Remember our part of a committee key."""
    draft.put(b"share/" + key_hash, pack(holding))


def forget_holding(draft: Draft, key_hash: bytes) -> None:
    """Erase our part of a key that came to nothing."""
    draft.delete(b"share/" + key_hash)


def first_intent(view: Read | Draft, unit: tuple[bytes, ...]) -> int | None:
    """How long our log was when we first intended to open this release unit, if we ever did."""
    data = view.get(b"capsule/" + b"".join(unit))
    return None if data is None else number(data)


def note_intent(draft: Draft, unit: tuple[bytes, ...], log_size: int) -> None:
    """Remember that we intend to open this release unit; the first time counts."""
    if first_intent(draft, unit) is None:
        draft.put(b"capsule/" + b"".join(unit), u64(log_size))


def load_number(view: Read | Draft, key: bytes) -> int:
    """A stored number; 0 where there is none."""
    return number(view.get(key) or b"")


def save_number(draft: Draft, key: bytes, value: int) -> None:
    """Store a number."""
    draft.put(key, u64(value))
