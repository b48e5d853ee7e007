"""An answered request once more, altered, or with another key for the answers."""

from escrow.crypto.hpke import RecipientKey
from escrow.world.loop import complete
from escrow_lab.attack import ESCROWED, TARGET, Case, Outcome, answered
from escrow_lab.demo import warrants
from escrow_lab.deployed import OFFICE, Deployed

THREAT = "somebody repeats an answered request with other bytes, or so that the shares go to another key"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Both, at every custodian."""
    case = Case.opened(regime)
    stage, items = case.regime.stage, case.items(TARGET)
    other, everybody = RecipientKey.from_seed(bytes(32)), list(stage.genesis.custodian_keys)
    altered, rekeyed = complete(warrants.replays(stage, OFFICE, case.warrant_id, items, other, everybody))
    both = {
        f"{party} ({what})": reason
        for what, said in (("altered", altered), ("key", rekeyed))
        for party, reason in said.items()
    }
    return answered(both)
