"""What a sealed store shows to a thief, and what it does when somebody has been at it."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.e2ee import ratchet
from escrow.errors import IntegrityError, Reason
from escrow.roles.machine import Read, Writes
from escrow.roles.state import unpack
from escrow.secret import Secret
from escrow.store.memory import MemoryStore
from escrow.store.port import Step
from escrow.store.sealed import VALUES, SealedStore
from escrow.store.sqlite import SqliteStore
from escrow.testing.store_contract import read, write
from tests.core.e2ee.people import NOW, ratchet_pair

KEY = Secret(bytes(range(32)))
OTHER = Secret(bytes(range(1, 33)))
names = st.binary(min_size=1, max_size=3)
values = st.binary(min_size=8, max_size=40)

SENDER = """
import asyncio, hashlib, pathlib, sys
from escrow.e2ee import ratchet
from escrow.roles.machine import Writes
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from tests.core.e2ee.people import ratchet_pair

def say(view):
    known = view.get(b"session")
    state = ratchet_pair()[0] if known is None else unpack(known, ratchet.RatchetState)
    place = view.length("said")
    state, message = ratchet.encrypt(state, b"%d" % place, b"ad", hashlib.sha256(b"%d" % place).digest())
    return Writes({b"session": pack(state)}, (("said", message),)), message

async def main():
    store = SealedStore(SqliteStore(pathlib.Path(sys.argv[1])), Secret(bytes(range(32))))
    while True:
        for message in await asyncio.gather(*(store.commit(say) for _ in range(4))):
            print(message.hex(), flush=True)

asyncio.run(main())
"""


def filled(contents: dict[bytes, bytes], records: list[bytes]) -> tuple[MemoryStore, SealedStore]:
    inner = MemoryStore()
    store = SealedStore(inner, KEY, "store.db")
    asyncio.run(store.commit(lambda _: (Writes(dict(contents), tuple(("log", one) for one in records)), None)))
    return inner, store


def everything(view: Read) -> tuple[dict[bytes, bytes], list[bytes]]:
    return dict(view.scan(b"")), view.records("log", start=0, limit=100)


def refused(store: SealedStore) -> str:
    with pytest.raises(IntegrityError) as caught:
        asyncio.run(store.read(everything))
    assert caught.value.reason is Reason.STORE_CORRUPT
    return caught.value.detail


@given(st.dictionaries(names, values, max_size=5), st.lists(values, max_size=5))
def test_no_value_is_in_sight_and_equal_ones_look_different(contents: dict[bytes, bytes], records: list[bytes]) -> None:
    inner, store = filled(contents, records)
    kept, streams = inner.snapshot()
    seen = [*kept.values(), *streams.get("log", [])]
    assert not any(value in one for value in (*contents.values(), *records) for one in seen)
    assert len({one[:24] for one in seen}) == len({one[24:] for one in seen}) == len(contents) + len(records)
    assert asyncio.run(store.read(everything)) == (contents, records)


@given(st.dictionaries(names, values, min_size=1, max_size=3), st.lists(values, min_size=1, max_size=2), st.data())
def test_whatever_was_changed_is_named_and_left_as_it_is(
    contents: dict[bytes, bytes], records: list[bytes], data: st.DataObject
) -> None:
    inner, store = filled(contents, records)
    kept, streams = inner.snapshot()
    lists = streams["log"]
    in_stream = data.draw(st.booleans())
    key = data.draw(st.sampled_from(sorted(kept)))
    place = data.draw(st.integers(0, len(lists) - 1))
    victim = lists[place] if in_stream else kept[key]
    at = data.draw(st.integers(0, len(victim) - 1))
    harmed = data.draw(
        st.sampled_from(
            [victim[:at], victim + b"\0", victim[:at] + bytes([victim[at] ^ (1 << at % 8)]) + victim[at + 1 :]]
        )
    )
    if in_stream:
        lists[place] = harmed
    else:
        kept[key] = harmed
    inner.restore((kept, streams))
    before = inner.snapshot()
    detail = refused(store)
    assert detail.startswith("store.db: ")
    assert (f"number {place} of log" in detail) == in_stream
    assert not any(value.hex() in detail or repr(value) in detail for value in (*contents.values(), *records))
    with pytest.raises(IntegrityError):
        asyncio.run(store.commit(lambda view: (Writes({b"new": b"value"}), everything(view))))
    assert inner.snapshot() == before


@given(st.dictionaries(names, values, min_size=2, max_size=2), st.lists(values, min_size=2, max_size=2))
def test_what_was_put_in_anothers_place_does_not_open(contents: dict[bytes, bytes], records: list[bytes]) -> None:
    inner, store = filled(contents, records)
    original = inner.snapshot()
    one, other = sorted(original[0])

    def exchanged(*, value: bytes, record: bytes) -> None:
        kept, streams = inner.snapshot()
        kept[one], streams["log"][0] = value, record
        inner.restore((kept, streams))
        refused(store)
        inner.restore(original)

    first, second = original[1]["log"]
    exchanged(value=original[0][other], record=first)
    exchanged(value=original[0][one], record=second)
    exchanged(value=first, record=first)
    exchanged(value=original[0][one], record=original[0][one])
    assert asyncio.run(store.read(everything)) == (contents, records)


def test_another_key_opens_nothing() -> None:
    inner, _ = filled({b"me": b"a secret thing"}, [])
    assert refused(SealedStore(inner, OTHER, "theirs.db")) == "theirs.db: me"


def test_the_place_is_named_so_that_people_can_read_it() -> None:
    inner, store = filled({b"session/" + bytes([7, 255]): b"value"}, [])
    kept, streams = inner.snapshot()
    inner.restore((dict.fromkeys(kept, b""), streams))
    assert refused(store) == "store.db: session/07ff"


def test_a_damaged_value_stops_only_what_reads_it() -> None:
    inner, store = filled({b"good": b"1", b"bad": b"2"}, [])
    kept, streams = inner.snapshot()
    inner.restore((kept | {VALUES + b"bad": b"x" * 60}, streams))
    assert asyncio.run(store.commit(read(b"good"))) == b"1"
    with pytest.raises(IntegrityError):
        asyncio.run(store.read(lambda view: view.last(b"bad")))


SECRET = b"a secret that nobody else must see"


@pytest.mark.parametrize("erased", [False, True])
def test_the_files_hold_no_value_in_the_clear(tmp_path: Path, *, erased: bool) -> None:
    path = tmp_path / "store.db"

    def files(*suffixes: str) -> list[bytes]:
        return [Path(f"{path}{suffix}").read_bytes() for suffix in suffixes]

    async def story(*, sealed: bool) -> list[bytes]:
        inner = SqliteStore(path)
        store = SealedStore(inner, KEY) if sealed else inner
        await store.commit(write(me=SECRET))
        await store.commit(lambda _: (Writes(appends=(("log", SECRET),)), None))
        if erased:
            await store.commit(lambda _: (Writes({b"me": None}), None))
        found = files("", "-wal")
        await store.close()
        return found + files("")

    assert not any(SECRET in data for data in asyncio.run(story(sealed=True)))
    path.unlink()
    assert any(SECRET in data for data in asyncio.run(story(sealed=False)))


def test_what_was_erased_or_replaced_is_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def story(step: Step[None]) -> None:
        store = SqliteStore(path)
        await store.commit(step)
        await store.close()

    asyncio.run(story(write(me=SECRET, you=SECRET[::-1])))
    assert SECRET in path.read_bytes()
    asyncio.run(story(lambda _: (Writes({b"me": None, b"you": b"short"}), None)))
    assert SECRET not in path.read_bytes()
    assert SECRET[::-1] not in path.read_bytes()


def test_kill_9_loses_no_message_and_no_key_is_used_twice(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged: list[str] = []
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", SENDER, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                acknowledged.append(line.strip())
                if len(acknowledged) % 60 == 0:
                    break
            process.send_signal(signal.SIGKILL)
            acknowledged += process.stdout.read().split("\n")[:-1]

    async def story() -> tuple[list[bytes], bytes]:
        store = SealedStore(SqliteStore(path), KEY)
        said = await store.read(lambda view: view.records("said", start=0, limit=1 << 20))
        session = await store.read(lambda view: view.get(b"session"))
        await store.close()
        assert session is not None
        return said, session

    said, session = asyncio.run(story())
    assert [one for one in acknowledged if one not in {message.hex() for message in said}] == []
    assert unpack(session, ratchet.RatchetState).sent == len(said)
    bob = ratchet_pair()[1]
    for place, message in enumerate(said):
        bob, text = ratchet.decrypt(bob, message, b"ad", NOW)
        assert text == b"%d" % place
    assert bob.received == len(said) >= 120
