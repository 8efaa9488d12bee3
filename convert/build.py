"""One bundle from beginning to end: data, projection, nets, their int8 files, figures, report. Every stage is kept.

    plan ─► speak ─► hear ─► features ─► train full ─► narrow, fine-tune: lite, tiny ─► int8 ─► judge ─► bundle, report

What a stage makes is named by a hash of what it depends on: a build that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import ContextError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.types import Fusion
from assistant.understand.fused.projection import Projection, read_projection
from convert import calibrate, costs, evaluate, model, quantize, stages
from convert.bundle import Candidate, Origin
from convert.crew import open_crew
from convert.dataset import Rows, counts, fit_projection, load_rows, row_files
from convert.examples import Seen, of_recordings, of_takes, see
from convert.files import Places, write_whole
from convert.heads import SoundMade, SoundOrder
from convert.heads import make as make_sound
from convert.mels import mel_all
from convert.nets import Lesson, Recipe, train_all
from convert.own import own_takes
from convert.reader import STATES, Reader, reader_of
from convert.synthesize import Take
from convert.train import Schedule, Trained, logits
from convert.workers import Crew

GENERIC = "generic"
FINE_TUNING = Schedule(epochs=8, rate=1e-3, patience=4)
QUICK_SCHEDULE, QUICK_FINE_TUNING = Schedule(epochs=8, patience=4), Schedule(epochs=3, rate=1e-3)
VALIDATION_TAKES = 1200
TIMED_ROWS = 200

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What to build. folder: of the context, "" for a generic bundle. recordings: a user's own labelled
    ones for training, or None. real: calibrate on those that judge.

    precisions: also judge the full net in every precision. costs: the variants, dearest first. audio: what the nets
    hear, one of reader.SPECS. vosk: the folder of its model, where it hears instead of the default recogniser.
    sound: the net for sound alone, or None. train_seed: of the nets' first weights and batches, where it is not `seed`,
    so that one set of data gives several nets.
    jobs: processes here; cluster: the address of one that does the work instead, or "". workers: processes that
    train one net together.
    """

    name: str
    folder: str
    places: Places
    amounts: stages.Amounts
    schedule: Schedule
    fine_tuning: Schedule
    seed: int
    jobs: int
    command: str
    recordings: Path | None = None
    real: bool = False
    precisions: bool = False
    costs: tuple[str, ...] = ("full", "lite", "tiny")
    cluster: str = ""
    workers: int = 1
    sound: SoundOrder | None = None
    train_seed: int | None = None
    audio: str = STATES
    vosk: str = ""

    @property
    def folders(self) -> dict[str, str]:
        """Contexts that takes are drawn from, by name."""
        return {load_context(self.folder).name: self.folder} if self.folder else {}


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Everything the nets are trained on and judged by. files: names of the files that hold the rows."""

    rows: Rows
    files: tuple[str, ...]
    projection: Projection
    seen: Seen
    real: Seen | None


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """The nets, and everything that the report shows; trained, figures: by cost; precisions: of the full net."""

    origin: Origin
    projection: Projection
    candidates: tuple[Candidate, ...]
    trained: Mapping[str, Trained]
    figures: Mapping[str, Any]
    precisions: Mapping[str, tuple[Candidate, Mapping[str, Any]]]
    seconds: float
    sound: SoundMade | None = None
    stages: tuple[costs.Spent, ...] = ()


def gather(
    order: Order, crew: Crew, ledger: costs.Ledger, advance: Advance, tell: Callable[[str], None]
) -> dict[str, list[Path]]:
    """Plan, speak and hear; returns the shards of each corpus. Raises StorageError where disk or memory will not do."""
    shards: dict[Path, list[Any]] = {}
    of: dict[str, list[Path]] = {}
    takes: list[Any] = []
    for corpus in (stages.READ, stages.TEXTS, *order.folders):
        draws = stages.plan(corpus, order.places, order.folders, order.amounts, order.seed)
        if order.recordings is not None and corpus in order.folders:
            company = stages.company_of(order.places.data)
            draws.append(list(own_takes(order.recordings, load_context(order.folder), company, order.seed)))
        takes += [take for draw in draws for take in draw]
        made = stages.shard_files(draws, order.places, order.folders, order.vosk)
        shards |= made
        of[corpus] = list(made)
        advance("plan", len(takes), len(takes))
    cost = _forecast(order, takes, shards)
    tell(f"{cost.units[costs.HEAR]:,.0f} of {len(takes):,} takes are not yet heard: {costs.said(cost)}")
    stages.check_room(cost.disk, cost.memory, order.places.work)
    with ledger.stage(costs.SPEAK) as spent:
        spent.units = stages.speak_all(takes, order.places, crew, advance)
    with ledger.stage(costs.HEAR) as spent:
        spent.units = stages.hear_all(shards, order.places, order.folders, crew, advance, order.vosk)
    if order.audio != STATES and not order.vosk:
        mel_all(shards, order.places, crew, lambda i, n: advance("log-mel", i, n))
    return of


def _forecast(order: Order, takes: Sequence[Take], shards: Mapping[Path, Sequence[Take]]) -> costs.Forecast:
    """What is still to be done, at most: nets that are trained already are not known yet."""
    unheard = sum(len(part) for file, part in shards.items() if not file.is_file())
    epochs = order.schedule.epochs + (len(order.costs) - 1) * order.fine_tuning.epochs
    units = {
        costs.SPEAK: len(stages.silent(takes, order.places)),
        costs.HEAR: unheard,
        costs.SOUND: 0 if order.sound is None else order.sound.takes,
        costs.FEATURES: costs.ROWS_A_TAKE * unheard,
        costs.TRAIN: costs.ROWS_A_TAKE * len(takes) * epochs,
        costs.JUDGE: len(order.costs),
    }
    memory = max(order.jobs * stages.MEMORY_A_JOB if unheard and not order.cluster else 0, stages.TRAINING_MEMORY)
    return costs.forecast(units, costs.rates(order.places.work), order.jobs, memory)


def prepare(order: Order, of: Mapping[str, Sequence[Path]], ledger: costs.Ledger, advance: Advance) -> Data:
    """Projection, rows and what to judge by. of: the shards of each corpus.

    The projection is fitted on what all bundles share, so that they share its rows, too.
    """
    reader = reader_of(order.audio, order.places)
    shards = [shard for found in of.values() for shard in found]
    folder = order.places.work / "rows"
    with ledger.stage(costs.FEATURES) as spent:
        projection = _projection(order, [*of[stages.READ], *of[stages.TEXTS]], reader)
        there = {file for file in row_files(shards, projection, folder) if file.is_file()}
        rows = load_rows(shards, reader, projection, folder, lambda i, n: advance("features", i, n))
        files = [file for file in row_files(shards, projection, folder) if file.is_file()]
        spent.units = round(len(rows) * (1 - len(there) / max(len(files), 1)))
        spent.made = sum(file.stat().st_size for file in files if file not in there)
    names = tuple(file.relative_to(order.places.work).as_posix() for file in files)
    held = (h for shard in shards for h in reader.read(shard) if h.take.split == "valid")
    seen = see(of_takes(_some(held, VALIDATION_TAKES)), projection)
    real = None
    if order.real:
        kept = order.places.work / "states"
        heard = of_recordings(reader, order.places.models, kept, lambda i, n: advance("recordings", i, n))
        real = see(heard, projection)
    return Data(rows, names, projection, seen, real)


def build(order: Order, advance: Advance, tell: Callable[[str], None]) -> Built:
    """All stages. Raises AssistantError for whatever is wrong."""
    began = time.perf_counter()
    model.tensorflow()
    ledger = costs.Ledger(order.places.work)
    with open_crew(order.places, order.jobs, order.cluster) as members:
        crew = ledger.watched(members)
        shards = gather(order, crew, ledger, advance, tell)
        sound = _sound(order, shards, crew, ledger, advance)
        data = prepare(order, shards, ledger, advance)
        lesson = Lesson(data.rows, data.projection.spec, data.projection.to_bytes(), data.files)
        seed = order.seed if order.train_seed is None else order.train_seed
        recipe = Recipe(order.costs, order.schedule, order.fine_tuning, seed, order.workers)
        with ledger.stage(costs.TRAIN) as spent:
            trained = train_all(recipe, lesson, order.places, crew, _counted(advance, spent, len(data.rows)))
    context: Context | None = load_context(order.folder) if order.folder else None
    candidates, figures = [], {}
    with ledger.stage(costs.JUDGE) as spent:
        for cost in order.costs:
            candidate, figures[cost] = candidate_of(cost, trained[cost], data, order.seed, tell)
            candidates.append(candidate)
            spent.units += 1
            advance("judge", len(candidates), len(order.costs))
    others = tuple(p for p in quantize.PRECISIONS if p != "int8") if order.precisions else ()
    studied = {
        precision: candidate_of("full", trained["full"], data, order.seed, tell, precision) for precision in others
    }
    seeds = {"seed": order.seed} | ({} if order.train_seed is None else {"train_seed": order.train_seed})
    origin = Origin(order.name, context, order.command, seeds, counts(data.rows))
    seconds = time.perf_counter() - began
    stages_spent = tuple(ledger.stages)
    return Built(origin, data.projection, tuple(candidates), trained, figures, studied, seconds, sound, stages_spent)


def _sound(
    order: Order, shards: Mapping[str, Sequence[Path]], crew: Crew, ledger: costs.Ledger, advance: Advance
) -> SoundMade | None:
    """The net for sound alone, where one is ordered and can be."""
    if order.sound is None:
        return None
    with ledger.stage(costs.SOUND) as spent:
        made = make_sound(order.sound, _elsewhere(shards), crew, advance)
        spent.units = order.sound.takes if spent.made else 0
    return made


def _counted(advance: Advance, spent: costs.Spent, hypotheses: int) -> Advance:
    """The same, and every epoch counts for the stage."""

    def counting(stage: str, done: int, total: int) -> None:
        spent.units += hypotheses
        advance(stage, done, total)

    return counting


def _elsewhere(shards: Mapping[str, Sequence[Path]]) -> list[Path]:
    """The shards that every bundle has: what was said there is none of a context."""
    return [*shards[stages.READ], *shards[stages.TEXTS]]


def sound_only(order: Order, advance: Advance, tell: Callable[[str], None]) -> SoundMade:
    """The net for sound alone, for a bundle that is there already. Raises AssistantError."""
    model.tensorflow()
    assert order.sound is not None
    ledger = costs.Ledger(order.places.work)
    with open_crew(order.places, order.jobs, order.cluster) as members:
        crew = ledger.watched(members)
        made = _sound(order, gather(order, crew, ledger, advance, tell), crew, ledger, advance)
    if made is None:
        raise ContextError(
            "its slots are no closed lists of moderate size: no net can name their values",
            where=order.folder,
            remedy="build without it",
        )
    return made


def candidate_of(
    cost: str, trained: Trained, data: Data, seed: int, tell: Callable[[str], None], precision: str = "int8"
) -> tuple[Candidate, dict[str, Any]]:
    """A trained net as a file of the bundle, calibrated and judged; and all its figures."""
    net = quantize.exported(trained, data.projection.spec)
    file = quantize.convert(net, precision, quantize.calibration_rows(data.rows, seed))
    judged_by = {"validation": data.seen} | ({"recordings": data.real} if data.real is not None else {})
    answers = {name: quantize.run(file, seen.inputs) for name, seen in judged_by.items()}
    chosen = "recordings" if data.real is not None else "validation"
    fusion = calibrate.fit(judged_by[chosen], *answers[chosen])
    found = {name: evaluate.figures(seen, *answers[name], fusion) for name, seen in judged_by.items()}
    floating = model.build(data.projection.spec, trained.shape)
    floating.set_weights(trained.weights)
    found["float"] = _against_float(floating, judged_by[chosen], answers[chosen], fusion)
    milliseconds = quantize.timed(file, data.rows.chosen(np.arange(min(TIMED_ROWS, len(data.rows)))).inputs)
    tell(f"{cost} {precision}: {len(file) / 1024:.0f} KiB, {milliseconds:.2f} ms a hypothesis, {_line(found[chosen])}")
    candidate = Candidate(
        cost,
        file,
        precision,
        int(net.count_params()),
        model.operations(net),
        fusion,
        evaluate.headline(found[chosen]),
        milliseconds,
    )
    return candidate, found


def _against_float(net: Any, seen: Seen, answers: tuple[Any, Any], fusion: Fusion) -> dict[str, Any]:
    """The float net beside the file: its figures under its own numbers, and how often both decide the same."""
    right, whole = logits(net, seen.inputs)
    own = calibrate.fit(seen, right, whole)
    one = calibrate.judge(seen, right, whole, own)
    other = calibrate.judge(seen, answers[0], answers[1], fusion)
    return {
        "figures": evaluate.figures(seen, right, whole, own),
        "agreement": evaluate.agreement(one, other, (own, fusion)),
        "correlation": {
            "right": float(np.corrcoef(right, answers[0])[0, 1]),
            "whole": float(np.corrcoef(whole, answers[1])[0, 1]),
        },
    }


def _projection(order: Order, shards: Sequence[Path], reader: Reader) -> Projection:
    """Fitted once for a set of shards."""
    heard = [] if order.audio == STATES else [order.audio]  # who heard is in the names of shards
    names = json.dumps([order.seed, [shard.stem for shard in shards], *heard])
    file = order.places.work / "projections" / f"{hashlib.sha256(names.encode()).hexdigest()[:20]}.npz"
    if not file.is_file():
        write_whole(file, fit_projection(shards, reader, order.seed).to_bytes())
    return read_projection(file, reader.spec)


def _some(heard: Iterable[Any], most: int) -> Iterable[Any]:
    """At most `most` of them, spread evenly."""
    every = list(heard)
    step = max(len(every) / most, 1.0)
    return [every[int(i * step)] for i in range(int(len(every) / step))]


def _line(found: Mapping[str, Any]) -> str:
    """Figures in one line."""
    orders = found["orders"]
    before, after = (sum(row[key] for row in orders.values()) for key in ("decoder_strict", "strict"))
    return (
        f"strictly right {before} → {after} of {sum(row['n'] for row in orders.values())}, "
        f"cut and invented {found['halves']['invented']['count']} of {found['halves']['invented']['n']}, "
        f"tails {found['tails']['count']} of {found['tails']['n']}"
    )
