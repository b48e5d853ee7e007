"""How sessions begin: prekeys come from the relay, and one session is made of them, for a message that waits for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.crypto.kem import Kem
from escrow.e2ee.bundle import Bundle
from escrow.e2ee.keys import Identity
from escrow.e2ee.session import Session, open_session
from escrow.encoding import number, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import GetBundle, PrekeyBundle
from escrow.roles.device.addressing import concerns
from escrow.roles.device.batches import GRACE
from escrow.roles.device.conversations import lineage_of
from escrow.roles.device.directory import listed_devices
from escrow.roles.device.outcome import MOST_TRIES, refuse
from escrow.roles.device.state import Queued, enqueue, load_me, save_session, session_key, session_with
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read
from escrow.roles.state import unpack

UNANSWERED = GRACE - 24 * 3600 * 1000
"""How long a session's first message is sent along while no answer comes, in ms. Beyond that the other side may have
erased the prekeys that it names, if nothing of the session has reached it."""


def outlived(view: Read | Draft, session: Session, now: Millis) -> bool:
    """Whether a session must begin anew: we began it and it has waited too long for an answer, or it is broken."""
    if view.get(_renew(session.peer.account, session.peer.device, session.mode)) is not None:
        return True
    began = number(view.get(_begun(session.peer.account, session.peer.device, session.mode)) or u64(0))
    return bool(session.links[0].initial) and now >= began + UNANSWERED


def renew(draft: Draft, peer: Identity, mode: int) -> None:
    """The session with a device does not open what it should: the next message to it begins another."""
    draft.put(_renew(peer.account, peer.device, mode), b"")


@dataclass(frozen=True, slots=True)
class Beginning:
    """Takes the answers to questions for prekeys. ``kem``: encapsulation draws randomness of its own."""

    view: LightView
    kem: Kem

    def on_bundle(
        self, draft: Draft, call: GetBundle, reply: PrekeyBundle | EscrowError, now: Millis, draw: Coins
    ) -> None:
        """Start a session for the first message that waits for one with that device; other modes ask again.

        Where none is to be had, what waits for it goes with the old session, or is refused and the user is told why.
        A device that has published no prekeys yet is as good as one that is out of reach.
        """
        account = AccountId(call.account)
        message = next(self._waiting(draft, account, call.device, now), None)
        if message is None:
            return
        try:
            session = self._session(draft, account, call.device, message.mode, reply, now, draw)
        except (RefusedError, MalformedError) as error:
            for hopeless in list(self._waiting(draft, account, call.device, now)):
                if self._in_use(draft, account, call.device, hopeless.mode) is not None:
                    _note_begun(draft, account, call.device, hopeless.mode, now)
                elif error.reason is Reason.NOT_FOUND:
                    enqueue(draft, replace(hopeless, tries=MOST_TRIES, waits=Reason.SESSION_MISSING.name))
                else:
                    refuse(draft, hopeless, error, now, draw)
        else:
            save_session(draft, session)
            _note_begun(draft, account, call.device, message.mode, now)

    def _session(
        self,
        draft: Draft,
        account: AccountId,
        device: int,
        mode: int,
        reply: PrekeyBundle | EscrowError,
        now: Millis,
        draw: Coins,
    ) -> Session:
        if isinstance(reply, EscrowError):
            raise RefusedError(reply.reason, reply.detail)
        identity = self._identity(draft, account, device)
        theirs = Bundle(reply.bundle, reply.ec_key or None, reply.kem_key or None).verify(identity.signing, now)
        if theirs.identity != identity:
            raise RefusedError(Reason.BUNDLE_INVALID, "another identity")
        lineage, coins = lineage_of(self.view.genesis, mode), draw.take("session", 32)
        before = session_with(draft, identity, mode)
        return open_session(load_me(draft).keys, theirs, mode, lineage, self.kem, coins, now, renew=before)

    def _identity(self, draft: Draft, account: AccountId, device: int) -> Identity:
        logged = listed_devices(draft, self.view, account)
        if logged is None:
            raise RefusedError(Reason.DEVICE_UNKNOWN, "prekeys of a device that we did not ask for")
        return logged.device(DeviceNo(device)).identity(account)

    def _waiting(self, draft: Draft, account: AccountId, device: int, now: Millis) -> Iterator[Queued]:
        """The queued messages to that device that have no session to go with, oldest first."""
        for _, data in draft.scan(b"queue/"):
            message = unpack(data, Queued)
            if not concerns(draft, message, account):
                continue
            session = self._in_use(draft, account, device, message.mode)
            if session is None or outlived(draft, session, now):
                yield message

    def _in_use(self, draft: Draft, account: AccountId, device: int, mode: int) -> Session | None:
        """The session with the present keys of that device."""
        logged = listed_devices(draft, self.view, account)
        listed = logged.devices if logged else ()
        present = next((one.identity(account) for one in listed if one.number == device), None)
        return None if present is None else session_with(draft, present, mode)


def _note_begun(draft: Draft, account: bytes, device: int, mode: int, now: Millis) -> None:
    draft.put(_begun(account, device, mode), u64(now))
    draft.delete(_renew(account, device, mode))


def _renew(account: bytes, device: int, mode: int) -> bytes:
    return b"renew/" + session_key(account, device, mode)


def _begun(account: bytes, device: int, mode: int) -> bytes:
    return b"begun/" + session_key(account, device, mode)
