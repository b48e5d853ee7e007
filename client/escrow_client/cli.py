"""The groups ``chat`` and ``warrant`` of the command ``doublelock``. Heavy imports wait until a command runs."""

from escrow_client.chat import chat
from escrow_client.warrants import warrant

__all__ = ["chat", "warrant"]
