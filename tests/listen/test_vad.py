from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.errors import ConfigError, ModelError
from assistant.listen.clip import voice_probabilities
from assistant.listen.vad import (
    SILERO_CONTEXT_SAMPLES,
    SILERO_STATE_SHAPE,
    SILERO_WINDOW_SAMPLES,
    Silero,
    VoiceActivity,
    WebRtc,
    open_vad,
)
from assistant.types import AudioFrame
from tests.listen.streams import Pcm, silence

NAMES = ["silero", "webrtc"]


def windows_of(silero: Silero, pcm: Pcm) -> list[float]:
    """Silero's own windows, straight through the net."""
    run = silero._run
    state: NDArray[np.float32] = np.zeros(SILERO_STATE_SHAPE, dtype=np.float32)
    sound = np.concatenate([np.zeros(SILERO_CONTEXT_SAMPLES), pcm]).astype(np.float32) / 32768
    found = []
    for begin in range(0, len(pcm) - SILERO_WINDOW_SAMPLES + 1, SILERO_WINDOW_SAMPLES):
        window = sound[None, begin : begin + SILERO_CONTEXT_SAMPLES + SILERO_WINDOW_SAMPLES]
        probability, state = run({"input": window, "state": state, "sr": np.array(16000, dtype=np.int64)})
        found.append(float(probability[0, 0]))
    return found


@given(st.integers(0, 2**32 - 1), st.integers(600, 6000), st.integers(1, 12_000))
def test_silero_gives_a_frame_the_most_voiced_window_that_touches_it(
    silero: Silero, seed: int, samples: int, level: int
) -> None:
    pcm = np.random.default_rng(seed).normal(0, level, samples).clip(-32768, 32767).astype(np.int16)
    windows = windows_of(silero, pcm)
    voice = voice_probabilities(pcm, silero)
    for frame in range(len(windows) * SILERO_WINDOW_SAMPLES // 320):
        touching = {frame * 320 // SILERO_WINDOW_SAMPLES, (frame * 320 + 319) // SILERO_WINDOW_SAMPLES}
        assert voice[frame] == pytest.approx(max(windows[window] for window in touching), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_order_is_voiced_and_the_quiet_before_it_is_not(name: str, orders: list[Pcm]) -> None:
    vad = open_vad(name)
    for pcm in orders:
        voice = voice_probabilities(pcm, vad)
        assert voice.shape == (-(-len(pcm) // 320),)
        assert voice.min() >= 0.0
        assert 50 <= (voice >= 0.5).sum() <= 300
        assert voice[:8].max() < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_reset_forgets_the_stream(name: str, orders: list[Pcm]) -> None:
    vad = open_vad(name)
    first = voice_probabilities(orders[0], vad)
    voice_probabilities(orders[1], vad)
    assert np.array_equal(voice_probabilities(orders[0], vad), first)


@pytest.mark.parametrize("name", NAMES)
def test_silence_and_a_constant_are_no_speech(name: str) -> None:
    vad = open_vad(name)
    assert voice_probabilities(silence(5), vad).max() < 0.5
    assert voice_probabilities(np.full(80_000, 12_000, dtype=np.int16), vad)[25:].max() < 0.5


def test_silero_hears_hardly_any_speech_in_a_kitchen(silero: Silero, kitchen: Pcm) -> None:
    assert (voice_probabilities(kitchen, silero) >= 0.5).mean() < 0.1


def test_speech_after_a_long_quiet_is_noticed(silero: Silero, orders: list[Pcm]) -> None:
    rng = np.random.default_rng(0)
    quiet = rng.normal(0, 2, 30 * 16_000).astype(np.int16)
    for pcm in orders:
        at_once = int((voice_probabilities(pcm, silero) >= 0.5).sum())
        late = int((voice_probabilities(np.concatenate([quiet, pcm]), silero) >= 0.5).sum())
        assert late > 0.8 * at_once


@pytest.mark.parametrize("name", NAMES)
def test_a_short_last_frame_counts_as_followed_by_silence(name: str) -> None:
    vad = open_vad(name)
    assert 0.0 <= vad.probability(AudioFrame(pcm=silence(0.01), at=0.0)) <= 1.0
    assert voice_probabilities(silence(0), vad).shape == (0,)


def test_webrtc_lets_go_slowly(orders: list[Pcm]) -> None:
    hard = voice_probabilities(orders[0], WebRtc(hangover_frames=0))
    soft = voice_probabilities(orders[0], WebRtc(hangover_frames=4))
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert set(np.unique(soft)) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert (soft >= hard).all()
    assert (soft >= 0.5).sum() > hard.sum()


def test_auto_takes_silero_where_it_loads() -> None:
    assert open_vad().name == "silero"
    assert all(isinstance(open_vad(name), VoiceActivity) for name in NAMES)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="use auto, silero or webrtc"):
        open_vad("ears")


@pytest.mark.parametrize("content", [b"", b"no model", None])
def test_a_broken_model_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "silero.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Silero(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy
