"""How long a plan may take, and when its search has to end so that sound alone answers in time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.schedule.plans import BY_NAME, PLANS, SOUND, Plan
from assistant.schedule.policy import Forecast
from assistant.schedule.priors import estimate
from assistant.schedule.profile import this_board
from assistant.schedule.reach import EARLIEST_STOP, LATEST_STOP, MOST_REACH, effort_of, reach_of, stop_ms

PROFILE = estimate(PLANS, this_board(Path("/nowhere")))


@given(st.floats(1.0, 5000.0), st.floats(0.5, 50.0))
def test_a_search_ends_within_its_budget_earlier_on_a_slower_board(budget_ms: float, factor: float) -> None:
    cost = PROFILE.costs[SOUND]
    found = stop_ms(budget_ms, cost, factor)
    assert EARLIEST_STOP * budget_ms <= found <= LATEST_STOP * budget_ms
    assert stop_ms(budget_ms, cost, 2 * factor) <= found


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_only_what_searches_ends_early_and_only_where_sound_answers(plan: Plan) -> None:
    forecast = Forecast(plan, PROFILE.costs[plan.name].time_ms(2.0), 300.0)
    assert effort_of(forecast, PROFILE, 2.0, 400.0) == forecast.plan.effort
    with_sound = Forecast(forecast.plan, forecast.likely_ms, 300.0, fallback=0.8)
    effort = effort_of(with_sound, PROFILE, 2.0, 400.0)
    assert (effort is None) == (forecast.plan.effort is None)
    assert effort is None or effort.stop_ms < 400.0


def test_a_wide_search_saves_time_by_hurrying_and_a_narrow_one_none() -> None:
    assert reach_of(BY_NAME[SOUND], PROFILE, 2.0) == 1.0
    assert reach_of(BY_NAME["beam-1"], PROFILE, 2.0) == pytest.approx(1.0)
    assert 1.0 < reach_of(BY_NAME["beam-16"], PROFILE, 2.0) <= MOST_REACH


def test_a_plan_by_itself_never_ends_early() -> None:
    assert all(math.isinf(plan.effort.stop_ms) for plan in PLANS if plan.effort is not None)
