"""`assistant understand`: sound files, or lines of text, in; one JSON line each out, as a contract."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import add_engine_options, build_understander, engine_flags
from assistant.cli.output import print_json_line, progress, styled
from assistant.errors import AssistantError, UsageError

if TYPE_CHECKING:
    from assistant.pipeline import Understander
    from assistant.types import Transcript, Understanding, Utterance

EXAMPLES = """examples:
  assistant understand --context barista order.wav
  assistant understand --context barista --jsonl recordings/*.flac > results.jsonl
  assistant understand --context home --text sentences.txt
  assistant understand --context barista --recognizer none order.wav

Each line of --jsonl holds: path, text, intent, slots, confidence, accepted, engine, variant, alternatives,
timings_ms (recognize, understand, decide, total: computing from the end of speech to the decision), outcome
(accept, ask, refuse), question. `accepted` is true where the meaning is taken as heard: outcome accept, or ask where
two meanings are nearly equal (the better one is given) or other voices were heard beside it. An unreadable file gives
a line with "error"; the others are still done, and the exit code is 3.
"""

LONG_FILE_S = 30.0
"""A longer recording is cut into utterances as a microphone's sound would be; the best one answers for the file."""
EXIT_SOME_UNREADABLE = 3


def register(subparsers: Any) -> None:
    """Add `understand`."""
    parser = subparsers.add_parser(
        "understand",
        help="understand sound files or lines of text",
        description="Understand sound files (or lines of text) and print what was meant.",
        epilog=EXAMPLES,
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help="sound files: anything libsndfile reads")
    parser.add_argument("--text", metavar="FILE", help="understand the lines of FILE (- for standard input) instead")
    parser.add_argument("--jsonl", "--json", dest="jsonl", action="store_true", help="print one JSON line a file")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="files understood at the same time")
    parser.add_argument(
        "--recognizer",
        choices=["none"],
        help="none: decode nothing, understand from sound alone (needs a bundle that was made for the context)",
    )
    add_engine_options(parser)
    parser.set_defaults(run=_understand)


def _understand(args: argparse.Namespace) -> int:
    if bool(args.files) == (args.text is not None):
        raise UsageError(
            "give sound files, or --text FILE", where="understand", remedy="see `assistant understand --help`"
        )
    if args.jobs < 1:
        raise UsageError("--jobs must be 1 or more", where="understand")
    from assistant.cli.settings import load_settings

    flags = engine_flags(args)
    if args.recognizer is not None and args.text is not None:
        raise UsageError("there is no sound in --text", where="--recognizer none", remedy="give sound files")
    if args.text is not None:
        flags["recognize.engine"] = flags["recognize.engine"] or "text"
    config = load_settings(args, flags).config
    understander = build_understander(config)
    if args.text is not None:
        rows: Iterable[dict[str, Any]] = (_typed(understander, line) for line in _lines(args.text))
        total = None
    else:
        hear = understander.recognize if args.recognizer is None else understander.recognize_sound
        if args.recognizer is not None:
            understander.check_sound()
        rows = _files(understander, args.files, args.jobs, config.listen.vad, hear)
        total = len(args.files)
    return _print(rows, total, jsonl=args.jsonl)


def _print(rows: Iterable[dict[str, Any]], total: int | None, *, jsonl: bool) -> int:
    code = 0
    with progress("understanding", total) as advance:
        for row in rows:
            code = EXIT_SOME_UNREADABLE if "error" in row else code
            if jsonl:
                print_json_line(row)
            elif "error" in row:
                print(f"assistant: {row['error']}", file=sys.stderr)
            else:
                print(_human(row), flush=True)
            advance(1)
    return code


def _human(row: dict[str, Any]) -> str:
    slots = ", ".join(f"{name}: {value}" for name, value in row["slots"].items())
    what = f"{row['intent']}{f' ({slots})' if slots else ''}" if row["intent"] else "nothing in the context"
    style = {"accept": "green", "ask": "yellow", "refuse": "red"}[row["outcome"]]
    times = f"{row['confidence']:.0%}, {row['timings_ms']['total']:.0f} ms"
    return f"{row['path']}: {styled(row['outcome'], style)} {what} [{times}] “{row['text']}”"


def _lines(path: str) -> list[str]:
    from assistant.errors import InputError

    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text ({error})", where=path, remedy="give a UTF-8 text file") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _typed(understander: Understander, line: str) -> dict[str, Any]:
    from assistant.recognize.text import recognize_text

    began = time.perf_counter()
    transcript = recognize_text(understander.prepared, line)
    elapsed_ms = 1000 * (time.perf_counter() - began)
    return row_of("", understander.understand(transcript, understander.context, elapsed_ms)) | {"path": line}


def _files(
    understander: Understander, files: list[str], jobs: int, vad: str, hear: Callable[[Utterance], Transcript]
) -> Iterator[dict[str, Any]]:
    """Rows in the order of `files`, each heard by `hear`."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import local

    from assistant.listen.vad import VoiceActivity, open_vad

    of_thread = local()

    def detector() -> VoiceActivity:
        if not hasattr(of_thread, "vad"):
            of_thread.vad = open_vad(vad)
        found: VoiceActivity = of_thread.vad
        return found

    def one(path: str) -> dict[str, Any]:
        try:
            return row_of(path, _best(understander, read_utterances(path, detector), hear))
        except AssistantError as error:
            return {"path": path, "error": str(error)}

    if jobs == 1:
        yield from map(one, files)
        return
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(one, files)


def read_utterances(path: str, detector: Callable[[], Any]) -> Iterator[Utterance]:
    """The whole of a short recording as one utterance; a long one as it would be cut from a microphone."""
    import numpy as np

    from assistant.audio.files import FileSource
    from assistant.audio.frontend import Mean
    from assistant.listen.clip import cut_clip
    from assistant.listen.segment import Ended, Segmenter
    from assistant.types import SAMPLE_RATE_HZ

    with FileSource(path) as source:
        front_end = Mean(source.channels)
        frames, held = [], 0
        blocks = iter(source)
        for block in blocks:
            frames.append(front_end.process(block))
            held += len(frames[-1].pcm)
            if held > LONG_FILE_S * SAMPLE_RATE_HZ:
                break
        else:
            pcm = np.concatenate([frame.pcm for frame in frames]) if frames else np.zeros(0, np.int16)
            yield cut_clip(pcm, detector())
            return
        segmenter = Segmenter(detector())
        for frame in frames:
            yield from (e.utterance for e in segmenter.feed(frame) if isinstance(e, Ended))
        for block in blocks:
            yield from (e.utterance for e in segmenter.feed(front_end.process(block)) if isinstance(e, Ended))
        yield from (e.utterance for e in segmenter.flush() if isinstance(e, Ended))


def _best(
    understander: Understander, utterances: Iterable[Utterance], hear: Callable[[Utterance], Transcript]
) -> Understanding:
    """The decision about the one utterance of a file, or the surest of several."""
    from assistant.types import Transcript

    best: Understanding | None = None
    for utterance in utterances:
        began = time.perf_counter()
        transcript = hear(utterance)
        elapsed_ms = 1000 * (time.perf_counter() - began)
        found = understander.understand(transcript, understander.context, elapsed_ms)
        if best is None or found.heard > best.heard:
            best = found
    if best is not None:
        return best
    engine = understander.recognizer
    return understander.understand(Transcript((), "", engine.name, engine.variant), understander.context, 0.0)


def row_of(path: str, understanding: Understanding) -> dict[str, Any]:
    """One line of --jsonl."""
    u = understanding
    return {
        "path": path,
        "text": u.text,
        "intent": u.intent,
        "slots": dict(u.slots),
        "confidence": round(u.confidence, 4),
        "accepted": u.accepted or u.taken,
        "engine": u.engine,
        "variant": u.variant,
        "alternatives": [
            {"text": a.text, "intent": a.intent, "slots": dict(a.slots), "score": round(a.score, 2)}
            for a in u.alternatives
        ],
        "timings_ms": {name: round(value, 1) for name, value in u.timings_ms.items()},
        "outcome": u.outcome.value,
        "question": u.question,
    }
