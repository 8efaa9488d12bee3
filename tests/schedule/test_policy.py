"""The policy: the most accurate plan that will be in time; down at once, up after a while, at most six a minute."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.schedule.plans import Plan, front
from assistant.schedule.policy import (
    FREE,
    HOLD_S,
    MINUTE_S,
    MOST_SWITCHES,
    SURE,
    WORTH_A_STEP,
    Choice,
    Fixed,
    Forecast,
    Greedy,
    History,
    Objective,
    Policy,
    Situation,
    Slo,
)
from assistant.schedule.signals import Signals
from assistant.types import Effort

PLANS = tuple(Plan(f"plan-{n}", Effort(n, 8.0), accuracy=0.5 + 0.05 * n) for n in range(1, 9))
BASE_MS = {plan.name: 40.0 * n for n, plan in enumerate(PLANS, 1)}


def situation(at: float = 0.0, slow: float = 1.0, history: History | None = None, **more: object) -> Situation:
    forecasts = tuple(Forecast(p, slow * BASE_MS[p.name], 1.3 * slow * BASE_MS[p.name]) for p in PLANS)
    base = Situation(at, 2.0, 400.0, forecasts, Signals(), history or History(), Objective())
    return replace(base, **more)  # type: ignore[arg-type]


def test_on_an_idle_board_the_most_accurate_plan_that_fits_runs() -> None:
    assert Slo().choose(situation()).plan.name == "plan-7"
    assert Slo().choose(situation(slow=0.5)).plan.name == "plan-8"


def test_it_goes_down_at_once_and_says_why() -> None:
    pressed = Signals(pressure=0.62, temperature_c=71.0, trend_c_per_s=0.1, throttles_in_s=90.0)
    choice = Slo().choose(situation(10.0, 2.0, History("plan-7"), signals=pressed))
    assert choice.plan.name == "plan-3"
    assert choice.reason == (
        "plan-3 because CPU pressure 62% and 71 °C rising; plan-8 would have taken 640 ms, and 400 were left"
    )
    assert choice.history.switches == (10.0,)


def test_it_goes_up_only_after_a_while() -> None:
    low = History("plan-3", switches=(100.0,))
    assert Slo().choose(situation(100.0 + HOLD_S / 2, 1.0, low)).plan.name == "plan-3"
    assert Slo().choose(situation(100.0 + HOLD_S, 1.0, low)).plan.name == "plan-6"


def test_up_needs_a_margin_that_staying_does_not() -> None:
    barely = 0.99 * 400.0 / (1.3 * BASE_MS["plan-7"])
    assert Slo().choose(situation(50.0, barely, History("plan-7", explored_at=40.0))).plan.name == "plan-7"
    assert Slo().choose(situation(50.0, barely, History("plan-6", explored_at=40.0))).plan.name == "plan-6"


def test_it_tries_a_dearer_plan_now_and_then() -> None:
    slow = 0.84 * 400.0 / BASE_MS["plan-5"]
    history = History("plan-4", explored_at=0.0)
    assert Slo().choose(situation(30.0, slow, history)).plan.name == "plan-4"
    assert Slo().choose(situation(70.0, slow, history)).plan.name == "plan-5"
    assert Slo().choose(situation(70.0, slow, replace(history, explored_at=60.0))).plan.name == "plan-4"


def test_where_nothing_fits_the_cheapest_runs_and_it_is_said() -> None:
    choice = Slo().choose(situation(slow=30.0))
    assert choice.plan.name == "plan-1"
    assert choice.too_slow


def test_a_plan_that_is_gone_is_passed_over() -> None:
    present = situation(slow=0.5)
    forecasts = tuple(replace(f, missing="its file is gone") if f.plan is PLANS[7] else f for f in present.forecasts)
    choice = Slo().choose(replace(present, forecasts=forecasts, history=History("plan-8")))
    assert choice.plan.name == "plan-7"
    assert "plan-8 could not run: its file is gone" in choice.reason


@pytest.mark.parametrize(
    ("signals", "objective", "expected"),
    [
        (Signals(temperature_c=85.0), Objective(), "85 °C is too warm"),
        (Signals(temperature_c=70.0, throttles_in_s=20.0), Objective(), "would throttle in 20 s"),
        (Signals(throttled_bits=4), Objective(), "throttles itself"),
        (Signals(under_voltage=True), Objective(), "supply is too weak"),
        (Signals(battery=0.05, on_battery=True), Objective(), "battery is at 5%"),
        (Signals(), Objective(quiet=True), "quiet hours"),
    ],
)
def test_heat_supply_battery_and_quiet_hours_spare(signals: Signals, objective: Objective, expected: str) -> None:
    choice = Slo().choose(situation(slow=0.5, signals=signals, objective=objective))
    assert choice.plan.name == "plan-6"  # not above four fifths of the dearest
    assert expected in choice.reason


def test_energy_weighs_against_accuracy() -> None:
    present = situation(slow=0.5)
    forecasts = tuple(replace(f, energy_mj=10 * f.likely_ms) for f in present.forecasts)
    saving = Objective(energy_weight=1.0)
    assert Slo().choose(replace(present, forecasts=forecasts, objective=saving)).plan.name == "plan-1"


LOADS = st.floats(0.2, 60.0)
GAPS_S = st.floats(0.05, 20.0)
SIGNALS = st.sampled_from(
    (
        Signals(),
        Signals(throttled_bits=4),
        Signals(temperature_c=90.0),
        Signals(throttles_in_s=10.0, temperature_c=70.0),
    )
)


@pytest.mark.parametrize("policy", [Slo(), Greedy(), Fixed()], ids=lambda policy: policy.name)
@given(st.lists(st.tuples(LOADS, GAPS_S, SIGNALS, st.integers(0, 255)), min_size=1, max_size=80))
def test_no_signal_makes_it_change_more_than_six_times_a_minute(
    policy: Policy, moments: list[tuple[float, float, Signals, int]]
) -> None:
    history, at, changes, before = History(), 0.0, [], ""
    for slow, gap_s, signals, gone in moments:
        at += gap_s
        now = situation(at, slow, history, signals=signals)
        fallback = 0.8 if gone % 3 == 0 else 0.0
        forecasts = tuple(
            replace(f, missing="gone" if gone >> n & 1 and f.plan.name != before else "", fallback=fallback)
            for n, f in enumerate(now.forecasts)
        )
        choice = policy.choose(replace(now, forecasts=forecasts))
        history = choice.history
        if before and choice.plan.name != before:
            changes.append(at)
        before = choice.plan.name
    for first in range(len(changes)):
        within = [t for t in changes[first:] if t - changes[first] < MINUTE_S]
        assert len(within) <= MOST_SWITCHES


@given(st.lists(st.tuples(LOADS, GAPS_S), min_size=1, max_size=80))
def test_a_plan_that_may_be_late_runs_only_for_an_accuracy_that_is_worth_it(moments: list[tuple[float, float]]) -> None:
    history, at = History(), 0.0
    for slow, gap_s in moments:
        at += gap_s
        now = situation(at, slow, history)
        choice = Slo().choose(now)
        history = choice.history
        chance = choice.forecast.late_chance(now.budget_ms)
        if history.explored_at == at or choice.too_slow or chance <= SURE:
            continue
        if len(history.switches) >= MOST_SWITCHES - 1:
            continue  # it went to the cheapest, or may not change any more
        for other in now.forecasts:
            gained = choice.plan.accuracy - other.plan.accuracy
            risked = chance - max(other.late_chance(now.budget_ms), FREE)
            assert other.likely_ms > choice.forecast.likely_ms or gained >= risked - WORTH_A_STEP


def test_the_chance_to_be_late_is_that_of_the_two_times() -> None:
    forecast = Forecast(PLANS[0], 100.0, 150.0)
    assert forecast.late_chance(100.0) == pytest.approx(0.5)
    assert forecast.late_chance(150.0) == pytest.approx(0.05, abs=1e-3)
    assert forecast.late_chance(0.0) == 1.0
    assert Forecast(PLANS[0], 100.0, 100.0).late_chance(101.0) == 0.0


def test_a_large_gain_is_worth_a_little_risk_and_a_small_one_is_not() -> None:
    plans = (
        Plan("quick", Effort(1, 8.0), 0.80),
        Plan("better", Effort(2, 8.0), 0.90),
        Plan("best", Effort(3, 8.0), 0.91),
    )
    times = ((100.0, 150.0), (270.0, 405.0), (280.0, 420.0))
    forecasts = tuple(Forecast(plan, *ms) for plan, ms in zip(plans, times, strict=True))
    assert Slo().choose(situation(forecasts=forecasts)).plan.name == "better"
    small = (replace(forecasts[0], plan=replace(plans[0], accuracy=0.89)), *forecasts[1:])
    assert Slo().choose(situation(forecasts=small)).plan.name == "quick"


def test_where_sound_alone_answers_in_time_a_search_that_may_be_late_is_tried_unless_it_would_be_in_vain() -> None:
    sound = Forecast(Plan("sound", None, 0.80), 20.0, 30.0, fallback=0.80)

    def chosen(likely_ms: float, fallback: float) -> str:
        search = Forecast(Plan("wide", Effort(8, 8.0), 0.95), likely_ms, 1.5 * likely_ms, fallback=fallback)
        return Slo().choose(situation(forecasts=(replace(sound, fallback=fallback), search))).plan.name

    budget_ms = situation().budget_ms
    assert chosen(0.95 * budget_ms, 0.80) == "wide"  # late more often than one time of three
    assert chosen(0.95 * budget_ms, 0.0) == "sound"
    assert chosen(1.6 * budget_ms, 0.80) == "sound"


@given(st.lists(st.tuples(LOADS, st.floats(-50.0, 50.0)), min_size=1, max_size=40))
def test_a_clock_that_jumps_breaks_nothing(moments: list[tuple[float, float]]) -> None:
    history, at = History(), 1000.0
    for slow, jump_s in moments:
        at += jump_s
        choice = Slo().choose(situation(at, slow, history))
        history = choice.history
        assert all(t <= at for t in history.switches)
        assert len(history.switches) <= MOST_SWITCHES


def test_the_same_situation_gives_the_same_choice() -> None:
    for slow, at in itertools.product((0.5, 2.0, 9.0), (0.0, 70.0)):
        here = situation(at, slow, History("plan-5", (1.0,)))
        assert Slo().choose(here) == Slo().choose(here)


def test_the_front_leaves_out_what_is_dearer_and_no_better() -> None:
    a, b, c = (Plan(name, None, accuracy) for name, accuracy in (("a", 0.8), ("b", 0.9), ("c", 0.9)))
    assert front([(c, 3.0), (b, 2.0), (a, 1.0)]) == (a, b)


def test_ours_are_policies() -> None:
    for policy in (Slo(), Greedy(), Fixed("plan-2")):
        assert isinstance(policy, Policy)
        assert isinstance(policy.choose(situation()), Choice)
