"""One pure machine per role. A role is ``handle(view, event, now, coins) -> (writes, result)`` and nothing else.

No machine here opens a socket, reads a clock or draws entropy; the drivers in ``escrow.node`` do.
"""
