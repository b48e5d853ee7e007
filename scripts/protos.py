"""Generate ``escrow/wire/v1`` from ``protos/``, or check that what is committed is what would be generated.

The path of a .proto file is the path of its Python package, so generated imports need no repair.
"""

import argparse
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("escrow/wire/v1")
HEADER = '"""Generated from protos/ by ``make protos``. Do not edit."""\n'
_TYPE_PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def generate(into: Path) -> None:
    """Write messages, stubs and their types for every .proto file below the folder ``into``; exit 1 if one is wrong."""
    sources = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    (into / PACKAGE).mkdir(parents=True, exist_ok=True)
    (into / PACKAGE / "__init__.py").write_text(HEADER, encoding="utf-8")
    plugins = [f"--plugin={name}={Path(sys.executable).parent / name}" for name in _TYPE_PLUGINS]
    outputs = [f"--{kind}_out={into}" for kind in ("python", "grpc_python")]
    outputs += [f"--{kind}_out=quiet:{into}" for kind in ("mypy", "mypy_grpc")]
    well_known = f"-I{files('grpc_tools') / '_proto'}"
    if protoc.main(["protoc", f"-I{PROTOS}", well_known, *plugins, *outputs, *sources]) != 0:
        sys.exit(1)


def replace() -> None:
    """Generate anew, so that nothing stays behind from a .proto file that is gone."""
    shutil.rmtree(ROOT / PACKAGE, ignore_errors=True)
    generate(ROOT)


def differences() -> list[str]:
    """The files below ``escrow/wire/v1`` that are missing, left over or different from what would be generated."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        wanted = _contents(Path(folder) / PACKAGE)
    committed = _contents(ROOT / PACKAGE)
    return sorted(name for name in wanted.keys() | committed.keys() if wanted.get(name) != committed.get(name))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.py*") if path.is_file()}


def main() -> None:
    """Run as ``make protos`` does, or with ``--check`` as ``make drift`` does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the committed code is stale")
    if not parser.parse_args().check:
        replace()
        return
    if stale := differences():
        print(f"{PACKAGE} is not what protos/ generates; run make protos: {', '.join(stale)}", file=sys.stderr)
        sys.exit(1)
    print("protos: the generated code is current")


if __name__ == "__main__":
    main()
