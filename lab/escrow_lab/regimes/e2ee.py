"""No access at all: the deployment with escrow off, which the others are measured against."""

from escrow.roles.device.state import PLAIN
from escrow_lab.deployed import Deployed
from escrow_lab.regime import Wish


class E2ee(Deployed):
    """PQXDH and the Double Ratchet over the relay; see ``Deployed``."""

    MODE = PLAIN
    WISH = Wish.NOTHING


REGIME = E2ee
