"""Watching one's own account: is there a list of its devices in the log that this device knows nothing of?

Whoever holds the account's key can sign another device into the account, and a safety number does not show it. But such
a list is of no use before it stands in the log. So a device reads all entries, page by page, of the very tree under
whose head it believes what it is told about others, and counts the lists of its own account. Nothing is read twice.
"""

from msgspec import Struct
from msgspec.structs import replace

from escrow.e2ee.devices import DeviceList
from escrow.errors import EscrowError, IntegrityError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import GetUpdate, Reply, Update
from escrow.roles.device.blame import NOBODY
from escrow.roles.device.state import Me, load_me, raise_alarm
from escrow.roles.lightview import LOG, LightView, SeenHead
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.roles.updates import check_update
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.frontier import Frontier

PAGE = 500
"""Entries asked for at once: each page is one step, hence one durable write."""
WATCH_EVERY = 24 * 3600 * 1000
"""When a device has fetched mail, it has read what was logged before this long ago (ms); all, if its user asks."""
MOST_TOLD = 16
"""Whoever holds an account's key can log as many lists as there is patience. The rest are only counted."""

_WATCH = b"watch/progress"
_DUE = b"watch/due"
_OWN = b"watch/own/"


class Progress(Struct, frozen=True):
    """How far the log was read: the frontier, and the time (ms) before which nothing is unread.

    ``newest`` is the version of the newest own list that was found, ``ghosts`` and ``omitted`` count lists.
    """

    frontier: bytes = Frontier().encode()
    time_ms: int = 0
    newest: int = -1
    ghosts: int = 0
    omitted: int = 0

    @property
    def size(self) -> int:
        """Entries read."""
        return Frontier.decode(self.frontier).size


class Own(Struct, frozen=True):
    """A list that this device approves. ``index`` and ``logged_ms``: where and when the log said it took it, or -1."""

    version: int
    index: int = -1
    logged_ms: int = -1
    settled: bool = False
    """It was found, or its absence was told."""


def progress(view: Read | Draft) -> Progress:
    """How far this device has read."""
    data = view.get(_WATCH)
    return Progress() if data is None else unpack(data, Progress)


def approve(draft: Draft, devices: DeviceList) -> None:
    """This list of the own account is no ghost: this device has made it."""
    place = _OWN + devices.list_hash
    if draft.get(place) is None:
        draft.put(place, pack(Own(devices.version)))


def on_logged(draft: Draft, list_hash: bytes, index: int, now: Millis) -> None:
    """The log says that it has taken an approved list. From now on it must be there; before, nothing was.

    So there is nothing to look for before the first list of all was logged, and it is not yet time to.
    """
    place = _OWN + list_hash
    own = draft.get(place)
    if own is not None:
        draft.put(place, pack(replace(unpack(own, Own), index=index, logged_ms=now)))
    if draft.get(_WATCH) is None:
        draft.put(_WATCH, pack(Progress(time_ms=now)))


class Monitor(Struct, frozen=True):
    """Reads the log for this device. All state lives in the draft that is passed in."""

    view: LightView

    def watch(self, draft: Draft, now: Millis, *, asked: bool = False) -> None:
        """Read on if it is time to, or if the user has ``asked``: then up to the newest head there is.

        Only on the device that signs the lists; ``NOT_PRIMARY`` for a user who asks another one.
        """
        me = load_me(draft)
        if asked and me.account_seed is None:
            raise RefusedError(Reason.NOT_PRIMARY, "no other device knows which lists it has signed")
        if not me.enrolled or me.account_seed is None:
            return
        if asked or now - progress(draft).time_ms >= WATCH_EVERY:
            draft.put(_DUE, b"")
        if draft.get(_DUE) is None:
            return
        head = self.view.head(draft)
        if asked or head is None or now - head.time_ms >= WATCH_EVERY:
            self.view.refresh(draft, now - self.view.genesis.fresh_ms // 2)
        else:
            self.read_on(draft, now)

    def read_on(self, draft: Draft, now: Millis) -> None:
        """Owe the question for the next page up to our head, if it is time to read; or conclude that all was read."""
        head, known = self.view.head(draft), progress(draft)
        if draft.get(_DUE) is None or head is None or draft.owed(GetUpdate):
            return
        if known.size < head.size:
            draft.owe(LOG, GetUpdate(known.size, 0, min(PAGE, head.size - known.size)))
        else:
            self._conclude(draft, head, now)

    def on_update(self, draft: Draft, call: GetUpdate, reply: Reply | EscrowError, now: Millis) -> None:
        """Take a page; the next command asks again for one that did not come.

        Raises what ``check_update`` raises, and ``IntegrityError(LOG_INCONSISTENT)`` if these are not the entries of
        the tree under our own head.
        """
        if not isinstance(reply, Update):
            return
        known, head = progress(draft), self.view.head(draft)
        read = Frontier.decode(known.frontier)
        if head is None or (reply.start, len(reply.entries) > call.limit) != (read.size, False):
            raise MalformedError("not the page that was asked for")
        grown, _ = check_update(self.view.genesis, read, reply)
        # SPEC DIR-4: entries of another tree than the one we believe in prove that there are two.
        if grown.size == head.size and grown.root() != head.root:
            raise IntegrityError(Reason.LOG_INCONSISTENT, "the log shows other entries than it has signed for")
        draft.put(_WATCH, pack(replace(known, frontier=grown.encode())))
        me = load_me(draft)
        for index, data in enumerate(reply.entries, read.size):
            self._look(draft, me, index, data, now)
        self.read_on(draft, now)

    def _look(self, draft: Draft, me: Me, index: int, data: bytes, now: Millis) -> None:
        """Is this a list of our devices, and one that we know? Whether anybody counts it is no excuse."""
        found = _own_list(me, data)
        if found is None:
            return
        known, place = progress(draft), _OWN + found.list_hash
        own = draft.get(place)
        # SPEC DIR-5: a list that we have not approved, or an old one once more, is told.
        if own is not None and found.version > known.newest:
            draft.put(place, pack(replace(unpack(own, Own), settled=True)))
            draft.put(_WATCH, pack(replace(known, newest=found.version)))
            return
        draft.put(_WATCH, pack(replace(known, ghosts=known.ghosts + 1)))
        if known.ghosts < MOST_TOLD:
            numbers = ", ".join(str(device.number) for device in found.devices) or "none"
            detail = f"entry {index} of the log: version {found.version}, devices {numbers}"
            raise_alarm(draft, Reason.GHOST_DEVICE, NOBODY, detail, now)

    def _conclude(self, draft: Draft, head: SeenHead, now: Millis) -> None:
        """All entries under our head were read: what the log said that it took must have been among them."""
        known = progress(draft)
        for place, data in list(draft.scan(_OWN)):
            own = unpack(data, Own)
            late = own.logged_ms >= 0 and head.time_ms > own.logged_ms + self.view.genesis.skew_ms
            # SPEC DIR-6: a list that the log has taken and does not show is told.
            if not own.settled and (0 <= own.index < head.size or late):
                draft.put(place, pack(replace(own, settled=True)))
                known = replace(known, omitted=known.omitted + 1)
                raise_alarm(draft, Reason.LIST_OMITTED, NOBODY, f"version {own.version}", now)
        draft.put(_WATCH, pack(replace(known, time_ms=head.time_ms)))
        draft.delete(_DUE)


def _own_list(me: Me, data: bytes) -> DeviceList | None:
    """The list of our account that an entry holds, whoever has submitted it; None for any other entry."""
    if DeviceList.decode(me.device_list).account_key not in data:
        return None
    try:
        entry = Entry.decode(data)
        found = DeviceList.decode(entry.payload) if entry.type is EntryType.DEVICE_LIST else None
    except EscrowError:
        return None  # no list that anybody would take for one
    return found if found is not None and found.account == me.keys.account else None
