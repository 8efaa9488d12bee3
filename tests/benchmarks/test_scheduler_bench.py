"""The scheduler's benchmark: scenarios, what it sums up, and load that is really made and really undone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from assistant.schedule.board import Board
from assistant.schedule.plans import PLANS
from assistant.schedule.policy import Slo
from assistant.schedule.priors import estimate
from assistant.schedule.profile import this_board
from assistant.schedule.signals import Signals
from benchmarks import scheduler_overhead, scheduler_plot, scheduler_report
from benchmarks.load import HeatFiles, Others, limit
from benchmarks.scheduler import Moment, Outcome, Played, Player, in_short, scenarios

MOMENTS = 12


def played(scenario_name: str = "bursts") -> Played:
    """A scenario in which every plan takes what its profile says, three times as long in bursts."""
    scenario = next(s for s in scenarios(MOMENTS, 2) if s.name == scenario_name)
    profile = estimate(PLANS, this_board(Path("/nowhere")))
    plans = {plan.name: list[Outcome]() for plan in PLANS}
    player, moments = Player(Slo(name="scheduler")), []
    for n, load in enumerate(scenario.moments):
        moment = Moment(5.0 * n, 2.0, Signals(cores=2.0, others=float(load.cpu), running=load.cpu))
        factor = 3.0 if load.cpu else 1.0
        for plan in PLANS:
            plans[plan.name].append(Outcome(factor * profile.costs[plan.name].time_ms(2.0), plan.accuracy > 0.9))
        choice = player.choose(profile, PLANS, moment, 120.0)
        player.took(profile, moment, choice, plans[choice.plan.name][n])
        moments.append(moment)
    names = ("scheduler", "slo", "greedy", "oracle", "fixed beam-16")
    players = dict.fromkeys(names, player)
    conditions = tuple(scheduler_report.CONDITIONS[n % 2] for n in range(MOMENTS))
    return Played(
        scenario, tuple(moments), conditions, {k: tuple(v) for k, v in plans.items()}, players, 0, (0.1,) * MOMENTS
    )


def test_there_are_the_scenarios_of_the_proof() -> None:
    found = {scenario.name: scenario for scenario in scenarios(28, 4)}
    assert len(found) == 7
    assert all(len(scenario.moments) == 28 for scenario in found.values())
    quotas = [load.quota for load in found["limit falls"].moments]
    assert (quotas[0], quotas[-1]) == (1.0, 0.2)
    assert quotas == sorted(quotas, key=lambda q: -(q or 0))
    heat = found["heat"].moments
    assert {load.quota for load in heat} == {1.0, 0.4}
    assert heat[-1].quota == 1.0
    assert found["bursts"].onsets
    assert not found["idle"].onsets


def test_a_summary_counts_what_was_avoidable() -> None:
    found = scheduler_report.summary(played(), 120.0)
    row = found["policies"]["scheduler"]
    assert found["possible"] == MOMENTS
    assert row["misses_possible"] == round(row["miss_possible"] * MOMENTS)
    assert row["miss"] <= 0.25
    assert found["reaction"]["onsets"] > 0
    assert len(found["timeline"]["ms"]["scheduler"]) == MOMENTS


def test_the_short_line_holds_what_programs_read() -> None:
    results = {"slo_ms": 120.0, "scenarios": {"bursts": scheduler_report.summary(played(), 120.0)}}
    short = json.loads(json.dumps(in_short(results)))
    assert short["slo_ms"] == 120.0
    assert set(short["scenarios"]["bursts"]["scheduler"]) == {"miss", "accuracy", "p95_ms", "switches"}


def test_tables_and_page_say_what_the_scheduler_costs_and_how_far_it_is_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {name: scheduler_report.summary(played(name), 120.0) for name in ("idle", "bursts")}
    overhead = {
        "choice_ms": {"p50": 0.61},
        "share_of_a_core": 0.0002,
        "memory_mb": 0.02,
        "switch_ms": 1.5,
        "switches_a_minute": 6,
    }
    results = {
        "slo_ms": 120.0,
        "moments": MOMENTS,
        "load_by": "stress-ng",
        "limits": "a control group of its own",
        "overhead": overhead,
        "costs": {"ms": {"sound": 20.0, "beam-16": 100.0}, "dearest_over_cheapest": 5.0},
        "scenarios": found,
        "all": scheduler_report.overall(found),
    }
    assert results["all"]["covered_in_steady_load"] is not None  # type: ignore[index]
    assert set(results["all"]["behind_oracle"]) == {"idle", "bursts"}  # type: ignore[index]
    scheduler_report.show({"results": results})
    shown, page = capsys.readouterr().out, scheduler_report.section(results)
    assert "the dearest is 5.0 times the cheapest" in shown
    assert "points of accuracy behind the oracle" in shown
    assert "a choice, CPU ms an utterance (median): 0.61 (at most 1)" in page


def test_the_timeline_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks import plots

    summaries = {name: scheduler_report.summary(played(name), 120.0) for name in scheduler_plot.DRAWN}
    results = {"slo_ms": 120.0, "idle_ms": {plan.name: 1.0 for plan in PLANS}, "scenarios": summaries}
    doc = {"results": results, "limited": "", "command": "bench", "date": "today"}
    plots.save(scheduler_plot.draw, doc, tmp_path / "timeline.svg")
    assert (tmp_path / "timeline.svg").stat().st_size > 10_000


def test_heat_files_are_a_board_with_this_machines_processor() -> None:
    files = HeatFiles()
    files.write(71.5, 80.0)
    counters = Board(files.root).read(0.0)
    assert (counters.temperature_c, counters.trip_c) == (71.5, 80.0)
    assert counters.cores
    files.close()
    assert not files.root.exists()


def test_the_plan_never_changes_too_often_under_drawn_load() -> None:
    assert scheduler_overhead.most_switches(PLANS) <= scheduler_overhead.TARGETS["switches_a_minute"]


@pytest.mark.real
def test_other_programs_come_and_go() -> None:
    others = Others()
    others.want(2, 1)
    running = [process for kind in others._running.values() for process in kind]
    assert len(running) == 3
    assert all(process.poll() is None for process in running)
    others.close()
    assert all(process.poll() is not None for process in running)


@pytest.mark.real
def test_a_limit_is_seen_by_the_board_and_taken_off_again() -> None:
    before = Board().read(0.0).quota_cores
    with limit() as limited:
        if not limited.available:
            pytest.skip("control groups may not be made here")
        limited.set(0.5)
        assert Board().read(0.0).quota_cores == 0.5
        limited.set(None)
        assert Board().read(0.0).quota_cores == before
    left = [p for p in Path("/sys/fs/cgroup").rglob(f"assistant-bench-{os.getpid()}") if p.is_dir()]
    assert left == []
