"""The warrant: its documents, its states, its two locks, its scope, its seal and the requests made under it.

Everything here is decided from bytes and arguments. What a custodian does with the decisions (quotas, clocks,
its own view of the log) is the custodian's, not this package's.
"""
