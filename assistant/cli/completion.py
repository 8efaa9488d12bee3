"""`assistant completion`: the completion script of a shell, generated from the parsers of all verbs."""

from __future__ import annotations

import argparse
from typing import Any

SHELLS = ("bash", "zsh", "fish")


def register(subparsers: Any) -> None:
    """Add `completion`."""
    parser = subparsers.add_parser(
        "completion",
        help="print a completion script for bash, zsh or fish",
        description="Print a completion script for a shell.",
        epilog=(
            "examples:\n"
            '  eval "$(assistant completion bash)"                                        # in ~/.bashrc\n'
            "  assistant completion zsh > ~/.zfunc/_assistant\n"
            "  assistant completion fish > ~/.config/fish/completions/assistant.fish"
        ),
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    parser.set_defaults(run=_completion)


def _completion(args: argparse.Namespace) -> None:
    import shtab

    from assistant.cli.main import all_parsers, build_parser
    from assistant.cli.verbs import VERBS

    parser = build_parser(list(VERBS))
    for command in all_parsers(parser):
        for action in command._actions:  # noqa: SLF001  argparse has no public way
            completed = _completed_by(str(action.metavar or ""))
            if completed:
                action.complete = getattr(shtab, completed)  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=args.shell))


def _completed_by(metavar: str) -> str | None:
    """What the shell offers for an argument, by what its help calls it."""
    if any(word in metavar for word in ("FILE", "PATH", ".wav")):
        return "FILE"
    return "DIRECTORY" if "FOLDER" in metavar or "DIR" in metavar else None
