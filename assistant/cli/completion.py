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

    from assistant.cli.main import build_parser
    from assistant.cli.verbs import VERBS

    print(shtab.complete(build_parser(list(VERBS)), shell=args.shell))
