"""`assistant context`: make, check, test, sample and measure what can be said."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.calibrate import add_calibrate, add_compile
from assistant.cli.finding import context_folders, open_context
from assistant.cli.output import add_json_option, examples, print_json, print_json_line, progress, styled, table
from assistant.errors import ModelError, UsageError

if TYPE_CHECKING:
    from assistant.grammar.tree import Context
    from assistant.recognize.moonshine.tokenizer import Tokenizer

EXIT_FOUND = 1  # something was found: the exit code of lint and test


def register(subparsers: Any) -> None:
    """Add `context` with its verbs."""
    parser = subparsers.add_parser(
        "context",
        help="make, check and test what can be said",
        description="Make, check, test, sample and measure what can be said.",
    )
    verbs = parser.add_subparsers(dest="context_verb", metavar="VERB", required=True)
    for add in (_add_new, _add_lint, _add_test, _add_sample, _add_stats, add_compile, add_calibrate, _add_import):
        add(verbs)
    _add_list(verbs)


def _add_new(verbs: Any) -> None:
    new = _verb(
        verbs, "new", _new, "write a small working context with tests", ["assistant context new contexts/kitchen"]
    )
    new.add_argument("folder", metavar="FOLDER", type=Path, help="a folder that does not exist or is empty")


def _add_lint(verbs: Any) -> None:
    commands = ["assistant context lint contexts/kitchen", "assistant context lint home --strict --json"]
    lint = _verb(verbs, "lint", _lint, "find what will disappoint whoever speaks", commands)
    _add_context(lint)
    lint.add_argument("--strict", action="store_true", help="warnings fail too")


def _add_test(verbs: Any) -> None:
    commands = [
        "assistant context test contexts/kitchen",
        "assistant context test home mine.yaml",
        "assistant context test home --dialogue evening.yaml",
    ]
    test = _verb(verbs, "test", _test, "run a file of expected sentences", commands)
    _add_context(test)
    test.add_argument("file", metavar="FILE.yaml", nargs="?", type=Path, help="default: tests.yaml in the context")
    test.add_argument(
        "--dialogue", metavar="FILE.yaml", type=Path, help="play a file of dialogues instead, with skills of their own"
    )


def _add_sample(verbs: Any) -> None:
    commands = ["assistant context sample home", "assistant context sample barista -n 1000 --seed 7 --json"]
    sample = _verb(verbs, "sample", _sample, "print sentences of the context with what they mean", commands)
    _add_context(sample)
    sample.add_argument("-n", "--number", metavar="N", type=int, default=20, help="how many (default 20)")
    sample.add_argument("--seed", metavar="N", type=int, default=0, help="the same seed draws the same sentences")


def _add_stats(verbs: Any) -> None:
    stats = _verb(verbs, "stats", _stats, "print how large a context is", ["assistant context stats home"])
    _add_context(stats)


def _add_import(verbs: Any) -> None:
    commands = [
        "assistant context import coffee_maker.rhino.yaml --out contexts/coffee",
        "assistant context import ~/homeassistant/custom_sentences --out contexts/home",
        "assistant context import sentences.csv --out contexts/quiz",
    ]
    imported = _verb(verbs, "import", _import, "take over a grammar of Rhino, Home Assistant or a CSV file", commands)
    imported.add_argument("source", metavar="FROM", type=Path, help="a Rhino .yaml, a folder of sentences, or a .csv")
    imported.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="the context folder to write")


def _add_list(verbs: Any) -> None:
    _verb(verbs, "list", _list, "print the names of known contexts", ["assistant context list"])


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str, commands: list[str]
) -> argparse.ArgumentParser:
    description = summary[0].upper() + summary[1:] + "."
    epilog = examples(*commands)
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=description, epilog=epilog)
    add_json_option(parser)
    parser.set_defaults(run=run)
    return parser


def _add_context(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("context", metavar="CONTEXT", help="a context's folder or name")


def _new(args: argparse.Namespace) -> int:
    from assistant.grammar.new import write_new_context

    paths = write_new_context(args.folder)
    if args.json:
        print_json({"files": paths})
        return 0
    for path in paths:
        print(path)
    print(f"\nTry it:  assistant context test {args.folder}")
    print(f'         assistant say --context {args.folder} "make some green tea"')
    return 0


def _lint(args: argparse.Namespace) -> int:
    from assistant.grammar.lint import Severity, lint
    from assistant.grammar.load import shown

    context = _load(args)
    tokenizer = _tokenizer()
    with progress(f"comparing sentences of {context.name}"):
        findings = lint(context, tokenizer.can_spell if tokenizer else None)
    counts = Counter(finding.severity for finding in findings)
    failed = counts[Severity.ERROR] > 0 or (args.strict and bool(findings))
    if args.json:
        print_json({"context": context.name, "findings": findings})
        return EXIT_FOUND if failed else 0
    colours = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
    for finding in findings:
        severity = styled(finding.severity.value, colours[finding.severity])
        end = f"; {finding.remedy}" if finding.remedy else ""
        print(f"{shown(context.folder)}/{finding.place}: {severity}: {finding.message}{end}")
    if tokenizer is None:
        print("assistant: the recogniser's tokenizer is not installed: spelling was not checked", file=sys.stderr)
    print(f"{context.name}: {_plural(counts[Severity.ERROR], 'error')}, {_plural(counts[Severity.WARNING], 'warning')}")
    return EXIT_FOUND if failed else 0


def _test(args: argparse.Namespace) -> int:
    from assistant.grammar.load import shown
    from assistant.grammar.test_sentences import TESTS_FILE, read_expected, run_expected

    context = _load(args)
    if args.dialogue is not None:
        return _test_dialogues(args.dialogue, context, as_json=args.json)
    path = args.file or Path(context.folder) / TESTS_FILE
    results = run_expected(context, read_expected(path))
    failed = [result for result in results if not result.passed]
    if args.json:
        rows = [
            {"text": r.expected.text, "place": str(r.expected.place), "passed": r.passed, "got": r.got} for r in results
        ]
        print_json(
            {"context": context.name, "passed": len(results) - len(failed), "failed": len(failed), "tests": rows}
        )
        return EXIT_FOUND if failed else 0
    for result in failed:
        print(f"{shown(path.parent)}/{result.expected.place}: {result}")
    print(f"{context.name}: {len(results) - len(failed)} of {_plural(len(results), 'sentence')} as expected")
    return EXIT_FOUND if failed else 0


def _test_dialogues(path: Path, context: Context, *, as_json: bool) -> int:
    from assistant.grammar.load import shown
    from assistant.testing.dialogues import play, read_scripts

    played = {script: play(script, context) for script in read_scripts(path)}
    failed = [script for script, turns in played.items() if any(turn.fault for turn in turns)]
    if as_json:
        rows = [
            {"name": script.name, "place": str(script.place), "faults": [turn.fault for turn in turns if turn.fault]}
            for script, turns in played.items()
        ]
        print_json({"context": context.name, "passed": len(played) - len(failed), "failed": len(failed), "tests": rows})
        return EXIT_FOUND if failed else 0
    for script in failed:
        for turn in played[script]:
            if turn.fault:
                print(f"{shown(path.parent)}/{turn.turn.place}: {script.name}: {turn.fault}")
    print(f"{context.name}: {len(played) - len(failed)} of {_plural(len(played), 'dialogue')} as expected")
    return EXIT_FOUND if failed else 0


def _sample(args: argparse.Namespace) -> int:
    from assistant.grammar.sample import sample

    if args.number < 1:
        raise UsageError("there must be at least one", where="--number")
    context = _load(args)
    samples = sample(context, args.number, args.seed)
    if args.json:
        for drawn in samples:
            print_json_line({"text": drawn.text, "intent": drawn.intent, "slots": drawn.slots})
        return 0
    rows = [(s.text, s.intent, ", ".join(f"{name}: {value}" for name, value in s.slots.items())) for s in samples]
    print(table(("sentence", "intent", "slots"), rows))
    return 0


def _stats(args: argparse.Namespace) -> int:
    from assistant.grammar.count import count, count_by_intent, largest
    from assistant.grammar.load import shown

    context = _load(args)
    cause = largest(context)
    sizes = _acceptor_size(context)
    facts: dict[str, Any] = {
        "context": context.name,
        "intents": len(context.intents),
        "templates": len(context.templates),
        "lists": len(context.lists),
        "rules": len(context.rules),
        "sentences": count(context),
        "largest_template": str(cause.template.place),
        "sentences_in_it": cause.sentences,
        "because_of": dict(cause.parts[:4]),
        "acceptor": sizes,
        "hash": context.hash,
    }
    if args.json:
        print_json({**facts, "sentences_by_intent": count_by_intent(context)})
        return 0
    templates, intents = _plural(len(context.templates), "template"), _plural(len(context.intents), "intent")
    print(f"{styled(context.name, 'bold')}: {templates} of {intents}")
    parts = ", ".join(f"{name} ({size:,})" for name, size in cause.parts[:4])
    print(f"sentences  {facts['sentences']:,}; most in {shown(context.folder)}/{cause.template.place}: {parts}")
    if sizes:
        print(f"acceptor   {sizes['states']:,} states, {sizes['arcs']:,} arcs over {sizes['tokens']:,} tokens")
    print()
    rows = [(intent, f"{number:,}") for intent, number in count_by_intent(context).items()]
    print(table(("intent", "sentences"), rows, right=("sentences",)))
    return 0


def _import(args: argparse.Namespace) -> int:
    from assistant.grammar.importers import import_context

    report = import_context(args.source, args.out)
    if args.json:
        print_json(report)
        return 0
    intents = _plural(len(report.intents), "intent")
    print(f"{report.folder}: {_plural(report.templates, 'template')} of {intents}, from {report.format}")
    for note in report.notes:
        print(f"  note: {note}")
    print(f"Look it over:  assistant context lint {report.folder}")
    return 0


def _list(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings
    from assistant.grammar.load import context_names, find_context

    folders = context_folders(load_settings(args).config)
    found = {name: str(find_context(name, folders)) for name in context_names(folders)}
    if args.json:
        print_json(found)
    else:
        print(table(("name", "folder"), list(found.items())))
    return 0


def _load(args: argparse.Namespace) -> Context:
    from assistant.cli.settings import load_settings

    return open_context(load_settings(args).config, args.context)


def _tokenizer() -> Tokenizer | None:
    """The default recogniser's tokenizer; None where its package is not installed."""
    from assistant.recognize.moonshine.model import published_folder
    from assistant.recognize.moonshine.tokenizer import Tokenizer

    try:
        return Tokenizer.load(published_folder() / "tokenizer.bin")
    except ModelError:
        return None


def _acceptor_size(context: Context) -> dict[str, int] | None:
    """States, arcs and tokens of the acceptor that the default recogniser compiles the context to."""
    tokenizer = _tokenizer()
    if tokenizer is None:
        return None
    from assistant.grammar.acceptor import compile_acceptor
    from assistant.grammar.network import build_network
    from assistant.grammar.tokens import TokenNetwork

    with progress(f"compiling {context.name}"):
        acceptor = compile_acceptor(TokenNetwork(build_network(context), tokenizer))
    return {
        "states": len(acceptor.offsets) - 1,
        "arcs": len(acceptor.tokens),
        "tokens": len(set(acceptor.tokens.tolist())),
    }


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
