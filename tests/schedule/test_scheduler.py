"""The scheduler at work on a board of files: it follows the load, learns, tells once, and bears what breaks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from assistant.schedule.board import Board
from assistant.schedule.plans import BY_NAME, PLANS, Plan
from assistant.schedule.policy import Objective
from assistant.schedule.priors import estimate
from assistant.schedule.profile import Profile, this_board
from assistant.schedule.reach import reach_of
from assistant.schedule.scheduler import Scheduler
from assistant.testing import HeldClock
from assistant.types import Pick
from tests.schedule.boards import FakeBoard

CHOICES = 200
MOST_CPU_MS = 10.0
"""A choice may take 1 ms; ten times that, so that a busy machine does not decide."""


class World:
    """A scheduler on a fake board; `load` is how many times longer everything really takes."""

    def __init__(self, tmp_path: Path, clock: HeldClock, **options: object) -> None:
        self.board = FakeBoard(tmp_path)
        self.board.cpu(busy_s=0.0)
        self.clock, self.load, self.told = clock, 1.0, list[str]()
        reference = msgspec.structs.replace(this_board(tmp_path), board="x86")
        self.profile: Profile = estimate(PLANS, reference)
        self.scheduler = Scheduler(
            self.profile,
            clock,
            Board(tmp_path, own_s=lambda: 0.0),
            objective=Objective(p95_ms=120.0),
            tell=self.told.append,
            **options,  # type: ignore[arg-type]
        )

    def utter(self, speech_s: float = 2.0, gap_s: float = 5.0) -> tuple[Pick, float]:
        """Somebody says something: what was chosen, and what it took."""
        self.clock.advance(gap_s)
        self.scheduler.begin()
        self.clock.advance(speech_s)
        pick = self.scheduler.choose(speech_s)
        measured_ms = self.profile.costs[pick.plan].time_ms(speech_s) * self.load
        return self.scheduler.note(pick, measured_ms), measured_ms


@pytest.fixture
def world(tmp_path: Path, clock: HeldClock) -> World:
    return World(tmp_path, clock)


def test_an_idle_board_soon_runs_the_best_plan(world: World) -> None:
    picks = [world.utter()[0].plan for _ in range(6)]
    assert picks[-1] == "beam-16"


def test_the_second_utterance_under_a_sudden_load_that_no_signal_shows_is_in_time(world: World) -> None:
    for _ in range(10):
        world.utter()
    world.load = 2.5
    world.utter()
    for _ in range(5):
        pick, measured_ms = world.utter()
        assert measured_ms <= pick.budget_ms


def test_a_load_that_signals_show_does_not_even_cost_the_first(world: World) -> None:
    for _ in range(10):
        world.utter()
    busy_s = 0.0
    world.load = 2.0
    world.clock.advance(5.0)
    world.scheduler.begin()
    busy_s += 4.0
    world.board.cpu(busy_s=busy_s, running=4, some_s=1.0)  # three others on two cores: half a core for us
    world.clock.advance(2.0)
    pick = world.scheduler.choose(2.0)
    assert world.profile.costs[pick.plan].time_ms(2.0) * world.load <= pick.budget_ms
    assert "CPU pressure 50%" in pick.reason


def test_it_recovers_when_the_load_is_gone(world: World) -> None:
    world.load = 3.0
    for _ in range(5):
        world.utter()
    world.load = 1.0
    last = [world.utter()[0].plan for _ in range(12)][-1]
    assert BY_NAME[last].accuracy > PLANS[-1].accuracy - 0.005


def test_where_nothing_is_fast_enough_the_cheapest_runs_and_the_user_is_told_once(world: World) -> None:
    world.load = 40.0
    picks = [world.utter()[0].plan for _ in range(6)]
    assert picks[-1] == "beam-1"
    assert len(world.told) == 1
    assert "too slow for answers within 120 ms" in world.told[0]
    assert world.scheduler.status().too_slow >= 4


def test_a_quota_of_five_percent_is_seen_and_survived(world: World) -> None:
    world.board.write("sys/fs/cgroup/cpu.max", "5000 100000\n")
    world.scheduler = Scheduler(
        world.profile, world.clock, Board(world.board.root, lambda: 0.0), tell=world.told.append
    )
    pick, _ = world.utter()
    assert pick.plan == "beam-1"
    assert "a limit of 5% of a core" in pick.reason


def test_a_plan_whose_file_is_gone_is_passed_over(tmp_path: Path, clock: HeldClock) -> None:
    def ready(plan: Plan) -> str:
        return "its file is gone" if plan.name in ("beam-12", "beam-16") else ""

    world = World(tmp_path, clock, ready=ready)
    picks = [world.utter()[0] for _ in range(6)]
    assert picks[-1].plan == "beam-8"
    assert "its file is gone" in picks[-1].reason


def test_a_neighbour_that_takes_the_memory_forbids_what_would_have_to_be_loaded(
    tmp_path: Path, clock: HeldClock
) -> None:
    heavy = msgspec.structs.replace(estimate(PLANS, this_board(tmp_path)))
    costs = {**heavy.costs, "wide": heavy.costs["beam-1"]}
    wide = Plan("wide", BY_NAME["beam-1"].effort, accuracy=0.99, resident_mb=200.0)
    board = FakeBoard(tmp_path)
    scheduler = Scheduler(
        msgspec.structs.replace(heavy, costs=costs), clock, Board(tmp_path, lambda: 0.0), plans=(*PLANS, wide)
    )
    board.memory(900.0)
    assert scheduler.choose(2.0).plan == "wide"
    board.memory(150.0)
    pick = scheduler.choose(2.0)
    assert pick.plan != "wide"
    assert "150 MB of memory are free" in pick.reason


def test_sound_alone_is_a_plan_only_where_a_net_understands_it(world: World) -> None:
    world.board.write("sys/fs/cgroup/cpu.max", "12000 100000\n")
    world.scheduler.look()  # finds the group
    assert world.scheduler.choose(2.0).plan == "beam-1"
    pick = world.scheduler.choose(2.0, from_sound=True)
    assert (pick.plan, pick.effort) == ("sound", None)


def test_a_second_look_is_a_plan_only_where_the_context_wants_one(world: World) -> None:
    world.scheduler = Scheduler(world.profile, world.clock, Board(world.board.root, lambda: 0.0))
    assert world.scheduler.choose(2.0).plan == "beam-16"
    pick = world.scheduler.choose(2.0, again=True)
    assert pick.effort is not None
    assert pick.effort.again


def test_a_clock_that_jumps_back_and_a_suspended_board_are_borne(world: World) -> None:
    world.utter()
    world.clock.advance(90_000.0)
    world.utter()
    jumped = HeldClock(monotonic_s=3.0)
    world.scheduler._clock = jumped
    world.scheduler.begin()
    pick = world.scheduler.choose(2.0)
    assert math.isfinite(pick.late_ms)
    world.scheduler.note(pick, 50.0)
    assert math.isfinite(world.scheduler.choose(2.0).late_ms)


def test_what_was_broken_off_teaches_nothing(world: World) -> None:
    before = world.scheduler.status().belief
    pick = world.scheduler.choose(2.0)
    world.scheduler.forget(pick)
    world.scheduler.note(pick, 9999.0)
    assert world.scheduler.status().belief == before


def test_others_that_wait_leave_less_time(world: World) -> None:
    assert world.scheduler.choose(2.0, waiting=1).budget_ms == pytest.approx(60.0)
    assert world.scheduler.choose(2.0, elapsed_ms=50.0).budget_ms == pytest.approx(70.0)
    assert world.scheduler.choose(2.0, elapsed_ms=900.0).budget_ms == pytest.approx(30.0)


def test_what_hurries_may_take_longer_than_there_is_time_and_what_has_few_rows_may_not(world: World) -> None:
    reach = {plan.name: reach_of(plan, world.profile, 2.0) for plan in PLANS}
    assert reach["sound"] == reach["beam-1"] == 1.0
    assert 1.0 < reach["beam-2"] < reach["beam-4"]
    assert 1.0 < reach["beam-8"] < reach["beam-16"] <= reach["beam-16-again"] <= 1.3


def test_it_is_late_before_the_budget_is_spent(world: World) -> None:
    pick = world.scheduler.choose(2.0)
    assert not world.scheduler.late(pick)
    world.clock.advance(0.1)
    assert world.scheduler.late(pick)


def test_a_choice_costs_little(world: World) -> None:
    scheduler = Scheduler(world.profile, world.clock, Board(Path("/")))
    began_s = time.thread_time()
    for _ in range(CHOICES):
        scheduler.begin()
        scheduler.note(scheduler.choose(2.0), 50.0)
    assert 1000 * (time.thread_time() - began_s) / CHOICES < MOST_CPU_MS


def test_between_utterances_heat_is_watched(world: World) -> None:
    for minute in range(8):
        world.board.zone(0, 60.0 + 2.5 * minute)
        world.scheduler.look()
        world.clock.advance(10.0)
    status = world.scheduler.status()
    assert status.signals.temperature_c == pytest.approx(77.5)
    assert status.signals.throttles_in_s is not None
    assert "°C rising" in world.utter()[0].reason


def test_it_counts_for_metrics(world: World) -> None:
    world.utter()
    world.load = 40.0
    for _ in range(3):
        world.utter()
    totals = world.scheduler.totals()
    assert totals["assistant_schedule_picks"] == 4
    assert totals["assistant_schedule_late"] == 3
    assert totals["assistant_schedule_too_slow"] >= 1
    assert totals["assistant_schedule_switches"] >= 1


def test_the_recogniser_rests_when_nobody_speaks_and_memory_is_short(tmp_path: Path, clock: HeldClock) -> None:
    rested: list[float] = []
    world = World(tmp_path, clock, rest=lambda: rested.append(clock.monotonic()))
    world.board.memory(900.0)
    world.utter()
    clock.advance(3600.0)
    world.scheduler.look()
    assert rested == []  # there is memory enough
    world.board.memory(100.0)
    world.scheduler.look()
    world.scheduler.look()
    assert len(rested) == 1
    world.utter()
    clock.advance(60.0)
    world.scheduler.look()
    assert len(rested) == 1  # somebody spoke a minute ago
    clock.advance(1800.0)
    world.scheduler.look()
    assert len(rested) == 2


def idle(world: World, seconds: float) -> None:
    """Nobody speaks for so long."""
    world.board.cpu(busy_s=0.0)
    for _ in range(int(seconds / 60)):
        world.clock.advance(60.0)
        world.scheduler.look()


def test_a_board_that_is_only_estimated_is_measured_when_nobody_speaks(tmp_path: Path, clock: HeldClock) -> None:
    kept: list[Profile] = []
    world = World(tmp_path, clock, keep=kept.append)
    found = msgspec.structs.replace(world.profile, estimated=False, made_at=7.0)
    asked: list[bool] = []

    def calibrate(stop: Callable[[], bool]) -> Profile | None:
        asked.append(stop())
        return found

    world.scheduler.calibrate_when_idle(calibrate)
    world.utter()
    idle(world, 300.0)
    assert asked == []  # somebody spoke a moment ago
    idle(world, 3600.0)
    assert asked == [False]
    assert kept == [found]
    assert world.scheduler.profile is found


def test_measuring_is_broken_off_when_somebody_speaks_and_tried_again_much_later(world: World) -> None:
    stopped: list[bool] = []

    def calibrate(stop: Callable[[], bool]) -> Profile | None:
        world.scheduler.begin()  # somebody begins to speak meanwhile
        stopped.append(stop())
        return None

    world.scheduler.calibrate_when_idle(calibrate)
    world.utter()
    idle(world, 3600.0)
    assert stopped == [True]
    assert world.scheduler.profile is world.profile
    idle(world, 7 * 3600.0)
    assert stopped == [True, True]


def test_a_busy_board_is_not_measured(world: World) -> None:
    measured: list[bool] = []
    world.scheduler.calibrate_when_idle(lambda stop: measured.append(stop()))
    world.board.write("sys/fs/cgroup/cpu.max", "50000 100000\n")
    world.utter()
    idle(world, 3600.0)
    assert measured == []


def test_estimates_are_corrected_by_what_utterances_take_while_nothing_presses(
    tmp_path: Path, clock: HeldClock
) -> None:
    kept: list[Profile] = []
    world = World(tmp_path, clock, keep=kept.append)
    estimated_ms = world.profile.costs["beam-4"].time_ms(2.0)
    world.load = 0.5
    for _ in range(25):
        world.utter()
    (profile,) = kept
    assert profile.estimated
    assert profile.costs["beam-4"].time_ms(2.0) == pytest.approx(0.5 * estimated_ms, rel=0.05)
    assert profile.costs["beam-4"].n == 20
    assert world.scheduler.profile is profile


def test_what_is_measured_under_load_corrects_nothing(tmp_path: Path, clock: HeldClock) -> None:
    kept: list[Profile] = []
    world = World(tmp_path, clock, keep=kept.append)
    world.board.write("sys/fs/cgroup/cpu.max", "50000 100000\n")
    world.scheduler.look()  # finds the group
    for _ in range(25):
        world.utter()
    assert kept == []
