"""The one call that no role answers: a laboratory asks a part's driver to do what is due now."""

from escrow.roles.calls import Call, Reply


class Settled(Reply, frozen=True):
    """``next_due``: when something falls due next (ms of the lab clock), 0 if nothing does."""

    next_due: int


class Settle(Call, frozen=True):
    """Tick once and deliver everything that follows."""

    answer = Settled
    durable = False
