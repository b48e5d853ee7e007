"""The address a service listens on: loopback, free, and said to the caller in words when it is neither."""

import errno
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.ids import Party


def parse_listen(text: str, *, option: str = "--listen") -> tuple[str, int]:
    """Host and port of ``HOST:PORT``. Raises ``RefusedError(USAGE)`` unless the host is a loopback address."""
    host, colon, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        raise RefusedError(Reason.USAGE, f"{option} takes ADDRESS:PORT, not {text!r}") from None
    if not colon or not port.isdigit() or int(port) > 65535:
        raise RefusedError(Reason.USAGE, f"{option} takes ADDRESS:PORT, not {text!r}")
    if not loopback:
        raise RefusedError(Reason.USAGE, f"{host} can be reached by others; a laboratory listens on loopback only")
    return host, int(port)


def parse_witness(text: str) -> tuple[Party, str]:
    """The witness and the URL of ``INDEX=URL``. Raises ``RefusedError(USAGE)`` unless the URL is http and loopback."""
    index, equals, url = text.partition("=")
    parts = urlsplit(url)
    if not equals or not index.isdigit() or parts.scheme != "http" or parts.query or parts.fragment or parts.username:
        raise RefusedError(Reason.USAGE, f"--witness takes INDEX=http://ADDRESS:PORT/PREFIX, not {text!r}")
    parse_listen(parts.netloc, option="the URL of --witness")
    return Party(f"witness/{int(index)}"), url


def check_free(host: str, port: int) -> None:
    """Raise ``UnavailableError`` if nobody can listen there: gRPC itself does not say why."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UnavailableError(Reason.PORT_IN_USE, f"{host}:{port}") from error
            raise UnavailableError(Reason.UNAVAILABLE, f"{host}:{port}: {error.strerror}") from error
