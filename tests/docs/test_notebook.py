"""The study's notebook runs from its first cell to its last, without anybody looking."""

from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.conftest import ROOT


def test_the_notebook_runs_headless_and_is_kept_without_output() -> None:
    read: Any = nbformat.read
    notebook = read(ROOT / "docs" / "study.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = "".join(output.get("text", "") for cell in code for output in cell.outputs)
    for wanted in ("master-key", "nobody", "2 of 5*"):
        assert wanted in shown
