"""One Home Assistant and one house for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.hass import VARIABLE, Hass, find
from tests.integrations.house import House, house


@pytest.fixture(scope="session")
def hass(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hass]:
    """A running Home Assistant; the test is skipped where none is installed."""
    executable = find()
    if executable is None:
        install = "python -m tests.integrations.install_home_assistant"
        pytest.skip(f"no Home Assistant: ${VARIABLE} names none, and `{install}` was not run")
    server = Hass(tmp_path_factory.mktemp("hass") / "config", executable)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def typed() -> House:
    """A house that understands typed commands of the context home."""
    return house()
