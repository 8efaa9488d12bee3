"""`run` starts the assistant with skills, a folder, a clock to hold and an ear for announcements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.act.skill import Skill
from assistant.testing import HeldClock
from tests.act.house import Assistant


@pytest.fixture
def run(clock: HeldClock, tmp_path: Path) -> Iterator[Callable[..., Assistant]]:
    """`run(Timers())` starts the assistant with these skills; again, with the same state, after `stop`."""
    running: list[Assistant] = []

    def start(*skills: Skill, **changes: Any) -> Assistant:
        assistant = Assistant(**{"clock": clock, "state": tmp_path / "state", **changes})
        running.append(assistant)
        for skill in skills:
            assistant.skills.add(skill)
        return assistant

    yield start
    for assistant in running:
        assistant.skills.close()
