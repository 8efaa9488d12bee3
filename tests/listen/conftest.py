"""Real recordings for the listening tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from assistant.listen.vad import Silero
from tests.listen.streams import Pcm


@pytest.fixture(scope="session")
def silero() -> Silero:
    return Silero()


@pytest.fixture(scope="session")
def orders(recordings: Callable[[str], Path]) -> list[Pcm]:
    """Five real orders, each with the quiet before and after it."""
    files = sorted(recordings("barista").rglob("*.flac"))[:5]
    return [soundfile.read(path, dtype="int16")[0] for path in files]


@pytest.fixture(scope="session")
def kitchen(recordings: Callable[[str], Path]) -> Pcm:
    """A minute of a kitchen in which nobody speaks."""
    pcm: Pcm = soundfile.read(recordings("noise") / "kitchen.flac", dtype="int16")[0]
    return pcm
