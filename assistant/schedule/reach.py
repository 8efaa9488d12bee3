"""How much longer than there is time a plan may take: what is late hurries, and answers in time all the same."""

from __future__ import annotations

from dataclasses import replace

from assistant.schedule.plans import SOUND, Plan
from assistant.schedule.policy import Forecast
from assistant.schedule.profile import Cost, Profile
from assistant.types import Effort

DEADLINE_SHARE = 0.65
"""Part of the budget after which decoding hurries: a few rows go on alone, at about half the time."""
HURRIED_PLANS = ("beam-1", "beam-2", "beam-3", "beam-4")
"""What is late goes on with a third of its rows, one to three: the first of these from there on that was measured tells
what that takes."""
REACH_TRUSTED = 0.6
"""Part of the time that hurrying should save by the profile which it is trusted to save: a step that is under way is
not broken off, and not every sentence ends at once."""
MOST_REACH = 1.3
STOP_RESERVE = 0.6
"""What is kept for the answer from sound alone, over what that takes for two seconds of speech, the encoder included: a
step of the search that is under way, the net, and on a busy board another program's turn."""
RESERVE_S = 2.0
LATEST_STOP, EARLIEST_STOP = 0.95, 0.5
"""Shares of the budget."""


def stop_ms(budget_ms: float, sound: Cost, factor: float) -> float:
    """When a search has to end, milliseconds from its beginning, so that sound alone answers within the budget.

    sound: of the plan that decodes nothing. factor: how many times longer than that everything takes now.
    """
    reserved_ms = STOP_RESERVE * sound.time_ms(RESERVE_S) * factor
    return max(min(budget_ms - reserved_ms, LATEST_STOP * budget_ms), EARLIEST_STOP * budget_ms)


def effort_of(forecast: Forecast, profile: Profile, speech_s: float, budget_ms: float) -> Effort | None:
    """The effort of the plan, and when its search ends, where sound alone can answer instead."""
    effort, sound = forecast.plan.effort, profile.costs.get(SOUND)
    if effort is None or sound is None or not forecast.fallback:
        return effort
    factor = forecast.likely_ms / profile.costs[forecast.plan.name].time_ms(speech_s)
    return replace(effort, stop_ms=stop_ms(budget_ms, sound, factor))


def reach_of(plan: Plan, profile: Profile, speech_s: float) -> float:
    """So many times the budget `plan` may take and answer within it, because from the deadline on it hurries.

    The encoder (what sound alone costs) comes first and cannot; then the few rows of a hurried search take the part of
    a step that they take in HURRIED_PLANS.
    """
    costs = profile.costs
    rows = 0 if plan.effort is None else max(plan.effort.width // 3, 1)
    hurried = next((name for name in HURRIED_PLANS[min(rows, 3) - 1 :] if name in costs), None)
    if plan.effort is None or hurried is None or plan.name not in costs:
        return 1.0
    encoded_ms = costs[SOUND].time_ms(speech_s) if SOUND in costs else 0.0
    search_ms = costs[plan.name].time_ms(speech_s) - encoded_ms
    hurried_ms = costs[hurried].time_ms(speech_s) - encoded_ms
    if search_ms <= 0 or hurried_ms <= 0:
        return 1.0
    saved = max(search_ms / hurried_ms - 1.0, 0.0)
    return min(1.0 + REACH_TRUSTED * (1.0 - DEADLINE_SHARE) * saved, MOST_REACH)
