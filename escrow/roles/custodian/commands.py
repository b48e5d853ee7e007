"""What the people who run a custodian tell it. Not for the wire: it takes commands from itself alone."""

from escrow.roles.calls import Call, Done


class Refresh(Call, frozen=True):
    """Propose that the custodians of a period replace their shares by new ones of the same key."""

    answer = Done
    period: int
