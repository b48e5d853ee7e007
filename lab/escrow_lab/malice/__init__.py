"""Custodians that break the rules of key generation, each rule once: ``deviations`` is the list of ways.

A malicious custodian runs the honest machine and alters what leaves it, so whatever it knows an honest one would have
known, too. It belongs to the laboratory: nothing that is deployed can be told to cheat.
"""
