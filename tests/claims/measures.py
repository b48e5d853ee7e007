"""How hard a claim is tried: what its tests count, and how many examples they ask for."""

from collections.abc import Callable

from hypothesis import settings

Census = Callable[[str], None]
"""Counts an event, such as "accepted" or "refused", for the claim of the module; see ``conftest``."""


def effort(share: float) -> settings:
    """Settings for a property that costs more, or less, than most: a share of the examples the profile asks for."""
    return settings(max_examples=max(2, round(share * settings().max_examples)))
