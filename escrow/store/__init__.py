"""The one Store port and its adapters. Only adapters know how state is kept."""

from escrow.store.memory import MemoryStore
from escrow.store.port import Step, Store

__all__ = ["MemoryStore", "Step", "Store"]
