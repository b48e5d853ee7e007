"""End-to-end encryption between two devices: PQXDH, Double Ratchet, sessions, and who is in a conversation.

Nothing here knows escrow: a session carries a mode and a policy lineage as opaque pins, and that is all.
"""
