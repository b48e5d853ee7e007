"""A text as a QR code that a terminal can show: two rows of modules in one line of characters."""

from typing import Final

import segno

_HALVES: Final = {(0, 0): "\u2588", (0, 1): "\u2580", (1, 0): "\u2584", (1, 1): " "}
"""By the upper and the lower module, 1 for dark: light ones are drawn, since most terminals are dark."""


def drawn(text: str) -> str:
    """The code with its quiet zone, error correction M; lines without an end."""
    rows = [list(row) for row in segno.make_qr(text, error="m", boost_error=False).matrix_iter(border=4)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(_HALVES[up, down] for up, down in zip(*pair, strict=True)) for pair in pairs)
