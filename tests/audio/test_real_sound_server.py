"""The sound card's source and the loudspeaker against a real PulseAudio, through ALSA and PortAudio as on a board."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from assistant.audio.devices import Direction
from assistant.audio.playback import BLOCK_S, FADE_S, Loudspeaker
from assistant.audio.portaudio import PORTAUDIO
from assistant.audio.reconnect import State
from assistant.audio.soundcard import SoundCardSource
from assistant.audio.source import Nothing, Source
from assistant.clock import SystemClock
from assistant.errors import DeviceError
from assistant.testing import find_recordings
from assistant.types import SAMPLE_RATE_HZ, AudioBlock
from tests.sound_server import MIC1, MIC1_CD, MIC4, MIC4_CD, PATIENCE_S, SINKS, SPEAKER, Sink, SoundServer

pytestmark = pytest.mark.real

RECORDING_S = 2.0
LAGS_PER_SAMPLE = 8  # the sound arrives at no whole number of 16 kHz samples
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def speech() -> NDArray[np.int16]:
    """Four different people, int16 [samples, 4] at 16 kHz."""
    folder = find_recordings("an4")
    if folder is None:
        pytest.skip("the recordings are not there: set ASSISTANT_DATA")
    samples = round(RECORDING_S * SAMPLE_RATE_HZ)
    people = {path.stem.split("-")[1]: path for path in sorted(folder.glob("*.flac"))}
    long_enough: list[NDArray[np.int16]] = []
    for path in people.values():
        sound, rate_hz = soundfile.read(path, dtype="int16")
        assert rate_hz == SAMPLE_RATE_HZ
        if len(sound) >= samples and len(long_enough) < 4:
            long_enough.append(sound[:samples])
    return np.stack(long_enough, axis=1)


@pytest.fixture
def four_voices(speech: NDArray[np.int16]) -> NDArray[np.float32]:
    return (speech / 32_768).astype(np.float32)


def heard_until(source: Source, done: threading.Event | threading.Thread, quiet_s: float = 0.5) -> NDArray[np.int16]:
    """All sound until `done`, and then until nothing is heard for `quiet_s`."""
    blocks: list[AudioBlock] = []
    quiet = 0
    while True:
        block = source.read(PATIENCE_S)
        assert isinstance(block, AudioBlock)
        assert block.gap == 0
        blocks.append(block)
        over = not done.is_alive() if isinstance(done, threading.Thread) else done.is_set()
        quiet = quiet + 1 if np.abs(block.pcm).max() <= 2 else 0
        if over and quiet >= quiet_s / 0.02:
            return np.concatenate([each.pcm for each in blocks], axis=1)


def best_correlation(heard: NDArray[np.int16], sent: NDArray[np.int16]) -> float:
    """Highest normalised correlation of `sent` with any stretch of `heard` of the same length, lags in 1/8 samples."""
    one, other = heard.astype(float), sent.astype(float)
    size = len(one) + len(other)
    spectrum = np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size))
    products = LAGS_PER_SAMPLE * np.fft.irfft(spectrum, LAGS_PER_SAMPLE * size)[: LAGS_PER_SAMPLE * len(one)]
    best = products.reshape(-1, LAGS_PER_SAMPLE).max(axis=1)
    energy = np.concatenate(([0.0], np.cumsum(one**2)))
    stretch = energy[np.minimum(np.arange(len(one)) + len(other), len(one))] - energy[: len(one)]
    return float(np.max(best / np.sqrt(np.maximum(stretch, 1.0) * np.sum(other**2))))


def first_sound(source: Source, loudness: int = 50) -> AudioBlock:
    """The first block that is not silence."""
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE_S
    while clock.monotonic() < deadline:
        block = source.read(0.1)
        if isinstance(block, AudioBlock) and np.abs(block.pcm).max() > loudness:
            return block
    pytest.fail(f"no sound within {PATIENCE_S:.0f} s")


def until_lost(source: SoundCardSource) -> None:
    """Read until the microphone counts as lost."""
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE_S
    while source.state in (State.RUNNING, State.STARTING):
        assert clock.monotonic() < deadline, "the loss was not noticed"
        source.read(0.1)


@pytest.mark.parametrize(
    ("sink", "rate_hz"),
    [(MIC1, 48_000), (MIC1_CD, None), (MIC4, 48_000), (MIC4_CD, 44_100)],
    ids=["mono-48", "mono-native", "four-48", "four-44"],
)
def test_a_recording_played_into_a_microphone_arrives_by_name_channel_by_channel(
    sound_server: SoundServer, speech: NDArray[np.int16], sink: Sink, rate_hz: int | None
) -> None:
    sent = speech[:, : sink.channels]
    at_its_rate = soxr.resample((sent / 32_768).astype(np.float32), SAMPLE_RATE_HZ, sink.rate_hz)
    with SoundCardSource(sink.name, channels=sink.channels, rate_hz=rate_hz) as source:
        assert (source.name, source.channels) == (sink.name, sink.channels)
        assert isinstance(source.read(PATIENCE_S), AudioBlock)
        playing = threading.Thread(target=sound_server.play, args=(sink, at_its_rate, sink.rate_hz))
        playing.start()
        heard = heard_until(source, playing)
        playing.join()
        statistics = source.statistics()
    table = np.array(
        [[best_correlation(channel, sent[:, other]) for other in range(sink.channels)] for channel in heard]
    )
    assert np.diag(table).min() > 0.99
    assert (table - np.eye(sink.channels)).max() < 0.5
    assert statistics is not None
    assert statistics.dropped == 0


def test_times_follow_the_clock_and_one_another(sound_server: SoundServer) -> None:
    clock = SystemClock()
    opened_at = clock.monotonic()
    with SoundCardSource("mic1", channels=1, clock=clock) as source:
        blocks = [source.read(PATIENCE_S) for _ in range(50)]
    times = [block.at for block in blocks if isinstance(block, AudioBlock)]
    assert len(times) == 50
    assert opened_at - 0.5 < times[0] < times[-1] < clock.monotonic()
    assert np.diff(times) == pytest.approx(0.02, abs=0.02)
    assert times[-1] - times[0] == pytest.approx(49 * 0.02, abs=0.1)


def test_a_microphone_that_is_absent_is_an_error_that_names_those_there_are(sound_server: SoundServer) -> None:
    with pytest.raises(DeviceError, match=r'no microphone has this name.*"mic1".*"mic4"'):
        SoundCardSource("studio condenser")


def test_part_of_a_name_that_fits_several_is_refused(sound_server: SoundServer) -> None:
    with pytest.raises(DeviceError, match=r'fits 4 microphones; name one of "mic1", "mic1cd", "mic4", "mic4cd"'):
        SoundCardSource("mic")


def test_more_channels_than_the_library_can_do_are_refused(sound_server: SoundServer) -> None:
    with pytest.raises(DeviceError, match="9 channels are impossible"):
        SoundCardSource("mic4", channels=9)


def test_closing_from_another_thread_ends_a_read_at_once(sound_server: SoundServer) -> None:
    source = SoundCardSource("mic1", channels=1)
    results: list[AudioBlock | Nothing] = []

    def read_to_the_end() -> None:
        while (block := source.read(PATIENCE_S)) is not Nothing.ENDED:
            results.append(block)

    reading = threading.Thread(target=read_to_the_end)
    reading.start()
    while not results:
        assert reading.is_alive()
    source.close()
    reading.join(PATIENCE_S)
    assert not reading.is_alive()
    source.close()


def test_a_server_that_dies_and_comes_back_is_listened_to_again(
    sound_server: SoundServer, speech: NDArray[np.int16]
) -> None:
    four_voices = soxr.resample((speech / 32_768).astype(np.float32), SAMPLE_RATE_HZ, MIC4.rate_hz)
    with (
        sound_server.playing_over_and_over(MIC4, four_voices, MIC4.rate_hz),
        SoundCardSource("mic4", channels=4, rate_hz=48_000) as source,
    ):
        first_sound(source)
        sound_server.kill()
        until_lost(source)
        assert source.read(0.0) is Nothing.NOT_YET
        sound_server.start()
        back = source.read(PATIENCE_S)
        assert isinstance(back, AudioBlock)
        assert back.gap > 0
        assert source.state is State.RUNNING
        heard = [first_sound(source).pcm]
        while len(heard) < 2 * RECORDING_S / 0.02 + 50:
            block = source.read(PATIENCE_S)
            assert isinstance(block, AudioBlock)
            heard.append(block.pcm)
    together = np.concatenate(heard, axis=1)
    for channel in range(4):
        # The first half is whole somewhere, wherever in the endless repetition listening began.
        assert best_correlation(together[channel], speech[: len(speech) // 2, channel]) > 0.99


def test_an_unplugged_microphone_is_not_replaced_by_another_and_is_opened_again_when_it_is_back(
    sound_server: SoundServer, four_voices: NDArray[np.float32]
) -> None:
    """The server itself connects the listener to another source, and PortAudio is none the wiser."""
    with SoundCardSource("mic1", channels=1, rate_hz=48_000) as source:
        assert isinstance(source.read(PATIENCE_S), AudioBlock)
        sound_server.unplug(MIC1)
        with sound_server.playing_over_and_over(MIC4, four_voices, SAMPLE_RATE_HZ):
            until_lost(source)
        sound_server.plug_in(MIC1)
        with sound_server.playing_over_and_over(MIC1, four_voices[:, :1], SAMPLE_RATE_HZ):
            first_sound(source)


@pytest.fixture
def speaker(sound_server: SoundServer) -> Iterator[Loudspeaker]:
    with Loudspeaker(SPEAKER.name) as loudspeaker:
        yield loudspeaker


def monitored(process: subprocess.Popen[bytes], samples: int) -> NDArray[np.int16]:
    assert process.stdout is not None
    data = process.stdout.read(2 * samples)
    assert len(data) == 2 * samples
    return np.frombuffer(data, dtype="<i2")


def test_what_is_played_is_heard_and_stop_ends_it_within_fifty_milliseconds_of_sound(
    sound_server: SoundServer, speaker: Loudspeaker
) -> None:
    """Counted in samples: those sent after the stop, and those that the device holds."""
    tone = np.full(20 * speaker.rate_hz, 10_000, np.int16)
    with sound_server.recording(SPEAKER) as monitor:
        speaker.play(tone, speaker.rate_hz)
        while monitored(monitor, 480).max() < 9_000:
            assert speaker.alive
        assert speaker.playing
        sent_before = speaker.reference.offered
        speaker.stop()
        assert speaker.wait(PATIENCE_S)
        while monitored(monitor, 480).any():
            assert speaker.alive
        assert not any(monitored(monitor, 480).any() for _ in range(20))
    sent = []
    while (chunk := speaker.reference.read(speaker.rate_hz)) is not None:
        sent.append(chunk)
    lost = speaker.reference.statistics().dropped
    if lost == 0:
        last = max(chunk.first + int(np.flatnonzero(chunk.frames)[-1]) for chunk in sent if chunk.frames.any())
        after_s = (last + 1 - sent_before) / speaker.rate_hz
        assert after_s <= BLOCK_S + FADE_S
    assert BLOCK_S + FADE_S + speaker.latency_s <= 0.05


def test_the_stream_stays_open_and_speaks_again(sound_server: SoundServer, speaker: Loudspeaker) -> None:
    for _ in range(2):
        with sound_server.recording(SPEAKER) as monitor:
            speaker.play(np.full(8_000, 5_000, np.int16), 16_000)
            while monitored(monitor, 480).max() < 4_000:
                assert speaker.alive
            assert speaker.wait(PATIENCE_S)
            assert not speaker.playing


def test_a_loudspeaker_that_was_lost_speaks_at_the_next_reply(sound_server: SoundServer) -> None:
    with Loudspeaker(SPEAKER.name) as speaker:
        speaker.play(np.full(480, 5_000, np.int16), 48_000)
        sound_server.kill()
        sound_server.start()
        with sound_server.recording(SPEAKER) as monitor:
            speaker.play(np.full(24_000, 5_000, np.int16), 48_000)
            while monitored(monitor, 480).max() < 4_000:
                assert speaker.alive


def test_a_new_list_waits_while_a_reply_is_spoken(sound_server: SoundServer, speaker: Loudspeaker) -> None:
    speaker.play(np.full(10 * speaker.rate_hz, 5_000, np.int16), speaker.rate_hz)
    assert speaker.busy
    with pytest.raises(DeviceError, match="not made anew while a reply is spoken"):
        PORTAUDIO.find_anew("mic1", Direction.INPUT)
    assert speaker.alive
    speaker.stop()
    assert speaker.wait(PATIENCE_S)
    assert PORTAUDIO.find_anew("mic1", Direction.INPUT).name == "mic1"


def test_a_reply_to_a_server_that_dies_is_over(sound_server: SoundServer) -> None:
    with Loudspeaker(SPEAKER.name) as speaker:
        speaker.play(np.full(100 * speaker.rate_hz, 5_000, np.int16), speaker.rate_hz)
        assert not speaker.wait(0.0)
        sound_server.kill()
        assert speaker.wait(PATIENCE_S)
        assert not speaker.playing
        with pytest.raises(DeviceError, match="no loudspeaker has this name"):
            speaker.play(np.zeros(480, np.int16), 48_000)
        sound_server.start()
    with pytest.raises(DeviceError, match="it was closed"):
        speaker.play(np.zeros(480, np.int16), 48_000)


def test_a_loudspeaker_survives_a_microphone_that_is_opened_again(
    sound_server: SoundServer, speaker: Loudspeaker
) -> None:
    """A new list of devices ends every stream of the process; those that lived on are opened again."""
    with SoundCardSource("mic4", channels=4) as source:
        assert isinstance(source.read(PATIENCE_S), AudioBlock)
        PORTAUDIO.refresh()
        until_lost(source)
        assert isinstance(source.read(PATIENCE_S), AudioBlock)
        with sound_server.recording(SPEAKER) as monitor:
            speaker.play(np.full(24_000, 5_000, np.int16), 48_000)
            while monitored(monitor, 480).max() < 4_000:
                assert speaker.alive


COMMAND = [sys.executable, "-c", "import sys; from assistant.cli.main import main; sys.exit(main())"]


def assistant(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_line_lists_records_and_plays(
    sound_server: SoundServer, four_voices: NDArray[np.float32], tmp_path: Path
) -> None:
    listed = json.loads(assistant("devices", "--json").stdout)
    assert {sink.name for sink in SINKS} <= {each["name"] for each in listed}
    assert "mic4" in assistant("devices").stdout

    out = tmp_path / "kitchen.flac"
    with sound_server.playing_over_and_over(MIC4, four_voices, SAMPLE_RATE_HZ):
        done = assistant("record", "--device", "mic4", "--channels", "4", "--seconds", "1.5", "--json", str(out))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["device"] == "mic4"
    sound, rate_hz = soundfile.read(out, dtype="int16")
    assert (rate_hz, sound.shape) == (SAMPLE_RATE_HZ, (24_000, 4))
    assert (np.abs(sound).max(axis=0) > 50).all()

    with sound_server.recording(SPEAKER) as monitor:
        playing = subprocess.Popen(
            [*COMMAND, "play", "--device", "spk", str(out)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        while np.abs(monitored(monitor, 4_800)).max() < 50:
            assert playing.poll() is None
        said, _ = playing.communicate(timeout=60)
    assert playing.returncode == 0
    assert "1.5 s played on spk" in said


def test_a_terminal_shows_a_level_meter_while_recording(
    sound_server: SoundServer, four_voices: NDArray[np.float32], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with sound_server.playing_over_and_over(MIC1, four_voices[:, :1], SAMPLE_RATE_HZ):
        recording = subprocess.Popen(
            [*COMMAND, "record", "--device", "mic1cd", "--seconds", "0.5", str(tmp_path / "x.wav")],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal tells that the other side is gone
            while data := os.read(ours, 65_536):
                shown += data
        os.close(ours)
        said, _ = recording.communicate(timeout=60)
    assert recording.returncode == 0
    assert "0.5 s of 1 channels from mic1cd" in said
    assert "dBFS" in shown.decode()


def test_the_command_line_names_the_microphones_when_none_fits(sound_server: SoundServer, tmp_path: Path) -> None:
    done = assistant("record", "--device", "studio", str(tmp_path / "x.wav"))
    assert done.returncode == DeviceError.exit_code
    assert 'there is "spk", "mic1"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
