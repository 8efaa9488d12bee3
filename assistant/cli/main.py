"""The entry point: finds the verb, imports only its module, runs it and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from assistant.cli.verbs import EXAMPLES, EXIT_CODES, GROUPS, VERBS
from assistant.errors import AssistantError, UsageError

# Options that stand before the verb and take a value: skipped while the verb is looked for.
GLOBAL_OPTIONS_WITH_VALUE = ("--config", "--set")
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""numpy's products here are small: a second thread gains nothing, and on a busy board waits for its turn (measured: up
to 16 ms instead of 1 for the features of one utterance). Set before numpy is imported; what the user has set stays."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code (`assistant help exit-codes`)."""
    os.environ.setdefault(BLAS_THREADS, "1")
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except AssistantError as error:
        for line in str(error).splitlines():
            _complain(line)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
    return code


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose mistakes are UsageErrors and whose verbs take the common options on either side."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, where=" ".join(self.prog.split()[1:]), remedy=f"see `{self.prog} --help`")


def build_parser(verbs: Sequence[str]) -> CommandParser:
    """A parser that knows `verbs`, importing only their modules; all of them for completion and the reference page."""
    parser = CommandParser(prog="assistant", description="A private voice assistant, on this device.")
    add_common_options(parser, after_verb=False)
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=CommandParser)
    modules = dict.fromkeys(VERBS[name].module for name in verbs)
    for name in modules:
        importlib.import_module(f"assistant.cli.{name}").register(subparsers)
    for command in leaf_parsers(parser):
        add_common_options(command, after_verb=True)
    return parser


def leaf_parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers below `parser` that take no further verb, in order."""
    return [
        found
        for found in all_parsers(parser)
        if not any(isinstance(action, argparse._SubParsersAction) for action in found._actions)  # noqa: SLF001
    ]


def all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """`parser` and all parsers below it (argparse has no public way to walk them)."""
    yield parser
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for nested in dict.fromkeys(action.choices.values()):
                yield from all_parsers(nested)


def add_common_options(parser: argparse.ArgumentParser, *, after_verb: bool) -> None:
    """The options that every verb takes, before or after its name; `--set` may stand on both sides."""
    group = parser.add_argument_group("common options")
    taken = parser._option_string_actions  # noqa: SLF001  argparse has no public way
    flags = ("--verbose",) if "-v" in taken else ("-v", "--verbose")
    group.add_argument(
        "--config",
        metavar="FILE",
        dest="config_file",
        default=argparse.SUPPRESS if after_verb else None,
        help="read this configuration file instead of the user's own",
    )
    group.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        dest="settings_after_verb" if after_verb else "settings",
        default=[],
        help="set one configuration key for this run, e.g. listen.cap_s=8 (may be repeated)",
    )
    group.add_argument(
        *flags,
        action="count",
        default=argparse.SUPPRESS if after_verb else 0,
        help="say more on standard error; -vv everything",
    )


def overview() -> str:
    """The text of `assistant --help`."""
    width = max(map(len, VERBS))
    lines = ["usage: assistant [--config FILE] [--set KEY=VALUE] [-v] VERB …", ""]
    lines += ["A private voice assistant: it hears commands in noise, on this device, and tells nobody.", ""]
    for group in GROUPS:
        lines += [f"{group.title}:"]
        lines += [f"  {verb.name:{width}}  {verb.summary}" for verb in group.verbs]
        lines += [""]
    lines += ["Examples:"]
    column = max(len(command) for command, _ in EXAMPLES)
    lines += [f"  {command:{column}}  {what}" for command, what in EXAMPLES]
    lines += ["", "`assistant help VERB` explains a verb, `assistant help exit-codes` what a script can rely on."]
    return "\n".join(lines)


def exit_codes() -> str:
    """The text of `assistant help exit-codes`."""
    return "\n".join(["Exit codes:", *(f"  {code:3d}  {meaning}" for code, meaning in EXIT_CODES)])


def _run(argv: list[str]) -> int:
    """Do what the command line says; returns the exit code."""
    verb = _find_verb(argv)
    if verb is None or verb == "help":
        return _help(argv)
    if verb not in VERBS:
        raise UsageError(f"there is no verb {verb!r}", remedy=_nearest(verb, list(VERBS)))
    args = build_parser([verb]).parse_args(argv)
    _set_up_messages(args.verbose)
    return int(args.run(args) or 0)


def _find_verb(argv: list[str]) -> str | None:
    """The first argument that is neither an option nor an option's value."""
    rest = iter(argv)
    for argument in rest:
        if argument in GLOBAL_OPTIONS_WITH_VALUE:
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return None


def _help(argv: list[str]) -> int:
    """`assistant`, `assistant --help`, `assistant help [VERB …]`."""
    words = [argument for argument in argv if not argument.startswith("-")][1:]
    known = ("-h", "--help", "-V", "--version", "help")
    unknown = [argument for argument in argv if argument.startswith("-") and argument not in known]
    if unknown:
        raise UsageError(f"there is no option {unknown[0]!r} before a verb", remedy="see `assistant --help`")
    if "--version" in argv or "-V" in argv:
        return main(["version"])
    if not words:
        print(overview())
    elif words == ["exit-codes"]:
        print(exit_codes())
    elif words[0] in VERBS:
        try:
            build_parser([words[0]]).parse_args([*words, "--help"])
        except SystemExit as stop:
            return int(stop.code or 0)
    else:
        raise UsageError(f"there is no help on {words[0]!r}", remedy=_nearest(words[0], [*VERBS, "exit-codes"]))
    return 0


def _nearest(word: str, names: list[str]) -> str:
    """A remedy that names the nearest of `names`."""
    import difflib

    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else "see `assistant --help`"


def _set_up_messages(verbosity: int) -> None:
    """Warnings, and what -v asks for, go to standard error, one line each."""
    import logging

    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    logging.basicConfig(level=level, format="assistant: %(message)s", stream=sys.stderr, force=True)


def _complain(line: str) -> None:
    """One line on standard error, coloured on a terminal."""
    from assistant.cli.output import styled

    print(f"{styled('assistant:', 'red', sys.stderr)} {line}", file=sys.stderr)
