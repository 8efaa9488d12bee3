from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.audio.files import FileSource
from assistant.audio.kinds import SOURCE_KINDS, SourceSettings, open_source
from assistant.audio.pacing import RealTime
from assistant.audio.queued import QueueSource
from assistant.audio.source import Nothing, Source
from assistant.audio.stdin import RawSource
from assistant.clock import SystemClock
from assistant.errors import ConfigError, DeviceError, InputError
from assistant.testing import HeldClock
from assistant.types import AudioBlock

PATIENCE_S = 30.0


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, io.BufferedWriter]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        yield reader, writer


def block_of(source: Source) -> AudioBlock:
    block = source.read(PATIENCE_S)
    assert isinstance(block, AudioBlock)
    return block


# --- raw PCM from a pipe


def test_raw_samples_come_through_a_pipe_bit_for_bit(pipe: tuple[io.BufferedReader, io.BufferedWriter]) -> None:
    reader, writer = pipe
    pcm = np.random.default_rng(2).integers(-32_768, 32_768, (1_000, 2)).astype("<i2")
    source = RawSource(reader, channels=2)
    writer.write(pcm.tobytes())
    writer.close()
    np.testing.assert_array_equal(np.concatenate([block.pcm for block in source], axis=1), pcm.T)


def test_samples_cut_anywhere_between_writes_are_put_together(
    pipe: tuple[io.BufferedReader, io.BufferedWriter],
) -> None:
    reader, writer = pipe
    pcm = np.arange(960, dtype="<i2").reshape(-1, 3)
    data = pcm.tobytes()
    source = RawSource(reader, channels=3)
    got: list[AudioBlock | Nothing] = []
    for start in range(0, len(data), 7):
        writer.write(data[start : start + 7])
        writer.flush()
        got.append(source.read(0.0))
    blocks = [block for block in got if isinstance(block, AudioBlock)]
    assert got[:-1] == [Nothing.NOT_YET] * (len(got) - 1)
    np.testing.assert_array_equal(blocks[0].pcm, pcm.T)


def test_an_open_pipe_without_sound_is_not_yet_and_a_closed_one_has_ended(
    pipe: tuple[io.BufferedReader, io.BufferedWriter],
) -> None:
    reader, writer = pipe
    source = RawSource(reader)
    assert source.read(0.0) is Nothing.NOT_YET
    writer.write(b"\x01\x00" * 400)
    writer.flush()
    assert block_of(source).pcm.shape == (1, 320)
    assert source.read(0.0) is Nothing.NOT_YET
    writer.close()
    assert block_of(source).pcm.shape == (1, 80)
    assert source.read(0.0) is Nothing.ENDED


def test_another_rate_is_resampled(pipe: tuple[io.BufferedReader, io.BufferedWriter]) -> None:
    reader, writer = pipe
    writer.write(np.zeros(4_800, "<i2").tobytes())
    writer.close()
    assert sum(block.pcm.shape[1] for block in RawSource(reader, rate_hz=48_000)) == 1_600


def test_half_a_sample_at_the_end_is_left_out_with_a_warning(
    pipe: tuple[io.BufferedReader, io.BufferedWriter], caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = pipe
    writer.write(b"\x01\x00" * 10 + b"\x07")
    writer.close()
    assert sum(block.pcm.shape[1] for block in RawSource(reader)) == 10
    assert "no whole frame" in caplog.text


def test_a_pipe_that_ends_without_any_sound_is_an_error(pipe: tuple[io.BufferedReader, io.BufferedWriter]) -> None:
    reader, writer = pipe
    writer.close()
    with pytest.raises(InputError, match="stdin: no sound arrived"):
        RawSource(reader).read(PATIENCE_S)


def test_closing_ends_a_read_that_waits(pipe: tuple[io.BufferedReader, io.BufferedWriter]) -> None:
    reader, _writer = pipe
    source = RawSource(reader)
    results: list[AudioBlock | Nothing] = []
    waiting = threading.Thread(target=lambda: results.append(source.read(PATIENCE_S)))
    waiting.start()
    source.close()
    waiting.join()
    assert results == [Nothing.ENDED]


@pytest.mark.parametrize(("channels", "rate_hz"), [(0, 16_000), (9, 16_000), (1, 0)])
def test_impossible_raw_settings_are_refused(
    pipe: tuple[io.BufferedReader, io.BufferedWriter], channels: int, rate_hz: int
) -> None:
    with pytest.raises(InputError, match="impossible"):
        RawSource(pipe[0], channels=channels, rate_hz=rate_hz)


# --- the queue


def test_what_is_put_in_comes_out_in_blocks_of_20_ms() -> None:
    source = QueueSource(capacity=10, channels=2, clock=HeldClock(monotonic_s=7.0))
    pcm = np.arange(1_400, dtype=np.int16).reshape(2, 700)
    source.put(pcm)
    source.end()
    blocks = list(source)
    assert [block.pcm.shape for block in blocks] == [(2, 320), (2, 320), (2, 60)]
    np.testing.assert_array_equal(np.concatenate([block.pcm for block in blocks], axis=1), pcm)
    assert [block.at for block in blocks] == pytest.approx([7.0, 7.02, 7.04])


def test_an_empty_queue_is_not_yet_and_an_ended_one_has_ended() -> None:
    source = QueueSource(capacity=1)
    assert source.read(0.0) is Nothing.NOT_YET
    source.end()
    assert source.read(0.0) is Nothing.ENDED


def test_a_full_queue_drops_the_newest_and_the_next_block_carries_the_gap() -> None:
    source = QueueSource(capacity=1)
    source.put(np.ones(320, np.int16))
    source.put(np.full(500, 2, np.int16))
    assert block_of(source).pcm[0, 0] == 1
    source.put(np.full(320, 3, np.int16))
    block = block_of(source)
    assert (block.pcm[0, 0], block.gap) == (3, 500)


def test_a_waiting_reader_is_woken_by_sound() -> None:
    clock = HeldClock()
    source = QueueSource(capacity=1, clock=clock)
    results: list[AudioBlock | Nothing] = []
    waiting = threading.Thread(target=lambda: results.append(source.read(PATIENCE_S)))
    waiting.start()
    clock.wait_for_waiters()
    source.put(np.ones(320, np.int16))
    waiting.join()
    assert isinstance(results[0], AudioBlock)


def test_a_reader_whose_time_is_over_gets_not_yet() -> None:
    clock = HeldClock()
    source = QueueSource(capacity=1, clock=clock)
    results: list[AudioBlock | Nothing] = []
    waiting = threading.Thread(target=lambda: results.append(source.read(2.0)))
    waiting.start()
    clock.wait_for_waiters()
    clock.advance(2.0)
    waiting.join()
    assert results == [Nothing.NOT_YET]


def test_the_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(InputError, match="1 channels were put in, 2 promised"):
        QueueSource(capacity=1, channels=2).put(np.zeros(320, np.int16))
    with pytest.raises(InputError, match="9 channels are impossible"):
        QueueSource(capacity=1, channels=9)


# --- real time


def test_in_real_time_a_block_comes_when_it_would_have_been_spoken() -> None:
    clock = HeldClock(monotonic_s=100.0)
    inner = QueueSource(capacity=10, clock=clock)
    inner.put(np.ones(800, np.int16))
    inner.end()
    source = RealTime(inner, clock)
    assert source.read(0.0) is Nothing.NOT_YET
    clock.advance(0.0199)
    assert source.read(0.0) is Nothing.NOT_YET
    clock.advance(0.0002)
    assert block_of(source).at == pytest.approx(100.0)
    clock.advance(0.1)
    assert block_of(source).at == pytest.approx(100.02)
    assert block_of(source).pcm.shape == (1, 160)
    assert source.read(0.0) is Nothing.ENDED


def test_a_read_in_real_time_waits_for_its_block() -> None:
    clock = HeldClock()
    inner = QueueSource(capacity=10, clock=clock)
    inner.put(np.ones(320, np.int16))
    source = RealTime(inner, clock)
    results: list[AudioBlock | Nothing] = []
    waiting = threading.Thread(target=lambda: results.append(source.read(PATIENCE_S)))
    waiting.start()
    clock.wait_for_waiters()
    assert clock.advance_to_next() == pytest.approx(0.02)
    waiting.join()
    assert isinstance(results[0], AudioBlock)


def test_real_time_keeps_gaps_and_lets_their_time_pass() -> None:
    clock = HeldClock(monotonic_s=0.0)
    inner = QueueSource(capacity=1, clock=clock)
    inner.put(np.ones(320 + 1_600, np.int16))
    source = RealTime(inner, clock)
    source.read(0.0)
    clock.advance(0.02)
    block_of(source)
    inner.put(np.ones(320, np.int16))
    clock.advance(0.1)
    assert source.read(0.0) is Nothing.NOT_YET
    clock.advance(0.0201)
    block = block_of(source)
    assert block.gap == 1_600
    assert block.at == pytest.approx(0.12)


def test_closing_ends_real_time_while_it_waits() -> None:
    clock = HeldClock()
    inner = QueueSource(capacity=1, clock=clock)
    inner.put(np.ones(320, np.int16))
    source = RealTime(inner, clock)
    results: list[AudioBlock | Nothing] = []
    waiting = threading.Thread(target=lambda: results.append(source.read(PATIENCE_S)))
    waiting.start()
    clock.wait_for_waiters()
    source.close()
    waiting.join()
    assert results == [Nothing.ENDED]
    assert source.read(0.0) is Nothing.ENDED


# --- kinds


def test_a_file_is_opened_by_kind_at_both_speeds(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(320), 16_000)
    clock = HeldClock()
    with open_source(SourceSettings("file", str(path)), clock) as fast:
        assert isinstance(fast, FileSource)
        assert isinstance(fast.read(0.0), AudioBlock)
    with open_source(SourceSettings("file_in_real_time", str(path)), clock) as paced:
        assert (paced.name, paced.channels) == (str(path), 1)
        assert paced.read(0.0) is Nothing.NOT_YET


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="card, file, file_in_real_time, stdin"):
        open_source(SourceSettings("radio"), SystemClock())


def test_a_microphone_that_is_not_there_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match="no microphone has this name"):
        open_source(SourceSettings("card", "a microphone that nobody has"), SystemClock())


def test_nine_microphone_channels_are_refused() -> None:
    with pytest.raises(DeviceError, match="9 channels are impossible"):
        open_source(SourceSettings("card", channels=9), SystemClock())


def test_every_source_of_ours_is_a_source() -> None:
    assert set(SOURCE_KINDS) == {"card", "file", "file_in_real_time", "stdin"}
    assert isinstance(QueueSource(capacity=1), Source)
