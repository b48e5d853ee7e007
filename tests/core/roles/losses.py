"""How messages get lost between two phones, and what a liar says instead of them."""

from escrow.capsule.header import ContentClass
from escrow.e2ee.content import Retry, Text, encode_content
from escrow.e2ee.plain import Plain
from escrow.e2ee.session import seal
from escrow.roles.calls import EscrowDelivery, PlainDelivery
from escrow.roles.device.asking import Wanted
from escrow.roles.device.conversations import all_held
from escrow.roles.device.state import PLAIN, Queued, session_key
from escrow.roles.state import pack, unpack
from tests.core.roles.phones import Lie, Phones


def write(at: Phones, name: str, key: bytes, value: bytes | None) -> None:
    draft = at.draft(name)
    draft.delete(key) if value is None else draft.put(key, value)
    at.store(name)._apply(draft.writes())


def session_place(at: Phones, peer: str, mode: int) -> bytes:
    return session_key(at.me(peer).keys.account, 1, mode)


def lose_session(at: Phones, name: str, peer: str, mode: int) -> None:
    write(at, name, session_place(at, peer, mode), None)


def roll_back(at: Phones, name: str, peer: str, mode: int) -> None:
    """A backup is put back: what is sealed next is sealed under a key that was used."""
    place = session_place(at, peer, mode)
    before = at.store(name).get(place)
    at.send(name, peer, "before the backup was put back", mode)
    at.sync(peer)
    write(at, name, place, before)


def queue(at: Phones, name: str) -> list[Queued]:
    return [unpack(data, Queued) for _, data in at.store(name).scan(b"queue/")]


def again(at: Phones, name: str) -> list[Wanted]:
    return [unpack(data, Wanted) for _, data in at.store(name).scan(b"again/")]


def unopened(at: Phones, mode: int, text: str = "lost") -> bytes:
    """Bob has lost his session, and asks for what alice has said; by what name."""
    lose_session(at, "bob", "alice", mode)
    at.send("alice", "bob", text, mode)
    at.sync("bob")
    assert at.status("bob").deferred == ("ENVELOPE_INVALID",)
    ((place, _),) = at.store("bob").scan(b"again/")
    return place[len(b"again/") :][:32]


def said_again(of: bytes, text: str = "false", name: bytes | None = None) -> Lie:
    content = Retry(of, name or of, Text(text))
    return Lie(header={"content_class": ContentClass.RETRY}, padded=lambda _: encode_content(content))


def plainly(at: Phones, content: Retry) -> PlainDelivery:
    """What alice's device would send without escrow."""
    alice = at.me("alice")
    held = next(one for one in all_held(at.store("alice"))
                if (one.peer(alice), one.conversation.mode) == (at.me("bob").keys.account, PLAIN))  # fmt: skip
    padded = encode_content(content)
    plaintext = Plain(held.conversation.id, 0, at.coins()[16:], padded).encode()
    following, envelope = seal(at.session("alice", "bob", PLAIN), plaintext, b"", at.coins(), at.world.now)
    write(at, "alice", session_place(at, "bob", PLAIN), pack(following))
    return PlainDelivery(alice.keys.account, 1, envelope)


def repetition(at: Phones, mode: int, of: bytes) -> EscrowDelivery | PlainDelivery:
    return plainly(at, Retry(of, bytes(16), Text("false"))) if mode == PLAIN else at.craft(lie=said_again(of))
