"""What a build costs: measured stage by stage, kept in the work folder, and used to say beforehand what the next takes.

    ledger (costs.jsonl) ── rates: processor seconds and bytes a unit ── forecast: of one build, or of a thousand

A rate is the mean of what this work folder has seen, else what a measured build took (DEFAULTS). Processor time, not
the clock's: it does not depend on what else a machine does.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from convert.files import write_whole
from convert.workers import Crew, Done, Task, Told, busy_s

PLAN, SPEAK, HEAR, FEATURES, TRAIN, JUDGE, SOUND = "plan", "speak", "hear", "features", "train", "judge", "sound"
UNITS: Mapping[str, str] = {
    PLAN: "takes",
    SPEAK: "sentences",
    HEAR: "takes",
    FEATURES: "hypotheses",
    TRAIN: "hypotheses, each epoch and net",
    JUDGE: "nets",
    SOUND: "utterances",
}
SPREAD = (SPEAK, HEAR, SOUND)
"""Stages that more processes make faster; the others run in one."""
FILE = "costs.jsonl"
ROWS_A_TAKE = 2.5
"""Hypotheses that a net is trained on, of each take: 8,559 of 3,388 in the bundle of barista."""


@dataclass(slots=True)
class Spent:
    """What a stage took. units: see UNITS; wall_s: by the clock; busy_s: processor time of all who worked on it.

    made: bytes written; memory: the most that one process needed up to its end, bytes.
    """

    stage: str
    units: float = 0.0
    wall_s: float = 0.0
    busy_s: float = 0.0
    made: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """Processor seconds and bytes of disk a unit."""

    busy_s: float
    made: float


DEFAULTS: Mapping[str, Rate] = {
    PLAN: Rate(0.004, 0),
    SPEAK: Rate(0.026, 55_000),
    HEAR: Rate(0.226, 89_000),
    FEATURES: Rate(0.0074, 28_000),
    TRAIN: Rate(0.0014, 1),
    JUDGE: Rate(5.0, 0),
    SOUND: Rate(0.2, 20_000),
}
"""On x86-64: of `build --quick` for barista; judging of a smaller one. Sound is a guess, which the first build that
makes such a net in a work folder replaces."""


class Ledger:
    """Measures stages and keeps what they took in a work folder."""

    def __init__(self, work: Path) -> None:
        self._file = work / FILE
        self._current = Spent("")
        self.stages: list[Spent] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Spent]:
        """Measure the block, which says how many units it did. A block that fails is not kept. Raises StorageError."""
        self._current = spent = Spent(name)
        wall, busy = time.perf_counter(), busy_s()
        yield spent
        spent.wall_s = time.perf_counter() - wall
        spent.busy_s += busy_s() - busy
        spent.memory = _most_memory()
        self.stages.append(spent)
        if spent.units:
            before = self._file.read_text(encoding="utf-8") if self._file.is_file() else ""
            write_whole(self._file, f"{before}{json.dumps(asdict(spent))}\n".encode())

    def watched(self, crew: Crew) -> Crew:
        """The same crew; what its members do counts for the stage that runs."""
        return _Watched(crew, self)

    def count(self, done: Done) -> None:
        """A task of the stage was done."""
        self._current.made += done.bytes

    def count_elsewhere(self, done: Done) -> None:
        """Its time is not this process's, nor that of its children."""
        self.count(done)
        self._current.busy_s += done.busy_s


class _Watched:
    """A crew that tells a ledger."""

    def __init__(self, crew: Crew, ledger: Ledger) -> None:
        self._crew = crew
        self._ledger = ledger
        self.trains = crew.trains

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        """See workers.Crew."""
        # A pool's processes are this one's children, whose time is counted when they have ended.
        count = self._ledger.count_elsewhere if self.trains else self._ledger.count

        def both(done: Done) -> None:
            count(done)
            told(done)

        self._crew.run(tasks, both)


def rates(work: Path) -> dict[str, Rate]:
    """The rate of each stage, as measured in `work` where it was, else DEFAULTS. Damaged lines do not count."""
    found = dict(DEFAULTS)
    totals: dict[str, list[float]] = {}
    for row in _rows(work / FILE):
        total = totals.setdefault(row.stage, [0.0, 0.0, 0.0])
        for i, value in enumerate((row.units, row.busy_s, row.made)):
            total[i] += value
    found |= {stage: Rate(busy_s / units, made / units) for stage, (units, busy_s, made) in totals.items()}
    return found


@dataclass(frozen=True, slots=True)
class Forecast:
    """What stages will take. units: by stage; seconds: on the clock with `cores`; disk: bytes; memory: bytes."""

    units: Mapping[str, float]
    stage_s: Mapping[str, float]
    cores: int
    disk: float
    memory: float

    @property
    def seconds(self) -> float:
        """On the clock, in all."""
        return sum(self.stage_s.values())


def forecast(units: Mapping[str, float], found: Mapping[str, Rate], cores: int, memory: float) -> Forecast:
    """What so many units of each stage will take where SPREAD ones have `cores` processes. memory: of the largest."""
    stage_s = {
        stage: count * found[stage].busy_s / (cores if stage in SPREAD else 1)
        for stage, count in units.items()
        if count
    }
    return Forecast(units, stage_s, cores, sum(count * found[stage].made for stage, count in units.items()), memory)


def said(cost: Forecast) -> str:
    """A forecast in lines."""
    stages = (f"{name} {duration(seconds)}" for name, seconds in cost.stage_s.items())
    return (
        f"about {duration(cost.seconds)} with {cost.cores} process{'es' if cost.cores > 1 else ''} "
        f"({', '.join(stages) or 'everything is there'}), {cost.disk / 1e9:.1f} GB of disk, "
        f"{cost.memory / 1e9:.1f} GB of memory"
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def _rows(file: Path) -> Iterator[Spent]:
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = Spent(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if row.stage in UNITS and row.units > 0:
            yield row


def _most_memory() -> int:
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
