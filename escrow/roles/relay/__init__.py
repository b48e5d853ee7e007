"""The relay: stores and forwards, signs for what it takes, and produces what a warrant covers.

``role`` is the machine; ``checks`` is the list that an item must pass, ``accepting`` what becomes of it then;
``routes`` and ``prekeys`` hold what devices tell it, ``mailbox`` what it took, ``blobs`` attachments, ``ingest`` its
tree of receipts; ``producing`` is what it hands over under a warrant.
"""

from escrow.roles.relay.role import Relay

__all__ = ["Relay"]
