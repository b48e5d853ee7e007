"""Calls between parties over real sockets: who is who, what is repeated, and what an error becomes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from escrow.errors import DeviationError, EscrowError, Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.roles.calls import AppendResult, Found, Lookup
from escrow.rpc import channel as channel_module
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.codec import decode_call, encode_reply
from escrow.rpc.endpoints import Endpoints
from escrow.rpc.identity import Credentials, DevelopmentAuthority, party_of
from escrow.rpc.methods import METHODS
from escrow.rpc.status import code_of, trailers

RELAY = Party("relay")
DEVICE = Party(f"device/{'ab' * 32}/1")
Behaviour = Callable[[bytes, Any], Awaitable[bytes]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    return DevelopmentAuthority.make(tmp_path_factory.mktemp("ca"))


@asynccontextmanager
async def serving(credentials: Credentials, behaviour: Behaviour, port: int = 0) -> AsyncIterator[str]:
    method = METHODS[Lookup]
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(behaviour)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(method.service, {method.name: handler}),))
    bound = server.add_secure_port(f"127.0.0.1:{port}", credentials.for_server())
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def calling(credentials: Credentials, endpoints: Any, patience: float = 0.0) -> AsyncIterator[GrpcTransport]:
    transport = GrpcTransport(credentials, endpoints, patience=patience)
    try:
        yield transport
    finally:
        await transport.close()


async def name_the_caller(data: bytes, context: Any) -> bytes:
    """Answer with the caller's party, and check that the request is what was asked."""
    assert decode_call(Lookup, data) == Lookup("bob")
    return encode_reply(Lookup, Found(party_of(context.auth_context()).encode()[:32]))


def failing(error: EscrowError) -> Behaviour:
    async def behaviour(_: bytes, context: Any) -> bytes:
        await context.abort(code_of(error), "", trailers(error))
        raise AssertionError

    return behaviour


def test_the_caller_is_whom_its_certificate_names(authority: DevelopmentAuthority) -> None:
    async def story() -> None:
        async with (
            serving(authority.issue(RELAY), name_the_caller) as address,
            calling(authority.issue(DEVICE), {RELAY: address}) as transport,
        ):
            assert await transport.call(DEVICE, RELAY, Lookup("bob")) == Found(DEVICE.encode()[:32])

    asyncio.run(story())


def test_a_party_speaks_only_for_itself(authority: DevelopmentAuthority) -> None:
    async def story() -> None:
        async with calling(authority.issue(DEVICE), {}) as transport:
            with pytest.raises(AssertionError):
                await transport.call(Party("log"), RELAY, Lookup("bob"))

    asyncio.run(story())


@pytest.mark.parametrize("impostor", ["custodian/1", "log"])
def test_no_part_answers_in_the_place_of_another(authority: DevelopmentAuthority, impostor: str) -> None:
    async def story() -> None:
        async with (
            serving(authority.issue(Party(impostor)), name_the_caller) as address,
            calling(authority.issue(DEVICE), {RELAY: address}) as transport,
        ):
            with pytest.raises(UnavailableError):
                await transport.call(DEVICE, RELAY, Lookup("bob"))

    asyncio.run(story())


def test_a_certificate_of_another_deployment_opens_nothing(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    stranger = DevelopmentAuthority.make(tmp_path)
    mixed = stranger.issue(DEVICE)
    trusting = Credentials(DEVICE, mixed.certificate, mixed.key, authority.issue(DEVICE).root)

    async def story() -> None:
        async with serving(authority.issue(RELAY), name_the_caller) as address:
            for credentials in (mixed, trusting):
                async with calling(credentials, {RELAY: address}) as transport:
                    with pytest.raises(UnavailableError):
                        await transport.call(DEVICE, RELAY, Lookup("bob"))

    asyncio.run(story())


def test_an_error_of_the_other_side_arrives_as_it_was_and_is_not_repeated(authority: DevelopmentAuthority) -> None:
    error = DeviationError(Reason.SHARE_INVALID, "index 3", culprits=["custodian/3"])
    asked = []

    async def behaviour(data: bytes, context: Any) -> bytes:
        asked.append(data)
        return await failing(error)(data, context)

    async def story() -> None:
        async with (
            serving(authority.issue(RELAY), behaviour) as address,
            calling(authority.issue(DEVICE), {RELAY: address}, patience=1.0) as transport,
        ):
            with pytest.raises(DeviationError) as raised:
                await transport.call(DEVICE, RELAY, Lookup("bob"))
            assert raised.value.culprits == {"custodian/3"}
            assert len(asked) == 1

    asyncio.run(story())


def test_what_a_peer_calls_unavailable_is_not_repeated_here(authority: DevelopmentAuthority) -> None:
    async def story() -> None:
        async with (
            serving(authority.issue(RELAY), failing(UnavailableError(Reason.UNAVAILABLE, "log"))) as address,
            calling(authority.issue(DEVICE), {RELAY: address}, patience=60.0) as transport,
        ):
            with pytest.raises(UnavailableError, match="log"):
                await transport.call(DEVICE, RELAY, Lookup("bob"))

    asyncio.run(story())


def test_a_call_is_repeated_until_its_party_is_back_under_whatever_address(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    relay = authority.issue(RELAY)
    endpoints = Endpoints(tmp_path)

    async def story() -> None:
        async with calling(authority.issue(DEVICE), endpoints, patience=5.0) as transport:
            async with serving(relay, name_the_caller) as address:
                endpoints.announce(RELAY, address)
                await transport.call(DEVICE, RELAY, Lookup("bob"))
            waiting = asyncio.ensure_future(transport.call(DEVICE, RELAY, Lookup("bob")))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            async with serving(relay, name_the_caller) as address:
                endpoints.announce(RELAY, address)
                assert await waiting == Found(DEVICE.encode()[:32])

    asyncio.run(story())


def test_a_party_that_was_silent_is_tried_only_once(authority: DevelopmentAuthority) -> None:
    async def story() -> None:
        async with calling(authority.issue(DEVICE), {}, patience=0.2) as transport:
            started = time.monotonic()
            with pytest.raises(UnavailableError):
                await transport.call(DEVICE, RELAY, Lookup("bob"))
            patient = time.monotonic() - started
            for _ in range(10):
                with pytest.raises(UnavailableError):
                    await transport.call(DEVICE, RELAY, Lookup("bob"))
            assert time.monotonic() - started < 2 * patient

    asyncio.run(story())


def test_a_party_that_does_not_answer_in_time_is_given_up(
    authority: DevelopmentAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "DEADLINE", 0.2)

    async def behaviour(_data: bytes, _context: Any) -> bytes:
        await asyncio.sleep(60)
        raise AssertionError

    async def story() -> None:
        async with (
            serving(authority.issue(RELAY), behaviour) as address,
            calling(authority.issue(DEVICE), {RELAY: address}) as transport,
        ):
            with pytest.raises(UnavailableError) as raised:
                await transport.call(DEVICE, RELAY, Lookup("bob"))
            assert raised.value.reason is Reason.TIMED_OUT

    asyncio.run(story())


def test_an_answer_that_is_not_the_one_encoding_is_refused(authority: DevelopmentAuthority) -> None:
    async def behaviour(_data: bytes, _context: Any) -> bytes:
        return encode_reply(Lookup, Found(b"a")) * 2

    async def story() -> None:
        async with (
            serving(authority.issue(RELAY), behaviour) as address,
            calling(authority.issue(DEVICE), {RELAY: address}) as transport,
        ):
            with pytest.raises(EscrowError) as raised:
                await transport.call(DEVICE, RELAY, Lookup("bob"))
            assert raised.value.reason is Reason.MALFORMED

    asyncio.run(story())


def test_jobs_run_together_and_all_end_before_an_error_is_raised(authority: DevelopmentAuthority) -> None:
    done = []

    async def work(place: int) -> AppendResult:
        await asyncio.sleep(0.01 * place)
        if place == 0:
            raise RefusedError(Reason.NOT_FOUND)
        done.append(place)
        return AppendResult(place, "")

    async def story() -> None:
        async with calling(authority.issue(DEVICE), {}) as transport:
            assert [result.index for result in await transport.together([work(2), work(1)])] == [2, 1]
            with pytest.raises(RefusedError):
                await transport.together([work(0), work(3)])

    asyncio.run(story())
    assert done == [1, 2, 3]
