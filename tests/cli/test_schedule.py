"""`assistant schedule` and `assistant calibrate`: what is shown, what is kept, what is said when something is off."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from assistant.cli.main import main
from assistant.cli.scheduling import within
from assistant.schedule.plans import PLANS
from assistant.schedule.profile import FILE, Cost, measured, save, this_board


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(state: Path, *arguments: str) -> int:
    return main(["--set", f"paths.state={state}", *arguments])


def test_status_shows_signals_and_every_plan(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "schedule", "status") == 0
    text = capsys.readouterr().out
    assert "estimates, never measured here" in text
    assert all(f"  {plan.name} " in text for plan in PLANS if plan.effort is not None)


def test_status_says_what_is_stale(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cost = Cost(base_ms=5.0, per_s_ms=20.0, spread=0.1, n=9)
    save(measured({plan.name: cost for plan in PLANS[:-2]}, this_board(), 1.7e9), state / FILE)
    assert run(state, "schedule", "status") == 0
    text = capsys.readouterr().out
    assert "measured" in text
    assert "stale: the plan beam-16 was not measured" in text


def test_a_damaged_profile_is_said_and_estimates_are_used(
    state: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    state.mkdir()
    (state / FILE).write_text("{")
    assert run(state, "schedule", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["profile"]["estimated"]


def test_a_profile_of_another_board_is_said_and_estimates_are_used(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cost = Cost(base_ms=5.0, per_s_ms=20.0, spread=0.1, n=9)
    elsewhere = msgspec.structs.replace(this_board(), board="Raspberry Pi 4 Model B Rev 1.4")
    save(measured({plan.name: cost for plan in PLANS}, elsewhere, 1.7e9), state / FILE)
    assert run(state, "schedule", "status", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["profile"]["estimated"]
    assert "the profile is of another board (Raspberry Pi 4 Model B Rev 1.4)" in shown.err


def test_a_day_is_simulated_the_same_each_time(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for _ in range(2):
        assert run(state, "schedule", "simulate", "--board", "Raspberry Pi 4", "--json") == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    runs = {row["policy"]: row for row in found[0]["runs"]}
    best = runs[f"fixed {PLANS[-1].name}"]
    assert runs["oracle"]["avoidable"] == 0
    assert runs["slo"]["avoidable"] < best["avoidable"] / 4
    assert runs["slo"]["accuracy"] > runs["fixed beam-1"]["accuracy"] + 0.03


def test_an_unknown_board_and_a_day_without_end_are_usage_errors(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(state, "schedule", "simulate", "--board", "Abacus") == 2
    assert "Raspberry Pi 4" in capsys.readouterr().err
    assert run(state, "schedule", "simulate", "--hours", "0") == 2


def test_without_recorded_decisions_there_is_nothing_to_replay(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "schedule", "simulate", "--recorded") == 3
    assert "let `assistant run` listen" in capsys.readouterr().err


def test_an_unknown_policy_or_plan_names_those_that_are(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "--set", "schedule.policy=luck", "schedule", "status") == 9
    assert "fixed, greedy, slo" in capsys.readouterr().err
    assert run(state, "--set", "schedule.plan=beam-99", "schedule", "status") == 2
    assert "beam-16" in capsys.readouterr().err


@pytest.mark.parametrize("hours", ["22-7", "25:00-07:00", "22:00", ""])
def test_quiet_hours_that_are_none_are_refused(hours: str, state: Path) -> None:
    assert run(state, "--set", f"schedule.quiet_hours={hours}", "schedule", "status") == 5


def test_quiet_hours_may_span_midnight() -> None:
    from datetime import datetime

    def at(hour: int) -> float:
        return datetime(2026, 11, 24, hour).astimezone().timestamp()

    assert [within("22:00-07:00", at(hour)) for hour in (21, 22, 3, 7)] == [False, True, True, False]
    assert [within("12:00-14:00", at(hour)) for hour in (11, 12, 14)] == [False, True, False]


@pytest.mark.real
def test_calibrate_measures_every_plan_and_keeps_it(
    state: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(state, "--set", f"paths.cache={cache}", "calibrate", "--context", "barista", "--limit", "4") == 0
    assert "written to" in capsys.readouterr().out
    assert run(state, "schedule", "status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert not status["profile"]["estimated"]
    assert status["stale"] == []
