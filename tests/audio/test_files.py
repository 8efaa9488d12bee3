from __future__ import annotations

import logging
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from assistant.audio.files import FileReader, FileSource
from assistant.audio.frontend import Pick
from assistant.audio.source import Nothing, Source
from assistant.errors import InputError
from assistant.testing import HeldClock, find_recordings
from assistant.types import FRAME_SAMPLES, AudioBlock

TONE_HZ = 440.0


def tone(rate_hz: int, seconds: float = 0.5, channels: int = 1) -> NDArray[np.float32]:
    """A tone, each channel half as loud as the one before."""
    wave = np.sin(2 * np.pi * TONE_HZ * np.arange(round(rate_hz * seconds)) / rate_hz)
    return (0.8 * wave[:, np.newaxis] * 0.5 ** np.arange(channels)).astype(np.float32)


def sound_of(source: Source) -> NDArray[np.int16]:
    """All of it, int16 [channels, samples]."""
    return np.concatenate([block.pcm for block in source], axis=1)


@pytest.mark.parametrize(
    ("rate_hz", "channels", "subtype", "ending"),
    [
        (8_000, 1, "PCM_16", "wav"),
        (16_000, 2, "PCM_16", "flac"),
        (44_100, 1, "VORBIS", "ogg"),
        (44_100, 2, "MPEG_LAYER_III", "mp3"),
        (48_000, 8, "PCM_24", "wav"),
        (48_000, 4, "PCM_24", "flac"),
        (96_000, 8, "FLOAT", "wav"),
        (22_050, 1, "PCM_U8", "wav"),
        (192_000, 1, "DOUBLE", "wav"),
    ],
)
def test_any_usual_format_rate_and_number_of_channels_is_read(
    tmp_path: Path, rate_hz: int, channels: int, subtype: str, ending: str
) -> None:
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, tone(rate_hz, channels=channels), rate_hz, subtype=subtype)
    with FileSource(path) as source:
        assert source.channels == channels
        assert source.name == str(path)
        sound = sound_of(source)
    expected = tone(16_000, channels=channels).T * 32_768
    assert sound.shape[1] == pytest.approx(expected.shape[1], abs=1_500 if ending == "mp3" else 1)
    middle = slice(2_000, 6_000)
    for channel in range(channels):
        loudness = np.sqrt(np.mean(sound[channel, middle].astype(float) ** 2))
        assert loudness == pytest.approx(np.sqrt(np.mean(expected[channel, middle] ** 2)), rel=0.05, abs=2)


def test_blocks_are_20_ms_and_follow_one_another_from_the_moment_of_opening(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(16_000, seconds=0.05), 16_000)
    blocks = list(FileSource(path, clock=HeldClock(monotonic_s=50.0)))
    assert [block.pcm.shape[1] for block in blocks] == [FRAME_SAMPLES, FRAME_SAMPLES, 160]
    assert [block.at for block in blocks] == pytest.approx([50.0, 50.02, 50.04])
    assert all(block.gap == 0 and not block.pcm.flags.writeable for block in blocks)


def test_16_bit_files_at_16_khz_arrive_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "noise.flac"
    pcm = np.random.default_rng(3).integers(-32_768, 32_768, (7_777, 2)).astype(np.int16)
    soundfile.write(path, pcm, 16_000)
    np.testing.assert_array_equal(sound_of(FileSource(path)), pcm.T)


def test_ten_milliseconds_are_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, tone(48_000, seconds=0.01), 48_000)
    assert sound_of(FileSource(path)).shape == (1, 160)


def test_after_the_end_it_stays_ended_and_closing_twice_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, tone(16_000, seconds=0.02), 16_000)
    source = FileSource(path)
    assert isinstance(source.read(0.0), AudioBlock)
    assert source.read(0.0) is Nothing.ENDED
    assert source.read(0.0) is Nothing.ENDED
    source.close()
    source.close()


def test_closing_in_the_middle_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(16_000), 16_000)
    source = FileSource(path)
    source.read(0.0)
    source.close()
    assert source.read(0.0) is Nothing.ENDED


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("notes.wav", b"dear diary, today I spoke to the lamp" * 20, "not a sound file"),
        ("empty.wav", b"", "the file is empty"),
        ("speech.raw", b"\x00\x01" * 800, "not a sound file"),
        ("cut.flac", b"fLaC\x00\x00", "not a sound file"),
    ],
)
def test_what_is_no_sound_is_refused_with_place_and_remedy(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        FileSource(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


def test_an_absent_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        FileSource(tmp_path / "nowhere.wav")
    with pytest.raises(InputError, match="this is a folder"):
        FileSource(tmp_path)


def test_a_file_of_no_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing.wav"
    soundfile.write(path, np.zeros((0, 1), np.int16), 16_000)
    with pytest.raises(InputError, match="holds no sound"):
        FileSource(path)


def test_nine_channels_are_too_many(tmp_path: Path) -> None:
    path = tmp_path / "nine.wav"
    soundfile.write(path, tone(16_000, channels=9), 16_000)
    with pytest.raises(InputError, match="9 channels, more than 8"):
        FileSource(path)


def test_a_rate_that_is_not_one_of_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slow.wav"
    soundfile.write(path, tone(16_000), 100)
    with pytest.raises(InputError, match="100 Hz is not one of sound"):
        FileSource(path)


@pytest.mark.parametrize("ending", ["flac", "mp3"])
def test_a_file_that_was_cut_off_gives_what_it_has_and_then_says_so(tmp_path: Path, ending: str) -> None:
    whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
    noise = (0.1 * np.random.default_rng(5).standard_normal(80_000)).astype(np.float32)
    soundfile.write(whole, noise, 16_000)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    blocks: list[AudioBlock] = []
    with FileSource(cut) as source:
        with pytest.raises(InputError, match=r"the sound breaks off after \d\.\d\d s") as caught:
            blocks.extend(source)
        assert source.read(0.0) is Nothing.ENDED
    assert caught.value.where == str(cut)
    assert 30_000 < sum(block.pcm.shape[1] for block in blocks) < 45_000


def test_real_broken_recordings_are_refused() -> None:
    folder = find_recordings("broken")
    if folder is None:
        pytest.skip("the recordings are not there: set ASSISTANT_DATA")
    paths = sorted(folder.glob("*.flac"))
    assert paths
    for path in paths:
        with FileSource(path) as source, pytest.raises(InputError, match="breaks off"):
            sound_of(source)


def test_samples_that_are_no_numbers_become_silence_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "nan.wav"
    sound = tone(16_000, channels=2)
    sound[1_000:1_100, 0] = np.nan
    sound[5_000, 1] = np.inf
    sound[5_001, 1] = -np.inf
    soundfile.write(path, sound, 16_000, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        got = sound_of(FileSource(path))
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: samples that are not numbers (NaN or infinite) are taken as silence"
    ]
    expected = np.nan_to_num(sound, nan=0, posinf=0, neginf=0).T * 32_768
    assert np.abs(got - expected).max() <= 1


def test_sound_that_was_clipped_or_is_beyond_full_scale_stays_at_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, 10 * tone(16_000), 16_000, subtype="FLOAT")
    got = sound_of(FileSource(path))[0]
    assert got.max() == 32_767
    assert got.min() == -32_768
    assert np.array_equal(np.sign(got), np.sign(np.rint(10 * tone(16_000)[:, 0] * 32_768)))


def test_a_constant_offset_passes_the_file_and_ends_at_the_front_end(tmp_path: Path) -> None:
    path = tmp_path / "offset.wav"
    soundfile.write(path, 0.25 * tone(16_000) + 0.3, 16_000)
    front = Pick(channels=1)
    blocks = list(FileSource(path))
    assert np.concatenate([block.pcm[0] for block in blocks]).mean() > 9_000
    heard = np.concatenate([front.process(block).pcm for block in blocks]).astype(float)
    assert abs(heard.mean()) < 20
    assert np.abs(heard).max() == pytest.approx(0.2 * 32_768, rel=0.03)


@pytest.mark.real
def test_an_hour_of_silence_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    minute = np.zeros(16_000 * 60, np.int16)
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16") as file:
        for _ in range(60):
            file.write(minute)
    tracemalloc.start()
    try:
        samples = sum(block.pcm.shape[1] for block in FileSource(path))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert samples == 3_600 * 16_000
    assert peak_bytes < 8e6


def test_a_reader_gives_the_file_as_it_is_and_its_length(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(44_100, seconds=0.25, channels=2), 44_100, subtype="FLOAT")
    with FileReader(path) as reader:
        assert (reader.rate_hz, reader.channels) == (44_100, 2)
        assert reader.duration_s == pytest.approx(0.25)
        chunks = []
        while (chunk := reader.read()) is not None:
            chunks.append(chunk)
    np.testing.assert_array_equal(np.concatenate(chunks), tone(44_100, seconds=0.25, channels=2))
