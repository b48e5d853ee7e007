"""What the story's villains do, for real: each attempt uses what they would have, and returns what the others answered.

Nothing here is assumed to fail. Whoever reads a disk reads the disk; whoever misuses an office signs with its key.
"""

from dataclasses import dataclass
from typing import Any, Final

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.chain import first_chain_key, message_key
from escrow.capsule.combine import open_capsule
from escrow.capsule.envelope import env_path, env_root
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import Receipt, sign_frame
from escrow.capsule.schemes import ShareRequest, scheme_of
from escrow.capsule.submission import SignedContent
from escrow.e2ee.content import Text, encode_content
from escrow.errors import EscrowError
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.authorised import context_of
from escrow.roles.calls import (
    Delivery,
    DeviceEnvelope,
    EscrowDelivery,
    EscrowSend,
    Fetch,
    Fetched,
    FrameReply,
    Submission,
    Submit,
)
from escrow.roles.custodian.state import load_holding
from escrow.roles.device.commands import GetInbox, GetStatus, Sync
from escrow.roles.device.state import load_me
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Answered, Read, Todo
from escrow.roles.relay.ingest import TREE
from escrow.roles.relay.mailbox import Item as Kept
from escrow.roles.relay.mailbox import Mailbox
from escrow.secret import Secret
from escrow.warrant.item import Item
from escrow_lab.demo.stage import Stage

ATTEMPTS: Final = 5
"""How often a victim is asked for its verdict; there is a pause after each."""


def kept_items(stage: Stage, disk: Read) -> list[tuple[int, Kept]]:
    """Everything escrowed that the relay still holds, by its number in the ingest tree."""
    mailbox = Mailbox(stage.genesis)
    found = ((seq, mailbox.item(disk, seq)) for seq in range(TREE.size(disk)))
    return [(seq, item) for seq, item in found if item is not None]


async def collude(stage: Stage, custodians: list[str], kept: Kept) -> str:
    """The relay and some custodians put together what they have; the reason why it opens nothing, or ``""``."""
    label = Label.decode(kept.label)
    shares: dict[int, bytes] = {}
    generation = context = None
    for party in custodians:
        holding = load_holding(await stage.stolen_disk(party), label.committee_key_hash)
        if holding is None or holding.share is None:
            raise AssertionError("a custodian holds a share")
        generation, context = holding.generation, context_of(stage.genesis, holding.key)
        wanted = ShareRequest(context, generation.hash, kept.label, kept.capsule, bytes(32))
        shares[holding.index] = scheme_of(label.suite).share(wanted, holding.share, holding.index, bytes(32))
    if generation is None or context is None:
        raise AssertionError("somebody colludes")
    wanted = ShareRequest(context, generation.hash, kept.label, kept.capsule, bytes(32))
    # They do not stop at being told that they are too few: they interpolate through what they have and try the result.
    guess = scheme_of(label.suite).recover(context, kept.label, kept.capsule, shares)
    if scheme_of(label.suite).encapsulate(context, kept.label, guess) == kept.capsule:
        return ""
    try:
        open_capsule(wanted, generation, shares)
    except EscrowError as refusal:
        return refusal.reason.name
    return ""


def with_proofs(stage: Stage, disk: Read, seq: int, kept: Kept) -> Item:
    """An item as a release request carries it, put together by a relay that colludes."""
    ledger = Ledger(stage.genesis)
    root = ledger.root_covering(disk, stage.genesis.relay.public, seq)
    if root is None:
        raise AssertionError("the receipt is under a logged root by now")
    return Item(
        label=kept.label,
        capsule=kept.capsule,
        body=kept.body,
        device_sig=kept.device_sig,
        env_root=kept.env_root,
        receipt=kept.receipt,
        path=kept.path,
        frame=kept.frame,
        relay_sig=kept.relay_sig,
        root_index=root.index,
        root_size=root.size,
        ingest_path=TREE.inclusion(disk, seq, root.size),
        roster_path=None,
    )


@dataclass(frozen=True, slots=True)
class Forgery:
    """New words in the chain of a released message: everything its key opens, and nothing the device signed."""

    label: bytes
    capsule: bytes
    body: bytes
    signature: bytes

    @classmethod
    def make(cls, item: Item, seed: Secret, text: str) -> "Forgery":
        """What an agency can make of a released seed."""
        named = label_hash(item.label)
        header = Header(
            named, cap_hash(Label.decode(item.label).suite, item.capsule), 0, bytes(16), ContentClass.CONTENT
        )
        body = seal_body(message_key(first_chain_key(seed, named), named, 0), header, encode_content(Text(text)))
        return cls(item.label, item.capsule, body, item.device_sig)


async def submit_forgery(stage: Stage, liar: Node, victim: Node, forgery: Forgery) -> str:
    """Hand the forgery to the honest relay from a device of one's own; the relay's reason."""
    me = await victim.read(load_me)
    envelope = DeviceEnvelope(me.keys.account, me.keys.device, b"whatever")
    send = EscrowSend(forgery.label, forgery.capsule, forgery.body, (envelope,), forgery.signature)
    reply = await stage.call(liar.party, "relay", Submit((Submission(bytes(16), send, None),)))
    return reply.items[0].reason if isinstance(reply, FrameReply) else "no answer"


async def deliver_forgery(stage: Stage, victim: Node, forgery: Forgery, ingest_time: int) -> str:
    """A colluding relay signs for the forgery and delivers it; why the victim refused, ``""`` if it was shown."""
    me = await victim.read(load_me)
    label = Label.decode(forgery.label)
    addressed = [(bytes(me.keys.account), int(me.keys.device), b"whatever")]
    root = env_root(addressed)
    capped = cap_hash(label.suite, forgery.capsule)
    signed = SignedContent(label_hash(forgery.label), capped, 0, body_id(forgery.body), root)
    receipt = Receipt(
        signed.hash, label.conv_tag, label.sender_account, label.sender_device, label.epoch, 1 << 32, ingest_time
    ).encode()
    frame, relay_sig, paths = sign_frame([receipt], stage.party_key("relay"), ingest_time + stage.genesis.mmd_ms)
    delivery = EscrowDelivery(
        label=forgery.label,
        capsule=forgery.capsule,
        body=forgery.body,
        device_sig=forgery.signature,
        envelope=b"whatever",
        env_root=root,
        env_path=env_path(addressed, bytes(me.keys.account), int(me.keys.device)),
        receipt=receipt,
        path=paths[0],
        frame=frame,
        relay_sig=relay_sig,
    )
    before = await victim.ask(victim.party, GetInbox(0))
    status: Any = await victim.ask(victim.party, GetStatus())
    alarms = len(status.alarms)
    todo = Todo(1 << 62, Party("relay"), Fetch(me.mail, 1))
    await victim.step(Answered(todo, Fetched((Delivery(me.mail, delivery, None),))))
    for _ in range(ATTEMPTS):
        # Before it names anybody, it asks the log whether it has missed a new key; the log may be slow to answer.
        await victim.run(Sync())
        status = await victim.ask(victim.party, GetStatus())
        if len(status.alarms) > alarms:
            break
        await stage.pause()
    after = await victim.ask(victim.party, GetInbox(0))
    if after != before or len(status.alarms) == alarms:
        return ""
    return str(status.alarms[-1].reason)
