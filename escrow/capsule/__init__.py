"""The subject of the study: what binds an escrow to a message, and how it is opened again.

Label, chain, header, body, envelope, submission and receipt are hot objects: byte strings of fixed layout, carried and
hashed as they came. Schemes turn a seed into a capsule; ``combine`` turns shares back into the seed.
"""
