"""`assistant-convert`: build a bundle, compare two, look into a .tflite, explain one recording."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from assistant.errors import AssistantError, UsageError
from convert.model import check_extra

if TYPE_CHECKING:
    from convert.build import Order
    from convert.files import Places
    from convert.heads import SoundOrder

PROGRAM = "assistant-convert"
EXIT_INTERRUPTED = 130
DESCRIPTION = """Makes the fused model of a context: from sentences to a trained, pruned, int8 TFLite net.

It needs the extra `convert`, in an environment of its own, on a workstation: the device runs only what it makes."""
EXAMPLES = """examples:
  assistant-convert build --context examples/barista --out models/barista
  assistant-convert build --out models/generic                    one for every English context
  assistant-convert build --context my/context --out my/bundle --quick
  assistant-convert build --context my/context --out my/bundle --cluster 10.0.0.5:6379
  assistant-convert estimate --context my/context --contexts 1000 --cores 64
  assistant-convert compare models/barista models/generic
  assistant-convert inspect models/barista/full.tflite
  assistant-convert explain order.wav --context examples/barista --bundle models/barista"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are UsageErrors."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, where=PROGRAM, remedy=f"see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    # numpy's products are small here: more threads only wait for each other. What the user has set stays.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = build_parser().parse_args(words)
        if arguments.verb in ("build", "study", "ablate", "estimate", "explain"):
            check_extra()
        verbs = {
            "build": _build,
            "study": _study,
            "ablate": _ablate,
            "estimate": _estimate,
            "compare": _compare,
            "inspect": _inspect,
            "explain": _explain,
        }
        verbs[arguments.verb](arguments)
    except AssistantError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def build_parser() -> Parser:
    """All verbs and options."""
    parser = Parser(
        PROGRAM, description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    build = verbs.add_parser("build", help="make a bundle")
    build.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    _add_amounts(build)
    study = verbs.add_parser("study", help="smaller nets side by side: size, speed, what each loses, layer by layer")
    study.add_argument("--out", type=Path, required=True, help="folder of study.json, study.html and the nets")
    study.add_argument("--tuning", type=int, help="epochs that each smaller net is trained on for (2)")
    study.add_argument("--folds", type=int, default=0, help="also train anew without each Kth of voices, and of noises")
    _add_amounts(study)
    study.set_defaults(sound_takes=0)
    ablate = verbs.add_parser("ablate", help="what the net owes to each thing it sees and is taught by")
    ablate.add_argument("--out", type=Path, required=True, help="folder of ablations.json and ablations.html")
    ablate.add_argument("--only", default="", metavar="LIST", help="some of them, by how their names begin")
    ablate.add_argument("--seeds", type=int, default=1, help="nets of each of the two kinds that ship")
    _add_amounts(ablate)
    ablate.set_defaults(sound_takes=0)
    estimate = verbs.add_parser("estimate", help="what a build takes, or a thousand, or a million sentences")
    estimate.add_argument("--contexts", type=int, default=1, help="so many like --context")
    estimate.add_argument("--sentences", type=int, default=0, help="one that has so many, each spoken and heard once")
    estimate.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    estimate.add_argument("--price", type=float, default=0.05, help="of a core for an hour, in any currency (0.05)")
    _add_amounts(estimate)
    estimate.set_defaults(out=Path("estimate"))
    compare = verbs.add_parser("compare", help="two bundles side by side")
    compare.add_argument("one", type=Path)
    compare.add_argument("other", type=Path)
    inspect = verbs.add_parser("inspect", help="layers, types, sparsity and what stayed float in a .tflite")
    inspect.add_argument("file", type=Path)
    inspect.add_argument("--json", action="store_true")
    explain = verbs.add_parser("explain", help="which frames and words moved the net's answer, as a picture")
    explain.add_argument("file", type=Path)
    explain.add_argument("--context", required=True)
    explain.add_argument("--bundle", type=Path, required=True)
    explain.add_argument("--out", type=Path, help="picture (FILE.png)")
    _add_work(explain)
    return parser


def _add_amounts(build: argparse.ArgumentParser) -> None:
    """What is made, and by whom."""
    build.add_argument("--context", default="", help="folder or name; without it a generic bundle is made")
    build.add_argument("--quick", action="store_true", help="a tenth of the data, fewer epochs: minutes")
    build.add_argument("--seed", type=int, default=0)
    build.add_argument("--train-seed", type=int, help="of the nets alone, on the data of --seed")
    build.add_argument("--rounds", type=int, help="how often all data is drawn anew (2; more is better and slower)")
    build.add_argument("--crowd", type=int, help="further takes of each corpus in which others talk in (500)")
    build.add_argument("--epochs", type=int)
    build.add_argument("--rate", type=float, help="highest learning rate")
    build.add_argument("--jobs", type=int, default=1, help="processes that make data")
    build.add_argument("--cluster", default="", help="a Ray cluster makes it: its address, or `local`")
    build.add_argument("--workers", type=int, default=1, help="processes that train one net together")
    build.add_argument("--variants", default="full,lite,tiny", help="cost classes, dearest first")
    build.add_argument(
        "--judge", action="store_true", help="calibrate on half A of the labelled orders and report on half B"
    )
    build.add_argument("--recordings", type=Path, help="own labelled recordings of the context: a folder")
    build.add_argument(
        "--audio",
        choices=("states", "log-mel", "log-mel-words"),
        default="states",
        help="what the nets hear: the recogniser's states (default), log-mel, or log-mel with words' times",
    )
    build.add_argument("--vosk", type=Path, metavar="MODEL", help="Vosk hears, with the English model in this folder")
    build.add_argument("--precisions", action="store_true", help="also judge the full net in every precision")
    build.add_argument(
        "--sound-takes",
        type=int,
        help="utterances for the net for sound alone (6720; 0: no such net)",
    )
    build.add_argument("--sound-epochs", type=int, help="epochs of that net")
    build.add_argument(
        "--only-sound", action="store_true", help="make only that net, and put it into the bundle that is in OUT"
    )
    build.add_argument("--report", type=Path, help="where the HTML report goes (OUT.html)")
    _add_work(build)


def _add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, help="where stages keep what they made (the cache folder)")


def _build(arguments: argparse.Namespace) -> None:
    from convert.build import build
    from convert.bundle import write_bundle
    from convert.progress import Bars
    from convert.report import write_report

    if arguments.only_sound:
        _build_sound(arguments)
        return
    with Bars().shown() as bars:
        built = build(_order(arguments), bars.advance, bars.tell)
    manifest = write_bundle(arguments.out, built.origin, built.projection, built.candidates, built.seconds, built.sound)
    report = arguments.report or arguments.out.with_suffix(".html")
    write_report(report, built, manifest)
    sizes = ", ".join(f"{variant.cost} {variant.bytes / 1024:.0f} KiB" for variant in manifest.variants)
    print(f"{arguments.out}: {sizes}, in {built.seconds / 60:.1f} min; report: {report}")


def _study(arguments: argparse.Namespace) -> None:
    import json
    from dataclasses import replace

    from convert.compress import TUNING
    from convert.files import write_whole
    from convert.progress import Bars
    from convert.study import study
    from convert.study_report import write_study

    order = _order(arguments)
    tuning = replace(TUNING, epochs=arguments.tuning or TUNING.epochs)
    with Bars().shown() as bars:
        made = study(order, tuning, arguments.folds, bars.advance, bars.tell)
    for name, entry in made.entries.items():
        plain = "-".join("".join(c if c.isalnum() else " " for c in name).split())
        write_whole(arguments.out / f"{plain}.tflite", entry.file)
    write_whole(arguments.out / "study.json", json.dumps(made.found, indent=1).encode())
    command = [PROGRAM, "study", *shlex.split(repeatable(arguments))[2:-2], "--out", arguments.out.name]
    write_study(arguments.out / "study.html", arguments.out.name, shlex.join(command), made.found)
    print(made.found["layers"]["verdict"]["reason"])
    print(f"{arguments.out / 'study.html'}: {len(made.entries)} nets; none beats {', '.join(made.found['front'])}")


def _ablate(arguments: argparse.Namespace) -> None:
    import json

    from convert.ablations import ablate, markdown, write_ablations
    from convert.files import write_whole
    from convert.progress import Bars

    only = tuple(filter(None, arguments.only.split(",")))
    with Bars().shown() as bars:
        found = ablate(_order(arguments), only, arguments.seeds, bars.advance, bars.tell)
    write_whole(arguments.out / "ablations.json", json.dumps(found, indent=1).encode())
    command = [PROGRAM, "ablate", *shlex.split(repeatable(arguments))[2:-2], "--out", arguments.out.name]
    write_ablations(arguments.out / "ablations.html", shlex.join(command), found)
    print(markdown(found))


def _build_sound(arguments: argparse.Namespace) -> None:
    """Only the net for sound alone."""
    from assistant.understand.fused.manifest import read_manifest
    from convert.build import sound_only
    from convert.bundle import add_sound
    from convert.progress import Bars

    read_manifest(arguments.out)  # before hours are spent
    order = _order(arguments)
    if order.sound is None:
        raise UsageError("needs --context, and --sound-takes above 0", where="--only-sound")
    with Bars().shown() as bars:
        made = sound_only(order, bars.advance, bars.tell)
    add_sound(arguments.out, made)
    print(f"{arguments.out}: {made.net.file} {made.net.bytes / 1024:.0f} KiB")


def _order(arguments: argparse.Namespace) -> Order:
    """What the command line asks for."""
    from dataclasses import replace

    from assistant.folders import folders
    from convert import build as b
    from convert import stages
    from convert.files import Places
    from convert.model import SHAPES
    from convert.sources import data_folder
    from convert.train import Schedule

    if arguments.recordings is not None and not arguments.context:
        raise UsageError("needs --context, the one that they are for", where="--recordings")
    if arguments.vosk is not None and arguments.judge:
        raise UsageError("labelled orders are heard by the default recogniser", where="--judge with --vosk")
    costs = tuple(filter(None, arguments.variants.split(",")))
    unknown = [cost for cost in costs if cost not in SHAPES]
    if unknown or not costs or costs[0] != "full":
        raise UsageError(f"variants must begin with full and be of {', '.join(SHAPES)}", where="--variants")
    cache = folders().cache
    work = arguments.work or cache / "convert"
    amounts = stages.QUICK_BUILD if arguments.quick else stages.FULL_BUILD
    schedule = b.QUICK_SCHEDULE if arguments.quick else Schedule()
    places = Places(data_folder(), work / "sounds", work, cache)
    return b.Order(
        name=arguments.out.name,
        folder=arguments.context,
        places=places,
        sound=_sound_order(arguments, places),
        amounts=replace(
            amounts,
            rounds=arguments.rounds or amounts.rounds,
            crowd=amounts.crowd if arguments.crowd is None else arguments.crowd,
        ),
        schedule=replace(schedule, epochs=arguments.epochs or schedule.epochs, rate=arguments.rate or schedule.rate),
        fine_tuning=b.QUICK_FINE_TUNING if arguments.quick else b.FINE_TUNING,
        seed=arguments.seed,
        train_seed=arguments.train_seed,
        jobs=arguments.jobs,
        command=repeatable(arguments),
        recordings=arguments.recordings,
        real=arguments.judge,
        precisions=arguments.precisions,
        audio=arguments.audio if arguments.vosk is None else "log-mel-words",
        vosk="" if arguments.vosk is None else str(arguments.vosk.resolve()),
        costs=costs,
        cluster=arguments.cluster,
        workers=arguments.workers,
    )


def _sound_order(arguments: argparse.Namespace, places: Places) -> SoundOrder | None:
    """The net for sound alone, where one is wanted."""
    from dataclasses import replace

    from convert import heads
    from convert.heads_train import SoundSchedule

    takes = heads.QUICK_TAKES if arguments.quick else heads.TAKES
    takes = takes if arguments.sound_takes is None else arguments.sound_takes
    if not arguments.context or takes <= 0 or arguments.vosk is not None:
        return None
    schedule = heads.QUICK_SCHEDULE if arguments.quick else SoundSchedule()
    schedule = replace(schedule, epochs=arguments.sound_epochs or schedule.epochs)
    return heads.SoundOrder(arguments.context, places, takes, schedule, arguments.seed, arguments.judge)


def repeatable(arguments: argparse.Namespace) -> str:
    """The command that makes the same bundle again, without what depends on where it was made."""
    words = [PROGRAM, "build"]
    amounts = ("rounds", "crowd", "epochs", "rate", "variants", "sound_takes", "sound_epochs")
    for name in ("context", "seed", "train_seed", *amounts):
        value = getattr(arguments, name)
        if value not in (None, ""):
            words += [f"--{name.replace('_', '-')}", Path(value).name if name == "context" else str(value)]
    words += ["--audio", arguments.audio] if arguments.audio != "states" else []
    words += ["--vosk", arguments.vosk.name] if arguments.vosk is not None else []
    words += ["--workers", str(arguments.workers)] if arguments.workers > 1 else []
    words += [f"--{name}" for name in ("quick", "judge", "precisions") if getattr(arguments, name)]
    return shlex.join([*words, "--out", f"models/{arguments.out.name}"])


def _estimate(arguments: argparse.Namespace) -> None:
    from convert import costs, fleet

    order = _order(arguments)
    rates = costs.rates(order.places.work)
    load = fleet.load_of(order)
    if arguments.sentences:
        load = fleet.with_sentences(order, load, arguments.sentences)
    lines = fleet.lines_of(load, rates, arguments.contexts, arguments.cores, arguments.price)
    print("\n".join([*lines, "", *fleet.assumptions(rates)]))


def _compare(arguments: argparse.Namespace) -> None:
    from convert.compare import compare

    print(compare(arguments.one, arguments.other))


def _inspect(arguments: argparse.Namespace) -> None:
    import json

    from convert.inspect import inspect, table

    found = inspect(arguments.file)
    print(json.dumps(found, indent=1) if arguments.json else table(found))


def _explain(arguments: argparse.Namespace) -> None:
    from convert.explain import explain

    picture = arguments.out or arguments.file.with_suffix(".png")
    print(explain(arguments.file, arguments.context, arguments.bundle, picture))


if __name__ == "__main__":
    sys.exit(main())
