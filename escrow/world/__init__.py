"""The World: every role in one thread, under a virtual clock, with seeded entropy and a network that obeys.

Simulator, attacks, demo and study stand on it. It is not a mock: the roles, the drivers and the cryptography
are those of the services; only clock, entropy, store and transport are its own.
"""
