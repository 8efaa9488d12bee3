from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.audio.playback import Loudspeaker, Renderer, Sink, WavSink
from assistant.errors import DeviceError, StorageError

RATE_HZ = 48_000
FADE = 240
LOUD = np.full(10_000, 10_000, np.int16)


def rendered(renderer: Renderer, samples: int, block: int = 480) -> NDArray[np.int16]:
    out = np.full(samples, -1, np.int16)
    for start in range(0, samples, block):
        renderer.render(out[start : start + block])
    return out


@given(pieces=st.lists(st.integers(0, 700), max_size=8), block=st.integers(1, 600), extra=st.integers(0, 500))
def test_sound_is_sent_in_order_without_a_sample_between_and_then_silence(
    pieces: list[int], block: int, extra: int
) -> None:
    renderer = Renderer(RATE_HZ)
    sound = np.arange(1, sum(pieces) + 1, dtype=np.int16)
    for piece in np.split(sound, np.cumsum(pieces)[:-1]):
        renderer.add(piece)
    out = rendered(renderer, len(sound) + extra, block)
    np.testing.assert_array_equal(out[: len(sound)], sound)
    assert not out[len(sound) :].any()


@given(before=st.integers(0, 2_000), block=st.integers(1, 600))
def test_after_stop_there_are_five_milliseconds_of_fade_and_then_silence(before: int, block: int) -> None:
    renderer = Renderer(RATE_HZ)
    renderer.add(LOUD)
    rendered(renderer, before, block)
    renderer.stop()
    out = rendered(renderer, 2_000, block).astype(int)
    assert out[0] == 10_000
    assert (np.diff(out) <= 0).all()
    assert out[FADE - 2] > 0
    assert not out[FADE:].any()


def test_what_is_added_after_a_stop_is_heard_after_the_fade() -> None:
    renderer = Renderer(RATE_HZ)
    renderer.add(LOUD)
    renderer.stop()
    renderer.add(np.full(100, 7, np.int16))
    out = rendered(renderer, 960)
    assert (out[FADE : FADE + 100] == 7).all()
    assert not out[FADE + 100 :].any()


def test_a_stop_while_nothing_plays_does_not_touch_what_comes_later() -> None:
    renderer = Renderer(RATE_HZ)
    renderer.stop()
    renderer.add(LOUD)
    np.testing.assert_array_equal(rendered(renderer, 480), LOUD[:480])


def test_a_stop_near_the_end_fades_what_is_left() -> None:
    renderer = Renderer(RATE_HZ)
    renderer.add(LOUD[:100])
    renderer.stop()
    out = rendered(renderer, 480)
    assert out[0] == 10_000
    assert not out[100:].any()


def test_it_counts_as_playing_until_the_last_sample_has_reached_the_ear() -> None:
    renderer = Renderer(RATE_HZ, tail_s=0.05)
    assert renderer.idle.is_set()
    renderer.add(LOUD[:480])
    assert renderer.queued == 480
    for _ in range(5):
        rendered(renderer, 480)
        assert not renderer.idle.is_set()
    rendered(renderer, 480)
    assert renderer.idle.is_set()


def test_replies_are_written_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    with WavSink(path, rate_hz=24_000) as sink:
        assert isinstance(sink, Sink)
        sink.play(LOUD[:2_400], 24_000)
        sink.stop()
        sink.play(LOUD[:1_600], 16_000)
        assert sink.wait(0.0)
        assert not sink.playing
    sound, rate_hz = soundfile.read(path, dtype="int16")
    assert (rate_hz, len(sound)) == (24_000, 4_800)
    np.testing.assert_array_equal(sound[:2_400], LOUD[:2_400])


def test_a_reply_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        WavSink(tmp_path / "nowhere" / "reply.wav")


def test_a_loudspeaker_that_is_not_there_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match="no loudspeaker has this name"):
        Loudspeaker("a loudspeaker that nobody has")
