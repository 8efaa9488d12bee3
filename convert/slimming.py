"""The smaller nets of a study, each a task (workers.py): this machine, several processes or a cluster makes them.

All but one start from the full net; the one that is trained for int8 with its zeros kept starts from the net that got
these zeros. What is made is kept as a file, so that a study that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.understand.fused.projection import FeatureSpec
from convert import compress, model, quantize
from convert.dataset import Rows, read_rows
from convert.files import Places, archive
from convert.nets import LIMIT_S
from convert.stages import TRAINING_MEMORY
from convert.train import Floats, Schedule, Trained, read_trained
from convert.workers import Crew, Done, located, missing

CHANNELS = (0.25, 0.5, 0.65, 0.8)
ZEROS = (0.5, 0.7, 0.8, 0.9)
KEPT_ZEROS = 0.7
"""Of the net that is then trained for int8 with its zeros kept."""
REFERENCE = "as trained, float32"
SHIPPED = "as trained, int8"
KEEPING = "aware, zeros kept"
WAYS: tuple[tuple[str, float], ...] = (
    ("as trained", 0.0),
    ("trained on", 0.0),
    *(("channels", share) for share in CHANNELS),
    *(("weights", share) for share in ZEROS),
    ("aware", 0.0),
    (KEEPING, KEPT_ZEROS),
)

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One net of the study. way, share: how it was made smaller, and by how much; file: the .tflite."""

    way: str
    share: float
    precision: str
    file: bytes
    parameters: int
    operations: int
    weights: tuple[Floats, ...] = ()

    @property
    def name(self) -> str:
        """As it is called everywhere."""
        gone = f" {100 * self.share:.0f} %" if self.share else ""
        return f"{self.way}{gone}, {self.precision}"


@dataclass(frozen=True, slots=True)
class Slimming:
    """A task: one way of making a net smaller, in one or more precisions.

    rows, full: names of files; start: of the net that this way starts from, where it is not the full one; folder: the
    name of the folder of what is made.
    """

    rows: tuple[str, ...]
    full: str
    shape: model.Shape
    start: str
    folder: str
    way: str
    share: float
    spec: FeatureSpec
    tuning: Schedule
    seed: int
    memory: int = TRAINING_MEMORY
    limit_s: float = LIMIT_S
    stays: bool = False

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What it makes, still empty."""
        precisions = quantize.PRECISIONS if self.way == "as trained" else ("int8",)
        return tuple(Entry(self.way, self.share, precision, b"", 0, 0) for precision in precisions)

    @property
    def makes(self) -> tuple[str, ...]:
        """A file for each precision."""
        return tuple(f"{self.folder}/{file_of(entry)}" for entry in self.entries)

    @property
    def needs(self) -> tuple[str, ...]:
        """The rows, the full net, and what it starts from."""
        return (self.full, *([self.start] if self.start else []), *self.rows)

    def run(self, places: Places) -> list[bytes]:
        """Make it. Raises AssistantError."""
        rows = _rows(tuple(located(places, name) for name in self.rows))
        full = read_trained(located(places, self.full), self.shape)
        start = full
        if self.start:
            kept = read_entry(self.entries[0], located(places, self.start))
            start = replace(full, weights=list(kept.weights))
        slim = _made(self.way, self.share, start, compress.Course(rows, self.spec, self.seed, self.tuning))
        size = (int(slim.net.count_params()), model.operations(slim.net))
        if not slim.weights:  # the net with rounding in it has more layers than what comes out
            plain = quantize.exported(full, self.spec)
            size = (int(plain.count_params()), model.operations(plain))
        calibration = quantize.calibration_rows(rows, self.seed)
        return [_packed(quantize.convert(slim.net, e.precision, calibration), size, slim.weights) for e in self.entries]


def make_all(pattern: Slimming, places: Places, crew: Crew, advance: Advance) -> dict[str, Entry]:
    """Every net, from `pattern.folder` where it is there. pattern: a task of any way. Raises AssistantError."""
    tasks = [replace(pattern, way=way, share=share) for way, share in WAYS]
    zeros = next(task for task in tasks if (task.way, task.share) == ("weights", KEPT_ZEROS))
    tasks = [replace(task, start=zeros.makes[0]) if task.way == KEEPING else task for task in tasks]
    made = len(tasks) - len(missing(tasks, places))
    advance("smaller", made, len(tasks))

    def told(done: Done) -> None:
        nonlocal made
        del done
        made += 1
        advance("smaller", made, len(tasks))

    for wave in ([task for task in tasks if not task.start], [task for task in tasks if task.start]):
        crew.run(missing(wave, places), told)
    return {entry.name: entry for entry in _read(tasks, places)}


def file_of(entry: Entry) -> str:
    """The name of its file."""
    return "-".join("".join(c if c.isalnum() else " " for c in entry.name).split()) + ".npz"


def read_entry(entry: Entry, file: Path) -> Entry:
    """`entry` with what was kept of it."""
    with np.load(file) as kept:
        parameters, operations = map(int, kept["size"])
        weights = tuple(kept[name] for name in kept.files if name.startswith("w"))
        return Entry(entry.way, entry.share, entry.precision, kept["net"].tobytes(), parameters, operations, weights)


def _read(tasks: Sequence[Slimming], places: Places) -> Iterator[Entry]:
    for task in tasks:
        for entry, name in zip(task.entries, task.makes, strict=True):
            yield read_entry(entry, located(places, name))


def _packed(file: bytes, size: tuple[int, int], weights: Sequence[Floats]) -> bytes:
    arrays: dict[str, Any] = {f"w{i:03d}": w for i, w in enumerate(weights)}
    return archive(arrays | {"net": np.frombuffer(file, np.uint8), "size": np.array(size)})


def _made(way: str, share: float, start: Trained, course: compress.Course) -> compress.Slim:
    def advance(done: int, total: int) -> None:
        del done, total

    if way == "as trained":
        return compress.Slim(quantize.exported(start, course.spec), start.weights)
    if way == "trained on":
        return compress.trained_on(start, course, advance)
    if way == "channels":
        return compress.structured(start, share, course, advance)
    if way == "weights":
        return compress.magnitude(start, share, course, advance)
    return compress.aware(start, course, advance, sparse=share > 0)


@lru_cache(maxsize=1)
def _rows(files: tuple[Path, ...]) -> Rows:
    """The rows of this process: all ways have the same."""
    return read_rows(files)
