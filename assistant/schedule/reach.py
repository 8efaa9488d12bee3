"""How much longer than there is time a plan may take: what is late hurries, and answers in time all the same."""

from __future__ import annotations

from assistant.schedule.plans import Plan
from assistant.schedule.profile import Profile

DEADLINE_SHARE = 0.65
"""Part of the budget after which decoding hurries: a few rows go on alone, at about half the time."""
HURRIED_PLANS = ("beam-1", "beam-2", "beam-3", "beam-4")
"""What is late goes on with a third of its rows, one to three: the first of these from there on that was measured tells
what that takes."""
REACH_TRUSTED = 0.6
"""Part of the time that hurrying should save by the profile which it is trusted to save: a step that is under way is
not broken off, and not every sentence ends at once."""
MOST_REACH = 1.3


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
    encoded_ms = costs["sound"].time_ms(speech_s) if "sound" in costs else 0.0
    search_ms = costs[plan.name].time_ms(speech_s) - encoded_ms
    hurried_ms = costs[hurried].time_ms(speech_s) - encoded_ms
    if search_ms <= 0 or hurried_ms <= 0:
        return 1.0
    saved = max(search_ms / hurried_ms - 1.0, 0.0)
    return min(1.0 + REACH_TRUSTED * (1.0 - DEADLINE_SHARE) * saved, MOST_REACH)
