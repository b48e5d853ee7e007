"""The deployment by hand, as the document shows it, with one shell and a policy that does not make us wait a minute."""

import os
import re
import subprocess
import sys
from pathlib import Path

from escrow.world.founding import Terms
from escrow_server.deployment import ensure
from tests.conftest import ROOT


def test_the_document_is_a_session_that_runs(tmp_path: Path) -> None:
    document = (ROOT / "docs/by-hand.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```bash\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    ensure(tmp_path / "home", terms=Terms(activation_delay_s=0))
    assert "sleep 65\n" in script
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("sleep 65\n", "sleep 2\n")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    received, opened = done.stdout.split("refused, as it must be")
    assert "See you at eight." in received
    assert "ESCROWED" in received
    assert "END-TO-END ONLY" in received
    assert "changed by alice" in received
    assert "See you at eight, all of you." in opened
    for text in ("Nine o'clock, all of us.", "Strawberries, between us."):
        assert text in received
        assert text not in opened
    assert "See you at eight.\n" not in opened
    assert "saved: evidence/list.txt" in opened
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert left == ""
