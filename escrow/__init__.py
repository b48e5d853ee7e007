"""The Doublelock protocol library: pure roles, and the few modules that touch the outside world.

Research software. Never for real communications: see ``threat_model.md``.
"""

__version__ = "0.1.0"
