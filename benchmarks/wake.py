"""How well a wake word is heard and what it costs: `assistant bench wake`.

People say "alexa" alone, clean and in kitchen noise; hours of other speech and of noise must not wake. Every score of
the detector is kept, so that all thresholds are judged on the same hearing by the code that judges on the device. Half
A of the files chooses thresholds, half B judges them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from assistant.listen.vad import open_vad
from assistant.listen.wake_judge import PASSED_S, PATIENCE_S, Judgement, Score, Thresholds, Verdict, agreed, judge
from assistant.listen.wake_micro import ALONE, SHIPPED, Manifest, MicroScorer, models_folder
from assistant.listen.wake_open import OpenOpinion
from assistant.types import SAMPLE_RATE_HZ, AudioFrame
from benchmarks.recordings import KITCHEN, barista_orders, data_folder, in_half_a, read_float
from benchmarks.scoring import share
from benchmarks.wake_sounds import CONDITIONS, Pcm, alone, conditions, files, read_any, spoken_part

WORD = "alexa"
FRAME_SAMPLES = 320
NOTED = 0.05
"""Lower scores decide nothing, except soon after higher ones."""

SPEECH: Mapping[str, str] = {
    "coffee orders": "barista/**/*.flac",
    "spelled letters and numbers": "an4/*.flac",
    "read by children and adults": "so762/**/*.flac",
    "read English": "librispeech_notext/**/*.flac",
    "the word computer": "wakeword/computer/*",
    "the word jarvis": "wakeword/jarvis/*",
    "the word athena": "precise_athena/*.flac",
    "words like it": "precise_not-wake-words/*.flac",
}
NOISE: Mapping[str, str] = {"kitchen": "noise/kitchen.flac", "sounds of ESC-10": "esc10/**/*.ogg"}

SURE = (0.6, 0.7, 0.8, 0.9, 0.94, 0.96, 0.97, 0.98, 0.99)
MAYBE = (0.1, 0.15, 0.2, 0.3, 0.4)
TOGETHER = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
CURVE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97)
ALONE_MISSED = 0.02
"""Of the words in noise that a single threshold may miss when it is chosen."""


@dataclass(slots=True)
class Heard:
    """One file as the detector heard it. scores: those that may decide something.

    second: the second opinion at the times at which it was asked for.
    """

    name: str
    group: str
    duration_s: float
    scores: tuple[Score, ...]
    pcm: Pcm
    second: dict[float, float] = field(default_factory=dict)

    def times(self, limits: Thresholds, opinion: OpenOpinion | None) -> int:
        """How often it wakes under `limits`."""
        judgement, woken = Judgement(), 0
        for score in self.scores:
            judgement, verdict = judge(judgement, score, limits)
            if verdict is Verdict.DOUBTFUL and opinion is not None and judgement.peak is not None:
                together = (judgement.peak.value + self._asked(score.at, opinion)) / 2
                if together >= limits.together:
                    judgement, verdict = agreed(replace(judgement, since=judgement.peak.at)), Verdict.SAID
            woken += verdict is Verdict.SAID
        return woken

    def _asked(self, at: float, opinion: OpenOpinion) -> float:
        if at not in self.second:
            self.second[at] = opinion.opinion(WORD, self.pcm[: round(at * SAMPLE_RATE_HZ)])
        return self.second[at]


@dataclass(frozen=True, slots=True)
class Hearings:
    """All that was heard. words: by condition. speech, noise: what must not wake."""

    words: Mapping[str, Sequence[Heard]]
    speech: Sequence[Heard]
    noise: Sequence[Heard]


def gather(limit: int | None, advance: Callable[[float], None] = lambda _: None) -> Hearings:
    """Hear everything once. limit: files of each group."""
    scorer = MicroScorer([Manifest.read(WORD, models_folder() / f"{WORD}.json")])
    kitchen = read_float(data_folder() / KITCHEN)

    def hear(name: str, group: str, pcm: Pcm, duration_s: float) -> Heard:
        advance(1)
        return heard(scorer, name, group, pcm, duration_s)

    words: dict[str, list[Heard]] = {}
    orders, vad = barista_orders(), open_vad("silero")
    for n, file in enumerate(files(f"wakeword/{WORD}/*", limit)):
        order = spoken_part(orders[n % len(orders)].recording.path, vad)
        for condition, pcm in conditions(read_float(file), file.name, kitchen, order).items():
            words.setdefault(condition, []).append(hear(file.name, condition, pcm, len(pcm) / SAMPLE_RATE_HZ))
    others = [
        [
            hear(file.name, group, alone(pcm := read_any(file)), len(pcm) / SAMPLE_RATE_HZ)
            for group, pattern in kind.items()
            for file in files(pattern, limit)
        ]
        for kind in (SPEECH, NOISE)
    ]
    return Hearings(words, *others)


def count(limit: int | None) -> int:
    """How many files `gather` hears."""
    words = len(files(f"wakeword/{WORD}/*", limit)) * len(CONDITIONS)
    return words + sum(len(files(pattern, limit)) for pattern in (*SPEECH.values(), *NOISE.values()))


def heard(scorer: MicroScorer, name: str, group: str, pcm: Pcm, duration_s: float) -> Heard:
    """Score one recording from its beginning."""
    scorer.reset()
    scores: list[Score] = []
    for begin in range(0, len(pcm), FRAME_SAMPLES):
        scores += scorer.score(AudioFrame(pcm[begin : begin + FRAME_SAMPLES], begin / SAMPLE_RATE_HZ))
    last = float("-inf")
    noted = []
    for score in scores:
        last = score.at if score.value >= NOTED else last
        if score.at - last <= PATIENCE_S + PASSED_S:
            noted.append(score)
    return Heard(name, group, duration_s, tuple(noted), pcm)


def measure(hearings: Hearings, opinion: OpenOpinion) -> dict[str, Any]:
    """All figures: shipped thresholds on half B, the best of half A on both, and the curve of a single threshold."""
    half_a, half_b = halves(hearings)
    shipped = SHIPPED[WORD]
    single = single_threshold(ALONE[WORD])
    best, best_single = choose(half_a, opinion), choose_single(half_a)
    return {
        "word": WORD,
        "shipped": {
            "thresholds": _plain(shipped),
            "half B": figures(half_b, shipped, opinion),
            "all": figures(hearings, shipped, opinion),
        },
        "without a second opinion": {
            "thresholds": _plain(single),
            "half B": figures(half_b, single, None),
            "all": figures(hearings, single, None),
        },
        "chosen on half A": {"thresholds": _plain(best), "half B": figures(half_b, best, opinion)},
        "chosen on half A, without a second opinion": {
            "thresholds": _plain(best_single),
            "half B": figures(half_b, best_single, None),
        },
        "curve, without a second opinion": [_point(hearings, single_threshold(level), None) for level in CURVE],
        "curve, with it": [
            _point(hearings, replace(shipped, sure=level, maybe=min(shipped.maybe, level)), opinion) for level in CURVE
        ],
        "doubts": doubts(hearings, shipped),
    }


def single_threshold(level: float) -> Thresholds:
    """One threshold and no doubt."""
    return Thresholds(level, level, 0.0)


def halves(hearings: Hearings) -> tuple[Hearings, Hearings]:
    """Half A and half B, by file name."""

    def part(items: Sequence[Heard], *, first: bool) -> list[Heard]:
        return [one for one in items if in_half_a(one.name) == first]

    a, b = (
        Hearings(
            {name: part(items, first=first) for name, items in hearings.words.items()},
            part(hearings.speech, first=first),
            part(hearings.noise, first=first),
        )
        for first in (True, False)
    )
    return a, b


def figures(hearings: Hearings, limits: Thresholds, opinion: OpenOpinion | None) -> dict[str, Any]:
    """Missed words by condition, false alarms by kind and their rate."""
    groups: dict[str, dict[str, Any]] = {}
    for one in hearings.speech:
        row = groups.setdefault(one.group, {"hours": 0.0, "alarms": 0})
        row["hours"] += one.duration_s / 3600
        row["alarms"] += one.times(limits, opinion)
    return {
        "missed": {
            name: share([one.times(limits, opinion) == 0 for one in items]) for name, items in hearings.words.items()
        },
        "speech": alarms(hearings.speech, limits, opinion),
        "noise": alarms(hearings.noise, limits, opinion),
        "groups": groups,
    }


def alarms(items: Iterable[Heard], limits: Thresholds, opinion: OpenOpinion | None) -> dict[str, Any]:
    """False alarms: how many, in how many hours, per hour with the exact 95 % Poisson interval."""
    held = list(items)
    n, hours = sum(one.times(limits, opinion) for one in held), sum(one.duration_s for one in held) / 3600
    low, high = poisson_interval(n)
    rates = {"per_hour": n / hours, "interval": [low / hours, high / hours]} if hours else {}
    return {"count": n, "hours": hours, **rates}


def _point(hearings: Hearings, limits: Thresholds, opinion: OpenOpinion | None) -> dict[str, Any]:
    return {
        "sure": limits.sure,
        "missed": {
            name: sum(one.times(limits, opinion) == 0 for one in items) / max(len(items), 1)
            for name, items in hearings.words.items()
        },
        "alarms_per_hour": alarms(hearings.speech, limits, opinion).get("per_hour", 0.0),
    }


def choose(half: Hearings, opinion: OpenOpinion) -> Thresholds:
    """The thresholds with the least sum of missed words (percent, in noise) and false alarms (per hour).

    Of equal ones the middle of the grid's run is taken, so that no threshold lies at an edge.
    """
    grid = [Thresholds(*point) for point in itertools.product(SURE, MAYBE, TOGETHER) if point[1] <= point[0]]
    costs = [_cost(half, limits, opinion) for limits in grid]
    best = [limits for limits, cost in zip(grid, costs, strict=True) if cost <= min(costs) + 1e-9]
    middle = np.median([(one.sure, one.maybe, one.together) for one in best], axis=0)
    return min(best, key=lambda one: float(np.abs(middle - (one.sure, one.maybe, one.together)).sum()))


def choose_single(half: Hearings) -> Thresholds:
    """The highest single threshold that misses no more than `ALONE_MISSED` of the words in noise."""
    noisy = [one for name, items in half.words.items() if name != "clean" for one in items]
    fit = [level for level in SURE if _missed(noisy, single_threshold(level), None) <= ALONE_MISSED]
    return single_threshold(max(fit, default=min(SURE)))


def _cost(half: Hearings, limits: Thresholds, opinion: OpenOpinion) -> float:
    noisy = [one for name, items in half.words.items() if name != "clean" for one in items]
    rate = alarms(half.speech, limits, opinion).get("per_hour", 0.0)
    return 100 * _missed(noisy, limits, opinion) + float(rate)


def _missed(items: Sequence[Heard], limits: Thresholds, opinion: OpenOpinion | None) -> float:
    return sum(one.times(limits, opinion) == 0 for one in items) / max(len(items), 1)


def doubts(hearings: Hearings, limits: Thresholds) -> dict[str, float]:
    """How often the second opinion is asked: share of words, and times per hour of speech."""
    words = [_doubtful(one, limits) for items in hearings.words.values() for one in items]
    hours = sum(one.duration_s for one in hearings.speech) / 3600
    asked = sum(_doubtful(one, limits) for one in hearings.speech)
    return {"of_words": sum(words) / max(len(words), 1), "per_hour_of_speech": asked / max(hours, 1e-9)}


def _doubtful(one: Heard, limits: Thresholds) -> int:
    judgement, times = Judgement(), 0
    for score in one.scores:
        judgement, verdict = judge(judgement, score, limits)
        times += verdict is Verdict.DOUBTFUL
    return times


def poisson_interval(n: int) -> tuple[float, float]:
    """Exact 95 % interval of a Poisson mean after `n` events (Garwood 1936), by bisection."""

    def at_most(k: int, mean: float) -> float:
        return math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(k + 1))

    def solve(wanted: Callable[[float], bool]) -> float:
        low, high = 1e-12, n + 10.0 * math.sqrt(n + 1.0) + 10.0
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if wanted(middle) else (low, middle)
        return low

    lower = solve(lambda mean: 1 - at_most(n - 1, mean) < 0.025) if n else 0.0
    return lower, solve(lambda mean: at_most(n, mean) > 0.025)


def _plain(limits: Thresholds) -> dict[str, float]:
    return {"sure": limits.sure, "maybe": limits.maybe, "together": limits.together}
