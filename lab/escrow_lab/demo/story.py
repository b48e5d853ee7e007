"""The story every demo tells, from the committee's key to the expired warrant; the same in the World and over gRPC.

Each chapter says what happens in plain words, does it, and notes in the summary what came of it. Nothing is asserted
here: whoever runs the story compares the summary with what was promised.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from escrow.capsule.label import Label
from escrow.crypto.hpke import RecipientKey
from escrow.errors import Reason
from escrow.roles.device.commands import GetStatus
from escrow.secret import Secret
from escrow.warrant.item import Item
from escrow.world.founding import APPROVERS, DAY, HOUR, ISSUERS, MINUTE
from escrow_lab.demo import villains, warrants
from escrow_lab.demo.messages import account_of, inboxes, lab_time, send_all, workload_time
from escrow_lab.demo.narrator import Narrator
from escrow_lab.demo.stage import Stage
from escrow_lab.demo.summary import Summary, delivered, escrowed, judge
from escrow_lab.demo.workload import ESCROW, Workload

OFFICER, HASTY = "officer-okoro", "officer-hast"
MALLORY = "mallory"
FEW = 8


@dataclass
class Story:
    """One run of the story. ``tell`` does it all and returns what was found."""

    stage: Stage
    work: Workload
    narrator: Narrator
    summary: Summary = field(default_factory=Summary)
    warrant_id: bytes = b""
    items: list[Item] = field(default_factory=list)
    """A few of the target's messages, in scope or not, as a relay that colludes hands them over."""

    async def tell(self) -> Summary:
        """All chapters in order."""
        summary, work = self.summary, self.work
        summary.users, summary.target = len(work.users), work.target
        summary.window, summary.skipped_self = (work.start, work.end), work.skipped_self
        await self._a_key_that_nobody_holds()
        await self._people_talk()
        await self._the_relay_and_two_custodians()
        await self._one_lock()
        await self._two_locks_and_three_custodians()
        await self._another_key()
        await self._writing_as_the_target()
        await self._after_the_end()
        summary.log_size = await self.stage.log_size()
        summary.seconds = self.narrator.seconds
        return summary

    # -- chapters -----------------------------------------------------------------------------

    async def _a_key_that_nobody_holds(self) -> None:
        self.narrator.chapter(1, "Five custodians make a key that nobody holds")
        runs = await self.stage.committee()
        policy = self.stage.genesis.policy
        self.narrator.say(
            "committee",
            f"{policy.n} custodians generated the committee key among themselves, threshold {policy.t}, "
            f"in {runs} run(s); every round is in the log, cosigned by {self.stage.genesis.quorum} of "
            f"{len(self.stage.genesis.witnesses)} witnesses.",
            n=policy.n,
            t=policy.t,
            runs=runs,
        )

    async def _people_talk(self) -> None:
        self.narrator.chapter(2, "People talk, with the escrow off and on")
        await self.stage.register(self.work.users)
        some = ", ".join(self.work.users[:3]) + (", …" if len(self.work.users) > 3 else "")
        self.narrator.say("registered", f"{len(self.work.users)} users registered: {some}. Their keys are in the log.")
        await send_all(self.stage, self.work, self.narrator)
        shown = await inboxes(self.stage, self.work.users)
        self.summary.messages_sent = len(self.work.messages)
        self.summary.messages_delivered = delivered(self.work, shown)
        self.summary.messages_escrowed = escrowed(self.work)
        self.narrator.say(
            "messages",
            f"{self.summary.messages_sent} messages sent, {self.summary.messages_delivered} delivered, "
            f"{self.summary.messages_escrowed} of them in conversations with escrow.",
            sent=self.summary.messages_sent,
            delivered=self.summary.messages_delivered,
        )
        await self._screens()

    async def _screens(self) -> None:
        """Both ends of one conversation of each mode say which it is."""
        for mode in sorted({message.mode for message in self.work.messages}):
            one = next(message for message in self.work.messages if message.mode == mode)
            for name, peer in ((one.source, one.target), (one.target, one.source)):
                device = self.stage.device(name)
                status: Any = await device.ask(device.party, GetStatus())
                modes = Counter(each.mode for each in status.conversations if each.peer_name == peer)
                words = "ESCROWED: custodians can open it under a warrant" if mode == ESCROW else "END-TO-END ONLY"
                if modes[mode]:
                    self.narrator.say("screen", f"{name}'s screen, conversation with {peer}: {words}", mode=mode)

    async def _the_relay_and_two_custodians(self) -> None:
        self.narrator.chapter(3, "The relay and two custodians collude")
        disk = await self.stage.stolen_disk("relay")
        _, kept = villains.kept_items(self.stage, disk)[0]
        pair = list(self.stage.genesis.custodian_keys)[: self.stage.genesis.policy.t - 1]
        reason = await villains.collude(self.stage, pair, kept)
        self.summary.refused_two_custodians = reason == Reason.NOT_ENOUGH_SHARES.name
        self.narrator.say(
            "collusion",
            f"The relay's disk and the shares of {' and '.join(pair)} open nothing: {reason or 'IT OPENED'}.",
            reason=reason,
        )

    async def _one_lock(self) -> None:
        self.narrator.chapter(4, f"A warrant on {self.work.target}: one lock is not enough")
        await self.stage.advance_to(self.stage.now + self.stage.genesis.policy.ingest_cadence + HOUR)
        await self.stage.settle()
        application = await warrants.apply(self.stage, HASTY, await self._terms())
        await warrants.sign(self.stage, application, "issuer", ISSUERS[0])
        self.narrator.say("issued", f"{HASTY} applied, {ISSUERS[0]} issued: the first lock. Nobody approved.")
        sealed = await warrants.seal_with_one_lock(self.stage, application, ISSUERS[0])
        self.narrator.say("corrupt-desk", "The desk seals it all the same, and the relay hands over the items.")
        target = await account_of(self.stage.device(self.work.target))
        disk = await self.stage.stolen_disk("relay")
        theirs = [
            (seq, kept)
            for seq, kept in villains.kept_items(self.stage, disk)
            if Label.decode(kept.label).sender_account == target
        ]
        self.items = [villains.with_proofs(self.stage, disk, seq, kept) for seq, kept in theirs[:FEW]]
        answers = await warrants.request(self.stage, sealed, self.items)
        self.summary.refused_one_lock = _all_are(answers, Reason.LOCKS_INCOMPLETE)
        self.narrator.say("one-lock", f"The custodians answer: {_spoken(answers)}.", answers=answers)

    async def _two_locks_and_three_custodians(self) -> None:
        self.narrator.chapter(5, "Two locks, a seal in the log, and three of five custodians")
        application = await warrants.apply(self.stage, OFFICER, await self._terms())
        self.warrant_id = application.warrant_id
        await warrants.sign(self.stage, application, "issuer", ISSUERS[0])
        await warrants.sign(self.stage, application, "approver", APPROVERS[0])
        await self.stage.settle()
        self.narrator.say(
            "sealed",
            f"{ISSUERS[0]} issued, {APPROVERS[0]} approved; the seal is in the log, under a quorum of witnesses.",
        )
        await self.stage.advance_to(self.stage.now + 5 * MINUTE)
        await self._until_the_epoch_is_over()
        report = await warrants.execute(self.stage, OFFICER, self.warrant_id)
        outcomes = {each.custodian: each.outcome for request in report.requests for each in request.custodians}
        self.summary.custodians_released = sorted(name for name, said in outcomes.items() if said == "released")
        self.summary.custodians_missing = sorted(name for name, said in outcomes.items() if said == "missing")
        names = {await account_of(self.stage.device(name)): name for name in self.work.users}
        opened = await warrants.opened(self.stage, OFFICER, self.warrant_id)
        judge(
            self.summary,
            self.work,
            [(names[each.sender_account], workload_time(each.ingest_time), each.text) for each in opened],
            self._reach(),
        )
        missing = f" Missing: {', '.join(self.summary.custodians_missing)}." if self.summary.custodians_missing else ""
        count = len(self.summary.custodians_released)
        self.narrator.say(
            "released",
            f"{count} custodians released, each after its intent was in the log.{missing}",
            custodians=outcomes,
        )
        self.narrator.say(
            "opened",
            f"Opened: {self.summary.opened} of {self.summary.in_scope} messages in scope, "
            f"{self.summary.opened_out_of_scope} outside it. Everybody else's stay closed.",
            opened=self.summary.opened,
            in_scope=self.summary.in_scope,
        )
        if self.stage.genesis.policy.opens_identities:
            keys = sum(request.count for request in report.requests)
            self.narrator.say(
                "over-collected",
                f"{keys} identity keys opened all of it, and {self.summary.over_collected} messages of the same epochs "
                "beside the window.",
                identity_keys=keys,
                over_collected=self.summary.over_collected,
            )

    async def _another_key(self) -> None:
        self.narrator.chapter(6, "The same request with another key")
        altered, rekeyed = await warrants.replays(
            *(self.stage, OFFICER, self.warrant_id, self.items),
            RecipientKey.from_seed(bytes(32)),
            self.summary.custodians_released or list(self.stage.genesis.custodian_keys),
        )
        self.summary.refused_replay_other_key = all(
            answers and _none_released(answers) for answers in (altered, rekeyed)
        )
        self.narrator.say("replay", f"The same request id, other bytes: {_spoken(altered)}.", answers=altered)
        self.narrator.say("replay", f"Another recipient key in the warrant: {_spoken(rekeyed)}.", answers=rekeyed)

    async def _writing_as_the_target(self) -> None:
        self.narrator.chapter(7, f"The agency tries to write as {self.work.target}")
        # Where nothing was in scope there is no released seed; then it guesses.
        released = await warrants.released_seed(self.stage, OFFICER, self.warrant_id)
        item, seed = released or (self.items[0], Secret(bytes(32)))
        victim = self.stage.device(next(m.target for m in self.work.messages if m.source == self.work.target))
        forgery = villains.Forgery.make(item, seed, "Meet me at the old mill. Come alone.")
        liar = MALLORY
        while liar in self.work.users:
            liar += "'"
        await self.stage.register([liar])
        at_relay = await villains.submit_forgery(self.stage, self.stage.device(liar), victim, forgery)
        with_relay = await villains.deliver_forgery(self.stage, victim, forgery, self.stage.now)
        self.summary.impersonation_rejected = (
            at_relay == Reason.SENDER_MISMATCH.name and with_relay == Reason.SIGNATURE_INVALID.name
        )
        self.narrator.say(
            "impersonation",
            f"Through the honest relay: {at_relay}. With a relay that signs anything, at the device: {with_relay}.",
            relay=at_relay,
            device=with_relay,
        )

    async def _after_the_end(self) -> None:
        self.narrator.chapter(8, "The warrant expires; the same request again")
        await self.stage.advance_to(self.stage.now + 3 * DAY)
        await self.stage.settle()
        answers = await warrants.repeat(self.stage, OFFICER, self.warrant_id, self.items)
        self.summary.refused_after_expiry = _all_are(answers, Reason.EXPIRED)
        self.narrator.say("expired", f"The custodians answer: {_spoken(answers)}.", answers=answers)

    async def _until_the_epoch_is_over(self) -> None:
        """Where a key opens an epoch, nobody gets one before it is closed."""
        genesis = self.stage.genesis
        policy, end = genesis.policy, lab_time(self.work.end) - 1
        if policy.opens_identities:
            closed = policy.epoch_end(policy.epoch_of(end)) + genesis.grace_ms + MINUTE
            await self.stage.advance_to(max(self.stage.now, closed))
            await self.stage.settle()

    def _reach(self) -> tuple[int, int]:
        """The warrant's window, rounded out to epochs where these are opened as a whole."""
        policy, work = self.stage.genesis.policy, self.work
        if not policy.opens_identities:
            return work.start, work.end
        first, last = (policy.epoch_of(time) for time in (lab_time(work.start), lab_time(work.end) - 1))
        return workload_time(policy.epoch_start(first)), workload_time(policy.epoch_end(last))

    async def _terms(self) -> warrants.Terms:
        account = await account_of(self.stage.device(self.work.target))
        window = (lab_time(self.work.start), lab_time(self.work.end))
        now = self.stage.now
        return warrants.Terms(account, window, now, now + 2 * DAY)


def _all_are(answers: dict[str, str], reason: Reason) -> bool:
    return bool(answers) and set(answers.values()) == {reason.name}


def _none_released(answers: dict[str, str]) -> bool:
    return all(answers.values()) and Reason.UNAVAILABLE.name not in answers.values()


def _spoken(answers: dict[str, str]) -> str:
    counted = Counter(reason or "released" for reason in answers.values())
    return ", ".join(f"{count} × {reason}" for reason, count in counted.most_common())
