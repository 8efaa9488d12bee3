"""The proof that nothing acknowledged is lost when the assistant is killed, and that the proof would notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.act.skill import Services
from assistant.act.skills import Skills
from assistant.act.timers import Timers
from assistant.clock import SystemClock
from assistant.grammar.tree import Action, Context, Settings
from assistant.types import EMPTY
from benchmarks.crash import Figures, Kept, _Tally, apply, crash


@pytest.mark.real
def test_ten_times_killed_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    figures = crash(tmp_path, rounds=10, seed=7)
    assert figures.faults == ()
    assert (figures.lost, figures.invented, figures.unsound, figures.unrung) == (0, 0, 0, 0)
    assert figures.acknowledged > 0


def line(say: str, name: str, **more: Any) -> dict[str, Any]:
    return {"say": say, "name": name, **more}


def start(folder: Path, name: str) -> None:
    """Set a timer in a real file."""
    context = Context("", "", (), EMPTY, EMPTY, EMPTY, {"HassStartTimer": Action("timers")}, Settings(), "")
    skills = Skills(Services(SystemClock(), folder))
    skills.add(Timers())
    assert skills.act(context, "HassStartTimer", {"name": name, "seconds": 20_000}).ok
    skills.close()


def figures_of(folder: Path, lines: list[dict[str, Any]]) -> Figures:
    tally = _Tally()
    tally.restarts_s.append(1.0)
    tally.compare(Kept(), lines, folder, "here")
    return tally.figures(1)


def begin(name: str) -> dict[str, Any]:
    return line("begin", name, change="start_timer", seconds=20_000.0)


def test_an_acknowledged_change_that_is_missing_is_counted_as_lost(tmp_path: Path) -> None:
    start(tmp_path, "a")
    figures = figures_of(tmp_path, [begin("a"), line("done", "a"), begin("b"), line("done", "b")])
    assert (figures.lost, figures.invented, figures.good) == (1, 0, False)


def test_a_change_that_was_under_way_may_be_there_or_not(tmp_path: Path) -> None:
    start(tmp_path, "a")
    start(tmp_path, "b")
    kept = figures_of(tmp_path, [begin("a"), line("done", "a"), begin("b")])
    assert (kept.lost, kept.under_way, kept.good) == (0, 1, True)
    assert figures_of(tmp_path, [begin("a"), line("done", "a"), begin("b"), line("done", "b"), begin("c")]).good


def test_what_nobody_asked_for_is_counted(tmp_path: Path) -> None:
    start(tmp_path, "a")
    assert figures_of(tmp_path, []).invented == 1


def test_a_short_timer_that_never_rings_is_counted(tmp_path: Path) -> None:
    told = [line("begin", "short1", change="start_timer", seconds=1.0), line("done", "short1")]
    assert figures_of(tmp_path, told).unrung == 1
    assert figures_of(tmp_path, [*told, line("rang", "short1")]).unrung == 0


def test_changes_follow_one_another() -> None:
    kept = Kept()
    for change in (
        {"change": "add_item", "name": "milk"},
        {"change": "complete_item", "name": "milk"},
        {"change": "start_timer", "name": "a", "seconds": 10.0},
        {"change": "lengthen_timer", "name": "a", "seconds": 5.0},
        {"change": "pause_timer", "name": "a"},
    ):
        kept = apply(kept, change)
    assert kept == Kept({"milk": True}, {"a": (15.0, True)})
