"""Runs the fused net: a .tflite file on whichever runtime is installed, one thread, one hypothesis at a time.

    ai_edge_litert, else tflite_runtime, else tensorflow.lite

They read the same files and give the same decisions. Everything that can be wrong with a file is a ModelError here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ModelError, PluginError
from assistant.understand.fused.features import Features
from assistant.understand.fused.manifest import INPUTS, RIGHT, WHOLE
from assistant.understand.fused.projection import FeatureSpec

Floats = NDArray[np.float32]

log = logging.getLogger(__name__)

RUNTIMES = (
    ("ai_edge_litert.interpreter", "Interpreter"),
    ("tflite_runtime.interpreter", "Interpreter"),
    ("tensorflow", "lite.Interpreter"),
)
"""Modules and where their interpreter is, the lightest first."""
SLOW_MS = 40.0
"""A net that needs longer for one hypothesis than this is of no use: eight of them are a third of a second."""
WARM_UPS = 3
STDERR = 2


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Logits of each hypothesis, float32 [H], and by name those of further heads, float32 [H, labels]."""

    right: Floats
    whole: Floats
    heads: Mapping[str, Floats]


class Net:
    """One open .tflite. Not thread-safe.

    Raises ModelError when the file is missing, no TFLite, truncated, of other inputs or outputs, or far too slow.
    """

    def __init__(self, path: Path, spec: FeatureSpec, interpreter: Callable[..., Any], threads: int = 1) -> None:
        self._path = path
        self._run = opened(path, interpreter, threads)
        self._check(spec)
        self.milliseconds = self._time(spec)
        if self.milliseconds > SLOW_MS:
            raise ModelError(
                f"needs {self.milliseconds:.0f} ms for one hypothesis here",
                where=str(path),
                remedy="choose a smaller variant: --fused tiny",
            )

    def answers(self, features: Features) -> Answers:
        """What the net says of each hypothesis. Raises ModelError."""
        with as_model_error(self._path):
            rows = [
                {
                    name: np.ravel(value)
                    for name, value in self._run(
                        tokens=features.tokens[i : i + 1],
                        frames=features.frames[i : i + 1],
                        globals=features.globals[i : i + 1],
                    ).items()
                }
                for i in range(len(features.globals))
            ]
        stacked = {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]}
        right, whole = stacked.pop(RIGHT)[:, 0], stacked.pop(WHOLE)[:, 0]
        return Answers(right, whole, stacked)

    def _check(self, spec: FeatureSpec) -> None:
        wanted = {
            "tokens": (1, spec.tokens, spec.token_width),
            "frames": (1, spec.frames, spec.frame_width),
            "globals": (1, spec.globals),
        }
        found = {name: tuple(int(n) for n in d["shape"]) for name, d in self._run.get_input_details().items()}
        floats = all(detail["dtype"] == np.float32 for detail in self._run.get_input_details().values())
        if found != wanted or not floats:
            raise ModelError(
                f"has other inputs ({_described(found)}) than its manifest says ({_described(wanted)})",
                where=str(self._path),
                remedy="build the bundle again",
            )
        outputs = set(self._run.get_output_details())
        if not {RIGHT, WHOLE} <= outputs:
            raise ModelError(
                f"has the outputs {', '.join(sorted(outputs))}; {RIGHT} and {WHOLE} are needed",
                where=str(self._path),
                remedy="build the bundle again",
            )

    def _time(self, spec: FeatureSpec) -> float:
        """The quickest of a few runs, milliseconds."""
        features = Features(
            np.zeros((1, spec.tokens, spec.token_width), np.float32),
            np.zeros((1, spec.frames, spec.frame_width), np.float32),
            np.zeros((1, spec.globals), np.float32),
        )
        times = []
        for _ in range(WARM_UPS):
            began = time.perf_counter()
            self.answers(features)
            times.append(1000 * (time.perf_counter() - began))
        return min(times)


def opened(path: Path, interpreter: Callable[..., Any], threads: int = 1) -> Any:
    """The runner of a .tflite: called with inputs by name, it returns outputs by name. Raises ModelError."""
    data = read_file(path)
    with as_model_error(path), silent():
        net = interpreter(model_content=data, num_threads=threads)
        net.allocate_tensors()
        return net.get_signature_runner()


def find_runtime(runtimes: Sequence[tuple[str, str]] = RUNTIMES) -> Callable[..., Any]:
    """The interpreter of the first of `runtimes` that is installed. Raises PluginError when none is."""
    for module, name in runtimes:
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            continue
        try:
            interpreter: Callable[..., Any] = attrgetter(name)(importlib.import_module(module))
        except (ImportError, AttributeError) as error:
            log.warning("the TFLite runtime %s does not load (%s); trying another", module, error)
            continue
        return interpreter
    raise PluginError(
        "no TFLite runtime is installed",
        where="fused model",
        remedy="pip install 'assistant-voice[tflite]', or --fused off",
    )


def read_file(path: Path) -> bytes:
    """A file of a bundle. Raises ModelError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="build or copy the bundle again"
        ) from error


def check_file(path: Path, sha256: str) -> None:
    """Raise ModelError unless the file hashes to `sha256`."""
    if hashlib.sha256(read_file(path)).hexdigest() != sha256:
        raise ModelError(
            "is not the file that the bundle was made with (its SHA-256 is another one)",
            where=str(path),
            remedy="build or copy the bundle again",
        )


@contextmanager
def as_model_error(path: Path) -> Iterator[None]:
    """Failures inside are ModelErrors: runtimes raise ValueError and RuntimeError for files and operators alike."""
    try:
        yield
    except (ValueError, RuntimeError, KeyError, IndexError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise ModelError(
            f"the fused net does not run ({first})", where=str(path), remedy="build or copy the bundle again"
        ) from error


@contextmanager
def silent() -> Iterator[None]:
    """Without what the runtime writes to standard error as it opens a net: it has no other switch for that."""
    try:
        kept = os.dup(STDERR)
    except OSError:  # a service without one
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)


def _described(shapes: Mapping[str, tuple[int, ...]]) -> str:
    known = [name for name in (*INPUTS, *sorted(shapes)) if name in shapes]
    return ", ".join(f"{name} {list(shapes[name])}" for name in dict.fromkeys(known))
