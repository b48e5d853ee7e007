"""The scene under a scheme that opens identities: Bob has written, his day is over, and he goes on writing."""

from dataclasses import replace
from functools import cache
from typing import Any

from escrow.capsule.label import Label
from escrow.crypto.sign import SigningKey
from escrow.warrant.documents import EpochRange, Window
from escrow.warrant.item import Item
from escrow.warrant.policy import SchemeName
from escrow.warrant.request import ReleaseRequest, identities_of
from escrow_lab.demo import villains
from escrow_lab.demo.world_stage import WorldStage
from tests.core.roles.scene import DAY, HOUR, MINUTE, TERMS, Scene


class Days(Scene):
    """``ready``: the request names one identity, Bob on the day that is over."""

    asked_after = DAY

    def today(self, text: str) -> Item:
        """What Bob says now, as a relay in league with the agency hands it over an hour later."""
        self.say(self.bob, "alice", text)
        self.pass_time(HOUR + MINUTE)
        disk, account = self.world.store("relay"), self.account(self.bob)
        stage = WorldStage(self.world)
        kept = [
            (seq, one)
            for seq, one in villains.kept_items(stage, disk)
            if Label.decode(one.label).sender_account == account
        ]
        return villains.with_proofs(stage, disk, *kept[-1])

    def over(self, item: Item) -> None:
        """Time passes until the item's epoch is closed, with its grace."""
        genesis = self.world.genesis
        closed = genesis.policy.epoch_end(item.terms.epoch) + genesis.grace_ms + MINUTE
        self.world.advance_to(max(closed, self.world.now))
        self.settle()

    def wide(self, *signers: SigningKey, wait: int = 2 * MINUTE, **changes: Any) -> ReleaseRequest:
        """The request under a warrant of three days from the first word on, for ten days."""
        policy = self.world.genesis.policy
        first, end = policy.epoch_of(self.start), policy.epoch_of(self.start + 3 * DAY) + 1
        spans = {
            "epochs": (EpochRange(policy=policy.hash.hex(), first=first, end=end),),
            "message_window": Window(start=self.start, end=self.start + 3 * DAY),
            "not_after": self.payload.not_before + 10 * DAY,
            "nondisclosure_until": self.payload.not_before + 10 * DAY,
        }
        request = self.sealed_by_force(self.rewritten(**(spans | changes)), *(signers or self.locks), wait=wait)
        return replace(request, expires=self.payload.not_before + 10 * DAY)


def naming(request: ReleaseRequest, *items: Item, number: int = 1) -> ReleaseRequest:
    """The request for these items, which names the identities that they belong to."""
    ordered = tuple(sorted(items, key=lambda item: item.order))
    return replace(request, items=ordered, identities=identities_of(ordered), request_id=bytes([number]) * 16)


@cache
def days(scheme: SchemeName = "ibe") -> Days:
    """The one scene of this run under this scheme; rewind it before use."""
    return Days(replace(TERMS, scheme=scheme))
