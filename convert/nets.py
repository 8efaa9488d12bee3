"""The nets of a bundle: the full one from scratch, smaller ones narrowed from it and trained on, each kept as a file.

A crew with more machines trains them: the full one first, then the smaller ones side by side, which depend on it alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.understand.fused.projection import FeatureSpec
from convert import model, prune
from convert.dataset import Rows, read_rows
from convert.files import Places, write_whole
from convert.stages import TRAINING_MEMORY
from convert.together import Plan, train_together
from convert.train import Floats, Schedule, Trained, packed_net, read_trained, train
from convert.workers import Crew, Done, located

TRAIN_FORMAT = 1
"""Raised whenever nets are built or trained otherwise."""
LIMIT_S = 7200.0

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How nets are trained. costs: which, dearest first. workers: processes that train one net together."""

    costs: tuple[str, ...]
    schedule: Schedule
    fine_tuning: Schedule
    seed: int
    workers: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What nets are trained on. projection: its bytes; files: names of the files that hold the rows."""

    rows: Rows
    spec: FeatureSpec
    projection: bytes
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """A task (workers.py): one net trained, from nothing or narrowed from the full one.

    rows, name: names of files; full: of the full net, "" where this is it; full_shape: of that.
    """

    rows: tuple[str, ...]
    full: str
    full_shape: model.Shape
    name: str
    cost: str
    spec: FeatureSpec
    schedule: Schedule
    seed: int
    memory: int = TRAINING_MEMORY
    limit_s: float = LIMIT_S
    stays: bool = False

    @property
    def makes(self) -> tuple[str, ...]:
        """One file."""
        return (self.name,)

    @property
    def needs(self) -> tuple[str, ...]:
        """The rows, and the full net where it starts from that."""
        return (*([self.full] if self.full else []), *self.rows)

    def run(self, places: Places) -> list[bytes]:
        """Train it. Raises AssistantError."""
        rows = read_rows(located(places, name) for name in self.rows)
        shape, start = model.SHAPES[self.cost], None
        if self.full:
            start = prune.narrowed(read_trained(located(places, self.full), self.full_shape), self.spec, shape)
        return [packed_net(train(rows, self.spec, shape, self.schedule, self.seed, lambda *_: None, start))]


def train_all(recipe: Recipe, lesson: Lesson, places: Places, crew: Crew, advance: Advance) -> dict[str, Trained]:
    """The net of each cost class. Raises AssistantError."""
    first, *others = recipe.costs
    away = crew.trains and recipe.workers == 1
    name = _name(recipe, lesson, first, None)
    shape = model.SHAPES[first]
    if away and not located(places, name).is_file():
        task = Training(lesson.files, "", shape, name, first, lesson.spec, recipe.schedule, recipe.seed)
        _elsewhere(f"train {first}", [task], crew, advance)
    full = _kept(name, places, first) or _here(recipe, lesson, first, None, places, name, advance)
    trained, tasks = {first: full}, []
    for cost in others:
        start = prune.narrowed(full, lesson.spec, model.SHAPES[cost])
        narrow = _name(recipe, lesson, cost, start)
        if found := _kept(narrow, places, cost):
            trained[cost] = found
        elif away:
            shapes = (name, shape, narrow, cost, lesson.spec)
            tasks.append(Training(lesson.files, *shapes, recipe.fine_tuning, recipe.seed))
        else:
            trained[cost] = _here(recipe, lesson, cost, start, places, narrow, advance)
    _elsewhere("train others", tasks, crew, advance)
    trained |= {task.cost: read_trained(located(places, task.name), model.SHAPES[task.cost]) for task in tasks}
    return {cost: trained[cost] for cost in recipe.costs}


def keep_trained(trained: Trained, file: Path) -> None:
    """Write a trained net. Raises StorageError."""
    write_whole(file, packed_net(trained))


def digest(rows: Rows, projection: bytes, start: Sequence[Any] | None) -> str:
    """A hash of what a net is trained on. start: the weights that it begins with."""
    found = hashlib.sha256(projection)
    labelled = (rows.right, rows.whole, rows.right_weight, rows.whole_weight, rows.wrong, rows.wrong_weight, rows.valid)
    for array in (rows.globals, rows.score, rows.utterance, *labelled, *(start or ())):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _name(recipe: Recipe, lesson: Lesson, cost: str, start: list[Floats] | None) -> str:
    """The file of a net, named by all that it depends on."""
    schedule = asdict(recipe.schedule if start is None else recipe.fine_tuning)
    basis = digest(lesson.rows, lesson.projection, start)
    content = [TRAIN_FORMAT, asdict(model.SHAPES[cost]), schedule, recipe.seed, len(lesson.rows), basis]
    content += [recipe.workers] if recipe.workers > 1 else []
    return f"trained/{cost}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]}.npz"


def _kept(name: str, places: Places, cost: str) -> Trained | None:
    file = located(places, name)
    return read_trained(file, model.SHAPES[cost]) if file.is_file() else None


def _here(
    recipe: Recipe,
    lesson: Lesson,
    cost: str,
    start: list[Floats] | None,
    places: Places,
    name: str,
    advance: Advance,
) -> Trained:
    """Train on this machine, which is told of every epoch."""

    def told(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
        del figures
        advance(f"train {cost}", epoch, epochs)

    shape, schedule = model.SHAPES[cost], recipe.schedule if start is None else recipe.fine_tuning
    if recipe.workers > 1:
        files = [located(places, file) for file in lesson.files]
        folder = located(places, name).with_suffix("")
        done = train_together(
            folder, Plan(lesson.spec, shape, schedule, recipe.seed), files, recipe.workers, told, start
        )
    else:
        done = train(lesson.rows, lesson.spec, shape, schedule, recipe.seed, told, start)
    keep_trained(done, located(places, name))
    return done


def _elsewhere(stage: str, tasks: Sequence[Training], crew: Crew, advance: Advance) -> None:
    """Let others train, side by side; one bar counts the nets."""
    finished = 0

    def told(done: Done) -> None:
        nonlocal finished
        del done
        finished += 1
        advance(stage, finished, len(tasks))

    if tasks:
        advance(stage, 0, len(tasks))
        crew.run(tasks, told)
