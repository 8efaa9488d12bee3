"""Real orders as the recogniser hears them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize.moonshine.engine import Moonshine
from assistant.types import Transcript, Utterance


@pytest.fixture(scope="session")
def barista(repository: Path) -> Context:
    """The coffee maker's context."""
    return load_context(repository / "examples/barista")


@pytest.fixture(scope="session")
def heard(
    moonshine: Moonshine, barista: Context, recordings: Callable[[str], Path]
) -> list[tuple[Utterance, Transcript]]:
    """Real orders as the recogniser hears them, every other one in loud noise."""
    prepared, vad = moonshine.prepare(barista), open_vad("auto")
    rng = np.random.default_rng(7)
    found = []
    for number, path in enumerate(sorted((recordings("barista") / "audio").glob("*.flac"))[::33]):
        pcm, _ = soundfile.read(path, dtype="int16")
        if number % 2:
            noise = rng.normal(0, 0.5 * pcm.std(), len(pcm))
            pcm = np.clip(pcm + noise, -32768, 32767).astype(np.int16)
        utterance = cut_clip(pcm, vad)
        found.append((utterance, moonshine.open(prepared).finish(utterance)))
    return found
