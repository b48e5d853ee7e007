"""A custodian: one holder of a share, who decides every release anew from signed and logged bytes.

``role`` is the machine; ``generation`` makes the committee's key with the other custodians, ``decision`` is the list
of checks, ``release`` what follows from its verdict, ``orders`` what stops a warrant at once, ``state`` what is kept.
"""

from escrow.roles.custodian.role import Custodian

__all__ = ["Custodian"]
