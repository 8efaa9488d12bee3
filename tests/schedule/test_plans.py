"""The plans are ordered, each dearer one is more accurate, and every known board has estimates that say so."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from assistant.schedule.plans import BY_NAME, PLANS, front
from assistant.schedule.priors import BOARDS, board_prior, estimate
from assistant.schedule.profile import this_board


def test_there_are_eight_plans_or_more_and_all_are_on_the_front() -> None:
    profile = estimate(PLANS, this_board())
    timed = [(plan, profile.costs[plan.name].time_ms(2.0)) for plan in PLANS]
    assert len(PLANS) >= 8
    assert front(timed) == PLANS
    assert list(BY_NAME) == [plan.name for plan in PLANS]


def test_no_plan_needs_anything_loaded() -> None:
    assert not [plan.name for plan in PLANS if plan.variant]


@pytest.mark.parametrize("prior", BOARDS, ids=lambda prior: prior.name)
def test_every_known_board_has_estimates_that_are_marked(prior: object, tmp_path: Path) -> None:
    name = f"NVIDIA {prior.name} Developer Kit"  # type: ignore[attr-defined]
    profile = estimate(PLANS, msgspec.structs.replace(this_board(tmp_path), board=name))
    assert profile.estimated
    assert all(cost.n == 0 and not cost.energy_measured for cost in profile.costs.values())
    times = [profile.costs[plan.name].time_ms(2.0) for plan in PLANS]
    assert all(a < b for a, b in itertools.pairwise(times))


def test_slower_boards_take_longer() -> None:
    names = ("Raspberry Pi Zero 2 W Rev 1.0", "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0")
    factors = [board_prior(name).factor for name in names]
    assert factors == sorted(factors, reverse=True)
    assert board_prior("aarch64").factor > board_prior("AMD EPYC").factor
