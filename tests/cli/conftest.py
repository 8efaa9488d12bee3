"""The program as users start it."""

from __future__ import annotations

import pytest

from tests.cli.program import Program


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program with one home for all tests that do not need a fresh one."""
    return Program(tmp_path_factory.mktemp("home"))
