"""An agency writes as its target, with a key that it was lawfully given."""

from escrow.world.loop import complete
from escrow_lab.attack import ESCROWED, OTHER, TARGET, Case, Outcome, Prevented, Succeeded
from escrow_lab.demo import villains, warrants
from escrow_lab.deployed import OFFICE, Deployed

THREAT = "an agency puts new words under a released seed and into its target's mouth, with the relay's help"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Through the honest relay from a device of its own, then by a relay that signs anything."""
    case = Case.opened(regime)
    stage = regime.stage
    released = complete(warrants.released_seed(stage, OFFICE, case.warrant_id))
    if released is None:
        raise AssertionError(f"the warrant on {TARGET} has released something")
    forgery = villains.Forgery.make(*released, "Meet me at the old mill. Come alone.")
    complete(stage.register(["mallory"]))
    at_relay = complete(villains.submit_forgery(stage, stage.device("mallory"), stage.device(OTHER), forgery))
    with_relay = complete(villains.deliver_forgery(stage, stage.device(OTHER), forgery, stage.now))
    if at_relay and with_relay:
        return Prevented("the relay, and the device that it is delivered to", f"{at_relay}, {with_relay}")
    return Succeeded(f"{OTHER} reads what {TARGET} never wrote")
