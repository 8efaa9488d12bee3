"""`assistant status`, `mute`, `unmute`, `reload`, `events` and `metrics`: ask the daemon that runs."""

from __future__ import annotations

import argparse
from typing import Any

from assistant.cli.daemon_client import connect
from assistant.cli.output import add_json_option, examples, print_json, print_json_line, styled, table
from assistant.cli.settings import load_settings

EXIT_NOT_READY = 1
_COLOURS = {"running": "green", "given_up": "red"}


def register(subparsers: Any) -> None:
    """Add the verbs."""
    status = subparsers.add_parser(
        "status",
        help="what the daemon does, and how its parts are",
        description="What the daemon does, and how its parts are. The exit code is 1 while it is not ready.",
        epilog=examples("assistant status", "assistant status --json | jq .parts"),
    )
    add_json_option(status)
    status.set_defaults(run=_status)
    for name, muted, text in (("mute", True, "stop listening"), ("unmute", False, "listen again")):
        verb = subparsers.add_parser(
            name,
            help=f"let the daemon {text}",
            description=f"Let the daemon {text}.",
            epilog=examples("assistant mute && sleep 600 && assistant unmute"),
        )
        verb.set_defaults(run=_mute, muted=muted)
    reload = subparsers.add_parser(
        "reload",
        help="let the daemon read its configuration again",
        description="Let the daemon read configuration, contexts and home again; what is wrong is said, and not used.",
        epilog=examples("assistant config check && assistant reload"),
    )
    reload.set_defaults(run=_reload)
    events = subparsers.add_parser(
        "events",
        help="follow what the daemon hears, decides and says",
        description="Follow what the daemon hears, decides and says, one JSON object a line, until Ctrl-C.",
        epilog=examples("assistant events | jq -r 'select(.event == \"decided\") | .text'"),
    )
    events.set_defaults(run=_events)
    metrics = subparsers.add_parser(
        "metrics",
        help="print the daemon's counters in Prometheus' text format",
        description="Print the daemon's counters in Prometheus' text format.",
        epilog=examples("assistant metrics | grep assistant_part_up"),
    )
    metrics.set_defaults(run=_metrics)


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
