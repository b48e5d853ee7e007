"""The same request, byte for byte, when the warrant has ended."""

from escrow.world.founding import DAY
from escrow.world.loop import complete
from escrow_lab.attack import ESCROWED, TARGET, Case, Outcome, answered
from escrow_lab.demo import warrants
from escrow_lab.deployed import OFFICE, Deployed

THREAT = "an agency repeats a request that was answered once, after the end of its warrant"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Wait three days, and ask again."""
    case = Case.opened(regime)
    stage = case.regime.stage
    complete(stage.advance_to(stage.now + 3 * DAY))
    complete(stage.settle())
    return answered(complete(warrants.repeat(stage, OFFICE, case.warrant_id, case.items(TARGET))))
