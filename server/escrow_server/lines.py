"""Log lines: one JSON object a line, in the part's own folder."""

from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger

INFO = 20


def open_log(path: Path, party: str) -> tuple[FilteringBoundLogger, TextIO]:
    """A logger that appends to ``path`` with ``party`` in every line, and the file to close at the end."""
    file = path.open("a", encoding="utf-8")
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(INFO),
        cache_logger_on_first_use=True,
    )
    return logger.bind(party=party), file
