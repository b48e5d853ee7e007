"""When an entry came, as far as a monitor can say: between the head before and the first one with it.

Both are facts only about this monitor's own visits: who looks rarely knows little. So an alarm about time is raised
only if the end of the interval that speaks for the accused says so, too.
"""

from dataclasses import dataclass

from escrow.encoding import number, u64
from escrow.roles.machine import Draft, Read
from escrow.tlog.quorum import Head

_CAME = b"came/"


@dataclass(frozen=True, slots=True)
class Came:
    """After ``after_ms`` and not after ``by_ms``, by the witnesses' clock."""

    after_ms: int
    by_ms: int


def note_head(draft: Draft, before: Head | None, head: Head) -> None:
    """Remember that everything up to ``head`` that was not under ``before`` came in between."""
    after = before.time_ms if before is not None else 0
    draft.put(_CAME + u64(head.size), u64(after) + u64(head.time_ms))


def came(view: Read | Draft, index: int) -> Came:
    """When the entry at ``index``, which was followed, came."""
    found = next(view.scan(_CAME, after=_CAME + u64(index), limit=1), None)
    if found is None:
        raise AssertionError("what was followed is under a head")
    return Came(number(found[1][:8]), number(found[1][8:]))
