"""How hard the tests search, and where the published vectors are. Nothing here knows the product."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Verbosity, settings

from tests import thrift

thrift.apply()

ROOT = Path(__file__).resolve().parent.parent

# Keys, proofs and whole runs are slow to draw and large; how slow depends on the machine. All other checks stay on.
_SLOW_IS_NO_ERROR = (HealthCheck.too_slow, HealthCheck.data_too_large)

# Hypothesis would pick its own "ci" profile where it sees a CI; that one explores nothing new. Ours are chosen by name.
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_SLOW_IS_NO_ERROR)
settings.register_profile("gate", settings.get_profile("dev"), max_examples=100, derandomize=True, database=None)
settings.register_profile("explore", settings.get_profile("dev"), max_examples=1_000, print_blob=True)
settings.register_profile(
    "nightly",
    settings.get_profile("explore"),
    max_examples=20_000,
    stateful_step_count=200,
    verbosity=Verbosity.normal,
)
settings.load_profile(os.environ.get("DOUBLELOCK_PROFILE", "dev"))


def shared() -> Path:
    """The folder of published vectors and recorded data; skips the calling test where there is none."""
    folder = Path(os.environ.get("ESCROW_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"published vectors and data are not here: ESCROW_SHARED names no folder ({folder})")
    return folder


@pytest.fixture(name="shared", scope="session")
def _shared() -> Path:
    return shared()
