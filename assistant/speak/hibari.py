"""The default voice: hibari-tts (Apache-2.0), the English voice `heart` that comes inside its package.

Loading takes most of a second and 130 MB, so it waits for the first reply or for `load` in the background.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import PluginError

BUNDLED_VOICE = "heart"
SAMPLE_RATE_HZ = 24_000

# The noise in the voice is seeded: one sentence is the same samples every time, as a cache and a test expect.
NOISE_SEED = 7

FULL_SCALE = 32_767


def create(*, language: str = "en") -> HibariVoice:
    """Entry point. Raises PluginError when the engine is not installed or lacks the language."""
    return HibariVoice(language=language)


class HibariVoice:
    """hibari-tts on one thread.

    Only the bundled voice is offered: the package would fetch any other from the network on first use.
    """

    sample_rate = SAMPLE_RATE_HZ

    def __init__(self, *, language: str = "en") -> None:
        if language.split("-", maxsplit=1)[0].lower() != "en":
            raise PluginError(f"does not speak '{language}'", where="voice 'hibari'", remedy="use the voice espeak")
        if importlib.util.find_spec("hibari") is None or importlib.util.find_spec("onnxruntime") is None:
            raise PluginError(
                "the package hibari-tts is not installed",
                where="voice 'hibari'",
                remedy="pip install hibari-tts, or use the voice espeak",
            )
        self.name = f"hibari/{BUNDLED_VOICE}"
        self._engine: Any = None
        self._loading = threading.Lock()

    @property
    def loaded(self) -> bool:
        """True once the models are in memory."""
        return self._engine is not None

    def load(self) -> None:
        """Load acoustic model and pronunciation tables, and speak one word unheard (the first call is the slow one)."""
        with self._loading:
            if self._engine is None:
                self._engine = _load_engine()

    def unload(self) -> None:
        """Drop the models and hand the freed pages back to the system."""
        with self._loading:
            self._engine = None
        gc.collect()
        _release_freed_pages()

    def stream(self, text: str) -> Iterator[NDArray[np.int16]]:
        """One chunk a sentence, 24 kHz. Words in other scripts are passed over in silence."""
        self.load()
        engine = self._engine
        try:
            for sound in engine.stream(text, seed=NOISE_SEED):
                if len(sound):
                    yield (np.clip(sound, -1.0, 1.0) * FULL_SCALE).astype(np.int16)
        except Exception as error:  # the engine's own failures have no common class
            raise PluginError(
                f"cannot speak {text[:40]!r} ({error})", where="voice 'hibari'", remedy="use the voice espeak"
            ) from error


def _load_engine() -> Any:
    try:
        import hibari
        import onnxruntime

        engine = hibari.Hibari(voice=BUNDLED_VOICE, threads=1)
        # The package's own session keeps an arena at the size of the longest sentence ever spoken; without it memory
        # falls back after each reply (measured: 162 against 186 MB after a long one), at no cost in time.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        engine.sess = onnxruntime.InferenceSession(engine.model_path, options, providers=["CPUExecutionProvider"])
        for _ in engine.stream("Okay.", seed=NOISE_SEED):
            pass
    except Exception as error:  # a broken wheel, a missing asset, an onnxruntime that refuses the model
        raise PluginError(
            f"does not load ({error})", where="voice 'hibari'", remedy="reinstall hibari-tts, or use the voice espeak"
        ) from error
    return engine


def _release_freed_pages() -> None:
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only; musl has none
        if trim is not None:
            trim(0)
