"""`assistant home`: areas, devices, scenes and lists of the user: write an example, check, list, print the schema."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.output import add_json_option, examples, plain, print_json, styled, table
from assistant.errors import StorageError, UsageError

if TYPE_CHECKING:
    from assistant.grammar.household import Area, Device, Home, NamedList, Scene

EXIT_FOUND = 1
"""Something will not be heard, or has to be asked about: the exit code of `check --strict`."""


def register(subparsers: Any) -> None:
    """Add `home` with its verbs."""
    parser = subparsers.add_parser("home", help="name your areas, devices, scenes and lists", description=__doc__)
    verbs = parser.add_subparsers(dest="home_verb", metavar="VERB", required=True)
    new = _verb(verbs, "new", _new, "write an example home.yaml to change", ["assistant home new"])
    new.add_argument("file", metavar="FILE", nargs="?", type=Path, help="default: beside your config.yaml")
    check = _verb(verbs, "check", _check, "check home.yaml", ["assistant home check", "assistant home check home.yaml"])
    check.add_argument("--strict", action="store_true", help="what is only worth knowing fails too")
    listed = _verb(verbs, "list", _list, "list areas and devices", ["assistant home list --json"])
    for verb in (check, listed):
        verb.add_argument("file", metavar="FILE", nargs="?", type=Path, help="default: your home, else the example")
    schema = "print the JSON schema of home.yaml, for editors"
    _verb(verbs, "schema", _schema, schema, ["assistant home schema > home.schema.json"], json=False)


def _verb(
    verbs: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    commands: list[str],
    *,
    json: bool = True,
) -> argparse.ArgumentParser:
    epilog = examples(*commands)
    description = summary[0].upper() + summary[1:] + "."
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=description, epilog=epilog)
    if json:
        add_json_option(parser)
    parser.set_defaults(run=run)
    return parser


def _new(args: argparse.Namespace) -> int:
    from assistant.folders import user_config_folder
    from assistant.grammar.home import HOME_FILE

    path: Path = args.file or user_config_folder(os.environ) / HOME_FILE
    if path.exists():
        raise UsageError("is there already", where=str(path), remedy="edit it, or give another FILE")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_example(), path)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", where=str(path)) from error
    if args.json:
        print_json({"file": path})
    else:
        print(f"{path}\n\nPut your own names into it, then:  assistant home check {args.file or ''}".rstrip())
    return 0


def _check(args: argparse.Namespace) -> int:
    home = _load(args)
    notes = [*_unspellable(home), *_shared(home)]
    counts = {part: len(getattr(home, part)) for part in ("areas", "devices", "scenes", "lists")}
    if args.json:
        print_json({"file": home.file, **counts, "notes": [{"line": line, "what": what} for line, what in notes]})
    else:
        for line, what in notes:
            print(f"{home.file}:{line}: {styled('note', 'yellow')}: {what}")
        print(f"{home.file}: " + ", ".join(f"{number} {part}" for part, number in counts.items()) + "; it can be used")
    return EXIT_FOUND if args.strict and notes else 0


def _list(args: argparse.Namespace) -> int:
    home = _load(args)
    if args.json:
        print_json(plain(home))
        return 0
    order = {area.name: number for number, area in enumerate(home.areas)}
    devices = sorted(home.devices, key=lambda device: order.get(device.area, len(order)))
    print(table(("area", "device", "also", "domain", "id"), [_row(device) for device in devices]))
    for what, things in (("scenes", home.scenes), ("lists", home.lists)):
        if things:
            print(f"\n{what}: {', '.join(thing.name for thing in things)}")
    return 0


def _row(device: Device) -> tuple[str, ...]:
    domain = f"{device.domain} ({device.kind})" if device.kind else device.domain
    also = ", ".join(device.aliases)
    return device.area, device.name, also, f"{domain}{', asks first' if device.confirm else ''}", device.id


def _schema(args: argparse.Namespace) -> int:
    from assistant.grammar.home import json_schema

    del args
    print_json(json_schema())
    return 0


def _load(args: argparse.Namespace) -> Home:
    from assistant.cli.finding import home_file
    from assistant.cli.settings import load_settings
    from assistant.grammar.home import load_home

    return load_home(args.file or home_file(load_settings(args).config) or _example())


def _example() -> Path:
    from assistant.grammar.home import HOME_FILE
    from assistant.grammar.load import find_context

    return find_context("home") / HOME_FILE


def _unspellable(home: Home) -> Iterator[tuple[int, str]]:
    """Names with words that the default recogniser has never learnt to write."""
    from assistant.errors import ModelError
    from assistant.recognize.moonshine.model import published_folder
    from assistant.recognize.moonshine.tokenizer import Tokenizer

    try:
        tokenizer = Tokenizer.load(published_folder() / "tokenizer.bin")
    except ModelError:
        yield 1, "the recogniser's tokenizer is not installed: spelling was not checked"
        return
    things: list[Area | Device | Scene | NamedList] = [*home.areas, *home.devices, *home.scenes, *home.lists]
    for thing in things:
        for name in (thing.name, *thing.aliases):
            bad = [word for word in name.split() if not tokenizer.can_spell(word)]
            if bad:
                yield (
                    thing.line,
                    f"the recogniser cannot write '{bad[0]}', so '{name}' will not be heard; give an alias",
                )


def _shared(home: Home) -> Iterator[tuple[int, str]]:
    """Names that several devices have: said without an area, they are asked about."""
    from assistant.grammar.household import folded

    called: dict[str, list[Device]] = {}
    for device in home.devices:
        for name in dict.fromkeys(map(folded, (device.name, *device.aliases))):
            called.setdefault(name, []).append(device)
    for name, devices in called.items():
        if len(devices) > 1:
            lines = ", ".join(str(device.line) for device in devices[1:4])
            more = " …" if len(devices) > 4 else ""
            yield (
                devices[0].line,
                f"'{name}' may be {len(devices)} devices (also line {lines}{more}); it will ask which",
            )
