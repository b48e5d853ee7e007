"""What the relay knows of an escrowed conversation: a tag per epoch, and the salted roster behind it.

A device registers before its first submission of an (epoch, roster version). The relay knows the members anyway, from
whom it delivers to; the salts let it check the roster root in a label and later open the leaf of one member alone.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.e2ee.roster import root_of_salts
from escrow.encoding import u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import Done, RegisterRoute, RouteMember
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.warrant.genesis import Genesis

MOST_MEMBERS = 256

_ROUTE = b"route/"
_TAG = b"route-tag/"


class Roster(Struct, frozen=True):
    """One registered version. ``since`` is when its sender registered it, in ms."""

    policy_hash: bytes
    epoch: int
    version: int
    members: tuple[RouteMember, ...]
    root: bytes
    since: int

    @property
    def salts(self) -> dict[AccountId, bytes]:
        """Account -> salt."""
        return {AccountId(member.account): member.salt for member in self.members}


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes in a relay's state."""

    genesis: Genesis

    def register(self, draft: Draft, account: AccountId, device: DeviceNo, call: RegisterRoute, now: Millis) -> Done:
        """Take a registration.

        ``MalformedError``, ``PERMISSION_DENIED`` (not a member), ``POLICY_STALE``, ``EPOCH_STALE``, ``EPOCH_FUTURE``,
        ``CONV_TAG`` (the account has this tag on another route), ``ROSTER_STALE``.
        """
        _check_form(call)
        if all(member.account != account for member in call.members):
            raise RefusedError(Reason.PERMISSION_DENIED, "only a member registers a route")
        if call.policy_hash != self.genesis.policy.hash:
            raise RefusedError(Reason.POLICY_STALE)
        self.check_epoch(call.epoch, now, slack=self.genesis.skew_ms)
        salts = {AccountId(member.account): member.salt for member in call.members}
        roster = Roster(call.policy_hash, call.epoch, call.roster_version, call.members, root_of_salts(salts), now)
        _bind_tag(draft, account + call.conv_tag, roster)
        place = _ROUTE + account + u32(device) + call.conv_tag
        newest = draft.last(place)
        if newest is not None and call.roster_version < unpack(newest[1], Roster).version:
            raise RefusedError(Reason.ROSTER_STALE)
        key = place + u64(call.roster_version)
        if draft.get(key) is None:
            draft.put(key, pack(roster))
        return Done()

    def check_epoch(self, epoch: int, when: int, *, slack: int = 0) -> None:
        """Protocol 4.2.7: from the start of the epoch to its end and the grace; ``EPOCH_STALE``, ``EPOCH_FUTURE``."""
        policy = self.genesis.policy
        if when >= policy.epoch_end(epoch) + self.genesis.grace_ms:
            raise RefusedError(Reason.EPOCH_STALE)
        if when + slack < policy.epoch_start(epoch):
            raise RefusedError(Reason.EPOCH_FUTURE)


def rosters(view: Read | Draft, account: bytes, device: int, conv_tag: bytes) -> list[Roster]:
    """The versions that a device has registered for a tag, oldest first."""
    place = _ROUTE + account + u32(device) + conv_tag
    return [unpack(value, Roster) for _, value in view.scan(place)]


def _check_form(call: RegisterRoute) -> None:
    accounts = [member.account for member in call.members]
    widths = {len(call.conv_tag), *map(len, accounts), *(len(member.salt) for member in call.members)}
    if widths != {32} or accounts != sorted(set(accounts)) or not 2 <= len(accounts) <= MOST_MEMBERS:
        raise MalformedError(f"a route is a tag and 2 to {MOST_MEMBERS} members, sorted, each with its salt")


def _bind_tag(draft: Draft, tag: bytes, roster: Roster) -> None:
    """One tag of one account stays with one policy and epoch, and each version of its roster with one root."""
    bound = roster.policy_hash + u64(roster.epoch)
    for key, value in ((_TAG + tag, bound), (_TAG + tag + u64(roster.version), roster.root)):
        if draft.get(key) not in (None, value):
            raise RefusedError(Reason.CONV_TAG, "the tag stands for another route")
        draft.put(key, value)
