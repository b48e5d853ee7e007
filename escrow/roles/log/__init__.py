"""The transparency log: ``role`` takes signed entries, ``publishing`` gets checkpoints of their tree cosigned."""

from escrow.roles.log.role import Log

__all__ = ["Log"]
