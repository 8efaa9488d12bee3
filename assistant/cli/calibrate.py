"""`assistant context compile` and `calibrate`: make a context's acceptor now, and fit how it is heard and refused."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import open_recognizer
from assistant.cli.finding import open_context
from assistant.cli.output import add_json_option, examples, print_json, progress, table
from assistant.errors import InputError, StorageError
from assistant.whole import write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.config import Config
    from assistant.grammar.tree import Context
    from assistant.recognize.engine import Recognizer
    from assistant.types import Transcript
    from assistant.understand.fit import Example

LAMBDAS = (0.3, 0.4, 0.5)
CALIBRATION_SNRS_DB: tuple[float | None, ...] = (None, 12.0, 6.0)
ACCENTS = ("en-us", "en-gb", "en-gb-scotland")
FOREIGN_FILE = "foreign_en.txt"


def add_compile(verbs: Any) -> None:
    """Add `context compile`."""
    parser = verbs.add_parser(
        "compile",
        help="compile a context now",
        description="Compile a context into the cache; it then starts at once.",
        epilog=examples("assistant context compile home"),
    )
    parser.add_argument("context", metavar="NAME|FOLDER", help="a context's name or folder")
    add_json_option(parser)
    parser.set_defaults(run=_compile)


def add_calibrate(verbs: Any) -> None:
    """Add `context calibrate`."""
    parser = verbs.add_parser(
        "calibrate",
        help="fit how a context is heard and refused",
        description="Speak sentences of the context, and others, by a voice; choose lambda, fit refusal and "
        "confidence; write calibration.json into the context's folder. Your own recordings make it better.",
        epilog=examples("assistant context calibrate kitchen", "assistant context calibrate kitchen --dry-run"),
    )
    parser.add_argument("context", metavar="NAME|FOLDER", help="a context's name or folder")
    parser.add_argument("--sentences", type=int, default=60, metavar="N", help="sentences to speak (default 60)")
    parser.add_argument(
        "--recordings", type=Path, metavar="FOLDER", help="recordings with labels.jsonl: path, intent, slots a line"
    )
    parser.add_argument("--foreign", type=Path, metavar="FOLDER", help="recordings of speech not meant for the context")
    parser.add_argument("--dry-run", action="store_true", help="print, write nothing")
    add_json_option(parser)
    parser.set_defaults(run=_calibrate)


def _compile(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings

    config = load_settings(args).config
    context = open_context(config, args.context)
    recognizer = open_recognizer(config, context.settings.language)
    began = time.perf_counter()
    with progress(f"compiling {context.name}", None) as advance:
        advance(0)
        prepared = recognizer.prepare(context)
    acceptor = getattr(prepared, "acceptor", None)
    found = {
        "context": context.name,
        "engine": recognizer.name,
        "seconds": round(time.perf_counter() - began, 2),
        "states": len(acceptor) if acceptor is not None else None,
        "arcs": len(acceptor.tokens) if acceptor is not None else None,
    }
    if args.json:
        print_json(found)
    else:
        print(table(list(found), [["" if value is None else value for value in found.values()]]))
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class _Clip:
    """Sound and what it should be understood as; intent "" for speech not meant for the context."""

    key: str
    pcm: NDArray[np.int16]
    intent: str
    slots: Mapping[str, Any]
    synthetic: bool
    snr_db: float | None


def _calibrate(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings
    from assistant.understand.fit import fit, judge_fit

    config = load_settings(args).config
    context = open_context(config, args.context)
    recognizer = open_recognizer(config, context.settings.language)
    with progress("speaking and listening", None) as advance:
        clips = []
        for clip in _clips(config, context, args):
            clips.append(clip)
            advance(1)
        fitted = [c for c in clips if _half(c.key) == 0]
        judged = [c for c in clips if _half(c.key) == 1]
        lambda_ = _choose_lambda(recognizer, context, fitted)
        context = replace(context, settings=replace(context.settings, lambda_=lambda_))
        calibrated = fit(_examples(recognizer, context, fitted))
        report = judge_fit(calibrated, _examples(recognizer, context, judged))
    from assistant.understand.calibration import as_accept

    content = {
        "lambda": lambda_,
        "accept": {name: round(value, 5) for name, value in as_accept(calibrated).items()},
        "about": {
            "clips": len(clips),
            "kept": round(report.kept, 4),
            "foreign_accepted": round(report.foreign, 4),
            "expected_calibration_error": round(report.ece, 4),
        },
    }
    if not args.dry_run:
        _write(Path(context.folder) / "calibration.json", content)
    if args.json:
        print_json(content)
    else:
        print(f"{len(clips)} clips; lambda {lambda_}; on the half that was not fitted:")
        print(f"  meant for {context.name} and not refused: {report.kept:.1%}")
        print(f"  not meant for it and not refused:   {report.foreign:.1%}")
        print(f"  confidence off by (ECE):            {report.ece:.3f}")
        print("nothing was written" if args.dry_run else f"written to {context.folder}/calibration.json")
    return 0


def _half(key: str) -> int:
    """0 to fit on, 1 to judge on, by the hash of the clip's name."""
    return hashlib.md5(key.encode(), usedforsecurity=False).digest()[0] & 1


def _clips(config: Config, context: Context, args: argparse.Namespace) -> Iterator[_Clip]:
    from assistant.cli.spoken import spoken
    from assistant.folders import folders, usable_cache
    from assistant.grammar.sample import sample
    from assistant.speak.espeak import EspeakVoice
    from assistant.speak.speech import Speech
    from assistant.speak.voice import choose_voice

    cache = usable_cache(folders(config.paths).cache) / "phrases"
    voices = [Speech(choose_voice("auto", language=context.settings.language), folder=cache)]
    if context.settings.language == "en":
        voices += [Speech(EspeakVoice(language=accent), folder=cache) for accent in ACCENTS]
    for index, sentence in enumerate(sample(context, args.sentences, seed=11)):
        speech = voices[index % len(voices)]
        snr_db = CALIBRATION_SNRS_DB[index // len(voices) % len(CALIBRATION_SNRS_DB)]
        pcm = spoken(speech, sentence.text, snr_db, seed=index)
        yield _Clip(sentence.text, pcm, sentence.intent, sentence.slots, True, snr_db)
    for index, text in enumerate(_foreign_texts()[: args.sentences]):
        pcm = spoken(voices[index % len(voices)], text, CALIBRATION_SNRS_DB[index % 3], seed=index)
        yield _Clip(text, pcm, "", {}, True, None)
    if args.recordings:
        yield from _labelled(args.recordings)
    if args.foreign:
        yield from (
            _Clip(path.name, _read(path), "", {}, False, None)
            for path in sorted(args.foreign.rglob("*"))
            if path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3")
        )


def _foreign_texts() -> list[str]:
    text = (Path(__file__).parents[1] / "understand" / FOREIGN_FILE).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _labelled(folder: Path) -> Iterator[_Clip]:
    labels = folder / "labels.jsonl"
    try:
        lines = labels.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(str(error.strerror), where=str(labels), remedy="give a folder with labels.jsonl") from error
    for number, line in enumerate(filter(str.strip, lines), 1):
        try:
            label = json.loads(line)
            path, intent, slots = folder / label["path"], label["intent"], label["slots"]
        except (ValueError, KeyError, TypeError) as error:
            remedy = 'each line needs "path", "intent" and "slots"'
            raise InputError(f"not a label ({error})", where=f"{labels}:{number}", remedy=remedy) from error
        yield _Clip(path.name, _read(path), intent, slots, False, None)


def _read(path: Path) -> NDArray[np.int16]:
    import numpy as np

    from assistant.audio.files import FileSource
    from assistant.audio.frontend import Mean

    with FileSource(path) as source:
        front_end = Mean(source.channels)
        frames = [front_end.process(block).pcm for block in source]
    return np.concatenate(frames) if frames else np.zeros(0, np.int16)


def _transcripts(recognizer: Recognizer, context: Context, clips: Sequence[_Clip]) -> Iterator[Transcript]:
    from assistant.listen.clip import cut_clip
    from assistant.listen.vad import open_vad

    prepared, vad = recognizer.prepare(context), open_vad("auto")
    for clip in clips:
        yield recognizer.open(prepared).finish(cut_clip(clip.pcm, vad))


def _examples(recognizer: Recognizer, context: Context, clips: Sequence[_Clip]) -> list[Example]:
    from assistant.understand.fit import Example

    return [
        Example(transcript, bool(clip.intent), _right(transcript, clip), clip.synthetic)
        for clip, transcript in zip(clips, _transcripts(recognizer, context, clips), strict=True)
    ]


def _right(transcript: Transcript, clip: _Clip) -> bool:
    if not clip.intent or not transcript.hypotheses:
        return False
    best = transcript.hypotheses[0]
    return best.intent == clip.intent and dict(best.slots) == dict(clip.slots)


def _choose_lambda(recognizer: Recognizer, context: Context, clips: Sequence[_Clip]) -> float:
    """The lambda with most strictly right meanings in noise; the middle one where they tie."""
    noisy = [clip for clip in clips if clip.intent and clip.snr_db is not None]
    counts = {}
    for lambda_ in LAMBDAS:
        tried = replace(context, settings=replace(context.settings, lambda_=lambda_))
        heard = _transcripts(recognizer, tried, noisy)
        counts[lambda_] = sum(_right(transcript, clip) for clip, transcript in zip(noisy, heard, strict=True))
    best = max(counts.values())
    return min((lambda_ for lambda_ in LAMBDAS if counts[lambda_] == best), key=lambda value: abs(value - LAMBDAS[1]))


def _write(path: Path, content: Mapping[str, Any]) -> None:
    try:
        write_whole(path, json.dumps(content, indent=2).encode() + b"\n")
    except OSError as error:
        remedy = "copy the context to a folder of yours, or use --dry-run"
        raise StorageError(str(error.strerror), where=str(path), remedy=remedy) from error
