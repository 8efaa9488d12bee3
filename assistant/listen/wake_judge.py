"""From scores of a wake word to the one moment in which it was said: two thresholds and a second opinion.

A score of `sure` wakes at once. One that only reaches `maybe` is held until it has passed its peak; then another
detector hears the same two seconds, and the mean of both decides. Without a second detector, `sure` decides alone.
Measured in kitchen noise and on hours of other speech: `assistant bench wake`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from assistant.errors import ConfigError

PASSED_S = 0.12
"""A peak so long ago is not going to be topped."""
PATIENCE_S = 0.4
"""At the latest so long after `maybe` was reached it is decided."""
REARM = 0.25
"""Share of `sure` that the score of a word that woke must fall below before it can be said again."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores, 0..1. sure: wakes. maybe: wakes if the mean of it and the second opinion is at least `together`.

    dead_s: after it woke, no sooner than so long after may the word be said again, seconds.
    Raises ConfigError when they are out of order.
    """

    sure: float
    maybe: float
    together: float
    dead_s: float = 0.6

    def __post_init__(self) -> None:
        if not 0.0 < self.maybe <= self.sure <= 1.0 or not 0.0 <= self.together <= 1.0:
            raise ConfigError(
                f"a wake word's threshold of {self.sure:g} is out of range",
                where="wake.thresholds",
                remedy="choose 0 < threshold <= 1",
            )


@dataclass(frozen=True, slots=True)
class Score:
    """What an engine thinks of a word now. value: 0..1. at: time of the last sample that it rests on, seconds.

    end_s: where the word ended, if it was said, in the same time.
    """

    word: str
    value: float
    at: float
    end_s: float


class Stage(enum.Enum):
    """Where the judgement of one word is."""

    QUIET = "quiet"
    RISING = "rising"
    REFUSED = "refused"
    """The second opinion said no; a higher score is judged again. The score has not fallen yet."""
    SPENT = "spent"
    """It woke; the score has not fallen yet."""


class Verdict(enum.Enum):
    """What a score means."""

    NOTHING = "nothing"
    SAID = "said"
    DOUBTFUL = "doubtful"
    """Ask the second opinion."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One word's whole memory. since: when `maybe` was reached, or when it woke. peak: the best score since then."""

    stage: Stage = Stage.QUIET
    since: float = 0.0
    peak: Score | None = None


def judge(judgement: Judgement, score: Score, thresholds: Thresholds) -> tuple[Judgement, Verdict]:
    """Return where things stand after one more score, and what it means."""
    if judgement.stage is Stage.SPENT:
        fallen = score.value < REARM * thresholds.sure and score.at - judgement.since >= thresholds.dead_s
        return (Judgement() if fallen else judgement), Verdict.NOTHING
    if score.value >= thresholds.sure:
        return Judgement(Stage.SPENT, score.at, score), Verdict.SAID
    if judgement.stage is Stage.RISING:
        return _rise(judgement, score)
    if score.value < thresholds.maybe:
        return Judgement(), Verdict.NOTHING
    if judgement.peak is not None and score.value <= judgement.peak.value:  # refused, and no better since
        return judgement, Verdict.NOTHING
    return Judgement(Stage.RISING, score.at, score), Verdict.NOTHING


def agreed(judgement: Judgement) -> Judgement:
    """The second opinion said yes."""
    return replace(judgement, stage=Stage.SPENT)


def _rise(judgement: Judgement, score: Score) -> tuple[Judgement, Verdict]:
    """A score below `sure` while it is open whether it is the word."""
    assert judgement.peak is not None
    peak = score if score.value > judgement.peak.value else judgement.peak
    judgement = replace(judgement, peak=peak)
    if score.at - peak.at >= PASSED_S or score.at - judgement.since >= PATIENCE_S:
        return replace(judgement, stage=Stage.REFUSED), Verdict.DOUBTFUL
    return judgement, Verdict.NOTHING
