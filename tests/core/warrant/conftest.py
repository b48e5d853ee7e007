"""Marks of this area."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """``spec`` ties a test to a numbered MUST of docs/spec/."""
    config.addinivalue_line("markers", "spec(id): the test shows the failure that this MUST of docs/spec/ names")
