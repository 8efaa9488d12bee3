"""`assistant say` and `assistant repl`: typed commands through the same contexts, decisions and replies.

`say` is put to the daemon where one runs, so that what it did before can be referred to and timers ring there.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import build_understander
from assistant.cli.output import add_json_option, examples, styled

if TYPE_CHECKING:
    from assistant.act.skills import Skills
    from assistant.trace.store import TraceStore
    from assistant.typed import TypedConversation

EXAMPLES = """examples:
  assistant say "turn on teh kitchen lihgts"
  assistant say --context barista "a large latte with milk" --json
"""


def register(subparsers: Any) -> None:
    """Add `say` and `repl`."""
    say = subparsers.add_parser(
        "say", help="understand a typed command", description="Understand a typed command.", epilog=EXAMPLES
    )
    say.add_argument("text", metavar="TEXT", help="the command, as it would be spoken")
    say.add_argument("--context", metavar="NAME|FOLDER", help="what can be said (default: the configured context)")
    say.add_argument("--here", action="store_true", help="in this process, even where a daemon runs")
    add_json_option(say)
    say.set_defaults(run=_say)
    repl = subparsers.add_parser(
        "repl",
        help="type commands",
        description="Type commands, one after another; an empty line or Ctrl-D ends.",
        epilog=examples("assistant repl --context barista", "assistant repl --json < commands.txt"),
    )
    repl.add_argument("--context", metavar="NAME|FOLDER", help="what can be said (default: the configured context)")
    add_json_option(repl)
    repl.set_defaults(run=_repl)


def _conversation(args: argparse.Namespace) -> tuple[TypedConversation, Skills, TraceStore]:
    from assistant.cli.settings import load_settings
    from assistant.cli.tracing import open_trace
    from assistant.typed import TypedConversation

    config = load_settings(args, {"context": args.context, "recognize.engine": "text"}).config
    understander = build_understander(config, acts=True)
    return TypedConversation(understander), understander.skills, open_trace(config)


def _say(args: argparse.Namespace) -> int:
    from assistant.cli.daemon_client import running_daemon
    from assistant.cli.printer import Printer, print_said
    from assistant.cli.settings import load_settings

    daemon = None if args.here or args.context else running_daemon(load_settings(args).config)
    if daemon is not None:
        with daemon:
            print_said(daemon.ask("say", text=args.text), as_json=args.json)
        return 0
    conversation, skills, trace = _conversation(args)
    with trace, contextlib.closing(skills):
        decision = conversation.line(args.text)
        Printer(as_json=args.json).show(decision)
        trace.note(decision)
    return 0


def _repl(args: argparse.Namespace) -> int:
    from assistant.cli.printer import Printer

    (conversation, skills, trace), printer = _conversation(args), Printer(as_json=args.json)
    prompt = "" if args.json else styled("> ", "bold")
    with trace, contextlib.closing(skills):
        while text := _typed_line(prompt):
            decision = conversation.line(text)
            printer.show(decision)
            trace.note(decision)
    return 0


def _typed_line(prompt: str) -> str:
    """What was typed, "" at the end."""
    try:
        return input(prompt).strip()
    except EOFError:
        return ""
