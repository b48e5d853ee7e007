"""All adapters keep the laws of the port."""

from pathlib import Path

from escrow.secret import Secret
from escrow.store import MemoryStore, Store
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from escrow.testing.store_contract import DurableStoreContract, StoreContract


class TestMemory(StoreContract):
    def open(self, folder: Path) -> Store:
        return MemoryStore()


class TestSqlite(DurableStoreContract):
    def open(self, folder: Path) -> Store:
        return SqliteStore(folder / "state.db")


KEY = Secret(bytes(range(32)))


class TestSealedMemory(StoreContract):
    def open(self, folder: Path) -> Store:
        return SealedStore(MemoryStore(), KEY)


class TestSealedSqlite(DurableStoreContract):
    def open(self, folder: Path) -> Store:
        return SealedStore(SqliteStore(folder / "state.db"), KEY)
