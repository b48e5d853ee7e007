"""Sweeps on other processes and on a real Dask cluster find what they find here."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from distributed import LocalCluster

from escrow.errors import Kind, UnavailableError
from escrow_lab.study import spread
from escrow_lab.verbs import lab

ARGUMENTS = ["sweep", "custody", "--n", "3", "--refresh", "0.25", "--trials", "500", "--json"]


def rows(*more: str) -> list[dict[str, object]]:
    ran = CliRunner().invoke(lab, [*ARGUMENTS, *more], standalone_mode=False)
    assert not ran.exception
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_several_processes_find_the_same() -> None:
    assert rows("--processes", "2") == rows()


def test_a_cluster_finds_the_same() -> None:
    start: Any = LocalCluster
    with start(n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None) as cluster:
        assert rows("--dask", cluster.scheduler_address) == rows()


def test_a_cluster_that_is_not_there_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "PATIENCE", 0.2)
    ran = CliRunner().invoke(lab, [*ARGUMENTS, "--dask", "tcp://127.0.0.1:9"], standalone_mode=False)
    assert isinstance(ran.exception, UnavailableError)
    assert ran.exception.reason.kind is Kind.UNAVAILABLE
