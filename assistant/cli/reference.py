"""Writes the pages that are made from the program: docs/cli.md from the parsers, docs/configuration.md from the keys,
docs/troubleshooting.md from what `assistant doctor` can find, docs/control-socket.md from the daemon's messages.

`make docs` runs it; a test fails where the pages have fallen behind.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from assistant.cli import faults
from assistant.cli.main import build_parser
from assistant.cli.verbs import EXAMPLES, EXIT_CODES, VERBS
from assistant.config.keys import KEYS, SECTIONS
from assistant.daemon.reference import control_socket_page

# Given once at the top instead of with every verb.
COMMON = ("config_file", "settings", "settings_after_verb", "verbose", "help")


def pages() -> dict[str, str]:
    """File name → text of each generated page."""
    return {
        "cli.md": cli_page(),
        "configuration.md": configuration_page(),
        "troubleshooting.md": faults.page(),
        "control-socket.md": control_socket_page(),
    }


def cli_page() -> str:
    """The reference of all verbs."""
    parser = build_parser(list(VERBS))
    lines = ["# Command line", "", "Made from the program by `make docs`.", ""]
    lines += [
        "```",
        *(f"{command:58}  # {what}" for command, what in EXAMPLES),
        "```",
        "",
        "## Options of every verb",
        "",
    ]
    lines += [row for action in parser._actions if action.dest in COMMON for row in _action(action)]  # noqa: SLF001
    for verb in VERBS.values():
        lines += ["", *_command(_verbs(parser)[verb.name], f"assistant {verb.name}", level=2)]
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES]
    lines += [
        "",
        "Errors are one line on standard error, `assistant: where: what; remedy`; standard output holds answers.",
    ]
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """The reference of all configuration keys."""
    lines = ["# Configuration", "", "Made from the program by `make docs`.", ""]
    lines += [
        "Every value comes from the last of these that sets it; `assistant config show --origin` says which one did:",
        "",
        "1. the defaults below",
        "2. `/etc/assistant/config.yaml`, then `/etc/assistant/conf.d/*.yaml` in the order of their names",
        "3. the user's `~/.config/assistant/config.yaml` (`$XDG_CONFIG_HOME`), or the file given with `--config`",
        "4. the environment: `ASSISTANT__LISTEN__CAP_S=8`",
        "5. flags: `--set listen.cap_s=8`, and a verb's own, such as `--context`",
        "",
        "An unknown key or a wrong value is an error that names the file, the line and the nearest key; all are listed",
        "at once (`assistant config check`). `assistant config edit` starts from a commented file with every key.",
    ]
    section = None
    for key in KEYS.values():
        head = key.name.rpartition(".")[0]
        if head != section:
            section = head
            lines += ["", f"## {head or 'top level'}", ""]
            lines += [str(SECTIONS[head].__doc__), ""] if head else []
            lines += ["| key | default | may be | meaning |", "|---|---|---|---|"]
        default = "null" if key.default is None else key.default
        lines += [f"| `{key.name}` | `{default}` | {key.allowed.replace('|', 'or')} | {key.description} |"]
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    """Write the pages into the folder that is named."""
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The verbs below a parser, by name."""
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    return {name: verb for action in nested for name, verb in action.choices.items()}


def _command(parser: argparse.ArgumentParser, name: str, level: int) -> Iterator[str]:
    """One verb and those below it: heading, description, arguments, examples."""
    yield f"{'#' * level} {name}"
    if parser.description:
        yield from ("", parser.description.strip())
    own = [action for action in parser._actions if action.dest not in COMMON]  # noqa: SLF001
    arguments = [row for action in own for row in _action(action)]
    if arguments:
        yield from ("", *arguments)
    if parser.epilog:
        yield from ("", "```", *(line.strip() for line in parser.epilog.strip().splitlines()), "```")
    for verb, nested in _verbs(parser).items():
        yield ""
        yield from _command(nested, f"{name} {verb}", level + 1)


def _action(action: argparse.Action) -> Iterator[str]:
    """One argument as a list item."""
    if isinstance(action, (argparse._SubParsersAction, argparse._HelpAction)):  # noqa: SLF001
        return
    metavar = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    value = "" if action.nargs == 0 else str(metavar)
    names = [f"`{f'{flag} {value}'.strip()}`" for flag in action.option_strings] or [f"`{value}`"]
    default = action.default
    known = default not in (None, False, [], "", argparse.SUPPRESS) and "%(default)" not in (action.help or "")
    text = (action.help or "").replace("%(default)s", str(default)).replace("%%", "%")
    yield f"- {', '.join(names)}: {text}{f' (default {default})' if known else ''}"


if __name__ == "__main__":
    main(sys.argv[1:])
