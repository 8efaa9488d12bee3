"""The plans: how hard each room tries on one utterance, from the cheapest to the dearest.

Neighbours differ in as little as possible and share their weights, so that nothing is loaded when the plan changes
(NestDNN, arXiv 1810.10090); a plan whose encoder is another file is used once that has been loaded in the background.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from assistant.types import Effort

SHARED = "int8"
"""The encoder that is always resident: what every plan without one of its own uses."""
SOUND = "sound"
"""The plan that decodes nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One choice for every room.

    name: as in the configuration and in traces. effort: the recogniser's; None decodes nothing (from sound alone).
    fused: which fused net re-ranks and refuses ("full", "lite", "tiny"), "none", or "" for the configured one.
    accuracy: share of spoken orders right, mean of kitchen noise at 12, 6 and 0 dB (docs/scheduler.md says by which
        command); it ranks plans, nothing else. resident_mb: memory beside what every plan shares.
    """

    name: str
    effort: Effort | None
    accuracy: float
    fused: str = "none"
    resident_mb: float = 0.0

    def fits(self, *, from_sound: bool, again: bool) -> bool:
        """Whether it is one for a context that sound alone can tell, or whose doubtful meanings are looked at again."""
        return from_sound if self.effort is None else again or not self.effort.again

    @property
    def variant(self) -> str:
        """What has to be resident for it beside the shared weights, "" for nothing."""
        encoder = self.effort.encoder if self.effort else SHARED
        return "" if encoder == SHARED else f"encoder {encoder}"


PLANS: tuple[Plan, ...] = (
    Plan(SOUND, None, 0.778),
    Plan("beam-1", Effort(1, 8.0), 0.833, "tiny"),
    Plan("beam-2", Effort(2, 8.0), 0.911, "tiny"),
    Plan("beam-3", Effort(3, 8.0), 0.930, "tiny"),
    Plan("beam-4", Effort(4, 8.0), 0.933, "lite"),
    Plan("beam-6", Effort(6, 8.0), 0.939, "lite"),
    Plan("beam-8", Effort(8, 8.0), 0.949, "full"),
    Plan("beam-12", Effort(12, 8.0), 0.950, "full"),
    Plan("beam-16", Effort(16, 12.0), 0.951, "full"),
    Plan("beam-16-again", Effort(16, 12.0, again=True), 0.952, "full"),
)
"""Cheapest first. "sound" decodes nothing, and asks where it is unsure: its accuracy counts what it acts on rightly
(models/barista/CARD.md); "again" scores doubtful meanings once more, on slower and faster sound.
Accuracies measured, and made to grow with the width: from 8 rows on 180 orders tell no difference.
Encoders of other precision (block, float) were measured too: dearer and not more accurate, so no plan has one."""

BY_NAME: Mapping[str, Plan] = MappingProxyType({plan.name: plan for plan in PLANS})


def front(plans: Iterable[tuple[Plan, float]]) -> tuple[Plan, ...]:
    """The plans that are worth having, cheapest first: those for which no cheaper one is as accurate.

    plans: each with its time (any unit).
    """
    kept: list[Plan] = []
    for plan, _ in sorted(plans, key=lambda pair: (pair[1], -pair[0].accuracy)):
        if not kept or plan.accuracy > kept[-1].accuracy:
            kept.append(plan)
    return tuple(kept)


def fallback_of(plans: Iterable[Plan]) -> float:
    """Accuracy of what answers where a search is late: of sound alone, 0 where that is none of `plans`."""
    return max((plan.accuracy for plan in plans if plan.effort is None), default=0.0)
