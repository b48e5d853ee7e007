"""The monitor: anybody's machine that follows the log, counts what happened and says what should not have."""

from escrow.roles.monitor.role import Monitor

__all__ = ["Monitor"]
