"""Where files are kept: configured, systemd's, XDG's; and a home that cannot be written does not stop anything."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from pathlib import Path

import pytest

from assistant.config import Paths
from assistant.folders import folders, usable_cache


def test_a_user_has_the_xdg_defaults() -> None:
    found = folders(environment={"HOME": "/home/ada"})
    assert found.data == Path("/home/ada/.local/share/assistant")
    assert found.cache == Path("/home/ada/.cache/assistant")
    assert found.state == Path("/home/ada/.local/state/assistant")
    assert found.runtime == Path(tempfile.gettempdir()) / f"assistant-{os.getuid()}"


def test_xdg_variables_lead_elsewhere_unless_they_are_relative() -> None:
    found = folders(environment={"HOME": "/home/ada", "XDG_CACHE_HOME": "/fast", "XDG_DATA_HOME": "relative"})
    assert found.cache == Path("/fast/assistant")
    assert found.data == Path("/home/ada/.local/share/assistant")


def test_a_service_uses_the_folders_that_systemd_made_for_it() -> None:
    found = folders(
        environment={
            "STATE_DIRECTORY": "/var/lib/assistant:/var/lib/other",
            "CACHE_DIRECTORY": "/var/cache/assistant",
            "RUNTIME_DIRECTORY": "/run/assistant",
        }
    )
    assert found.state == Path("/var/lib/assistant")
    assert found.data == Path("/var/lib/assistant/data")
    assert found.cache == Path("/var/cache/assistant")
    assert found.runtime == Path("/run/assistant")


def test_what_is_configured_wins() -> None:
    found = folders(Paths(cache="/ssd/cache"), {"HOME": "/home/ada", "CACHE_DIRECTORY": "/var/cache/assistant"})
    assert found.cache == Path("/ssd/cache")


def test_a_cache_that_can_be_written_is_made_and_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert usable_cache(tmp_path / "deep/cache") == tmp_path / "deep/cache"
    assert not list((tmp_path / "deep/cache").iterdir())
    assert not caplog.records


def test_a_cache_that_cannot_be_written_falls_back_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "home"
    blocked.write_text("a file stands where the folder should be, which stops root too")
    with caplog.at_level(logging.WARNING):
        fallback = usable_cache(blocked / "cache")
    assert fallback.is_dir()
    assert stat.S_IMODE(fallback.stat().st_mode) == 0o700
    assert f"{blocked}/cache: cannot be written" in caplog.text
