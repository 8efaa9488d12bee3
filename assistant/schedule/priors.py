"""Estimates of what plans cost on known boards, until `assistant calibrate` has measured: all marked as estimates.

The times are those of an x86-64 core, scaled. The factors follow from published figures of the same processors with
int8 and float products, not from measurements of this program; the spread is widened accordingly.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import structs

from assistant.schedule.plans import Plan
from assistant.schedule.profile import FORMAT, Cost, Identity, Profile, scaled

TYPICAL_S = 2.0
UNSURE = 0.2
"""Added to the spread (in the square): a factor may be wrong by so much either way, as a natural logarithm."""


@dataclass(frozen=True, slots=True)
class BoardPrior:
    """name: a part of the board's own name. factor: times one core of the reference. watts: of one busy core."""

    name: str
    factor: float
    watts: float


BOARDS = (
    BoardPrior("Raspberry Pi Zero 2", 11.0, 0.5),
    BoardPrior("Raspberry Pi 3", 8.0, 0.9),
    BoardPrior("Raspberry Pi Compute Module 4", 4.0, 1.0),
    BoardPrior("Raspberry Pi 4", 4.0, 1.0),
    BoardPrior("Raspberry Pi 5", 1.8, 1.8),
    BoardPrior("Jetson Orin Nano", 2.0, 1.5),
    BoardPrior("Orin", 1.8, 2.0),
)
"""The first whose name occurs is taken."""
UNKNOWN_ARM = BoardPrior("", 4.0, 1.0)
UNKNOWN = BoardPrior("", 1.0, 8.0)

REFERENCE_ENCODER_MS, REFERENCE_ENCODER_MS_PER_S = 2.0, 6.0
REFERENCE_MS, REFERENCE_MS_PER_S = 9.5, 11.0
REFERENCE_MS_A_DOUBLING, REFERENCE_MS_PER_S_A_DOUBLING = 3.0, 1.8
AGAIN = 1.3
"""A second look: two further encodings, and the best meanings scored on each, which takes as long again or longer where
something is in doubt, and nothing where all is clear (measured on ten clear commands: 5 % more)."""
REFERENCE_SPREAD = 0.2
"""One x86-64 core at 2.5 GHz, measured on spoken orders of 1.5 to 8 s: milliseconds and milliseconds a second of
speech for the encoder alone, for a search of one row, and for each doubling of the rows."""


def board_prior(board: str) -> BoardPrior:
    """The factor of a board by its name."""
    arm = board.startswith(("aarch64", "arm"))
    return next((prior for prior in BOARDS if prior.name in board), UNKNOWN_ARM if arm else UNKNOWN)


def estimate(plans: Sequence[Plan], identity: Identity) -> Profile:
    """A profile of estimates."""
    prior = board_prior(identity.board)
    return Profile(
        format=FORMAT,
        identity=identity,
        made_at=0.0,
        costs={plan.name: _cost(plan, prior) for plan in plans},
        estimated=True,
    )


def completed(profile: Profile, plans: Sequence[Plan]) -> Profile:
    """`profile` with estimates for those of `plans` that it lacks, scaled to those that were measured."""
    missing = [plan for plan in plans if plan.name not in profile.costs]
    guesses = estimate(plans, profile.identity).costs
    known = [plan.name for plan in plans if plan.name in profile.costs]
    if not missing or not known:
        return profile
    factor = statistics.median(profile.costs[n].time_ms(TYPICAL_S) / guesses[n].time_ms(TYPICAL_S) for n in known)
    more = {plan.name: scaled(guesses[plan.name], factor) for plan in missing}
    return structs.replace(profile, costs={**profile.costs, **more})


def _cost(plan: Plan, prior: BoardPrior) -> Cost:
    """A step costs something in itself and little a row; a wider beam fills its rows only in part."""
    base_ms, per_s_ms = REFERENCE_ENCODER_MS, REFERENCE_ENCODER_MS_PER_S
    if plan.effort is not None:
        doublings = math.log2(plan.effort.width * max(plan.effort.prune / 8.0, 1.0))
        base_ms = REFERENCE_MS + doublings * REFERENCE_MS_A_DOUBLING
        per_s_ms = REFERENCE_MS_PER_S + doublings * REFERENCE_MS_PER_S_A_DOUBLING
        if plan.effort.again:
            base_ms, per_s_ms = AGAIN * base_ms, AGAIN * per_s_ms
    return Cost(
        base_ms=round(base_ms * prior.factor, 1),
        per_s_ms=round(per_s_ms * prior.factor, 1),
        spread=round(math.hypot(REFERENCE_SPREAD, UNSURE), 3),
        memory_mb=plan.resident_mb,
        energy_mj=round(prior.watts * per_s_ms * prior.factor, 1),
    )
