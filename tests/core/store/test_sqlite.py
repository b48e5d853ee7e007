"""What only the SQLite adapter promises: group commit, durability, refusal of damaged files, one writer."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from escrow.encoding import number, u64
from escrow.errors import IntegrityError, Reason, UnavailableError
from escrow.roles.machine import Read, Writes
from escrow.store.sqlite import SqliteStore
from escrow.testing.store_contract import append, count, fail, read, write

ACKNOWLEDGE = """
import asyncio, pathlib, sys
from escrow.store.sqlite import SqliteStore
from escrow.testing.store_contract import append, count

async def main():
    store = SqliteStore(pathlib.Path(sys.argv[1]))
    while True:
        for result in await asyncio.gather(*(store.commit(count) for _ in range(8))):
            print(result, flush=True)
        await store.commit(append)

asyncio.run(main())
"""


def transactions(path: Path) -> int:
    """How many transactions stand in the write-ahead log: frames that end one carry the database size."""
    data = Path(f"{path}-wal").read_bytes()
    page = int.from_bytes(data[8:12], "big")
    frames = [data[at : at + 24] for at in range(32, len(data) - 23, 24 + page)]
    return sum(int.from_bytes(frame[4:8], "big") > 0 for frame in frames)


def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    async def story() -> tuple[int, int]:
        store = SqliteStore(path)
        before = transactions(path)
        await asyncio.gather(*(store.commit(count) for _ in range(500)))
        used = transactions(path) - before
        await store.close()
        return before, used

    _, used = asyncio.run(story())
    assert used <= 2


def test_a_step_that_only_reads_or_fails_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    async def story() -> None:
        store = SqliteStore(path)
        await store.commit(count)
        before = transactions(path)
        await asyncio.gather(store.commit(read(b"count")), store.commit(fail), return_exceptions=True)
        assert transactions(path) == before
        await store.close()

    asyncio.run(story())


def test_many_stores_share_one_executor(tmp_path: Path) -> None:
    async def story() -> list[int]:
        with ThreadPoolExecutor(max_workers=1) as executor:
            stores = [SqliteStore(tmp_path / f"{name}.db", executor=executor) for name in range(3)]
            results = await asyncio.gather(*(store.commit(count) for store in stores for _ in range(3)))
            await asyncio.gather(*(store.close() for store in stores))
            return results

    assert asyncio.run(story()) == [1, 2, 3] * 3


def test_steps_run_on_one_thread_that_is_not_the_callers(tmp_path: Path) -> None:
    def where(_: Read) -> tuple[Writes, int]:
        return Writes(), threading.get_ident()

    async def story() -> set[int]:
        store = SqliteStore(tmp_path / "state.db")
        threads = set(await asyncio.gather(*(store.commit(where) for _ in range(5))))
        threads.add(await store.commit(where))
        await store.close()
        return threads

    threads = asyncio.run(story())
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_query_needs_no_thread_while_nothing_is_written_and_waits_for_what_is(tmp_path: Path) -> None:
    def where(view: Read) -> tuple[int, bytes | None]:
        return threading.get_ident(), view.get(b"count")

    async def story() -> None:
        store = SqliteStore(tmp_path / "state.db")
        assert await store.read(where) == (threading.get_ident(), None)
        writing = asyncio.ensure_future(store.commit(count))
        await asyncio.sleep(0)
        thread, seen = await store.read(where)
        assert (await writing, seen) == (1, u64(1))
        assert thread != threading.get_ident()
        await store.close()
        with pytest.raises(UnavailableError):
            await store.read(where)

    asyncio.run(story())


def test_a_follower_waits_for_records_to_come_and_hears_of_the_end(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteStore(tmp_path / "state.db")
        seen = []

        async def follow() -> None:
            async for place, _ in store.follow("numbers", 0):
                seen.append(place)

        follower = asyncio.ensure_future(follow())
        for _ in range(3):
            await store.commit(append)
            await asyncio.sleep(0.01)
        await store.commit(write(other=b"stream"))
        assert seen == [0, 1, 2]
        await store.close()
        with pytest.raises(UnavailableError):
            await follower

    asyncio.run(story())


def test_a_cancelled_caller_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteStore(tmp_path / "state.db")
        impatient = asyncio.ensure_future(store.commit(count))
        patient = asyncio.ensure_future(store.commit(count))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == 2
        await store.close()

    asyncio.run(story())


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with subprocess.Popen([sys.executable, "-c", ACKNOWLEDGE, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 400:
                break
        process.send_signal(signal.SIGKILL)
        acknowledged = max([400, *map(int, process.stdout.read().split("\n")[:-1])])

    async def story() -> tuple[bytes | None, int]:
        store = SqliteStore(path)
        total = await store.commit(read(b"count"))
        rounds = await store.commit(append)
        await store.close()
        return total, rounds

    total, rounds = asyncio.run(story())
    assert number(total or b"") >= acknowledged
    assert rounds >= acknowledged // 8 - 1


@pytest.mark.parametrize("damage", ["header", "page", "text", "foreign"])
def test_a_damaged_or_foreign_file_is_refused_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.db"

    async def fill() -> None:
        store = SqliteStore(path)
        for number_ in range(20):
            await store.commit(lambda _, n=number_: (Writes({bytes([n]): bytes(2000)}), None))  # type: ignore[misc]
        await store.close()

    asyncio.run(fill())
    data = bytearray(path.read_bytes())
    match damage:
        case "header":
            data[:16] = bytes(16)
        case "page":
            data[3 * 4096 : 4 * 4096] = b"\xff" * 4096
        case "text":
            data = bytearray(b"not a database at all, but long enough to have a header" * 3)
        case "foreign":
            path.unlink()
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE theirs (x)")
            data = bytearray(path.read_bytes())
    path.write_bytes(data)

    with pytest.raises(IntegrityError) as refusal:
        SqliteStore(path)

    assert refusal.value.reason is Reason.STORE_CORRUPT
    assert path.read_bytes() == bytes(data)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteStore(tmp_path / "state.db")
        with pytest.raises(UnavailableError) as refusal:
            SqliteStore(tmp_path / "state.db")
        assert refusal.value.reason is Reason.STORE_UNAVAILABLE
        assert await store.commit(count) == 1
        await store.close()

    asyncio.run(story())


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    asyncio.run(SqliteStore(path).close())
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    with pytest.raises(UnavailableError, match="newer version"):
        SqliteStore(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"state\.db"):
        SqliteStore(tmp_path / "absent" / "state.db")


def test_a_full_disk_acknowledges_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteStore(tmp_path / "state.db")
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        await store.commit(count)
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        large = store.commit(write(large=bytes(1 << 20)))
        results = await asyncio.gather(store.commit(count), large, return_exceptions=True)
        assert {getattr(result, "reason", None) for result in results} == {Reason.STORE_UNAVAILABLE}
        assert await store.commit(count) == 2
        await store.close()

    asyncio.run(story())


SECRET = b"a secret of forty bytes, never to be found"


@pytest.mark.parametrize("scrub", [True, False])
def test_a_step_that_scrubs_leaves_nothing_of_what_was_erased_in_any_file(tmp_path: Path, scrub: bool) -> None:
    """Without it the journal still shows what was: that is why it exists."""
    path = tmp_path / "state.db"

    def found() -> set[str]:
        return {one.name for one in tmp_path.iterdir() if SECRET in one.read_bytes()}

    async def story() -> None:
        store = SqliteStore(path)
        await store.commit(lambda _: (Writes({b"k": SECRET * 3}), None))
        await store.commit(lambda _: (Writes({b"k": SECRET}, scrub=True), None))
        await store.commit(lambda _: (Writes({b"k": None}, scrub=scrub), None))
        assert bool(found()) != scrub
        assert await store.commit(read(b"k")) is None
        await store.close()

    asyncio.run(story())
    assert found() == set()


def test_what_a_crash_left_in_the_journal_is_gone_after_the_next_start(tmp_path: Path) -> None:
    path, copy = tmp_path / "state.db", tmp_path / "copy.db"

    def crash() -> None:
        for end in ("", "-wal"):
            Path(f"{copy}{end}").write_bytes(Path(f"{path}{end}").read_bytes())

    def found() -> bool:
        return any(SECRET in one.read_bytes() for one in tmp_path.glob("copy.db*"))

    async def story() -> None:
        store = SqliteStore(path)
        await store.commit(lambda _: (Writes({b"k": SECRET}), None))
        await store.commit(lambda _: (Writes({b"k": None}), None))
        crash()
        await store.close()
        assert found()
        again = SqliteStore(copy)
        assert not found()
        await again.close()

    asyncio.run(story())
