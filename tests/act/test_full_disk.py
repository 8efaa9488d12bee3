"""A disk that is full in earnest: a small file system where one may be mounted, and a limit on the size of files."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.act.lists import Lists
from assistant.act.timers import Timers
from assistant.testing import HeldClock

Run = Callable[..., Any]

LIMITED = """
import resource, sys
from pathlib import Path
from assistant.act.skill import Services
from assistant.act.skills import Skills
from assistant.act.lists import Lists
from assistant.clock import SystemClock
from tests.act.house import Assistant

assistant = Assistant(SystemClock(), Path(sys.argv[1]))
assistant.skills.add(Lists())
unlimited = resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, unlimited))
results = [assistant.ask("lists", "HassListAddItem", item=f"thing {n}") for n in range(100)]
kept = [result.ok for result in results].index(False)
print(results[kept].text)
assert not any(result.ok for result in results[kept:])
resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
lists = assistant.skills["lists"]
assert len(lists.store.items("shopping")) == kept > 0
assert lists.store.database.sound()
assert assistant.ask("lists", "HassListAddItem", item="room again").ok
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.real
def test_on_a_full_disk_changes_are_refused_timers_ring_and_room_is_used_again(
    run: Run, clock: HeldClock, small_disk: Path
) -> None:
    lists, timers = Lists(), Timers()
    assistant = run(lists, timers, state=small_disk)
    assert assistant.ask("timers", "HassStartTimer", seconds=30).ok
    assert assistant.ask("lists", "HassListAddItem", item="milk").ok
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    refused = next(
        result
        for result in (assistant.ask("lists", "HassListAddItem", item=f"thing {n}") for n in range(100))
        if not result.ok
    )
    assert "no space left" in refused.text
    assert "milk" in assistant.ask("lists", "ListRead").text
    clock.advance(30)
    assert assistant.heard() == "Your 30 second timer is done."
    ballast.unlink()
    assert assistant.ask("lists", "HassListAddItem", item="room again").ok
    assert lists.store.database.sound()


def test_a_write_that_the_system_refuses_loses_nothing_that_was_acknowledged(tmp_path: Path, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no space left" in done.stdout
