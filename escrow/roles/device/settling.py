"""What is settled: shown or refused for good, so that the same once more is no second message. Not for ever.

What is forgotten is not shown twice: its key is used up, in a session, a chain and under a sender key alike. It would
only be asked for again, and a sender answers that no longer than ``SAID_AGAIN``: so long a name is kept, and a day.
"""

from escrow.encoding import number, u64
from escrow.ids import Millis
from escrow.roles.device.retrying import SAID_AGAIN
from escrow.roles.machine import Draft, Read

KEPT = SAID_AGAIN + 24 * 3600 * 1000
"""How long a name is kept, in ms from when it was settled."""

_NAME, _WHEN = b"settled/", b"settled-when/"
_AT_ONCE = 4
"""Names that one settling forgets at most: more than it adds, so that none stays."""


def is_settled(view: Read | Draft, name: bytes) -> bool:
    """Whether what has this name (32 bytes) was settled not long ago."""
    return view.get(_NAME + name) is not None


def settle(draft: Draft, name: bytes, now: Millis) -> None:
    """It is shown or refused for good."""
    draft.put(_NAME + name, b"")
    draft.put(_WHEN + u64(now) + name, b"")
    for key in [key for key, _ in draft.scan(_WHEN, limit=_AT_ONCE)]:
        # SPEC RCV-17: names go when nobody says again what they stand for.
        if number(key[len(_WHEN) :][:8]) + KEPT <= now:
            draft.delete(key)
            draft.delete(_NAME + key[len(_WHEN) + 8 :])
