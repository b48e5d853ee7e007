"""The laws of the Store port. Every adapter inherits them; a new one needs nothing but ``open``.

The model is two dictionaries. ``DurableStoreContract`` adds the laws of adapters that keep something beyond the
life of the object.
"""
# ruff: noqa: D102 - the name of a law is its sentence

import asyncio
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.encoding import number, u64
from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.roles.machine import Draft, Read, Writes
from escrow.store.port import Step, Store

R = TypeVar("R")
Change = dict[str, Any]
"""What one step does: its ``puts`` and ``appends``, or that it ``fails``."""

KEYS = st.binary(max_size=3).map(lambda key: key.replace(b"\x01", b"\xff")) | st.sampled_from([b"a", b"ab", b"b"])
CHANGES = st.lists(
    st.fixed_dictionaries(
        {
            "puts": st.dictionaries(KEYS, st.none() | st.binary(max_size=4), max_size=4),
            "appends": st.lists(st.tuples(st.sampled_from(["mail", "log"]), st.binary(max_size=4)), max_size=3),
            "fails": st.booleans(),
        }
    ),
    max_size=8,
)
QUERIES = st.tuples(KEYS, KEYS, st.integers(0, 5))


def write(**values: bytes) -> Step[None]:
    """A step that puts ``values`` under their names."""
    return lambda _: (Writes({name.encode(): value for name, value in values.items()}), None)


def read(key: bytes) -> Step[bytes | None]:
    """A step that reads and changes nothing."""
    return lambda view: (Writes(), view.get(key))


def count(view: Read) -> tuple[Writes, int]:
    """A step that adds one to a counter."""
    value = number(view.get(b"count") or u64(0)) + 1
    return Writes({b"count": u64(value)}), value


def append(view: Read) -> tuple[Writes, int]:
    """A step that appends its own number."""
    place = view.length("numbers")
    return Writes(appends=(("numbers", u64(place)),)), place


def fail(_: Read) -> tuple[Writes, None]:
    """A step that refuses."""
    raise RefusedError(Reason.NAME_TAKEN)


class StoreContract(ABC):
    """Inherit, name it ``Test…``, and say how a store over ``folder`` is opened."""

    @abstractmethod
    def open(self, folder: Path) -> Store:
        """A store over what ``folder`` holds."""

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run one test's coroutine."""
        return asyncio.run(work)

    # -- steps ----------------------------------------------------------------------------------

    def test_a_step_sees_what_steps_before_it_wrote(self, tmp_path: Path) -> None:
        async def story() -> bytes | None:
            store = self.open(tmp_path)
            await store.commit(write(colour=b"red"))
            await store.commit(write(colour=b"blue"))
            value = await store.commit(read(b"colour"))
            await store.close()
            return value

        assert self.run(story()) == b"blue"

    def test_none_deletes(self, tmp_path: Path) -> None:
        async def story() -> None:
            store = self.open(tmp_path)
            await store.commit(write(colour=b"red"))
            await store.commit(lambda _: (Writes({b"colour": None, b"absent": None}), None))
            assert await store.commit(read(b"colour")) is None
            assert await store.commit(lambda view: (Writes(), list(view.scan(b"")))) == []
            await store.close()

        self.run(story())

    def test_steps_that_run_together_do_not_lose_each_other(self, tmp_path: Path) -> None:
        async def story() -> list[int]:
            store = self.open(tmp_path)
            results = await asyncio.gather(*(store.commit(count) for _ in range(50)))
            await store.close()
            return results

        assert self.run(story()) == list(range(1, 51))

    def test_a_failed_change_leaves_the_old_state_and_its_neighbours_alone(self, tmp_path: Path) -> None:
        async def story() -> None:
            store = self.open(tmp_path)
            steps: list[Step[Any]] = [count, fail, count]
            first, failed, second = await asyncio.gather(*map(store.commit, steps), return_exceptions=True)
            assert (first, second) == (1, 2)
            assert isinstance(failed, RefusedError)
            assert await store.commit(count) == 3
            await store.close()

        self.run(story())

    def test_a_bug_in_a_step_reaches_its_caller(self, tmp_path: Path) -> None:
        async def story() -> None:
            store = self.open(tmp_path)
            with pytest.raises(ZeroDivisionError):
                await store.commit(lambda view: (Writes(), view.length("numbers") // 0))
            assert await store.commit(count) == 1
            await store.close()

        self.run(story())

    def test_a_query_sees_all_that_was_committed_and_nothing_else(self, tmp_path: Path) -> None:
        async def story() -> None:
            store = self.open(tmp_path)
            assert await store.read(lambda view: view.get(b"count")) is None
            queries = (store.read(lambda view: view.get(b"count")) for _ in range(3))
            one, *seen = await asyncio.gather(store.commit(count), *queries)
            assert one == 1
            assert set(seen) <= {None, u64(1)}
            assert await store.read(lambda view: view.get(b"count")) == u64(1)
            with pytest.raises(ZeroDivisionError):
                await store.read(lambda view: view.length("numbers") // 0)
            await store.close()

        self.run(story())

    def test_any_steps_read_what_the_model_holds(self) -> None:
        @example(changes=[{"puts": {b"": b""}, "appends": [], "fails": False}], queries=[(b"", b"", 0)], together=True)
        @given(changes=CHANGES, queries=st.lists(QUERIES, max_size=4), together=st.booleans())
        def law(changes: list[Change], queries: list[tuple[bytes, bytes, int]], *, together: bool) -> None:
            with tempfile.TemporaryDirectory() as folder:
                self.run(self._compare_with_model(Path(folder), changes, queries, together=together))

        law()

    async def _compare_with_model(
        self, folder: Path, changes: list[Change], queries: list[tuple[bytes, bytes, int]], *, together: bool
    ) -> None:
        model, streams = _model(changes)

        def compare(view: Read) -> tuple[Writes, None]:
            _compare(view, model, streams, queries)
            return Writes(), None

        store = self.open(folder)
        if together:
            # In one batch the comparison reads through pending writes, alone it reads what was committed.
            steps: list[Step[None]] = [*map(_step, changes), compare]
            *results, last = await asyncio.gather(*map(store.commit, steps), return_exceptions=True)
            assert [isinstance(result, RefusedError) for result in results] == [c["fails"] for c in changes]
            assert last is None, last
        else:
            for change in changes:
                await asyncio.gather(store.commit(_step(change)), return_exceptions=True)
        await store.commit(compare)
        await store.close()

    def test_a_draft_on_the_view_owes_and_settles(self, tmp_path: Path) -> None:
        def step(view: Read) -> tuple[Writes, int]:
            draft = Draft(view)
            draft.put(b"x/2", b"")
            draft.put(b"x/1", b"")
            return draft.writes(), len(list(draft.scan(b"x/")))

        async def story() -> None:
            store = self.open(tmp_path)
            assert list(await asyncio.gather(store.commit(step), store.commit(step))) == [2, 2]
            await store.close()

        self.run(story())

    # -- streams --------------------------------------------------------------------------------

    def test_a_follower_gets_every_record_once_and_in_order(self, tmp_path: Path) -> None:
        async def story() -> None:
            store = self.open(tmp_path)
            await asyncio.gather(*(store.commit(append) for _ in range(600)))
            seen: list[tuple[int, bytes]] = []
            async for item in store.follow("numbers", 3):
                seen.append(item)
                if len(seen) == 597:
                    break
            assert seen == [(place, u64(place)) for place in range(3, 600)]
            await store.close()

        self.run(story())


class DurableStoreContract(StoreContract):
    """The laws of adapters whose state outlives the object."""

    def test_what_was_committed_is_there_after_a_restart(self, tmp_path: Path) -> None:
        async def story() -> None:
            store = self.open(tmp_path)
            await asyncio.gather(*(store.commit(count) for _ in range(5)), store.commit(append))
            await store.close()
            again = self.open(tmp_path)
            assert await again.commit(count) == 6
            assert await again.commit(append) == 1
            await again.close()

        self.run(story())

    def test_close_finishes_what_was_queued_and_then_takes_nothing_more(self, tmp_path: Path) -> None:
        async def story() -> None:
            store = self.open(tmp_path)
            queued = [asyncio.ensure_future(store.commit(count)) for _ in range(5)]
            await asyncio.sleep(0)
            await store.close()
            assert await asyncio.gather(*queued) == [1, 2, 3, 4, 5]
            with pytest.raises(UnavailableError):
                await store.commit(count)
            await store.close()

        self.run(story())


def _step(change: Change) -> Step[None]:
    def run(_: Read) -> tuple[Writes, None]:
        if change["fails"]:
            raise RefusedError(Reason.NAME_TAKEN)
        return Writes(change["puts"], tuple(change["appends"])), None

    return run


def _model(changes: list[Change]) -> tuple[dict[bytes, bytes], dict[str, list[bytes]]]:
    values: dict[bytes, bytes | None] = {}
    streams: dict[str, list[bytes]] = {"log": [], "mail": []}
    for change in changes:
        if not change["fails"]:
            values.update(change["puts"])
            for stream, record in change["appends"]:
                streams[stream].append(record)
    return {key: value for key, value in values.items() if value is not None}, streams


def _compare(
    view: Read,
    model: dict[bytes, bytes],
    streams: dict[str, list[bytes]],
    queries: list[tuple[bytes, bytes, int]],
) -> None:
    for prefix, after, limit in queries:
        matching = [(key, value) for key, value in sorted(model.items()) if key.startswith(prefix)]
        assert (
            list(view.scan(prefix, after=after, limit=limit))
            == [(key, value) for key, value in matching if key > after or (key == after == b"" != prefix)][:limit]
        )
        assert view.last(prefix) == (matching[-1] if matching else None)
        assert view.get(prefix) == model.get(prefix)
        for stream, records in streams.items():
            assert view.length(stream) == len(records)
            assert view.records(stream, start=len(after), limit=limit) == records[len(after) :][:limit]
