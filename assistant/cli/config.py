"""`assistant config`: show every value and who set it, check files, edit the user's own."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from assistant.cli.output import add_json_option, examples, plain, print_json, styled, table
from assistant.cli.settings import load_settings
from assistant.config.keys import KEYS, ConfigErrors, value_of
from assistant.config.layers import Loaded, load, template, user_file
from assistant.errors import StorageError, UsageError

EDITORS = ("editor", "nano", "vi")


def register(subparsers: Any) -> None:
    """Add `config show`, `config check` and `config edit`."""
    parser = subparsers.add_parser(
        "config", help="show, check and edit the configuration", description="Show, check and edit the configuration."
    )
    verbs = parser.add_subparsers(dest="config_verb", metavar="show|check|edit", required=True)

    show = verbs.add_parser(
        "show",
        help="print the values in force",
        description="Print the values in force, all or those whose names begin with KEY.",
        epilog=examples("assistant config show --origin", "assistant config show listen --json"),
    )
    show.add_argument("key", nargs="?", default="", metavar="KEY", help="a key or section, e.g. listen")
    show.add_argument("--origin", action="store_true", help="also say who set each value")
    add_json_option(show)
    show.set_defaults(run=_show)

    check = verbs.add_parser(
        "check",
        help="list everything that is wrong",
        description="Read all layers, or only FILE in place of the user's own, and list everything that is wrong.",
        epilog=examples("assistant config check", "assistant config check new.yaml"),
    )
    check.add_argument("file", nargs="?", metavar="FILE", help="check this file in place of the user's own")
    add_json_option(check)
    check.set_defaults(run=_check)

    edit = verbs.add_parser(
        "edit",
        help="edit the user's own file",
        description="Open a copy of the user's file in $VISUAL or $EDITOR; it replaces the file only when it is right.",
        epilog=examples("EDITOR=nano assistant config edit"),
    )
    edit.set_defaults(run=_edit)


def _show(args: argparse.Namespace) -> None:
    loaded = load_settings(args)
    names = [name for name in KEYS if name == args.key or not args.key or name.startswith(f"{args.key}.")]
    if not names:
        raise UsageError(f"there is no key or section {args.key!r}", remedy="`assistant config show` lists all")
    if args.json:
        print_json(_as_json(loaded, names, with_origin=args.origin))
        return
    rows = [(name, _shown(value_of(loaded.config, name)), loaded.origins[name]) for name in names]
    head = ("key", "value", "origin")
    print(table(head, rows) if args.origin else table(head[:2], [row[:2] for row in rows]))


def _check(args: argparse.Namespace) -> int:
    args.config_file = args.file or args.config_file
    try:
        loaded = load_settings(args)
    except ConfigErrors as errors:
        if not args.json:
            raise
        faults = [{"what": error.what, "where": error.where, "remedy": error.remedy} for error in errors.errors]
        print_json({"ok": False, "errors": faults})
        return errors.exit_code
    if args.json:
        print_json({"ok": True, "files": loaded.files})
        return 0
    read = ", ".join(map(str, loaded.files)) or "no file, only defaults"
    print(f"{styled('ok', 'green')}: {read}")
    return 0


def _edit(args: argparse.Namespace) -> None:
    target = Path(args.config_file) if args.config_file else user_file()
    old = target.read_text(encoding="utf-8") if target.is_file() else template()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="config-", suffix=".yaml", dir=target.parent)
    except OSError as error:
        raise StorageError(
            f"cannot be written: {error.strerror}", where=str(target.parent), remedy="check its permissions"
        ) from None
    draft = Path(name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(old)
    subprocess.run([*_editor(), name], check=False)
    if draft.read_text(encoding="utf-8") == old:
        draft.unlink()
        print("nothing changed")
        return
    try:
        load(file=draft)
    except Exception:
        print(f"{target} is as it was; your text is kept in {draft}", file=sys.stderr)
        raise
    draft.replace(target)
    print(f"{styled('ok', 'green')}: {target}")


def _editor() -> list[str]:
    """The user's editor, with its arguments."""
    import shutil

    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if chosen:
        return shlex.split(chosen)
    found = next((name for name in EDITORS if shutil.which(name)), None)
    if found is None:
        raise UsageError("there is no editor", remedy="set EDITOR to the one you use")
    return [found]


def _shown(value: Any) -> str:
    """A value as YAML would have it."""
    if value is None:
        return "null"
    return str(plain(value))


def _as_json(loaded: Loaded, names: list[str], *, with_origin: bool) -> dict[str, Any]:
    """Dotted key → value, or → value and origin."""
    if with_origin:
        return {name: {"value": value_of(loaded.config, name), "origin": loaded.origins[name]} for name in names}
    return {name: value_of(loaded.config, name) for name in names}
