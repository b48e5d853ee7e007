"""The profiles that come with Doublelock, read from their TOML files."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from escrow.warrant.profile import Profile, parse_profile


@cache
def shipped_profiles() -> Mapping[str, Profile]:
    """Every profile by its name."""
    folder = files("escrow.warrant").joinpath("profiles")
    found = (parse_profile(one.read_text("utf-8")) for one in folder.iterdir() if one.name.endswith(".toml"))
    return MappingProxyType({profile.name: profile for profile in found})
