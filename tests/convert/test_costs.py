"""What stages take is measured and kept, and said before the next build; damaged records do not count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from convert import costs, fleet
from convert.files import Places
from convert.workers import Alone, Done, Task


@dataclass(frozen=True, slots=True)
class Writing:
    name: str
    needs: tuple[str, ...] = ()
    stays: bool = False
    memory: int = 1
    limit_s: float = 60.0

    @property
    def makes(self) -> tuple[str, ...]:
        return (self.name,)

    def run(self, places: Places) -> list[bytes]:
        del places
        return [b"x" * 500]


def heard(work: Path, takes: int, tasks: int) -> costs.Spent:
    """A stage in which a crew writes so many files of 500 bytes."""
    ledger = costs.Ledger(work)
    crew = ledger.watched(Alone(Places(work, work, work, work)))
    files: list[Task] = [Writing(f"file{i}") for i in range(tasks)]
    told: list[Done] = []
    with ledger.stage(costs.HEAR) as spent:
        crew.run(files, told.append)
        spent.units = takes
    assert ledger.stages == [spent]
    assert len(told) == tasks
    return spent


def test_what_a_crew_makes_counts_for_the_stage(tmp_path: Path) -> None:
    spent = heard(tmp_path, takes=10, tasks=4)
    assert spent.made == 2000
    assert spent.memory > 1_000_000
    assert spent.wall_s > 0


def test_a_rate_is_the_mean_of_what_was_measured_here(tmp_path: Path) -> None:
    heard(tmp_path, takes=10, tasks=4)
    heard(tmp_path, takes=30, tasks=4)
    assert costs.rates(tmp_path)[costs.HEAR].made == 100
    assert costs.rates(tmp_path)[costs.SPEAK] == costs.DEFAULTS[costs.SPEAK]


def test_a_stage_that_had_nothing_to_do_changes_no_rate(tmp_path: Path) -> None:
    heard(tmp_path, takes=0, tasks=0)
    assert costs.rates(tmp_path) == dict(costs.DEFAULTS)


def test_damaged_records_do_not_count(tmp_path: Path) -> None:
    heard(tmp_path, takes=10, tasks=4)
    with (tmp_path / costs.FILE).open("a", encoding="utf-8") as file:
        file.write('{"stage": "hear", "units": \n{"stage": "dance", "units": 3}\n[]\n')
    assert costs.rates(tmp_path)[costs.HEAR].made == 200


def test_more_processes_shorten_what_they_can_do_side_by_side() -> None:
    rates = {costs.HEAR: costs.Rate(1.0, 10), costs.TRAIN: costs.Rate(2.0, 0)}
    cost = costs.forecast({costs.HEAR: 100, costs.TRAIN: 5}, rates, 4, 7e9)
    assert cost.stage_s == {costs.HEAR: 25.0, costs.TRAIN: 10.0}
    assert (cost.seconds, cost.disk) == (35.0, 1000)
    assert costs.said(cost) == "about 35 s with 4 processes (hear 25 s, train 10 s), 0.0 GB of disk, 7.0 GB of memory"


def test_what_contexts_share_is_made_once() -> None:
    load = fleet.Load({costs.HEAR: 1000.0}, {costs.HEAR: 10.0, costs.TRAIN: 100.0})
    rates = dict.fromkeys(costs.UNITS, costs.Rate(1.0, 2.0))
    many = fleet.contexts_together(load, rates, contexts=100, cores=10, memory=1e9)
    assert many.units[costs.HEAR] == 2000
    assert many.stage_s == {costs.HEAR: 200.0, costs.TRAIN: 1000.0}
    assert many.disk == 2 * (2000 + 10_000)
    assert many.memory == 1e10


@pytest.mark.parametrize(
    ("seconds", "words"), [(12.4, "12 s"), (89.0, "89 s"), (600.0, "10 min"), (7200.0, "2.0 h"), (7.2e6, "2,000.0 h")]
)
def test_durations_are_said_as_people_do(seconds: float, words: str) -> None:
    assert costs.duration(seconds) == words
