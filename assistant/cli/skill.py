"""`assistant skill`, `plugins`, `timers` and `lists`: write a skill, see which run, and what they keep."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.output import add_json_option, examples, print_json, styled, table
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.act.plugins import Status

EXIT_FOUND = 1  # a plug-in does not work

_COLOURS = {"enabled": "green", "disabled": "dim"}


def register(subparsers: Any) -> None:
    """Add the verbs."""
    skill = subparsers.add_parser("skill", help="write a skill of your own", description="Write a skill of your own.")
    kinds = skill.add_subparsers(dest="skill_verb", metavar="VERB", required=True)
    new = kinds.add_parser(
        "new",
        help="write a working package with tests",
        description="Write a working package with tests.",
        epilog=examples("assistant skill new coffee_maker ~/coffee-maker"),
    )
    new.add_argument("name", metavar="NAME", help="what actions.yaml will call it, e.g. coffee_maker")
    new.add_argument("folder", metavar="DIR", type=Path, help="a folder that does not exist or is empty")
    add_json_option(new)
    new.set_defaults(run=_new)

    plugins = subparsers.add_parser(
        "plugins",
        help="list recognisers, voices, skills, wake words and policies with their state",
        description="List recognisers, voices, skills, wake words and policies with their state.",
        epilog=(
            "The exit code is 1 if one does not work. States: enabled, disabled, load error, config error,\n"
            "failed self-check, failing.\n\nexamples:\n  assistant plugins\n  assistant plugins skills --json"
        ),
    )
    plugins.add_argument("group", metavar="GROUP", nargs="?", help="only these, e.g. skills")
    add_json_option(plugins)
    plugins.set_defaults(run=_plugins)

    timers = subparsers.add_parser(
        "timers",
        help="list the timers and alarms that are set",
        description="List the timers and alarms that are set.",
        epilog=examples("assistant timers", "assistant timers --json"),
    )
    add_json_option(timers)
    timers.set_defaults(run=_timers)

    lists = subparsers.add_parser(
        "lists",
        help="show the shopping list and the others",
        description="Show the shopping list and the others.",
        epilog=examples("assistant lists", "assistant lists shopping --json"),
    )
    lists.add_argument("name", metavar="NAME", nargs="?", help="only this list")
    lists.add_argument("--all", action="store_true", help="also what is ticked off")
    add_json_option(lists)
    lists.set_defaults(run=_lists)


def _new(args: argparse.Namespace) -> int:
    from assistant.act.new import write_new_skill

    paths = write_new_skill(args.name, args.folder)
    if args.json:
        print_json({"files": paths})
        return 0
    for path in paths:
        print(path)
    print(f"\nTry it:  cd {args.folder} && python -m pytest")
    print("Use it:  pip install --editable . && assistant plugins skills")
    return 0


def _plugins(args: argparse.Namespace) -> int:
    from assistant.act.plugins import GROUPS, State

    groups = [group.removeprefix("assistant.") for group in GROUPS]
    if args.group and args.group not in groups:
        raise UsageError(f"there is no group '{args.group}'", where="plugins", remedy=f"one of: {', '.join(groups)}")
    found = [status for status in _statuses(args) if args.group in (None, status.group)]
    broken = any(status.state not in (State.ENABLED, State.DISABLED) for status in found)
    if args.json:
        print_json({"plugins": found})
        return EXIT_FOUND if broken else 0
    rows = [
        (status.group, status.name, _coloured(status), status.source, status.reason)
        for status in sorted(found, key=lambda status: (groups.index(status.group), status.name))
    ]
    print(table(("group", "name", "state", "from", "why"), rows))
    return EXIT_FOUND if broken else 0


def _statuses(args: argparse.Namespace) -> list[Status]:
    """The state of every plug-in as this process finds it; skills are started in a folder of their own and stopped."""
    from assistant.act.health import with_failing
    from assistant.act.plugins import SKILLS, statuses, switched_off
    from assistant.act.skill import Services
    from assistant.act.skills import open_skills
    from assistant.cli.settings import load_settings
    from assistant.clock import SystemClock
    from assistant.folders import folders

    config = load_settings(args).config
    state, off = folders(config.paths).state, switched_off(config.plugins.disabled)
    # Nothing is announced from here, so that timers do not ring while somebody looks.
    skills = open_skills(Services(SystemClock(), state), disabled=off[SKILLS], tell=lambda _line: None)
    found = [*statuses(SystemClock(), off), *with_failing(skills.statuses, state)]
    skills.close()
    return found


def _timers(args: argparse.Namespace) -> int:
    from assistant.act.when import in_words
    from assistant.cli.daemon_client import running_daemon
    from assistant.cli.settings import load_settings

    daemon = running_daemon(load_settings(args).config)
    if daemon is not None:
        with daemon:
            rows = daemon.ask("timers")
    else:
        rows = _kept_timers(args)
    if args.json:
        print_json({"timers": rows})
    elif rows:
        shown = [(row["title"], row["state"], in_words(float(str(row["remaining_s"])))) for row in rows]
        print(table(("timer", "state", "left"), shown))
    else:
        print("No timer is set.")
    return 0


def _kept_timers(args: argparse.Namespace) -> list[dict[str, object]]:
    """What is set, read by this process."""
    from assistant.act.skill import Services
    from assistant.act.timers import Timers
    from assistant.act.timing import as_row
    from assistant.clock import SystemClock

    skill = Timers()
    skill.start(Services(SystemClock(), _state_of(args, "timers")))
    rows = [as_row(timer, skill.now()) for timer in skill.all()]
    skill.stop()
    return rows


def _lists(args: argparse.Namespace) -> int:
    from assistant.act.lists import Lists
    from assistant.act.skill import Services
    from assistant.clock import SystemClock

    skill = Lists()
    skill.start(Services(SystemClock(), _state_of(args, "lists")))
    names = [args.name.casefold()] if args.name else skill.store.names()
    found = {name: [item for item in skill.store.items(name) if args.all or not item.done] for name in names}
    skill.stop()
    if args.json:
        lists = {name: [{"text": item.text, "done": item.done} for item in items] for name, items in found.items()}
        print_json({"lists": lists})
        return 0
    for name, items in found.items():
        print(styled(name, "bold") + ("" if items else ": empty"))
        for item in items:
            print(f"  {'x' if item.done else '-'} {item.text}")
    if not found:
        print("No list has anything on it.")
    return 0


def _state_of(args: argparse.Namespace, skill: str) -> Path:
    """The folder in which a skill keeps its file."""
    from assistant.act.skills import own_folder
    from assistant.cli.settings import load_settings
    from assistant.folders import folders

    return own_folder(folders(load_settings(args).config.paths).state, skill)


def _coloured(status: Status) -> str:
    return styled(status.state.value, _COLOURS.get(status.state.value, "red"))
