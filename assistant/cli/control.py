"""`assistant status`, `mute`, `unmute`, `reload`, `events` and `metrics`: ask the daemon that runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.output import add_json_option, print_json, print_json_line, styled, table
from assistant.cli.settings import load_settings
from assistant.errors import InputError

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.daemon.client import Client

EXIT_NOT_READY = 1
LISTEN_S = 60.0
"""So long is a command waited for."""
_COLOURS = {"running": "green", "given_up": "red"}


def register(subparsers: Any) -> None:
    """Add the verbs."""
    status = subparsers.add_parser(
        "status",
        help="what the daemon does, and how its parts are",
        description="What the daemon does, and how its parts are. The exit code is 1 while it is not ready.",
    )
    add_json_option(status)
    status.set_defaults(run=_status)
    for name, muted, text in (("mute", True, "stop listening"), ("unmute", False, "listen again")):
        verb = subparsers.add_parser(name, help=f"let the daemon {text}", description=f"Let the daemon {text}.")
        verb.set_defaults(run=_mute, muted=muted)
    reload = subparsers.add_parser(
        "reload",
        help="let the daemon read its configuration again",
        description="Let the daemon read configuration, contexts and home again; what is wrong is said, and not used.",
    )
    reload.set_defaults(run=_reload)
    events = subparsers.add_parser(
        "events",
        help="follow what the daemon hears, decides and says",
        description="Follow what the daemon hears, decides and says, one JSON object a line, until Ctrl-C.",
        epilog="examples:\n  assistant events | jq -r 'select(.event == \"decided\") | .text'",
    )
    events.set_defaults(run=_events)
    metrics = subparsers.add_parser(
        "metrics",
        help="print the daemon's counters in Prometheus' text format",
        description="Print the daemon's counters in Prometheus' text format.",
    )
    metrics.set_defaults(run=_metrics)


def connect(config: Config) -> Client:
    """The daemon that runs. Raises NoDaemon."""
    from assistant.cli.daemon import socket_path
    from assistant.daemon.client import Client

    return Client.connect(_found(config) or socket_path(config))


def running_daemon(config: Config) -> Client | None:
    """The daemon that runs, None where none does."""
    from assistant.daemon.client import Client, NoDaemon

    found = _found(config)
    if found is None:
        return None
    try:
        return Client.connect(found)
    except NoDaemon:
        return None


def print_said(said: dict[str, Any], *, as_json: bool) -> None:
    """Print what the daemon understood and answered (the fields of a Decided event), as this process would its own."""
    from assistant.cli.run import Printer
    from assistant.types import Outcome, Understanding

    outcome = Outcome(said["outcome"])
    understanding = Understanding(
        outcome=outcome,
        intent=said["intent"],
        slots=said["slots"],
        text=said["text"],
        confidence=said["confidence"],
        reason=said["reason"],
        engine=said["engine"],
        variant=said["variant"],
        question=said["reply"] if outcome is Outcome.ASK else "",
        timings_ms=said["timings_ms"],
    )
    more = {name: said[name] for name in ("felt_ms", "provisional", "revises")}
    Printer(as_json=as_json).print(understanding, said["reply"], "", more)


def listen_by(daemon: Client, *, as_json: bool) -> int:
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


def _found(config: Config) -> Path | None:
    from assistant.daemon.client import find_socket
    from assistant.folders import folders

    return find_socket(config.daemon.socket, folders(config.paths).runtime)


def _status(args: argparse.Namespace) -> int:
    with connect(load_settings(args).config) as daemon:
        status = daemon.ask("status")
    if args.json:
        print_json(status)
        return 0 if status["ready"] else EXIT_NOT_READY
    state = styled("ready", "green bold") if status["ready"] else styled("not ready", "red bold")
    print(f"{state}  {status['status']}")
    print(
        styled(f"{status['model']} {status['variant']}, process {status['process']}, up {status['up_s']:.0f} s", "dim")
    )
    rows = [
        (
            part["name"],
            styled(part["state"], _COLOURS.get(part["state"], "yellow")),
            part["restarts"],
            part["why"] or part["status"],
        )
        for part in status["parts"]
    ]
    print(table(("part", "state", "restarts", "what"), rows))
    return 0 if status["ready"] else EXIT_NOT_READY


def _mute(args: argparse.Namespace) -> None:
    with connect(load_settings(args).config) as daemon:
        daemon.ask("mute", muted=args.muted)
    print("muted: nothing is listened to" if args.muted else "listening")


def _reload(args: argparse.Namespace) -> None:
    with connect(load_settings(args).config) as daemon:
        print(f"reloaded: {daemon.ask('reload')['changed']}")


def _events(args: argparse.Namespace) -> None:
    import msgspec

    with connect(load_settings(args).config) as daemon:
        for event in daemon.events():
            print_json_line(msgspec.to_builtins(event))


def _metrics(args: argparse.Namespace) -> None:
    with connect(load_settings(args).config) as daemon:
        print(daemon.ask("metrics")["text"], end="")
