"""Files between people, and under a warrant: the same bytes for the receiver and the agency, and nothing for others."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.e2ee.blob import CHUNK
from escrow.e2ee.file import File
from escrow.errors import EscrowError, Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.agency.commands import GetOpened, OpenedItem
from escrow.roles.calls import Call, Chunk, GetChunk, PutChunk, Reply, Submit
from escrow.roles.device.commands import GetInbox, SendFile, Sync
from escrow.roles.device.state import ESCROW, PLAIN, Shown
from escrow.rpc.codec import decode_call, encode_call
from escrow.world.founding import APPROVERS, DAY, ISSUERS
from escrow.world.loop import complete
from escrow_client.attaching import Measured, attach, sealed_copy
from escrow_client.saving import save
from tests.core.roles.scene import MINUTE, Scene, scene

RELAY = Party("relay")


@pytest.fixture
def at() -> Iterator[Scene]:
    """What Bob and Alice have said, and at the end an honest network and good generators for those who come next."""
    at, network, entropy = scene().rewind("said"), scene().world.network, scene().bob._entropy
    on_call, on_reply = network.on_call, network.on_reply
    yield at
    network.on_call, network.on_reply, at.bob._entropy = on_call, on_reply, entropy


def asking(at: Scene, node: Node) -> Callable[[Call], Any]:
    return partial(at.world.network.call, node.party, RELAY)


def upload(at: Scene, node: Node, path: Path) -> File:
    return complete(attach(node, asking(at, node), path, path.parent))


def send(at: Scene, node: Node, to: str, path: Path, mode: int = ESCROW) -> File:
    file = upload(at, node, path)
    at.world.run(node, SendFile(to, mode, file))
    for device in (at.alice, at.bob):
        at.world.run(device, Sync())
    return file


def shown(at: Scene, node: Node) -> Shown:
    message: Shown = at.world.run(node, GetInbox(0)).messages[-1]
    return message


def fetched(at: Scene, node: Node, file: Any, folder: Path) -> Path:
    assert isinstance(file, File)
    return complete(save(asking(at, node), file, folder))


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def content_of(seed: int, size: int) -> bytes:
    return bytes((seed + place * place) % 251 for place in range(997)) * (size // 997 + 1)


# -- between people -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [PLAIN, ESCROW])
@pytest.mark.parametrize("size", [0, 1, CHUNK, 3 * CHUNK + 17])
def test_a_file_arrives_as_it_was_sent(at: Scene, tmp_path: Path, mode: int, size: int) -> None:
    content = content_of(mode, size)[:size]
    send(at, at.bob, "alice", written(tmp_path / "out" / "plan.pdf", content), mode)
    message = shown(at, at.alice)
    assert (message.mode, message.content.text) == (mode, f"file 'plan.pdf' of {size} bytes")
    saved = fetched(at, at.alice, message.content, tmp_path / "in")
    assert (saved.name, saved.read_bytes()) == ("plan.pdf", content)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["plan.pdf"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["plan.pdf"]


def test_an_upload_that_was_cut_off_goes_on_where_it_was(at: Scene, tmp_path: Path) -> None:
    path = written(tmp_path / "film", content_of(3, 9 * CHUNK))
    brought: list[int] = []
    patience = 5

    def lose(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, PutChunk):
            if len(brought) == patience:
                raise UnavailableError(Reason.UNAVAILABLE, "the network")
            brought.append(call.index)
        return call

    at.world.network.on_call = lose
    with pytest.raises(UnavailableError):
        upload(at, at.bob, path)
    patience = 100
    file = send(at, at.bob, "alice", path)
    assert brought == [0, 1, 2, 3, 4, 0, 5, 6, 7, 8, 9]
    assert fetched(at, at.alice, shown(at, at.alice).content, tmp_path / "in").read_bytes() == path.read_bytes()
    assert upload(at, at.bob, path).key != file.key


def test_a_lost_answer_costs_nothing_but_a_question(at: Scene, tmp_path: Path) -> None:
    path = written(tmp_path / "film", content_of(4, 3 * CHUNK))

    def lose(_origin: Party, _to: Party, call: Call, _reply: Reply) -> Reply:
        raise UnavailableError(Reason.UNAVAILABLE, "the network")

    for _ in range(2):
        at.world.network.on_reply = lose
        with pytest.raises(UnavailableError):
            upload(at, at.bob, path)
    at.world.network.on_reply = lambda _origin, _to, _call, reply: reply
    send(at, at.bob, "alice", path)
    assert fetched(at, at.alice, shown(at, at.alice).content, tmp_path / "in").read_bytes() == path.read_bytes()


def test_a_file_that_changes_while_it_is_read_is_not_sent(at: Scene, tmp_path: Path) -> None:
    path = written(tmp_path / "draft", b"one")
    measured = Measured.of(path)
    key = upload(at, at.bob, path).key
    for content in (b"two", b"on", b"one more"):
        path.write_bytes(content)
        with pytest.raises(RefusedError) as caught, sealed_copy(measured, key, tmp_path):
            pytest.fail("it was sealed")
        assert caught.value.reason is Reason.FILE_CHANGED
    path.unlink()
    with pytest.raises(RefusedError) as caught, sealed_copy(measured, key, tmp_path):
        pytest.fail("it was sealed")
    assert caught.value.reason is Reason.USAGE


def test_the_relay_sees_the_same_calls_in_both_modes(at: Scene, tmp_path: Path) -> None:
    lengths: dict[int, list[tuple[str, int]]] = {}
    for mode in (PLAIN, ESCROW):
        seen: list[Call] = []

        def watch(_origin: Party, _to: Party, call: Call, seen: list[Call] = seen) -> Call:
            if isinstance(call, PutChunk | GetChunk):
                seen.append(decode_call(type(call), encode_call(call)))
            return call

        at.world.network.on_call = watch
        send(at, at.bob, "alice", written(tmp_path / "same", content_of(5, 2 * CHUNK)), mode)
        fetched(at, at.alice, shown(at, at.alice).content, tmp_path / "in")
        lengths[mode] = [(type(call).__name__, len(encode_call(call))) for call in seen]
        assert b"escrow" not in b"".join(encode_call(call) for call in seen)
    assert lengths[PLAIN] == lengths[ESCROW]


# -- a relay that lies ----------------------------------------------------------------------------

LIES: dict[str, Callable[[list[Chunk], int], Chunk]] = {
    "a flipped bit": lambda chunks, n: Chunk(chunks[n].data[:-1] + bytes([chunks[n].data[-1] ^ 1])),
    "another of its chunks": lambda chunks, n: chunks[n - 1],
    "nothing": lambda _chunks, _n: Chunk(b""),
    "one too long": lambda chunks, n: Chunk(chunks[n].data + b"\0"),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_the_relay_invents_is_not_saved(
    at: Scene, tmp_path: Path, lie: Callable[[list[Chunk], int], Chunk], place: int
) -> None:
    file = send(at, at.bob, "alice", written(tmp_path / "film", content_of(6, 2 * CHUNK + 5)))
    honest = [at.world.ask("relay", GetChunk(file.blob, n), at.alice.party) for n in range(3)]
    changed = lie(honest, place)

    def deceive(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        return changed if isinstance(call, GetChunk) and call.index == place else reply

    at.world.network.on_reply = deceive
    with pytest.raises(RefusedError) as caught:
        fetched(at, at.alice, file, tmp_path / "in")
    assert caught.value.reason in {Reason.ATTACHMENT_INVALID, Reason.COMMITMENT_MISMATCH}
    assert list((tmp_path / "in").iterdir()) == []


def test_another_file_of_the_same_sender_is_not_taken_for_this_one(at: Scene, tmp_path: Path) -> None:
    mine, other = (upload(at, at.bob, written(tmp_path / str(n), content_of(n, CHUNK))) for n in (7, 8))

    def swap(_origin: Party, _to: Party, call: Call) -> Call:
        return replace(call, blob=other.blob) if isinstance(call, GetChunk) else call

    at.world.network.on_call = swap
    with pytest.raises(RefusedError):
        fetched(at, at.alice, mine, tmp_path / "in")
    with pytest.raises(RefusedError) as caught:
        fetched(at, at.alice, replace(mine, key=other.key), tmp_path / "in")
    assert caught.value.reason is Reason.ATTACHMENT_INVALID
    assert list((tmp_path / "in").iterdir()) == []


def test_a_claim_of_two_gigabytes_never_asks_for_a_chunk(at: Scene, tmp_path: Path) -> None:
    file = upload(at, at.bob, written(tmp_path / "small", b"small"))
    at.world.network.on_call = lambda _origin, _to, _call: pytest.fail("nothing may be asked")
    with pytest.raises(RefusedError) as caught:
        fetched(at, at.alice, replace(file, size=2 << 30), tmp_path / "in")
    assert caught.value.reason is Reason.TOO_LARGE
    assert list((tmp_path / "in").iterdir()) == []
    with pytest.raises(RefusedError) as caught:
        at.world.run(at.bob, SendFile("alice", PLAIN, replace(file, size=2 << 30)))
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_stuck_generator_gives_no_two_files_one_key(at: Scene, tmp_path: Path) -> None:
    at.bob._entropy = lambda: bytes(32)
    morning = at.world.store(at.bob.party).snapshot()
    keys = []
    for content in (b"one", b"two", b"one"):
        at.world.store(at.bob.party).restore(morning)  # a clone, or a backup that was put back
        keys.append(upload(at, at.bob, written(tmp_path / "file", content)).key)
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


# -- under a warrant ------------------------------------------------------------------------------


def opened(at: Scene) -> list[OpenedItem]:
    """File, sign and execute a warrant on Bob, for all that has been said."""
    at.pass_time(60 * MINUTE)
    warrant_id = at.apply()
    at.sign("issuer", ISSUERS[0], warrant_id)
    at.sign("approver", APPROVERS[0], warrant_id)
    at.settle()
    at.pass_time(2 * MINUTE)
    at.execute(warrant_id)
    items: list[OpenedItem] = list(at.world.run(at.agency, GetOpened(warrant_id)).items)
    return items


@settings(max_examples=3)
@given(st.binary(max_size=3000), st.sampled_from([0, CHUNK - 1000, 2 * CHUNK]))
@example(b"", 0)
def test_the_agency_recovers_the_bytes_that_the_receiver_has_and_no_other_file(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, more: int
) -> None:
    at, folder = scene().rewind("said"), tmp_path_factory.mktemp("files")
    content = head + bytes(more)
    send(at, at.bob, "alice", written(folder / "escrowed", content), ESCROW)
    received = fetched(at, at.alice, shown(at, at.alice).content, folder / "alice")
    plain = send(at, at.bob, "alice", written(folder / "plain", b"not escrowed"), PLAIN)
    others = send(at, at.alice, "bob", written(folder / "others", b"not the target"), ESCROW)

    items = opened(at)
    files = [item.file for item in items if item.file]
    assert [file.name for file in files] == ["escrowed"]
    saved = fetched(at, at.agency, files[0], folder / "agency")
    assert saved.read_bytes() == received.read_bytes() == content

    # With all that it has, the agency holds neither name nor key of the others.
    state = repr(at.world.store(at.agency.party).snapshot())
    for file in (plain, others):
        assert repr(file.blob)[2:-1] not in state
        assert repr(file.key.expose())[2:-1] not in state
    with pytest.raises(RefusedError):
        fetched(at, at.agency, replace(files[0], blob=plain.blob), folder / "agency")


def test_without_a_warrant_the_agency_opens_nothing(at: Scene, tmp_path: Path) -> None:
    file = send(at, at.bob, "alice", written(tmp_path / "secret", b"secret"))
    # Even if it learns the name, it has sealed bytes of a padded length.
    chunk = at.world.ask("relay", GetChunk(file.blob, 0), at.agency.party)
    assert b"secret" not in chunk.data
    with pytest.raises(RefusedError):
        fetched(at, at.agency, replace(file, key=type(file.key)(bytes(32))), tmp_path / "in")


def test_what_the_relay_has_forgotten_cannot_be_had_any_more(at: Scene, tmp_path: Path) -> None:
    send(at, at.bob, "alice", written(tmp_path / "old", b"old"))
    (file,) = (item.file for item in opened(at) if item.file)
    at.world.advance(50 * DAY)
    at.settle()
    for node in (at.alice, at.agency):
        with pytest.raises(EscrowError) as caught:
            fetched(at, node, file, tmp_path / "in")
        assert caught.value.reason is Reason.NOT_RETAINED


def test_no_secret_of_a_file_reaches_the_relay(at: Scene, tmp_path: Path) -> None:
    said: list[bytes] = []

    def listen(_origin: Party, to: Party, call: Call) -> Call:
        if to == RELAY and isinstance(call, PutChunk | Submit):
            said.append(encode_call(call))
        return call

    at.world.network.on_call = listen
    file = send(at, at.bob, "alice", written(tmp_path / "holiday-plans.txt", content_of(9, 5000)))
    heard = b"".join(said) + repr(at.world.store("relay").snapshot()).encode()
    for secret in (file.key.expose(), b"holiday-plans", content_of(9, 5000)[:64]):
        assert secret not in heard
