"""Wake words of microWakeWord: small streaming nets, run by the package pymicro-wakeword, that cost next to nothing.

The package brings "alexa", "hey jarvis", "hey mycroft" and "okay nabu"; other models in its format (a JSON manifest
beside a .tflite file) are named by the manifest's path.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ModelError, PluginError
from assistant.listen.wake import WakeWord
from assistant.listen.wake_judge import Score, Thresholds
from assistant.listen.wake_spot import SecondOpinion, Spotter
from assistant.types import SAMPLE_RATE_HZ, AudioFrame

NAME = "microwakeword"
CHUNK_SAMPLES = 160
"""10 ms: the step of the features."""
END_LEVEL = 0.5
END_LAG_S = 0.03
"""The net's own answer passes this level so long after the word's end (measured on 124 clips: up to 0.1 s after it)."""

SHIPPED: Mapping[str, Thresholds] = MappingProxyType({"alexa": Thresholds(sure=0.97, maybe=0.15, together=0.5)})
"""Chosen on one half of the development clips and speech (`assistant bench wake` judges the other)."""
ALONE: Mapping[str, float] = MappingProxyType({"alexa": 0.7})
"""`sure` where no second opinion is to be had. Other words keep the cutoff of their manifest."""
MAYBE, TOGETHER = 0.2, 0.6
"""For words that were never measured: when the second opinion is asked, and what both must be together."""

_REMEDY = (
    "install the package pymicro-wakeword (it has wheels for systems with glibc 2.35 or newer: "
    "Raspberry Pi OS bookworm, Ubuntu 22.04), or listen without a wake word (listen.mode: always)"
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model's JSON file says. cutoff: its author's threshold. window: answers that are averaged."""

    word: str
    path: Path
    cutoff: float
    window: int

    @classmethod
    def read(cls, word: str, path: Path) -> Manifest:
        """Read the file. Raises ModelError when it is absent or not of this kind."""
        try:
            micro = json.loads(path.read_text(encoding="utf-8"))["micro"]
            return cls(word, path, float(micro["probability_cutoff"]), int(micro["sliding_window_size"]))
        except OSError as error:
            raise ModelError(f"cannot be read ({error.strerror})", where=str(path), remedy="check the path") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(
                "this is no manifest of a microWakeWord model", where=str(path), remedy="name the model's JSON file"
            ) from error


class MicroEngine:
    """The engine. second: what is asked in doubt; by default openWakeWord where it is installed."""

    name = NAME

    def __init__(self, second: SecondOpinion | None = None, *, alone: bool = False) -> None:
        self._second = second
        self._alone = alone

    def known(self) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in models_folder().glob("*.json")))

    def open(self, words: Sequence[str], thresholds: Mapping[str, float]) -> WakeWord:
        manifests = [
            Manifest.read(word, Path(word) if word.endswith(".json") else models_folder() / f"{word}.json")
            for word in words
        ]
        second = None if self._alone else self._second or _second_opinion(words)
        limits = {
            manifest.word: _limits(manifest, thresholds.get(manifest.word), second is not None)
            for manifest in manifests
        }
        return Spotter(MicroScorer(manifests), limits, second)


def create() -> MicroEngine:
    """The entry point `assistant.wakewords: microwakeword`."""
    return MicroEngine()


class MicroScorer:
    """Several models on the features of one stream. Raises PluginError when the package is missing, ModelError."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        package, features = _packages()
        self._features = features.MicroFrontend()
        self._nets = [_Net(package, manifest) for manifest in manifests]
        self._rest: NDArray[np.int16] = np.zeros(0, dtype=np.int16)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(net.word for net in self._nets)

    def reset(self) -> None:
        self._features.reset()
        self._rest = self._rest[:0]
        for net in self._nets:
            net.reset()

    def score(self, frame: AudioFrame) -> Sequence[Score]:
        at = frame.at - len(self._rest) / SAMPLE_RATE_HZ
        pcm = np.concatenate([self._rest, frame.pcm]) if len(self._rest) else frame.pcm
        whole = len(pcm) - len(pcm) % CHUNK_SAMPLES
        scores: list[Score] = []
        for end in range(CHUNK_SAMPLES, whole + 1, CHUNK_SAMPLES):
            features = self._features.process_samples(pcm[end - CHUNK_SAMPLES : end].tobytes()).features
            if not features:  # the first window is not full
                continue
            answers = [net.answer(features, at + end / SAMPLE_RATE_HZ) for net in self._nets]
            scores += [score for score in answers if score is not None]
        self._rest = pcm[whole:]
        return scores


class _Net:
    """One model's answers, averaged over its manifest's window.

    The package's own call makes arrays and pointers anew for each answer, which costs twice what the net does; here
    they are made once for each loading. The numbers are the same, bit by bit.
    """

    def __init__(self, package: Any, manifest: Manifest) -> None:
        self.word = manifest.word
        try:
            self._model = package.MicroWakeWord.from_config(manifest.path)
        except (RuntimeError, ValueError, OSError, KeyError) as error:
            raise ModelError("the model does not load", where=str(manifest.path), remedy="fetch it again") from error
        self._window = manifest.window
        self._begin()

    def reset(self) -> None:
        self._model.reset()
        self._begin()

    def _begin(self) -> None:
        """Buffers for the model as it is loaded now, and nothing heard."""
        model = self._model
        shape = tuple(model.lib.TfLiteTensorDim(model.input_tensor, axis) for axis in (1, 2))
        self._features = np.zeros(shape, dtype=np.float64)
        self._input = np.zeros(shape, dtype=model.input_dtype)
        self._output = np.zeros(1, dtype=model.output_dtype)
        self._from = self._input.ctypes.data_as(ctypes.c_void_p)
        self._to = self._output.ctypes.data_as(ctypes.c_void_p)
        self._recent: deque[float] = deque(maxlen=self._window)
        self._row = 0
        self._end: float | None = None  # since when the word, if it is one, is over

    def answer(self, features: Sequence[float], at: float) -> Score | None:
        """Take 10 ms of features; None between the net's strides."""
        self._features[self._row] = features
        self._row += 1
        if self._row < len(self._features):
            return None
        self._row = 0
        latest = self._run()
        self._recent.append(latest)
        if latest < END_LEVEL:
            self._end = self._end if max(self._recent) >= END_LEVEL else None
        elif self._end is None:
            self._end = at - END_LAG_S
        value = sum(self._recent) / self._window
        return Score(self.word, min(value, 1.0), at, at - END_LAG_S if self._end is None else self._end)

    def _run(self) -> float:
        """The net's answer to the features, 0..1."""
        model, scaled = self._model, self._features
        scaled /= model.input_scale
        scaled += model.input_zero_point
        np.rint(scaled, out=scaled)
        self._input[:] = scaled
        model.lib.TfLiteTensorCopyFromBuffer(model.input_tensor, self._from, self._input.nbytes)
        model.lib.TfLiteInterpreterInvoke(model.interpreter)
        model.lib.TfLiteTensorCopyToBuffer(model.output_tensor, self._to, self._output.nbytes)
        return float((np.float32(self._output[0]) - model.output_zero_point) * model.output_scale)


def _limits(manifest: Manifest, threshold: float | None, checked: bool) -> Thresholds:  # noqa: FBT001
    shipped = SHIPPED.get(manifest.word, Thresholds(manifest.cutoff, min(MAYBE, manifest.cutoff), TOGETHER))
    if threshold is not None:
        return Thresholds(threshold, min(shipped.maybe, threshold), shipped.together)
    if checked:
        return shipped
    alone = ALONE.get(manifest.word, manifest.cutoff)
    return Thresholds(alone, alone, 0.0)


def _second_opinion(words: Sequence[str]) -> SecondOpinion | None:
    """OpenWakeWord's models of the same words, where the package is installed."""
    from assistant.listen.wake_open import OpenEngine, OpenOpinion

    try:
        common = [word for word in words if word in OpenEngine().known()]
    except PluginError:
        return None
    return OpenOpinion(common) if common else None


def models_folder() -> Path:
    """The package's models, found without importing it."""
    spec = importlib.util.find_spec("pymicro_wakeword")
    if spec is None or not spec.submodule_search_locations:
        raise PluginError("package pymicro-wakeword is not installed", where="wake words", remedy=_REMEDY)
    return Path(spec.submodule_search_locations[0], "models")


def _packages() -> tuple[Any, Any]:
    """The nets, and the features that they hear."""
    try:
        import pymicro_features
        import pymicro_wakeword
    except (ImportError, OSError) as error:
        raise PluginError(f"pymicro-wakeword does not load ({error})", where="wake words", remedy=_REMEDY) from error
    return pymicro_wakeword, pymicro_features
