"""What import contracts cannot see: calls and names that only one module, or no module of the core, may use."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.conftest import ROOT

SHELL = ("store", "rpc", "world", "testing", "wire", "node.py", "cli.py")
ENTROPY_AND_CLOCK = (
    "<expression>.generate*",
    "cryptography.*.generate*",
    "datetime.*.now",
    "datetime.*.today",
    "datetime.*.utcnow",
    "nacl.*.generate*",
    "nacl.utils.random",
    "nacl.bindings.randombytes",
    "nacl.bindings.crypto_core_ed25519_random",
    "os.urandom",
    "time.*",
    "uuid.uuid*",
)
GROUP = ("nacl.bindings.crypto_core_*", "nacl.bindings.crypto_scalarmult_ed25519*", "rbcl.*", "py_arkworks_bls12381.*")
X25519 = ("nacl.bindings.crypto_scalarmult", "nacl.bindings.crypto_scalarmult_base")
VERIFY_KEY = ("nacl.signing.VerifyKey", "nacl.bindings.crypto_sign*")


def imported_names(tree: ast.AST) -> dict[str, str]:
    """What each name that an import binds stands for, written in full."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                names[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def names_used(source: str) -> Iterator[str]:
    """Every imported name and every attribute chain in ``source``, written in full: ``nacl.utils.random``."""
    tree = ast.parse(source)
    bound = imported_names(tree)
    yield from bound.values()
    for node in ast.walk(tree):
        chain: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            chain.insert(0, inner.attr)
            inner = inner.value
        if chain:
            root = bound.get(inner.id, inner.id) if isinstance(inner, ast.Name) else "<expression>"
            yield ".".join((root, *chain))


def matches(source: str, patterns: tuple[str, ...]) -> set[str]:
    return {name for name in names_used(source) if any(fnmatch(name, pattern) for pattern in patterns)}


def users(patterns: tuple[str, ...]) -> dict[str, set[str]]:
    """The modules of all four packages that use such a name, each with what it uses."""
    roots = ("escrow", "client", "server", "lab")
    found = {}
    for path in sorted(file for root in roots for file in (ROOT / root).rglob("*.py")):
        if used := matches(path.read_text(encoding="utf-8"), patterns):
            found[path.relative_to(ROOT).as_posix()] = used
    return found


def in_core(path: str) -> bool:
    parts = Path(path).parts
    return parts[0] == "escrow" and parts[1] not in SHELL


@pytest.mark.parametrize(
    ("source", "patterns"),
    [
        ("import os\nos.urandom(32)", ENTROPY_AND_CLOCK),
        ("from os import urandom as fresh", ENTROPY_AND_CLOCK),
        ("import nacl.utils\nnacl.utils.random(32)", ENTROPY_AND_CLOCK),
        ("from nacl import utils\nutils.random(32)", ENTROPY_AND_CLOCK),
        ("import time as clock\nclock.time()", ENTROPY_AND_CLOCK),
        ("from datetime import datetime\ndatetime.now()", ENTROPY_AND_CLOCK),
        (
            "from cryptography.hazmat.primitives.asymmetric import x25519\nx25519.X25519PrivateKey.generate()",
            ENTROPY_AND_CLOCK,
        ),
        ("from nacl.signing import SigningKey\nSigningKey.generate()", ENTROPY_AND_CLOCK),
        ("make()[0].generate()", ENTROPY_AND_CLOCK),
        ("from nacl import bindings\nbindings.crypto_scalarmult_ed25519_noclamp(a, b)", GROUP),
        ("from nacl.bindings import crypto_core_ed25519_add", GROUP),
        ("from nacl.bindings import crypto_scalarmult", X25519),
        ("import nacl.signing\nnacl.signing.VerifyKey(key)", VERIFY_KEY),
        ("from nacl.bindings import crypto_sign_open", VERIFY_KEY),
    ],
)
def test_the_search_finds_what_it_looks_for(source: str, patterns: tuple[str, ...]) -> None:
    assert matches(source, patterns)


def test_the_core_draws_no_entropy_and_reads_no_clock() -> None:
    assert {path: used for path, used in users(ENTROPY_AND_CLOCK).items() if in_core(path)} == {}


def test_only_the_backends_of_the_group_call_the_curve() -> None:
    backends = {f"escrow/crypto/{name}.py" for name in ("bls12381", "edwards25519", "ristretto255")}
    # A benchmark's limit is the bare calls; it holds no key.
    assert users(GROUP).keys() == backends | {"lab/escrow_lab/bench/pairings.py"}


def test_only_the_agreement_module_calls_x25519() -> None:
    assert users(X25519).keys() == {"escrow/crypto/dh.py"}


def test_only_the_signature_module_verifies_ed25519() -> None:
    assert users(VERIFY_KEY).keys() == {"escrow/crypto/sign.py"}
