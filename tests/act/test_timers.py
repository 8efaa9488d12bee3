"""Timers: several, named, on the clock, across restarts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.act.database import Database
from assistant.act.plugins import State
from assistant.act.skill import Result, Services
from assistant.act.skills import Skills
from assistant.act.timers import LOOK_EVERY_S, MIGRATIONS, MOST_TIMERS, Timers
from assistant.grammar.tree import Action
from assistant.testing import HeldClock
from tests.act.house import context, fill

DAY_S = 86_400.0
Run = Callable[..., Any]


def titles(timers: Timers) -> list[str]:
    return [timer.title for timer in timers.all()]


def options(result: Result) -> list[str]:
    assert result.question is not None
    return [option.text for option in result.question.options]


def test_a_timer_rings_when_its_time_is_over_and_not_before(run: Run, clock: HeldClock) -> None:
    timers = Timers()
    assistant = run(timers)
    assert assistant.ask("timers", "HassStartTimer", minutes=5, name="pasta").ok
    clock.advance(299)
    timers._look()
    assert assistant.announced.empty()
    clock.advance(1)
    assert assistant.heard() == "Your pasta timer is done."


def test_several_timers_ring_in_the_order_of_their_ends(run: Run, clock: HeldClock) -> None:
    assistant = run(Timers())
    for minutes in (3, 1, 2):
        assistant.ask("timers", "HassStartTimer", minutes=minutes)
    clock.advance(600)
    assert [assistant.heard() for _ in range(3)] == [
        "Your 1 minute timer ended 9 minutes ago.",
        "Your 2 minute timer ended 8 minutes ago.",
        "Your 3 minute timer ended 7 minutes ago.",
    ]


def test_a_timer_survives_a_restart_and_a_late_one_is_said_so(run: Run, clock: HeldClock) -> None:
    first = run(Timers())
    first.ask("timers", "HassStartTimer", minutes=10, name="pasta")
    first.skills.close()
    clock.advance(13 * 60)
    again = run(Timers())
    assert again.heard() == "Your pasta timer ended 3 minutes ago."


@pytest.mark.parametrize("step_s", [-DAY_S, DAY_S, -400 * DAY_S])
def test_a_wall_clock_that_is_set_neither_shortens_nor_stretches_a_timer(
    run: Run, clock: HeldClock, step_s: float
) -> None:
    timers = Timers()
    assistant = run(timers)
    assistant.ask("timers", "HassStartTimer", minutes=10)
    clock.set_wall(clock.wall() + step_s)
    assert assistant.ask("timers", "HassTimerStatus").values["remaining"] == "10 minutes"
    clock.advance(599)
    timers._look()
    assert assistant.announced.empty()
    clock.advance(1)
    assert assistant.heard() == "Your 10 minute timer is done."


def test_after_a_loss_of_power_the_wall_clock_decides(run: Run, tmp_path: Path) -> None:
    before, after = HeldClock(monotonic_s=90_000.0), HeldClock(monotonic_s=3.0, wall_s=1_700_000_000.0 + 240)
    first = run(Timers(), clock=before)
    first.ask("timers", "HassStartTimer", minutes=5)
    first.skills.close()
    again = run(Timers(), clock=after, boot="boot 2")
    assert again.ask("timers", "HassTimerStatus").values["remaining"] == "1 minute"
    after.advance(60)
    assert again.heard() == "Your 5 minute timer is done."


def test_a_board_that_wakes_up_years_ago_rings_after_the_timers_own_length_at_the_latest(run: Run) -> None:
    first = run(Timers())
    first.ask("timers", "HassStartTimer", minutes=5)
    first.skills.close()
    clock = HeldClock(monotonic_s=3.0, wall_s=0.0)
    again = run(Timers(), clock=clock, boot="boot 2")
    assert again.ask("timers", "HassTimerStatus").values["remaining"] == "5 minutes"
    clock.advance(100)
    clock.set_wall(1_700_000_000.0 + 250)  # now the network has told it the time: 50 s are left
    assert again.ask("timers", "HassTimerStatus").values["remaining"] == "50 seconds"


def test_what_rang_when_the_power_went_is_said_again(run: Run, clock: HeldClock) -> None:
    first = run(Timers())
    first.ask("timers", "HassStartTimer", seconds=5)
    clock.advance(5)
    assert first.heard() == "Your 5 second timer is done."
    first.skills.close()
    clock.advance(120)
    assert run(Timers()).heard() == "Your 5 second timer ended 2 minutes ago."


def test_stop_ends_the_ringing_for_good(run: Run, clock: HeldClock) -> None:
    timers = Timers()
    assistant = run(timers)
    assistant.ask("timers", "HassStartTimer", seconds=5)
    assert not assistant.skills.quiet()
    clock.advance(5)
    assistant.heard()
    assert assistant.skills.quiet()
    assert timers.all() == ()
    assert not assistant.skills.quiet()


def test_a_timer_that_nobody_stops_gives_up_after_a_minute(run: Run, clock: HeldClock) -> None:
    timers = Timers()
    assistant = run(timers)
    assistant.ask("timers", "HassStartTimer", seconds=5)
    clock.advance(5)
    assistant.heard()
    clock.advance(61)
    timers._look()
    assert timers.all() == ()


def test_pause_keeps_what_is_left_and_resume_goes_on(run: Run, clock: HeldClock) -> None:
    assistant = run(Timers())
    assistant.ask("timers", "HassStartTimer", minutes=10)
    clock.advance(240)
    assert assistant.ask("timers", "HassPauseTimer").ok
    clock.advance(DAY_S)
    assert assistant.ask("timers", "HassTimerStatus").text == "The 10 minute timer is paused with 6 minutes left."
    assert not assistant.ask("timers", "HassPauseTimer").ok
    assert assistant.ask("timers", "HassUnpauseTimer").ok
    assert assistant.ask("timers", "HassTimerStatus").values["remaining"] == "6 minutes"
    clock.advance(360)
    assert assistant.heard() == "Your 10 minute timer is done."


def test_time_is_added_and_taken_away_but_not_more_than_there_is(run: Run, clock: HeldClock) -> None:
    assistant = run(Timers())
    assistant.ask("timers", "HassStartTimer", minutes=10)
    assert assistant.ask("timers", "HassIncreaseTimer", minutes=5, seconds=30).values["remaining"] == (
        "15 minutes and 30 seconds"
    )
    assert assistant.ask("timers", "HassDecreaseTimer", minutes=15).values["remaining"] == "30 seconds"
    refused = assistant.ask("timers", "HassDecreaseTimer", minutes=1)
    assert not refused.ok
    assert "only 30 seconds left" in refused.text


def test_time_added_to_a_ringing_timer_counts_from_now(run: Run, clock: HeldClock) -> None:
    assistant = run(Timers())
    assistant.ask("timers", "HassStartTimer", minutes=1)
    clock.advance(65)
    assistant.heard()
    assert assistant.ask("timers", "HassIncreaseTimer", minutes=2).values["remaining"] == "2 minutes"
    clock.wait_for_waiters()
    clock.advance(120)
    assert assistant.heard() == "Your 3 minute timer is done."


def test_which_of_several_timers_is_asked_and_the_answer_is_acted_on(run: Run) -> None:
    timers = Timers()
    assistant = run(timers)
    assistant.ask("timers", "HassStartTimer", minutes=5)
    assistant.ask("timers", "HassStartTimer", minutes=9, name="Pasta timer")
    asked = assistant.ask("timers", "HassCancelTimer")
    assert asked.text == "Which one: the 5 minute timer or the pasta timer?"
    assert len(timers.all()) == 2
    assert assistant.answer("timers", "HassCancelTimer", asked, option=1).ok
    assert titles(timers) == ["5 minute timer"]


def test_two_timers_of_one_length_are_told_apart_by_what_is_left(run: Run, clock: HeldClock) -> None:
    assistant = run(Timers())
    assistant.ask("timers", "HassStartTimer", minutes=5)
    clock.advance(60)
    assistant.ask("timers", "HassStartTimer", minutes=5)
    asked = assistant.ask("timers", "HassCancelTimer", start_minutes=5)
    assert options(asked) == ["5 minute timer with 4 minutes left", "5 minute timer with 5 minutes left"]


def test_a_name_that_no_timer_has_is_never_taken_for_another(run: Run) -> None:
    timers = Timers()
    assistant = run(timers)
    assistant.ask("timers", "HassStartTimer", minutes=5, name="pasta")
    asked = assistant.ask("timers", "HassCancelTimer", name="pizza")
    assert asked.text == "There is no timer called pizza. Do you mean the pasta timer?"
    assert titles(timers) == ["pasta timer"]
    assistant.ask("timers", "HassStartTimer", minutes=6, name="egg")
    assert not assistant.ask("timers", "HassCancelTimer", name="pizza").ok
    assert titles(timers) == ["pasta timer", "egg timer"]


@pytest.mark.parametrize("intent", ["HassCancelTimer", "HassCancelAllTimers", "HassPauseTimer", "HassTimerStatus"])
def test_without_a_timer_it_says_so(run: Run, intent: str) -> None:
    result = run(Timers()).ask("timers", intent)
    assert (result.ok, result.text) == (False, "There is no timer running.")


def test_cancel_is_taken_back_with_what_was_left(run: Run, clock: HeldClock) -> None:
    assistant = run(Timers())
    assistant.ask("timers", "HassStartTimer", minutes=5)
    assistant.ask("timers", "HassStartTimer", minutes=9)
    assistant.ask("timers", "HassCancelAllTimers")
    clock.advance(30)
    assert assistant.skills.undo().ok
    assert assistant.ask("timers", "HassTimerStatus", start_minutes=5).values["remaining"] == (
        "4 minutes and 30 seconds"
    )


def test_a_timer_that_was_just_set_is_taken_back(run: Run) -> None:
    timers = Timers()
    assistant = run(timers)
    assistant.ask("timers", "HassStartTimer", minutes=5)
    assert assistant.skills.undo().ok
    assert timers.all() == ()


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ({"seconds": 0}, "a second at least"),
        ({"minutes": 0, "hours": 0}, "a second at least"),
        ({"hours": 24 * 367}, "a year at most"),
        ({"minutes": 5, "name": "x" * 200}, "too long"),
    ],
)
def test_a_timer_that_makes_no_sense_is_refused_with_the_reason(run: Run, slots: dict[str, Any], words: str) -> None:
    result = run(Timers()).ask("timers", "HassStartTimer", **slots)
    assert not result.ok
    assert words in result.text


def test_a_timer_of_300_days_runs_for_300_days(run: Run, clock: HeldClock) -> None:
    timers = Timers()
    assistant = run(timers)
    assert assistant.ask("timers", "HassStartTimer", hours=300 * 24).values["length"] == "300 days"
    clock.advance(300 * DAY_S - 1)
    timers._look()
    assert assistant.announced.empty()
    clock.advance(1)
    assert assistant.heard() == "Your 300 day timer is done."


def test_a_timer_without_a_length_is_asked_for_it(run: Run) -> None:
    result = run(Timers()).ask("timers", "HassStartTimer")
    assert result.question is not None
    assert result.question.slot == "minutes"


def test_there_is_a_limit_to_timers(run: Run) -> None:
    assistant = run(Timers())
    for _ in range(MOST_TIMERS):
        assert assistant.ask("timers", "HassStartTimer", minutes=5).ok
    assert not assistant.ask("timers", "HassStartTimer", minutes=5).ok


def test_an_alarm_follows_the_wall_clock(run: Run, clock: HeldClock) -> None:
    clock.set_wall(1_700_000_000.0)
    assistant = run(Timers())
    assistant.ask("timers", "SetAlarm", hour=7, minute=30, period="am")
    (alarm,) = assistant.skills["timers"].all()
    label = alarm.title.removesuffix(" alarm")
    clock.set_wall(alarm.ends_wall - LOOK_EVERY_S)
    clock.advance(LOOK_EVERY_S)
    assert assistant.heard() == f"It is {label}."


def test_timers_set_by_another_process_ring_too(run: Run, clock: HeldClock, tmp_path: Path) -> None:
    listening = run(Timers())
    command = Skills(Services(clock, tmp_path / "state", announce=None, boot="boot 1"))
    command.add(Timers())
    start = context({"HassStartTimer": Action("timers")})
    assert command.act(start, "HassStartTimer", {"seconds": 4}).ok
    command.close()
    clock.advance(4)
    assert listening.heard() == "Your 4 second timer is done."


def test_a_file_of_a_newer_version_is_refused_and_not_touched(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "state/skills/timers"
    folder.mkdir(parents=True)
    newer = Database(folder / "timers.db", (*MIGRATIONS, "CREATE TABLE more (x INTEGER)"))
    newer.close()
    before = (folder / "timers.db").read_bytes()
    assistant = run(Timers())
    (status,) = assistant.skills.statuses
    assert status.state is State.CONFIG_ERROR
    assert "newer version (schema 2, this one knows 1)" in status.reason
    assert "newer version" in assistant.ask("timers", "HassStartTimer", minutes=5).text
    assert (folder / "timers.db").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["timers.db"]


def test_where_nothing_can_be_written_timers_run_and_the_user_is_told(run: Run, clock: HeldClock) -> None:
    assistant = run(Timers(), state=Path("/proc/nothing"))
    result = assistant.ask("timers", "HassStartTimer", minutes=5)
    assert result.ok
    assert result.text == (
        "Timer set for 5 minutes. I will forget it when I am switched off, because I cannot write to my disk."
    )
    clock.advance(300)
    assert assistant.heard() == "Your 5 minute timer is done."


def test_on_a_full_disk_a_timer_is_refused_with_the_reason_and_those_that_run_still_ring_once(
    run: Run, clock: HeldClock
) -> None:
    timers = Timers()
    assistant = run(timers)
    assistant.ask("timers", "HassStartTimer", seconds=30)
    fill(timers._store.database, "INSERT INTO timers SELECT NULL, ?, 'timer', 1, 9e9, 9e9, '', 1, NULL, ''")
    result = assistant.ask("timers", "HassStartTimer", minutes=5, name="x" * 60)
    assert not result.ok
    assert "full" in result.text
    assert "delete something" in result.text
    clock.advance(30)
    assert assistant.heard() == "Your 30 second timer is done."
    assert assistant.ask("timers", "HassTimerStatus").text == "The 30 second timer is over."
