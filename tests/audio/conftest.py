from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sound_server import SoundServer, running_server


@pytest.fixture(scope="module")
def sound_server() -> Iterator[SoundServer]:
    """PulseAudio with virtual microphones and a loudspeaker, and no other device, for the tests of one module."""
    missing = SoundServer.missing()
    if missing:
        pytest.skip(f"a sound server of its own needs {missing}")
    with running_server() as server:
        yield server
