"""Ask libraries the same thing once: all parties of a World live in one process, and check the same signatures.

What is remembered are pure functions of libraries, never our own. Whatever the product asks, and whenever, it still
asks, and hears what the library answers; a refusal is an exception, and is never remembered.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final

from nacl import bindings

MOST: Final = 1 << 14
"""Answers that are kept of each function."""

_OF_SODIUM: Final = (
    "crypto_core_ed25519_is_valid_point",
    "crypto_scalarmult_ed25519_noclamp",
    "crypto_sign_open",
    "crypto_sign_seed_keypair",
)


def remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, asked once for each combination of arguments that it answers."""
    known = lru_cache(MOST)(function)

    @wraps(function)
    def ask(*arguments: Any) -> Any:
        try:
            return known(*arguments)
        except TypeError:  # an argument that cannot be remembered, or a refusal by the library itself
            return function(*arguments)

    return ask


def apply() -> None:
    """To be called before anything of the product is imported: it imports these functions by name."""
    for name in _OF_SODIUM:
        setattr(bindings, name, remembering(getattr(bindings, name)))
    try:
        from kyber_py.ml_kem.ml_kem import ML_KEM
    except ImportError:
        return  # the extra ``pq`` is not here, nor is what uses it
    ML_KEM._encaps_internal = remembering(ML_KEM._encaps_internal)
