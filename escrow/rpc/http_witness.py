"""Witnesses that speak tlog-witness over HTTP, as a log calls them: a transport in front of everybody else's."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Final, TypeVar, final
from urllib.parse import urlsplit

from escrow.errors import Reason, UnavailableError
from escrow.ids import Party
from escrow.roles.calls import AddCheckpoint, Call, Reply
from escrow.roles.pages import Page, read_cosigned
from escrow.rpc.channel import GrpcTransport
from escrow.tlog.witnessing import Request

R = TypeVar("R")

DEADLINE: Final = 5.0
"""Seconds without a byte."""
MOST_ANSWER: Final = 1 << 20


@final
class WithHttpWitnesses:
    """``escrow.node.Transport``: checkpoints to the witnesses in ``prefixes`` (party -> URL) go there, all else on."""

    def __init__(self, inner: GrpcTransport, prefixes: Mapping[Party, str]) -> None:
        self._inner = inner
        self._prefixes = prefixes

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        """See ``Transport.call``."""
        if not isinstance(call, AddCheckpoint) or to not in self._prefixes:
            return await self._inner.call(origin, to, call)
        page = await asyncio.to_thread(_post, self._prefixes[to], call.request)
        return read_cosigned(page, Request.parse(call.request).checkpoint.size)

    async def together(self, jobs: Sequence[Awaitable[R]]) -> list[R]:
        """See ``Transport.together``."""
        return await self._inner.together(jobs)

    async def close(self) -> None:
        """Close the inner transport; a request is a connection of its own and leaves nothing."""
        await self._inner.close()


def _post(prefix: str, body: bytes) -> Page:
    parts = urlsplit(prefix)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=DEADLINE)
    try:
        connection.request("POST", f"{parts.path.rstrip('/')}/add-checkpoint", body)
        answer = connection.getresponse()
        said = answer.read(MOST_ANSWER)
        return Page(answer.status, said, answer.getheader("Content-Type") or "")
    except (OSError, HTTPException) as error:
        raise UnavailableError(Reason.UNAVAILABLE, f"a witness at {prefix}: {type(error).__name__}") from error
    finally:
        connection.close()
