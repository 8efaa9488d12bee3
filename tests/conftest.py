"""What all tests share: recordings, a clock to hold, hypothesis without deadlines (timing never decides a test)."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr
from hypothesis import settings
from numpy.typing import NDArray

from assistant.testing import HeldClock, find_recordings
from assistant.testing.recordings import DEFAULT, VARIABLE
from assistant.types import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from assistant.recognize.moonshine.engine import Moonshine
    from assistant.recognize.moonshine.tokenizer import Tokenizer

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the program keeps about itself (traces, timers, lists) stays out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real recordings; the test is skipped where they are not."""
    found = find_recordings()
    if found is None:
        pytest.skip(f"no recordings: ${VARIABLE} names no folder and {DEFAULT} is absent")
    return found


@pytest.fixture(scope="session")
def recordings(data: Path) -> Callable[[str], Path]:
    """`recordings("barista")` is one set's folder; the test is skipped where it is not."""

    def find(folder: str) -> Path:
        if not (data / folder).is_dir():
            pytest.skip(f"no recordings of {folder} in {data}")
        return data / folder

    return find


@pytest.fixture
def clock() -> HeldClock:
    """A clock that stands still until the test moves it."""
    return HeldClock()


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """Moonshine's tokenizer, as the wheel brings it."""
    from assistant.recognize.moonshine.model import published_folder
    from assistant.recognize.moonshine.tokenizer import Tokenizer

    return Tokenizer.load(published_folder() / "tokenizer.bin")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for prepared models and compiled contexts that all tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def moonshine(cache: Path) -> Moonshine:
    """The default engine, its model prepared once for all tests."""
    from assistant.recognize.moonshine.engine import Moonshine, MoonshineOptions

    return Moonshine(MoonshineOptions(cache))


@pytest.fixture(scope="session")
def spoken() -> Callable[[str], NDArray[np.int16]]:
    """`spoken(text)` is a synthetic voice, int16 at 16 kHz, with half a second of silence before and 1.2 s behind."""
    from assistant.speak.voice import choose_voice

    voice = choose_voice("hibari")

    @functools.cache
    def say(text: str) -> NDArray[np.int16]:
        sound = soxr.resample(np.concatenate([*voice.stream(text)]), voice.sample_rate, SAMPLE_RATE_HZ, "HQ")
        silence = [np.zeros(int(seconds * SAMPLE_RATE_HZ), np.int16) for seconds in (0.5, 1.2)]
        return np.concatenate([silence[0], sound.astype(np.int16), silence[1]])

    return say
