"""How many examples a claim's property runs, as a share of what the profile asks for."""

from hypothesis import settings


def effort(share: float) -> settings:
    """Settings for a property that costs more, or less, than most."""
    return settings(max_examples=max(2, round(share * settings().max_examples)))
