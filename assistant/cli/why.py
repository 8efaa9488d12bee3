"""`assistant why` and `assistant forget`: the trace of decisions, explained, run again, drawn, removed."""

from __future__ import annotations

import argparse
import importlib
import shutil
import textwrap
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.output import add_json_option, examples, print_json, progress, styled, table
from assistant.cli.tracing import SECONDS_A_DAY, trace_folder
from assistant.errors import AssistantError, InputError, UsageError

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.trace.explain import Pieces
    from assistant.trace.file import TraceReader
    from assistant.trace.record import Record
    from assistant.trace.replay import Difference

EXAMPLES = """examples:
  assistant why last                      what was heard, what competed, why, where the time went
  assistant why list                      the last decisions
  assistant why 072905.118 --plot why.svg a picture of it
  assistant why last --replay             decide again from the record: it must agree
  assistant why list --limit 500 --replay the same for the last 500
"""
EXIT_DIFFERS = 1
LISTED = 20
WRAP_COLUMNS = 96
PNG_ZOOM = 2


def register(subparsers: Any) -> None:
    """Add `why` and `forget`."""
    why = subparsers.add_parser("why", help="explain a decision", description="Explain a decision.", epilog=EXAMPLES)
    why.add_argument(
        "decision",
        metavar="last|list|ID",
        nargs="?",
        default="last",
        help="the last decision, the list of them, or one by its id or a part of it that no other has",
    )
    why.add_argument("--limit", type=int, default=LISTED, metavar="N", help="how many are listed")
    why.add_argument("--replay", action="store_true", help="decide again from the record; exit code 1 if it differs")
    why.add_argument(
        "--replay-sound", action="store_true", help="recognise the kept sound again, too (needs trace.sound)"
    )
    why.add_argument("--plot", type=Path, metavar="FILE", help="draw it as .svg, or as .png (needs the extra `plot`)")
    add_json_option(why)
    why.set_defaults(run=_why)
    forget = subparsers.add_parser(
        "forget",
        help="remove decisions",
        description="Remove decisions from the trace, and overwrite them.",
        epilog=examples("assistant forget last", "assistant forget --before 7", "assistant forget --all"),
    )
    forget.add_argument("decision", metavar="last|ID", nargs="?", help="the last decision, or one by its id")
    forget.add_argument("--all", action="store_true", help="everything, also a file that cannot be read")
    forget.add_argument("--before", type=float, metavar="DAYS", help="what is older than so many days")
    add_json_option(forget)
    forget.set_defaults(run=_forget)


def _why(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings
    from assistant.trace.file import TraceReader

    if args.limit < 1:
        raise UsageError("--limit must be 1 or more", where="why")
    config = load_settings(args).config
    reader = TraceReader(trace_folder(config))
    try:
        if args.decision == "list":
            if args.plot or args.replay_sound:
                raise UsageError("a picture and --replay-sound are of one decision", where="why list")
            return _replay_list(reader, args) if args.replay else _list(reader, args)
        return _one(config, reader, reader.find(args.decision), args)
    finally:
        reader.close()


def _one(config: Config, reader: TraceReader, id_: str, args: argparse.Namespace) -> int:
    record = reader.get(id_)
    if args.plot:
        _plot(record, reader.sound(id_), args.plot)
    if args.replay_sound:
        return _print_replay(record, _hear_again(config, record, reader.sound(id_)), args, "heard and decided again")
    if args.replay:
        from assistant.trace.replay import replay

        return _print_replay(record, replay(record), args, "decided again")
    if args.json:
        print_json(record)
    elif not args.plot:
        _explain(record)
    return 0


# -- explaining ----------------------------------------------------------------------------------------------------


def _explain(record: Record) -> None:
    from assistant.trace.explain import explain

    print(f"{styled(record.id, 'bold')}  {_local(record.at):%A %d %B %Y, %H:%M:%S}")
    for section in explain(record, _pieces(record)):
        lead = f"{section.title:9} "
        for number, sentence in enumerate(section.sentences):
            lines = textwrap.wrap(sentence, WRAP_COLUMNS - len(lead)) or [""]
            for line in lines:
                head = styled(lead, "cyan") if number == 0 and line is lines[0] else " " * len(lead)
                print(f"{head}{line}")


def _list(reader: TraceReader, args: argparse.Namespace) -> int:
    from assistant.trace.explain import headline

    records = list(reader.records(args.limit))
    if args.json:
        rows = [
            {
                "id": r.id,
                "at": r.at,
                "context": r.context,
                "outcome": r.final.outcome,
                "text": r.final.text,
                "intent": r.final.intent,
                "slots": r.final.slots,
                "felt_ms": r.felt_ms,
            }
            for r in records
        ]
        print_json(rows)
    elif records:
        room = max(shutil.get_terminal_size((160, 24)).columns - 42, 40)
        lines = [textwrap.shorten(headline(record), room, placeholder=" …") for record in records]
        times = [f"{_local(record.at):%d %b %H:%M:%S}" for record in records]
        ids = [record.id for record in records]
        print(table(("id", "when", "decision"), list(zip(ids, times, lines, strict=True))))
    else:
        print("No decision is recorded yet.")
    return 0


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone()


def _pieces(record: Record) -> Pieces | None:
    """How the recogniser that heard `record` writes its tokens; None where that cannot be had."""
    if record.engine != "moonshine":
        return None
    from assistant.recognize.moonshine.model import published_folder
    from assistant.recognize.moonshine.tokenizer import END, Tokenizer

    try:
        tokenizer = Tokenizer.load(published_folder() / "tokenizer.bin")
    except AssistantError:
        return None

    def pieces(tokens: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(
            "" if t <= END else f"{' ' if tokenizer.begins_word(t) else ''}{tokenizer.decode([t])}" for t in tokens
        )

    return pieces


# -- running again -------------------------------------------------------------------------------------------------


def _print_replay(record: Record, found: tuple[Difference, ...], args: argparse.Namespace, what: str) -> int:
    if args.json:
        print_json({"id": record.id, "agrees": not found, "differences": found})
    elif not found:
        print(f"{record.id} {what}: {styled('agrees', 'green')}")
    else:
        print(f"{record.id} {what}: {styled('differs', 'red')} (recorded by version {record.program})")
        print(table(("field", "recorded", "now"), [(d.field, d.recorded, d.replayed) for d in found]))
    return EXIT_DIFFERS if found else 0


def _replay_list(reader: TraceReader, args: argparse.Namespace) -> int:
    from assistant.trace.replay import replay

    total, differing = 0, []
    with progress("deciding again", min(args.limit, len(reader))) as advance:
        for record in reader.records(args.limit):
            total += 1
            if found := replay(record):
                differing.append((record.id, found))
            advance(1)
    if args.json:
        print_json({"decisions": total, "agree": total - len(differing), "differences": dict(differing)})
    else:
        print(f"{total - len(differing)} of {total} decisions agree when decided again.")
        rows = [(id_, d.field, d.recorded, d.replayed) for id_, found in differing for d in found]
        if rows:
            print(table(("id", "field", "recorded", "now"), rows))
    return EXIT_DIFFERS if differing else 0


def _hear_again(config: Config, record: Record, sound: bytes | None) -> tuple[Difference, ...]:
    """Recognise the kept sound as the configuration has it now, and decide."""
    import numpy as np

    from assistant.cli.assembly import open_recognizer, prepare_context
    from assistant.cli.finding import bundle_finder, open_context
    from assistant.trace.record import voice_probabilities
    from assistant.trace.replay import Difference, differences
    from assistant.trace.store import from_flac
    from assistant.trace.writing import verdict_of
    from assistant.types import EndReason, Utterance, frozen_array
    from assistant.understand.decide import decide

    if sound is None or record.utterance is None:
        raise InputError("its sound was not kept", where=record.id, remedy="set trace.sound to true for the next ones")
    u = record.utterance
    known = Path(record.context_folder).is_dir()
    context = open_context(config, record.context_folder if known else record.context)
    recognizer = open_recognizer(config, context.settings.language)
    utterance = Utterance(
        pcm=frozen_array(from_flac(sound)),
        at=0.0,
        speech_start_s=u.speech_start_s,
        speech_end_s=u.speech_end_s,
        voice=frozen_array(np.array(voice_probabilities(u))),
        end=EndReason(u.end),
    )
    transcript = recognizer.open(prepare_context(recognizer, context)).finish(utterance)
    bundle = bundle_finder(config, recognizer)(context)
    if bundle is not None:
        transcript = bundle.look(utterance, transcript)
    found = differences(record.decided, verdict_of(decide(transcript, context)))
    was = (record.context_hash, f"{record.engine} {record.variant}", record.fused)
    now = (context.hash, f"{transcript.engine} {transcript.variant}", transcript.fused)
    names = ("context_hash", "recogniser", "fused")
    changed = tuple(Difference(n, a, b) for n, a, b in zip(names, was, now, strict=True) if a != b)
    return (*changed, *found) if found else ()


# -- drawing -------------------------------------------------------------------------------------------------------


def _plot(record: Record, sound: bytes | None, path: Path) -> None:
    from assistant.errors import StorageError
    from assistant.trace.picture import draw
    from assistant.trace.store import from_flac

    if path.suffix not in (".svg", ".png"):
        raise UsageError(f"{path} is neither .svg nor .png", where="why --plot")
    svg = draw(record, None if sound is None else from_flac(sound), _pieces(record))
    data = svg.encode() if path.suffix == ".svg" else _png(svg)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise StorageError(error.strerror or str(error), where=str(path), remedy="choose another place") from error


def _png(svg: str) -> bytes:
    from assistant.errors import PluginError

    try:
        renderer = importlib.import_module("resvg_py")
    except ImportError as error:
        raise PluginError(
            "a PNG needs the package resvg-py", where="why --plot", remedy="install the extra `plot`, or draw an .svg"
        ) from error
    return bytes(renderer.svg_to_bytes(svg_string=svg, zoom=PNG_ZOOM))


# -- forgetting ----------------------------------------------------------------------------------------------------


def _forget(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings
    from assistant.trace import file

    if sum((args.decision is not None, args.all, args.before is not None)) != 1:
        raise UsageError("give last, an ID, --all or --before DAYS", where="forget")
    folder = trace_folder(load_settings(args).config)
    if args.all:
        count = file.forget_all(folder)
    elif args.before is not None:
        if args.before < 0:
            raise UsageError("--before must be 0 days or more", where="forget")
        count = file.forget_before(folder, time.time() - args.before * SECONDS_A_DAY)
    else:
        reader = file.TraceReader(folder)
        try:
            id_ = reader.find(args.decision)
        finally:
            reader.close()
        count = file.forget(folder, [id_])
    if args.json:
        print_json({"forgotten": count})
    else:
        print(f"Forgot {count} {'decision' if count == 1 else 'decisions'}.")
    return 0
