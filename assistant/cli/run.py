"""`assistant run` and `assistant listen`: the whole loop on a microphone, a file, standard input, or the demo."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.ambience import Ambience
from assistant.cli.assembly import (
    ContextWatch,
    add_engine_options,
    bound_contexts,
    build_front_end,
    build_listener,
    build_understander,
    engine_flags,
)
from assistant.cli.ending import EndsOnSignal
from assistant.cli.mouth import LAST_WORDS_S, Mouth
from assistant.cli.output import add_json_option, examples, styled
from assistant.cli.printer import Printer, print_said
from assistant.cli.sources import open_source
from assistant.errors import DeviceError, DeviceInUse, InputError

if TYPE_CHECKING:
    from assistant.audio.source import Source
    from assistant.config import Config
    from assistant.daemon.client import Client
    from assistant.pipeline import Understander

EXAMPLES = """examples:
  assistant run                              the default microphone, the configured context
  assistant run --context barista --quiet    no spoken replies
  assistant run --wake "okay nabu"           listen after a wake word only
  assistant run --source kitchen.wav         a file instead of a microphone
  assistant run --demo                       no microphone: a voice speaks a dozen commands
  arecord -t raw -f S16_LE -r 16000 | assistant run --source -

Ctrl-C and SIGTERM end it within two seconds. What was said so far is still decided and printed, and the exit code is 0;
where that takes longer the process just ends, with 130 or 143.
"""

LISTEN_S = 60.0
"""So long is a command waited for that the daemon is to hear."""
HUSH_S = 0.5
"""How long a reply that a signal broke off may take to fade and to close its file."""


def register(subparsers: Any) -> None:
    """Add `run` and `listen`."""
    run = subparsers.add_parser("run", help="listen and answer", description="Listen and answer.", epilog=EXAMPLES)
    _add_options(run)
    run.add_argument("--demo", action="store_true", help="no microphone: a voice speaks a dozen commands")
    run.set_defaults(run=_run)
    listen = subparsers.add_parser(
        "listen",
        help="hear one command",
        description="Hear one command and stop. Where a daemon runs, it listens.",
        epilog=examples("assistant listen", "assistant listen --source order.wav --context barista --json"),
    )
    _add_options(listen)
    listen.add_argument("--once", action="store_true", help="stop after the first command (always so; for scripts)")
    listen.set_defaults(run=_listen, demo=False)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_engine_options(parser)
    parser.add_argument("--source", metavar="FILE|-", help="a sound file, or raw 16 kHz 16-bit PCM on standard input")
    parser.add_argument("--real-time", action="store_true", help="play a file at its own pace, as a microphone would")
    parser.add_argument("--device", metavar="NAME", help="microphone, by name or part of one")
    parser.add_argument("--channels", type=int, metavar="N", help="microphone channels, 1 to 8")
    parser.add_argument("--push-to-talk", action="store_true", help="listen only between presses of Enter")
    parser.add_argument("--wake", metavar="WORD", action="append", help='listen after this wake word ("okay nabu")')
    parser.add_argument("--quiet", action="store_true", help="print replies, do not speak them")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="write spoken replies as WAV files instead of playing"
    )
    add_json_option(parser)


def _run(args: argparse.Namespace) -> int:
    from assistant.cli.demo import demo_source

    config = _config(args)
    if args.demo:
        return demo_source(config, args.out or Path("out"), as_json=args.json)
    try:
        source, live = _open_source(config, args)
    except DeviceError as error:
        if args.source or config.audio.device != "default" or isinstance(error, DeviceInUse):
            raise
        print(f"assistant: {error}\nNo microphone here, so this is the demo.", file=sys.stderr)
        return demo_source(config, args.out or Path("out"), as_json=args.json)
    return _converse(config, args, source, live=live, once=False)


def _listen(args: argparse.Namespace) -> int:
    from assistant.cli.daemon_client import running_daemon

    config = _config(args)
    daemon = None if args.source else running_daemon(config)
    if daemon is not None:  # it has the microphone
        with daemon:
            return _listen_by(daemon, as_json=args.json)
    source, live = _open_source(config, args)
    return _converse(config, args, source, live=live, once=True)


def _listen_by(daemon: Client, *, as_json: bool) -> int:
    """Let the daemon hear one command without a wake word, and show it. Raises InputError when nobody speaks."""
    import msgspec

    from assistant.daemon.events import MICROPHONE, Decided

    events = daemon.events(LISTEN_S)
    daemon.ask("listen")
    for event in events:
        if isinstance(event, Decided) and event.source == MICROPHONE:
            print_said(msgspec.to_builtins(event), as_json=as_json)
            return 0
    raise InputError("nothing was said", where="listen", remedy="speak within a minute")


def _config(args: argparse.Namespace) -> Config:
    from assistant.cli.settings import load_settings

    mode = "push_to_talk" if args.push_to_talk else "wake" if args.wake else None
    flags = engine_flags(args) | {
        "audio.device": args.device,
        "audio.channels": args.channels,
        "listen.mode": mode,
        "wake.words": args.wake,
        "speak.voice": "none" if args.quiet else None,
        "speak.output": str(args.out) if args.out else None,
    }
    return load_settings(args, flags).config


def _open_source(config: Config, args: argparse.Namespace) -> tuple[Source, bool]:
    """The source, and whether it runs at its own pace (a microphone, or a file played in real time)."""
    if args.source not in (None, "", "-") and not args.real_time:
        return open_source(config, args.source, "file"), False
    return open_source(config, args.source), True


def _converse(config: Config, args: argparse.Namespace, source: Source, *, live: bool, once: bool) -> int:
    from assistant.cli.tracing import open_trace
    from assistant.pipeline import Conversation
    from assistant.work import InlineWorker, ThreadWorker

    mouth = Mouth(config)
    understander = build_understander(
        config, background=live, acts=True, announce=mouth.announce if live else None, in_time=live
    )
    printer = Printer(as_json=args.json)
    mouth.language = understander.context.settings.language
    mouth.render_ahead(understander.replies.fixed_phrases())
    watch = ContextWatch(understander, lambda line: print(styled(line, "yellow", sys.stderr), file=sys.stderr))
    worker = ThreadWorker() if live else InlineWorker()
    trace = open_trace(config)
    conversation = Conversation(
        source,
        build_front_end(config, source.channels),
        build_listener(config),
        understander,
        worker,
        mouth.speaking,
        mouth.notice,
        mouth.hush,
    )
    if live:
        mouth.listen_to(conversation.hearing, conversation.invite)
    if understander.scheduler is not None:
        understander.scheduler.watch_ambient(Ambience(lambda: config, conversation, source.channels, mouth))
    if live and config.listen.mode == "push_to_talk":
        PushToTalk(conversation).start()
    watch.start()
    # The utterance under way is still decided; what is being said is broken off.
    with EndsOnSignal(mouth.stop, source.close) as ending:
        if not args.json:
            _greet(understander, source, config)
        try:
            for decision in conversation.decisions():
                printer.show(decision)
                trace.note(decision)
                if not ending.requested:
                    mouth.say(decision)
                if once:
                    break
        finally:
            source.close()
            watch.stop()
            mouth.close(HUSH_S if ending.requested else LAST_WORDS_S)
            worker.close()
            understander.skills.close()
            trace.close()
    return 0


class PushToTalk(threading.Thread):
    """Enter begins an utterance, Enter again ends it."""

    def __init__(self, conversation: Any) -> None:
        super().__init__(name="push-to-talk", daemon=True)
        self._conversation = conversation

    def run(self) -> None:
        """Read lines until standard input ends."""
        pressed = False
        # Below Python's buffer, whose lock a thread that waits for a line would hold when the process ends.
        while typed := os.read(sys.stdin.fileno(), 4096):
            for _ in range(typed.count(b"\n")):
                pressed = not pressed
                if pressed:
                    self._conversation.press()
                else:
                    self._conversation.release()


def _greet(understander: Understander, source: Source, config: Config) -> None:
    """Say how to speak to it."""
    from assistant.grammar.sample import sample

    examples = [s.text for s in sample(understander.context, 3, seed=7)]
    print(
        f"{styled('Listening', 'bold green')} on {source.name}, context {understander.context.name}. Say for example:"
    )
    for text in examples:
        print(f"  “{text}”")
    words = " or ".join(f"“{word.replace('_', ' ')}”" for word in bound_contexts(config))
    how = {"push_to_talk": "Enter starts and ends an utterance", "wake": f"say {words} first"}.get(
        config.listen.mode, "just speak"
    )
    print(f"{how}; Ctrl-C ends.", flush=True)
