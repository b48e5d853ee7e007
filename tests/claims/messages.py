"""One escrowed message with nobody between: what the sender makes, and what the opened seed gives."""

from dataclasses import dataclass

from escrow.capsule.body import open_body, seal_body
from escrow.capsule.chain import message_key
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import label_hash
from escrow.secret import Secret
from tests.claims.keygen import Committee, coins
from tests.claims.sealing import capsule, label


@dataclass(frozen=True)
class Message:
    """What travels and is recorded: nothing in it is secret."""

    label: bytes
    capsule: bytes
    body: bytes


def send(committee: Committee, number: int, seed: bytes, text: bytes) -> Message:
    bound, made = label(committee, number), capsule(committee, number, seed)
    header = Header(label_hash(bound), cap_hash(1, made), 0, coins(number, text)[:16], ContentClass.CONTENT)
    return Message(bound, made, seal_body(message_key(Secret(seed), label_hash(bound), 0), header, text))


def read(message: Message, seed: Secret) -> bytes:
    """What whoever has the seed reads: receiver or agency, there is no difference."""
    return open_body(message_key(seed, label_hash(message.label), 0), message.body)
