"""`assistant wake`: which wake words there are, whether they are heard in files, and whether you are heard."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from assistant.cli.output import add_json_option, examples, print_json, print_json_line, progress, styled, table
from assistant.errors import AssistantError, InputError

if TYPE_CHECKING:
    from assistant.audio.source import Source
    from assistant.listen.wake import WakeWord
    from assistant.types import AudioFrame

EXAMPLES = """examples:
  assistant wake list
  assistant wake test alexa recordings/*.flac --json
  assistant wake listen "hey jarvis" "okay nabu"

Each line of `wake test --json` holds: path, detected, score (0..1, the highest of the file) and at_s (where the word
ended, seconds from the beginning of the file; null where it was not detected). An unreadable file gives a line with
"error"; the others are still heard, and the exit code is 3.
"""


def register(subparsers: Any) -> None:
    """Add `wake list`, `wake test` and `wake listen`."""
    parser = subparsers.add_parser(
        "wake", help="list, test and try wake words", description="List, test and try wake words.", epilog=EXAMPLES
    )
    kinds = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = kinds.add_parser(
        "list",
        help="list the words that can be listened for",
        description="List the words that can be listened for.",
        epilog=examples("assistant wake list"),
    )
    add_json_option(listing)
    listing.set_defaults(run=_list)

    test = kinds.add_parser(
        "test", help="hear whether files hold a word", description="Hear whether files hold a word.", epilog=EXAMPLES
    )
    test.add_argument("name", metavar="NAME", help='the word, e.g. alexa or "hey jarvis"; `wake list` names all')
    test.add_argument("files", metavar="FILE", nargs="+", help="sound files: anything libsndfile reads")
    test.add_argument("--threshold", type=float, metavar="P", help="score that wakes, 0 to 1 (default: as shipped)")
    add_json_option(test)
    test.set_defaults(run=_test)

    listen = kinds.add_parser(
        "listen",
        help="say when a word is heard at the microphone",
        description="Say when a word is heard at the microphone; Ctrl-C ends.",
        epilog=examples('assistant wake listen "hey jarvis" "okay nabu"'),
    )
    listen.add_argument("names", metavar="NAME", nargs="+", help="one or several words")
    listen.add_argument("--device", metavar="NAME", help="microphone, by name or part of one")
    add_json_option(listen)
    listen.set_defaults(run=_listen)


def _list(args: argparse.Namespace) -> int:
    from assistant.listen.wake import installed_engines, known_words

    known = known_words(installed_engines())
    if args.json:
        print_json(known)
    else:
        print(table(("word", "engine"), [(one.word, one.engine) for one in known]))
    return 0


def _test(args: argparse.Namespace) -> int:
    from assistant.listen.wake import open_wake_words

    thresholds = {args.name: args.threshold} if args.threshold is not None else {}
    [detector] = open_wake_words([args.name], thresholds)
    code = 0
    with progress("listening", len(args.files)) as advance:
        for path in args.files:
            row = _row(path, detector)
            code = InputError.exit_code if "error" in row else code
            if args.json:
                print_json_line(row)
            else:
                _print(row)
            advance(1)
    return code


def _row(path: str, detector: WakeWord) -> dict[str, Any]:
    """What became of one file."""
    try:
        detection = next(filter(None, map(detector.feed, _heard_alone(path, detector))), None)
    except AssistantError as error:
        return {"path": path, "error": str(error)}
    score = max(detector.scores.values()) if detection is None else detection.score
    at_s = None if detection is None else round(max(detection.at_s, 0.0), 3)
    return {"path": path, "detected": detection is not None, "score": round(score, 4), "at_s": at_s}


def _heard_alone(path: str, detector: WakeWord) -> Iterator[AudioFrame]:
    """A file's frames after silence that lets the detector settle, and before some that lets it answer.

    The file's first sample is at 0 s.
    """
    import numpy as np

    from assistant.audio.files import FileSource
    from assistant.audio.frontend import Mean
    from assistant.listen.wake import SETTLE_S, TAIL_S
    from assistant.types import SAMPLE_RATE_HZ, AudioFrame

    with FileSource(path) as source:
        front_end = Mean(source.channels)
        detector.reset()
        yield AudioFrame(np.zeros(round(SETTLE_S * SAMPLE_RATE_HZ), np.int16), -SETTLE_S)
        samples = 0
        for block in source:
            frame = front_end.process(block)
            yield AudioFrame(frame.pcm, samples / SAMPLE_RATE_HZ)
            samples += len(frame.pcm)
        yield AudioFrame(np.zeros(round(TAIL_S * SAMPLE_RATE_HZ), np.int16), samples / SAMPLE_RATE_HZ)


def _print(row: dict[str, Any]) -> None:
    if "error" in row:
        print(f"assistant: {row['error']}", file=sys.stderr)
    elif row["detected"]:
        print(f"{row['path']}: {styled('detected', 'green')} at {row['at_s']:.2f} s, score {row['score']:.2f}")
    else:
        print(f"{row['path']}: {styled('not detected', 'red')}, score {row['score']:.2f}")


def _listen(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings
    from assistant.listen.wake import open_wake_words

    config = load_settings(args, {"audio.device": args.device}).config
    detectors = open_wake_words(args.names)
    device = "" if config.audio.device == "default" else config.audio.device
    with _microphone(device, config.audio.channels) as source:
        if not args.json:
            print(f"say {' or '.join(word for one in detectors for word in one.words)}; Ctrl-C ends", flush=True)
        for detection in _detections(source, config.audio.frontend, detectors):
            if args.json:
                print_json_line(detection)
            else:
                print(f"{styled(detection.word, 'green')}  score {detection.score:.2f}", flush=True)
    return 0


def _microphone(device: str, channels: int | None) -> Source:
    from assistant.audio.kinds import SourceSettings, open_source
    from assistant.clock import SystemClock

    return open_source(SourceSettings("card", device, channels), SystemClock())


def _detections(source: Source, front_end_name: Any, detectors: Iterable[WakeWord]) -> Iterator[Any]:
    from assistant.audio.frontend import front_end

    front = front_end(front_end_name, source.channels)
    for block in source:
        frame = front.process(block)
        yield from filter(None, [detector.feed(frame) for detector in detectors])
