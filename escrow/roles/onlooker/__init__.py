"""Somebody who follows the whole log, with no office and no secret, and can tell how the custodians' ceremonies stand.

``role`` is the machine, ``standing`` what it can be asked. Custodians come to the same conclusions from the same log.
"""

from escrow.roles.onlooker.role import Onlooker

__all__ = ["Onlooker"]
