"""The authority: ``role`` is the desk for applications, locks and seals; ``standing`` says where a warrant stands."""

from escrow.roles.authority.role import Authority

__all__ = ["Authority"]
