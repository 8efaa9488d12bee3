"""`assistant daemon`: runs all the time, under systemd or in a terminal; docs/operations.md."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

from assistant.cli.assembly import add_engine_options, engine_flags
from assistant.cli.daemon_client import socket_path
from assistant.cli.output import examples
from assistant.cli.settings import load_settings
from assistant.cli.sources import open_source

EXIT_CANNOT_GO_ON = 1
DESCRIPTION = """Run all the time: hear, answer, ring, and take requests on the control socket.

SIGTERM and Ctrl-C end it in order within two seconds. SIGHUP, like `assistant reload`, reads the configuration again.
"""


def register(subparsers: Any) -> None:
    """Add `daemon`."""
    daemon = subparsers.add_parser(
        "daemon",
        help="run all the time, with a control socket",
        description=DESCRIPTION,
        epilog=examples("assistant daemon", "assistant daemon --set audio.device=none"),
    )
    add_engine_options(daemon)
    daemon.add_argument(
        "--source", metavar="FILE|-", help="hear a sound file at its own pace, or raw PCM on standard input"
    )
    daemon.set_defaults(run=_daemon)


def _daemon(args: argparse.Namespace) -> int:
    import asyncio

    from assistant.cli.crew import Crew
    from assistant.cli.output import styled
    from assistant.cli.version import version
    from assistant.clock import SystemClock
    from assistant.daemon.main import Daemon, Options
    from assistant.daemon.memory import bound_arenas
    from assistant.daemon.notify import Notifier, handed_over
    from assistant.daemon.peers import admitted
    from assistant.daemon.server import listen_on

    bound_arenas()
    log_to_journal(args.verbose)
    flags = engine_flags(args)
    config = load_settings(args, flags).config
    clock = SystemClock()
    allowed = admitted(config.daemon.group)
    lent = handed_over()
    listening = lent or listen_on(socket_path(config), allowed.group)
    crew = Crew(
        config,
        lambda: load_settings(args, flags).config,
        lambda config: open_source(config, args.source),
        clock,
        ends_quietly=args.source is not None,
    )
    metrics = Path(config.daemon.metrics_file) if config.daemon.metrics_file else None
    options = Options(listening, allowed, version(), config.daemon.group, metrics)
    lost = asyncio.run(Daemon(crew, options, clock, Notifier()).run())
    if lent is None:
        socket_path(config).unlink(missing_ok=True)
    if lost:
        print(f"{styled('assistant:', 'red', sys.stderr)} the daemon cannot go on: {lost}", file=sys.stderr)
    sys.stdout.flush()
    os._exit(EXIT_CANNOT_GO_ON if lost else 0)  # no thread that hangs in a driver keeps it


def log_to_journal(verbosity: int) -> None:
    """One line a message, with the priority that journald reads where it reads standard error."""
    journal = bool(os.environ.get("JOURNAL_STREAM"))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Priorities() if journal else logging.Formatter("assistant: %(message)s"))
    level = logging.DEBUG if verbosity > 1 else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)


class _Priorities(logging.Formatter):
    """sd-daemon(3): `<4>text`."""

    def format(self, record: logging.LogRecord) -> str:
        priority = 3 if record.levelno >= logging.ERROR else 4 if record.levelno >= logging.WARNING else 6
        return f"<{priority}>{super().format(record)}".replace("\n", f"\n<{priority}>")
