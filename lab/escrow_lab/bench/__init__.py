"""Benchmarks: ours, the primitives that nobody can do without, and the peers that are installed, side by side.

Absolute values change from machine to machine and from minute to minute; what counts are ratios taken in one run.
"""
