"""How sessions begin: prekeys come from the relay, and one session is made of them, for a message that waits for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from escrow.crypto.coins import Coins
from escrow.crypto.kem import Kem
from escrow.e2ee.bundle import Bundle
from escrow.e2ee.keys import Identity
from escrow.e2ee.session import Session, open_session
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import GetBundle, PrekeyBundle
from escrow.roles.device.conversations import lineage_of
from escrow.roles.device.directory import known_account
from escrow.roles.device.outcome import refuse
from escrow.roles.device.state import Queued, load_me, save_session, session_with
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft
from escrow.roles.state import unpack


@dataclass(frozen=True, slots=True)
class Beginning:
    """Takes the answers to questions for prekeys. ``kem``: encapsulation draws randomness of its own."""

    view: LightView
    kem: Kem

    def on_bundle(
        self, draft: Draft, call: GetBundle, reply: PrekeyBundle | EscrowError, now: Millis, draw: Coins
    ) -> None:
        """Start a session for the first message that waits for one with that device; other modes ask again.

        Where none is to be had, what waits for it is refused, and the user is told why.
        """
        account = AccountId(call.account)
        message = next(self._waiting(draft, account, call.device), None)
        if message is None:
            return
        try:
            session = self._session(draft, account, call.device, message.mode, reply, now, draw)
        except (RefusedError, MalformedError) as error:
            for hopeless in list(self._waiting(draft, account, call.device)):
                refuse(draft, hopeless, error, now, draw)
        else:
            save_session(draft, session)

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
        return open_session(load_me(draft).keys, theirs, mode, lineage, self.kem, coins, now)

    def _identity(self, draft: Draft, account: AccountId, device: int) -> Identity:
        logged = self.view.device_list(draft, account)
        if logged is None:
            raise RefusedError(Reason.DEVICE_UNKNOWN, "prekeys of a device that we did not ask for")
        return logged.device(DeviceNo(device)).identity(account)

    def _waiting(self, draft: Draft, account: AccountId, device: int) -> Iterator[Queued]:
        """The queued messages to that device that have no session with its present keys yet, oldest first."""
        logged = self.view.device_list(draft, account)
        listed = logged.devices if logged else ()
        present = next((one.identity(account) for one in listed if one.number == device), None)
        for _, data in draft.scan(b"queue/"):
            message = unpack(data, Queued)
            begun = present is not None and session_with(draft, present, message.mode) is not None
            if known_account(draft, message.to) == account and not begun:
                yield message
