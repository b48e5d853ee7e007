"""Both adapters keep the laws of the port."""

from pathlib import Path

from escrow.store import MemoryStore, Store
from escrow.store.sqlite import SqliteStore
from escrow.testing.store_contract import DurableStoreContract, StoreContract


class TestMemory(StoreContract):
    def open(self, folder: Path) -> Store:
        return MemoryStore()


class TestSqlite(DurableStoreContract):
    def open(self, folder: Path) -> Store:
        return SqliteStore(folder / "state.db")
