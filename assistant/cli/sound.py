"""`assistant devices`, `record` and `play`: try microphone and loudspeaker with the assistant's own sound path."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.output import add_json_option, examples, print_json, progress, styled, table
from assistant.cli.settings import load_settings
from assistant.errors import DeviceError, StorageError

if TYPE_CHECKING:
    import numpy as np
    import soundfile
    from numpy.typing import NDArray

    from assistant.audio.devices import Device
    from assistant.audio.files import FileReader
    from assistant.audio.playback import Loudspeaker
    from assistant.audio.source import Source

RECORD_S = 5.0
NO_SOUND_S = 5.0  # a lost microphone has this long to come back before a recording is given up
QUEUED_S = 1.0  # sound that is read ahead of the loudspeaker
METER_FLOOR_DB = -60.0
METER_WIDTH = 40


def register(subparsers: Any) -> None:
    """Add `devices`, `record` and `play`."""
    devices = subparsers.add_parser(
        "devices",
        help="list microphones and loudspeakers",
        description="List microphones and loudspeakers: name (a part of it is enough anywhere), channels, native rate.",
        epilog=examples("assistant devices", "assistant devices --json"),
    )
    add_json_option(devices)
    devices.set_defaults(run=_devices)

    record = subparsers.add_parser(
        "record",
        help="record from a microphone into a file",
        description="Record what the assistant hears, all channels at 16 kHz, with a level meter on a terminal.",
        epilog=examples("assistant record --device seeed --seconds 10 kitchen.wav"),
    )
    record.add_argument(
        "out", metavar="OUT.wav", type=Path, help="file to write; its ending (.wav, .flac) is its format"
    )
    record.add_argument("--device", metavar="NAME", help="microphone, by name or part of one")
    record.add_argument("--seconds", metavar="S", type=_seconds, default=RECORD_S, help="how long (%(default)s)")
    record.add_argument("--channels", metavar="N", type=int, help="channels to open, 1 to 8 (all that it has)")
    add_json_option(record)
    record.set_defaults(run=_record)

    play = subparsers.add_parser(
        "play",
        help="play a file",
        description="Play a sound file through the loudspeaker that replies go to.",
        epilog=examples("assistant play --device jack kitchen.wav"),
    )
    play.add_argument("file", metavar="FILE", help="any format that libsndfile reads")
    play.add_argument("--device", metavar="NAME", help="loudspeaker, by name or part of one")
    add_json_option(play)
    play.set_defaults(run=_play)


def _devices(args: argparse.Namespace) -> int:
    from assistant.audio.portaudio import PORTAUDIO

    devices = PORTAUDIO.devices()
    if args.json:
        print_json([_as_json(device) for device in devices])
    elif devices:
        head = ("name", "in", "out", "rate", "default")
        print(table(head, [_as_row(device) for device in devices], right=("in", "out", "rate")))
    else:
        print("no sound device is found: connect one, or check that the sound server runs and that you may use it")
        print("(without one, `assistant run --demo` and sound files work all the same)")
    return 0


def _as_json(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "full_name": device.full_name,
        "system": device.system,
        "inputs": device.inputs,
        "outputs": device.outputs,
        "rate_hz": device.rate_hz,
        "default_input": device.default_input,
        "default_output": device.default_output,
    }


def _as_row(device: Device) -> tuple[str, ...]:
    from assistant.audio.devices import MOST_REAL_CHANNELS

    counts = ("any" if count > MOST_REAL_CHANNELS else str(count or "") for count in (device.inputs, device.outputs))
    defaults = (("microphone", device.default_input), ("loudspeaker", device.default_output))
    return device.name, *counts, f"{device.rate_hz} Hz", ", ".join(name for name, is_default in defaults if is_default)


def _record(args: argparse.Namespace) -> int:
    from assistant.audio.soundcard import SoundCardSource

    audio = load_settings(args, {"audio.device": args.device, "audio.channels": args.channels}).config.audio
    with SoundCardSource(audio.device, channels=audio.channels) as source:
        with _writing(args.out, source.channels) as file:
            seconds, lost_s, peak_db = _copy(source, file, args.seconds)
        result = {
            "path": str(args.out),
            "device": source.name,
            "channels": source.channels,
            "seconds": round(seconds, 2),
            "lost_s": round(lost_s, 3),
            "peak_dbfs": [round(each, 1) for each in peak_db],
        }
    if args.json:
        print_json(result)
        return 0
    levels = ", ".join(f"{each:.0f}" for each in peak_db)
    print(f"{args.out}: {seconds:.1f} s of {result['channels']} channels from {result['device']}, peak {levels} dBFS")
    if lost_s:
        print(f"{lost_s:.2f} s were lost on the way and are not in it")
    return 0


def _copy(source: Source, file: soundfile.SoundFile, seconds: float) -> tuple[float, float, list[float]]:
    """Copy `seconds` of sound, fewer on Ctrl-C; return seconds copied, seconds lost, peak of each channel in dBFS."""
    import numpy as np

    from assistant.audio.source import Nothing
    from assistant.types import SAMPLE_RATE_HZ

    wanted = round(seconds * SAMPLE_RATE_HZ)
    copied, lost = 0, 0
    peaks = np.zeros(source.channels)
    with contextlib.suppress(KeyboardInterrupt), _meter(source.channels) as show:
        while copied < wanted:
            block = source.read(NO_SOUND_S)
            if isinstance(block, Nothing):
                raise DeviceError("no sound arrives", where=source.name, remedy="is it muted, unplugged or in use?")
            pcm = block.pcm[:, : wanted - copied]
            file.write(pcm.T)
            copied += pcm.shape[1]
            lost += block.gap
            level = np.abs(pcm.astype(np.int32)).max(axis=1)
            peaks = np.maximum(peaks, level)
            show(level)
    return copied / SAMPLE_RATE_HZ, lost / SAMPLE_RATE_HZ, [_dbfs(peak) for peak in peaks]


@contextlib.contextmanager
def _meter(channels: int) -> Iterator[Callable[[NDArray[np.int32]], None]]:
    """A bar for each channel on the terminal's last lines; nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _level: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=sys.stderr), transient=True, refresh_per_second=20) as live:
        yield lambda level: live.update("\n".join(level_bar(channel, level[channel]) for channel in range(channels)))


def level_bar(channel: int, level: float) -> str:
    """One channel's bar, in rich's markup; level: the peak, 0 to 32,768."""
    level_db = _dbfs(level)
    filled = round(METER_WIDTH * max(0.0, 1 - level_db / METER_FLOOR_DB))
    colour = "red" if level_db > -1 else "yellow" if level_db > -6 else "green"
    return f"{channel + 1}  [{colour}]{'█' * filled}[/{colour}]{'·' * (METER_WIDTH - filled)} {level_db:4.0f} dBFS"


def _dbfs(level: float) -> float:
    import math

    return 20 * math.log10(max(float(level), 1.0) / 32_768)


@contextlib.contextmanager
def _writing(path: Path, channels: int) -> Iterator[soundfile.SoundFile]:
    import soundfile

    from assistant.types import SAMPLE_RATE_HZ

    try:
        file = soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, channels, "PCM_16")
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise StorageError(
            "the file cannot be written",
            where=str(path),
            remedy="choose a folder that exists and may be written, and a name that ends in .wav or .flac",
        ) from error
    with file:
        yield file


def _play(args: argparse.Namespace) -> int:
    from assistant.audio.files import FileReader
    from assistant.audio.playback import Loudspeaker

    audio = load_settings(args, {"audio.output": args.device}).config.audio
    with FileReader(args.file) as reader, Loudspeaker(audio.output) as speaker:
        try:
            seconds = _send(reader, speaker)
        except KeyboardInterrupt:
            speaker.stop()
            speaker.wait(1.0)
            raise
        result = {"path": args.file, "device": speaker.name, "seconds": round(seconds, 2)}
    if args.json:
        print_json(result)
    else:
        print(f"{styled(args.file, 'bold')}: {result['seconds']} s played on {result['device']}")
    return 0


def _send(reader: FileReader, speaker: Loudspeaker) -> float:
    """Play all of the file, reading at most a second ahead; return the seconds played."""
    from assistant.audio.resample import Resampler, to_int16

    resampler = Resampler(reader.rate_hz, speaker.rate_hz, 1)
    frames_read = 0
    with progress(reader.path, reader.duration_s) as advance:
        while (frames := reader.read()) is not None:
            speaker.play(to_int16(resampler.process(frames.mean(axis=1, keepdims=True)))[:, 0], speaker.rate_hz)
            frames_read += len(frames)
            advance(len(frames) / reader.rate_hz)
            while speaker.queued_s > QUEUED_S and speaker.alive:
                speaker.wait(QUEUED_S / 10)
        speaker.play(to_int16(resampler.finish())[:, 0], speaker.rate_hz)
        while not speaker.wait(QUEUED_S):
            if not speaker.alive:
                raise DeviceError("the loudspeaker is gone", where=speaker.name, remedy="connect it and play again")
    return frames_read / reader.rate_hz


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no length of time")
    return seconds
