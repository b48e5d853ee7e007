"""The groups ``audit``, ``chat``, ``custody`` and ``warrant`` of ``doublelock``. Heavy imports wait until one runs."""

from escrow_client.auditing import verify
from escrow_client.chat import chat
from escrow_client.custody import custody
from escrow_client.grouping import group
from escrow_client.monitoring import monitor, report
from escrow_client.trust import audit, safety
from escrow_client.warrants import warrant

for command in (monitor, report, verify):
    audit.add_command(command)
chat.add_command(group)
chat.add_command(safety)

__all__ = ["audit", "chat", "custody", "warrant"]
