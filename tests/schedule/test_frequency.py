"""The clock is lowered to measure, and put back: at the end, after an error, and by the next start after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.schedule.board import Board
from assistant.schedule.calibrate import measure_clocks
from assistant.schedule.frequency import LEFT_OVER, Clock
from assistant.schedule.plans import BY_NAME, Plan
from assistant.schedule.profile import Profile, this_board
from assistant.schedule.signals import Signals, slowdown
from assistant.types import Utterance
from tests.daemon.engines import utterance as spoken
from tests.schedule.boards import FakeBoard

HIGHEST_KHZ = 1_500_000
STEPS = "600000 700000 800000 900000 1000000 1100000 1200000 1300000 1400000 1500000\n"
POLICY = "sys/devices/system/cpu/cpufreq/policy0"


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    board = FakeBoard(tmp_path)
    board.write(f"{POLICY}/cpuinfo_max_freq", f"{HIGHEST_KHZ}\n")
    board.write(f"{POLICY}/cpuinfo_min_freq", "600000\n")
    board.write(f"{POLICY}/scaling_max_freq", "1400000\n")
    board.write(f"{POLICY}/scaling_available_frequencies", STEPS)
    return board


def limit_khz(board: FakeBoard) -> int:
    return int((board.root / POLICY / "scaling_max_freq").read_text())


@pytest.fixture
def clock(board: FakeBoard) -> Clock:
    return Clock(board.root / "state" / LEFT_OVER, board.root)


def test_it_steps_from_just_below_the_highest_to_the_lowest(clock: Clock) -> None:
    steps = clock.steps()
    assert clock.permitted()
    assert len(steps) == 4
    assert steps[0] == pytest.approx(1400 / 1500)
    assert steps[-1] == pytest.approx(0.4)
    assert list(steps) == sorted(steps, reverse=True)


def test_what_no_list_says_is_spread_between_lowest_and_highest(board: FakeBoard, clock: Clock) -> None:
    (board.root / POLICY / "scaling_available_frequencies").unlink()
    assert clock.steps()[-1] == pytest.approx(0.4)


def test_it_is_put_back_at_the_end_and_after_an_error(board: FakeBoard, clock: Clock) -> None:
    with clock.held():
        clock.at(0.4)
        assert limit_khz(board) == 600_000
    assert limit_khz(board) == 1_400_000

    def interrupted() -> None:
        with clock.held():
            clock.at(0.4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert limit_khz(board) == 1_400_000
    assert not (board.root / "state" / LEFT_OVER).exists()


HELD = """
import sys, time
from pathlib import Path
from assistant.schedule.frequency import LEFT_OVER, Clock
root = Path(sys.argv[1])
clock = Clock(root / "state" / LEFT_OVER, root)
with clock.held():
    clock.at(0.4)
    print("lower", flush=True)
    time.sleep(60)
"""


def test_the_next_start_puts_back_what_a_kill_left(board: FakeBoard, clock: Clock, repository: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(board.root)], stdout=subprocess.PIPE, cwd=repository
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"lower\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert limit_khz(board) == 600_000
    assert clock.put_back()
    assert limit_khz(board) == 1_400_000
    assert clock.put_back()  # nothing is left to do


def test_a_damaged_note_is_said_and_breaks_nothing(
    board: FakeBoard, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    board.write(f"state/{LEFT_OVER}", "{")
    assert not clock.put_back()
    assert "may be lower than it was" in caplog.text


def test_times_at_lower_clocks_are_measured_and_used(board: FakeBoard, clock: Clock) -> None:
    passed_s = [0.0]

    def run(plan: Plan, utterance: Utterance) -> None:  # memory does not slow down with the clock: half the work
        passed_s[0] += (1.0 if plan.name == "beam-1" else 3.0) * (0.5 + 0.5 * 1_400_000 / limit_khz(board))

    plans = [BY_NAME["beam-1"], BY_NAME["beam-16"]]
    measured = measure_clocks(
        clock,
        plans,
        [spoken(0)] * 3,
        run,
        Board(board.root, own_s=lambda: 0.0),
        timer=lambda: passed_s[0],
        settles_s=0.0,
    )
    assert limit_khz(board) == 1_400_000
    assert [at.share for at in measured] == pytest.approx(clock.steps(), abs=1e-3)
    assert measured[-1].factor == pytest.approx(0.5 + 0.5 * 1400 / 600, rel=0.01)
    profile = Profile(format=1, identity=this_board(board.root), made_at=0.0, costs={}, clocks=measured)
    slow = Signals(frequency_share=0.4)
    assert slowdown(slow, profile.at_clock) == pytest.approx(measured[-1].factor, rel=0.01)
    assert slowdown(slow) == pytest.approx(2.5)
    assert profile.at_clock(0.2) == pytest.approx(
        2 * measured[-1].factor, rel=0.01
    )  # below what was measured: by ratio


def test_where_the_clock_may_not_be_changed_nothing_is_measured(tmp_path: Path) -> None:
    def run(_plan: Plan, _utterance: Utterance) -> None:
        raise AssertionError

    absent = Clock(tmp_path / LEFT_OVER, tmp_path)
    assert measure_clocks(absent, [BY_NAME["beam-1"]], [spoken(0)], run, Board(tmp_path)) == ()


def test_without_cpufreq_nothing_is_permitted(tmp_path: Path) -> None:
    clock = Clock(tmp_path / LEFT_OVER, tmp_path)
    assert not clock.permitted()
    assert clock.steps() == ()
