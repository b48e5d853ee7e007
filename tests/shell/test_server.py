"""The services as real processes on loopback: who gets in, what is refused, how they start and how they end."""

import asyncio
import json
import signal
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from escrow.cli import BANNER, run
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.roles.calls import AddCheckpoint, Append, Appended, Call, GetBundle, GetHead, GetPath, Head, Record
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.codec import encode_call
from escrow.rpc.home import Home
from escrow.rpc.identity import server_name
from escrow.rpc.methods import METHODS, service_of
from escrow.rpc.settle import Settle, Settled
from escrow.rpc.status import from_rpc
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.quorum import verify_head
from escrow_server.access import CALLERS
from escrow_server.deployment import ensure
from escrow_server.gate import REQUEST_ID
from tests.shell.processes import Part, running

R = TypeVar("R")
LOG = Party("log")
ONLOOKER = Party("person/onlooker")
DEVICE = Party(f"device/{'ab' * 32}/1")
CANARY = b"canary-that-no-log-line-may-repeat"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return ensure(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def parts(home: Home) -> Iterator[list[Part]]:
    with running(home.folder, ("log", None), ("witness", 1), ("witness", 2), ("witness", 3)) as started:
        yield started


@pytest.fixture(scope="module")
def log(parts: list[Part]) -> Part:
    return parts[0]


def ask(home: Home, origin: Party, call: Call, to: Party = LOG) -> Any:
    """One call over a connection of its own."""

    async def story() -> Any:
        transport = GrpcTransport(home.issue(origin), home.endpoints)
        try:
            return await transport.call(origin, to, call)
        finally:
            await transport.close()

    return asyncio.run(story())


def raw(
    part: Part, credentials: grpc.ChannelCredentials | None, use: Callable[[grpc.aio.Channel], Awaitable[R]]
) -> R | EscrowError:
    """Use a bare channel to the log; return the error that a client would raise, if there is one."""

    async def story() -> R | EscrowError:
        name = [("grpc.ssl_target_name_override", server_name(LOG))]
        channel = (
            grpc.aio.insecure_channel(part.address)
            if credentials is None
            else grpc.aio.secure_channel(part.address, credentials, name)
        )
        try:
            return await use(channel)
        except grpc.aio.AioRpcError as error:
            return from_rpc(error, "log")
        finally:
            await channel.close(grace=None)

    return asyncio.run(story())


def send(call: Call, data: bytes | None = None, *, timeout: float | None = 5.0, **metadata: str) -> Any:
    async def use(channel: grpc.aio.Channel) -> Any:
        method = channel.unary_unary(METHODS[type(call)].path, request_serializer=None, response_deserializer=None)
        headers = tuple((key.replace("_", "-"), value) for key, value in metadata.items())
        return await method(encode_call(call) if data is None else data, timeout=timeout, metadata=headers)

    return use


def lines(home: Home, party: Party = LOG) -> list[dict[str, Any]]:
    text = (home.part_folder(party) / "log.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# -- while they serve -----------------------------------------------------------------------------


def test_a_part_says_where_it_listens_and_that_this_is_research(home: Home, log: Part) -> None:
    assert log.ready["event"] == "serving"
    assert log.ready["party"] == "log"
    assert home.endpoints[LOG] == log.address


def test_health_is_serving_as_a_whole_and_by_service(home: Home, log: Part) -> None:
    async def check(channel: grpc.aio.Channel) -> list[int]:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        names = ("", service_of("log"))
        return [(await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status for name in names]

    assert raw(log, home.issue(ONLOOKER).for_client(), check) == [1, 1]


def test_a_head_is_under_a_quorum_of_the_witnesses(home: Home, log: Part) -> None:
    head = ask(home, ONLOOKER, GetHead(0, 0))
    assert isinstance(head, Head)
    assert verify_head(head.note, home.genesis.log_key, home.genesis.witness_rule).size >= 1


def test_nobody_gets_in_without_a_certificate(home: Home, log: Part) -> None:
    root_only = grpc.ssl_channel_credentials(home.issue(ONLOOKER).root)
    for credentials in (None, root_only):
        answer = raw(log, credentials, send(GetHead(0, 0)))
        assert isinstance(answer, UnavailableError)


def test_a_call_without_a_deadline_is_refused(home: Home, log: Part) -> None:
    answer = raw(log, home.issue(ONLOOKER).for_client(), send(GetHead(0, 0), timeout=None))
    assert isinstance(answer, RefusedError)
    assert answer.reason is Reason.USAGE


@pytest.mark.parametrize("data", [b"\xff", encode_call(GetHead(1, 0)) * 2, encode_call(GetHead(1, 0)) + b"\x78\x01"])
def test_bytes_that_are_not_the_call_are_refused(home: Home, log: Part, data: bytes) -> None:
    answer = raw(log, home.issue(ONLOOKER).for_client(), send(GetHead(0, 0), data))
    assert isinstance(answer, MalformedError)


def test_a_caller_of_the_wrong_kind_is_refused(home: Home, log: Part) -> None:
    for origin, call, to in (
        (DEVICE, AddCheckpoint(b""), Party("witness/1")),
        (Party("relay"), AddCheckpoint(b""), Party("witness/1")),
        (DEVICE, Settle(), LOG),
    ):
        with pytest.raises(RefusedError) as refusal:
            ask(home, origin, call, to)
        assert refusal.value.reason is Reason.PERMISSION_DENIED


def test_a_part_serves_no_method_of_another(home: Home, log: Part) -> None:
    with pytest.raises(UnavailableError, match="UNIMPLEMENTED"):
        ask(home, DEVICE, GetBundle(bytes(32), 1))


def test_a_laboratory_settles_a_part(home: Home, log: Part) -> None:
    assert ask(home, ONLOOKER, Settle()) == Settled(0)


def test_the_methods_are_found_by_reflection_in_a_laboratory(home: Home, log: Part) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    async def names(channel: grpc.aio.Channel) -> set[str]:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request]), timeout=5):
            return {service.name for service in answer.list_services_response.service}
        raise AssertionError

    assert service_of("log") in raw(log, home.issue(ONLOOKER).for_client(), names)  # type: ignore[operator]


def test_log_lines_name_method_caller_and_outcome_and_no_content(home: Home, log: Part) -> None:
    credentials = home.issue(ONLOOKER).for_client()
    raw(log, credentials, send(Append((CANARY,)), x_request_id="abc-1"))
    raw(log, credentials, send(GetHead(0, 0), CANARY, x_request_id="abc-2"))
    calls = {line.get("request_id"): line for line in lines(home) if line["event"] == "call"}
    assert (calls["abc-1"]["method"], calls["abc-1"]["outcome"]) == ("Append", "OK")
    assert (calls["abc-2"]["caller"], calls["abc-2"]["outcome"]) == (ONLOOKER, "MALFORMED")
    assert CANARY not in (home.part_folder(LOG) / "log.jsonl").read_bytes()
    assert REQUEST_ID == "x-request-id"


def test_what_was_acknowledged_is_there_after_kill_9(home: Home, log: Part) -> None:
    entry = Entry.make(EntryType.AUDIT, b"kept", home.identity(Party("authority")), home.genesis.log.origin)
    appended = ask(home, ONLOOKER, Append((entry,)))
    assert isinstance(appended, Appended)
    (result,) = appended.results
    assert result.reason == ""

    log.stop_hard()
    log.restart()

    record = ask(home, ONLOOKER, GetPath(result.index, result.index + 1))
    assert isinstance(record, Record)
    assert record.entry == entry
    assert ask(home, ONLOOKER, Append((entry,))) == appended


# -- how they end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_part_in_order(home: Home, number: int) -> None:
    witness = Part(home.folder, "witness", 4)
    try:
        code, said = witness.stop(number)
    finally:
        witness.close()
    assert code == 0, said
    assert BANNER in said
    assert "Traceback" not in said
    assert lines(home, Party("witness/4"))[-1]["event"] == "stopping"


def test_without_lab_there_is_no_laboratory_service(home: Home) -> None:
    witness = Part(home.folder, "witness", 4, lab=False)
    try:
        with pytest.raises(UnavailableError, match="UNIMPLEMENTED"):
            ask(home, ONLOOKER, Settle(), Party("witness/4"))
    finally:
        assert witness.stop(signal.SIGTERM)[0] == 0


# -- how they do not start ------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(["serve", *arguments])
    output = capsys.readouterr()
    assert output.out == ""
    assert "Traceback" not in output.err
    return code, output.err


def test_a_port_in_use_is_named(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = refused(capsys, "witness", "--index", "4", "--home", str(home.folder), "--listen", address)
    assert code == Reason.PORT_IN_USE.kind == 6
    assert address in said
    assert Reason.PORT_IN_USE.hint in said


def test_a_missing_certificate_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ensure(tmp_path)
    (home.keys_folder(Party("relay")) / "cert.pem").unlink()
    code, said = refused(capsys, "relay", "--home", str(tmp_path))
    assert code == Reason.CERTIFICATE_MISSING.kind == 6
    assert "cert.pem" in said


def test_a_damaged_store_is_not_opened(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.part_folder(Party("custodian/5")) / "state.db"
    path.write_bytes(b"damaged" * 1000)
    code, said = refused(capsys, "custodian", "--index", "5", "--home", str(home.folder))
    assert code == Reason.STORE_CORRUPT.kind == 7
    assert "STORE_CORRUPT" in said
    assert path.read_bytes() == b"damaged" * 1000


def test_one_party_does_not_run_twice(home: Home, log: Part, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "log", "--home", str(home.folder))
    assert code == Reason.STORE_UNAVAILABLE.kind == 6
    assert "in use by another process" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["relay", "--listen", "0.0.0.0:0"],
        ["relay", "--listen", "198.51.100.7:4000"],
        ["relay", "--listen", "nowhere"],
        ["relay", "--listen", "127.0.0.1:99999"],
        ["custodian"],
        ["custodian", "--index", "6"],
        ["witness", "--index", "0"],
        ["nonsense"],
    ],
)
def test_wrong_use_ends_with_2(home: Home, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, said = refused(capsys, *arguments, "--home", str(home.folder))
    assert code == 2
    assert said


# -- the pieces -----------------------------------------------------------------------------------


def test_a_deployment_is_made_once(tmp_path: Path) -> None:
    first = ensure(tmp_path / "home")
    genesis = first.genesis_path.read_bytes()
    certificate = first.credentials(LOG)
    assert ensure(tmp_path / "home").genesis_path.read_bytes() == genesis
    assert Home(tmp_path / "home").credentials(LOG) == certificate
    assert first.identity(LOG).public == first.genesis.log_key.public
    assert first.person("judge-imani").public in first.genesis.issuers.keys


def test_processes_that_start_together_make_one_deployment(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as executor:
        homes = list(executor.map(ensure, [tmp_path / "home"] * 4))
    assert len({home.genesis.hash for home in homes}) == 1
    assert homes[0].identity(LOG).public == homes[0].genesis.log_key.public


def test_a_deployment_that_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    first = ensure(tmp_path)
    assert first.genesis.hash
    first.genesis_path.unlink()
    again = ensure(tmp_path)
    assert again.genesis.hash != first.genesis.hash
    assert again.identity(LOG).public == again.genesis.log_key.public
    assert again.credentials(LOG).root == again.issue(ONLOOKER).root


def test_what_a_part_keeps_is_for_its_owner_alone(home: Home) -> None:
    for secret in (home.part_folder(LOG), home.keys_folder(LOG) / "seed", home.folder / "people" / "judge-imani"):
        assert stat.S_IMODE(secret.stat().st_mode) & 0o077 == 0


def test_every_part_has_its_own_identity(home: Home) -> None:
    folders = sorted(path.name for path in (home.folder / "keys").iterdir())
    assert len(folders) == 3 + 5 + 4
    certificates = {(home.folder / "keys" / name / "cert.pem").read_bytes() for name in folders}
    assert len(certificates) == len(folders)


def test_a_home_without_a_deployment_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"genesis\.json"):
        _ = Home(tmp_path).genesis


def test_the_table_of_callers_is_about_calls_that_exist() -> None:
    assert set(CALLERS) <= set(METHODS)
    assert {"device", "newcomer", "custodian", "agency", "person", "log", "operator"} >= set().union(*CALLERS.values())
