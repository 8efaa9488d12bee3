"""`assistant models`: list, fetch and check the models that engines load, and the bundles of the fused model."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli import bundles
from assistant.cli.output import add_json_option, examples, print_json, styled, table

if TYPE_CHECKING:
    from assistant.models.catalogue import Model
    from assistant.models.store import OnProgress, Store

EXAMPLES = """examples:
  assistant models list
  assistant models pull vosk-small-en
  assistant models verify
  assistant models path vosk-small-en
  assistant models use generic/tiny
"""

LICENCE_WIDTH = 40

_STEPS = {"fetch": "fetching", "unpack": "unpacking", "check": "checking"}


def register(subparsers: Any) -> None:
    """Add `models` and its verbs."""
    parser = subparsers.add_parser(
        "models", help="list, fetch and check models", description="The models that engines load.", epilog=EXAMPLES
    )
    verbs = parser.add_subparsers(dest="models_verb", metavar="VERB", required=True)
    listing = verbs.add_parser(
        "list",
        help="what there is and what is installed",
        description="List all models.",
        epilog=examples("assistant models list"),
    )
    listing.set_defaults(run=_list)
    for name, run, help_, description in (
        ("info", _info, "all about one model", "Print all that is known of a model."),
        ("path", _path, "the folder of one model", "Print the folder of an installed model."),
        ("remove", _remove, "delete one model", "Delete a model that was fetched, and what was fetched of it in part."),
    ):
        verb = verbs.add_parser(
            name, help=help_, description=description, epilog=examples(f"assistant models {name} vosk-small-en")
        )
        verb.add_argument("name", metavar="NAME", help="model, as `assistant models list` names it")
        verb.set_defaults(run=run)
    pull = verbs.add_parser(
        "pull",
        help="fetch models",
        description="Fetch models, go on where a broken line stopped, check them and put them in place.",
        epilog=examples("assistant models pull vosk-small-en"),
    )
    pull.add_argument("names", metavar="NAME", nargs="+", help="model, as `assistant models list` names it")
    pull.add_argument("--again", action="store_true", help="fetch even what is installed")
    pull.set_defaults(run=_pull)
    verify = verbs.add_parser(
        "verify",
        help="hash models again",
        description="Hash the files of models; exit code 6 if any is not as it was.",
        epilog=examples("assistant models verify", "assistant models verify vosk-small-en"),
    )
    verify.add_argument("names", metavar="NAME", nargs="*", help="model (default: all that are installed)")
    verify.set_defaults(run=_verify)
    use = verbs.add_parser(
        "use",
        help="choose the fused model",
        description="Write into your configuration which bundle of the fused model is used.",
        epilog=examples("assistant models use generic/tiny", "assistant models use off"),
    )
    use.add_argument("name", metavar="on|off|VARIANT|NAME[/VARIANT]", help="a bundle as `models list` names it")
    use.set_defaults(run=_use)
    for verb in verbs.choices.values():
        add_json_option(verb)


def _list(args: argparse.Namespace) -> int:
    from assistant.models.catalogue import catalogue

    store = _store(args)
    rows = [_row(store, model) for model in catalogue().values()]
    rows += [bundles.row(name, folder) for name, folder in _bundles(args).items()]
    if args.json:
        print_json(rows)
    else:
        head = ("name", "engine", "language", "size", "state", "licence")
        shown = [
            [row["name"], row["engine"], row["language"], _size(row), row["state"], _shortened(row["licence"])]
            for row in rows
        ]
        print(table(head, shown, right=("size",)))
    return 0


def _info(args: argparse.Namespace) -> int:
    from assistant.models.catalogue import find_model

    folder = _bundles(args).get(args.name)
    if folder is not None:
        _print_facts(bundles.facts(args.name, folder), as_json=args.json)
        return 0
    model = find_model(args.name)
    facts: dict[str, Any] = {**_row(_store(args), model), "about": model.about, "home": model.home}
    if model.archive is not None:
        facts |= {"url": model.archive.url, "sha256": model.archive.sha256}
    if model.package is not None:
        facts |= {"package": f"{model.package.distribution}=={model.package.version}", "sha256": model.package.files}
    _print_facts(facts, as_json=args.json)
    return 0


def _print_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    hashes = facts.pop("sha256", None)
    facts["size"] = _size(facts)
    lines = list(facts.items()) + (list(hashes.items()) if isinstance(hashes, dict) else [])
    lines += [("sha256", hashes)] if isinstance(hashes, str) else []
    width = max(len(str(key)) for key, _ in lines)
    for key, value in lines:
        print(f"{styled(f'{key:{width}}', 'bold')}  {'-' if value is None or value == '' else value}")


def _path(args: argparse.Namespace) -> int:
    from assistant.models.catalogue import find_model

    path = _store(args).require(find_model(args.name))
    if args.json:
        print_json({"name": args.name, "path": path})
    else:
        print(path)
    return 0


def _remove(args: argparse.Namespace) -> int:
    from assistant.models.catalogue import find_model

    removed = _store(args).remove(find_model(args.name))
    if args.json:
        print_json({"name": args.name, "removed": removed})
    else:
        print(f"{args.name}: {'removed' if removed else 'was not installed'}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from assistant.models.catalogue import find_model

    store = _store(args)
    models = [find_model(name) for name in args.names]  # a wrong name is said before anything is fetched
    pulled = []
    for model in models:
        with _progress(model.name) as on_progress:
            path = store.pull(model, on_progress, again=args.again)
        pulled.append({"name": model.name, "path": path, "licence": model.licence})
        if not args.json:
            print(f"{model.name}: {path} (licence {model.licence})")
    if args.json:
        print_json(pulled)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from assistant.errors import ModelError
    from assistant.models.catalogue import catalogue, find_model

    store, found = _store(args), _bundles(args)
    installed = [model for model in catalogue().values() if store.path(model) is not None]
    models = [find_model(name) for name in args.names if name not in found] if args.names else installed
    results: list[dict[str, Any]] = []
    for model in models:
        with _progress(model.name) as on_progress:
            faults = [{"path": fault.path, "what": fault.what} for fault in store.verify(model, on_progress)]
        results.append({"name": model.name, "sound": not faults, "faults": faults})
    for name in [name for name in args.names if name in found] if args.names else found:
        faults = bundles.faults(found[name])
        results.append({"name": name, "sound": not faults, "faults": faults})
    for result in [] if args.json else results:
        print(f"{result['name']}: {styled('sound', 'green') if result['sound'] else styled('damaged', 'red')}")
        for fault in result["faults"]:
            print(f"  {fault['path']} {fault['what']}")
    if args.json:
        print_json(results)
    return 0 if all(result["sound"] for result in results) else ModelError.exit_code


def _use(args: argparse.Namespace) -> int:
    path = bundles.use(args.name, _bundles(args))
    if args.json:
        print_json({bundles.KEY: args.name, "path": path})
    else:
        print(f"{bundles.KEY}: {args.name} ({path})")
    return 0


def _bundles(args: argparse.Namespace) -> dict[str, Path]:
    from assistant.cli.settings import load_settings

    return bundles.find_bundles(load_settings(args).config)


def _store(args: argparse.Namespace) -> Store:
    from assistant.cli.settings import load_settings
    from assistant.folders import folders
    from assistant.models.store import Store

    return Store(folders(load_settings(args).config.paths).data / "models")


def _row(store: Store, model: Model) -> dict[str, Any]:
    from assistant.models.store import model_size

    return {
        "name": model.name,
        "engine": model.engine,
        "language": model.language,
        "size": model_size(model) or None,
        "state": store.state(model).value,
        "licence": model.licence,
        "path": store.path(model),
    }


def _size(row: dict[str, Any]) -> str:
    if not row["size"]:
        return "packaged"
    return f"{row['size'] / 1e6:.0f} MB" if row["size"] >= 1e6 else f"{row['size'] / 1e3:.0f} kB"


def _shortened(licence: str) -> str:
    """A bundle names the licences of all that it was trained on; `models info` lists them."""
    return licence if len(licence) <= LICENCE_WIDTH else f"{licence[:LICENCE_WIDTH].rstrip(', ')} …"


@contextlib.contextmanager
def _progress(name: str) -> Iterator[OnProgress]:
    """A bar with amount, rate and time left on standard error, if that is a terminal."""
    from assistant.models.store import no_progress

    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(f"{name}: {_STEPS[step]}", total=total)
            bar.update(tasks[step], completed=done, total=total)

        yield show
