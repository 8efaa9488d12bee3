"""`assistant speak`: a text through the voice that also speaks replies."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.output import add_json_option, print_json

if TYPE_CHECKING:
    from assistant.audio.playback import Sink
    from assistant.speak.speech import Speech

EXAMPLES = """examples:
  assistant speak "Dinner is ready."
  assistant speak "Dinner is ready." --out dinner.wav
  fortune | assistant speak --voice espeak -
"""

# Beyond the sound's own length, how long the loudspeaker may take before it counts as stuck.
STUCK_AFTER_S = 5.0


def register(subparsers: Any) -> None:
    """Add `speak`."""
    parser = subparsers.add_parser(
        "speak",
        help="speak a text",
        description="Speak a text with the voice of the replies, on a loudspeaker or into a file.",
        epilog=EXAMPLES,
    )
    parser.add_argument("text", metavar="TEXT", help="what to say; - reads it from standard input")
    parser.add_argument("--voice", metavar="NAME", help="hibari, espeak, the name of a plug-in, auto or none")
    parser.add_argument("--language", metavar="TAG", default="en", help="language of the text, e.g. ko (default: en)")
    parser.add_argument("--out", metavar="FILE.wav", type=Path, help="write a WAV file instead of playing")
    parser.add_argument("--device", metavar="NAME", help="loudspeaker, by name or part of one")
    add_json_option(parser)
    parser.set_defaults(run=_speak)


def _speak(args: argparse.Namespace) -> int:
    from assistant.cli.assembly import installed_voices
    from assistant.cli.settings import load_settings
    from assistant.folders import folders, usable_cache
    from assistant.speak.speech import Speech
    from assistant.speak.voice import choose_voice

    flags = {"speak.voice": args.voice, "audio.output": args.device}
    config = load_settings(args, flags).config
    text = sys.stdin.read() if args.text == "-" else args.text
    voice = choose_voice(config.speak.voice, language=args.language, voices=installed_voices(config))
    speech = Speech(voice, folder=usable_cache(folders(config.paths).cache) / "phrases")
    started = time.perf_counter()
    first_sound_ms, seconds = _say(speech, text, args.out, config.audio.output, started)
    if args.json:
        print_json(
            {
                "voice": voice.name,
                "first_sound_ms": first_sound_ms,
                "seconds": round(seconds, 3),
                "out": args.out,
            }
        )
    return 0


def _say(speech: Speech, text: str, out: Path | None, device: str, started: float) -> tuple[float | None, float]:
    """Speak by sentences; returns when the first sound was ready (ms, None without any) and the length of all (s)."""
    sink: Sink | None = None
    first_sound_ms = None
    seconds = 0.0
    try:
        for chunk in speech.stream(text):
            if sink is None:
                first_sound_ms = round((time.perf_counter() - started) * 1000, 1)
                sink = _open_sink(out, device, speech.sample_rate)
            sink.play(chunk, speech.sample_rate)
            seconds += len(chunk) / speech.sample_rate
        if sink is None and out is not None:  # nothing to say is an empty file, not a missing one
            sink = _open_sink(out, device, speech.sample_rate)
        if sink is not None:
            sink.wait(seconds + STUCK_AFTER_S)
    finally:
        if sink is not None:
            sink.close()
    return first_sound_ms, seconds


def _open_sink(out: Path | None, device: str, sample_rate: int) -> Sink:
    from assistant.audio.playback import Loudspeaker, WavSink

    return WavSink(out, sample_rate) if out is not None else Loudspeaker(None if device == "default" else device)
