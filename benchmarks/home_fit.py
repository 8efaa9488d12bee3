"""Fits how sure a home must be before it acts, asks or gives up: on half of the sentences, judged by the other.

Half A (by MD5 of the sentence) gives the weights of "is the meaning strictly right" and the four bounds; every figure
of the fit is of half B. The bounds are found one after the other: on half A as little as can be is above LIMITS, then
as much as can be is done rightly, or asked about rightly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from assistant.grammar.test_sentences import Expected
from assistant.grammar.tree import Context
from assistant.types import Transcript
from assistant.understand.calibration import as_accept, features, fit_logistic
from assistant.understand.decide import rivals, rule_of
from benchmarks import home
from benchmarks.home import End, Heard

RIDGE = 1.0
"""The sentences are few and alike: weights stay small."""
LIMITS: Mapping[str, tuple[float, float]] = {
    "clean": (0.002, 0.03),
    "kitchen 12 dB": (0.004, 0.058),
    "kitchen 6 dB": (0.009, 0.115),
}
"""Shares of commands that may be done wrong and that may be asked about, by condition."""
TRIED: Mapping[str, tuple[float, ...]] = {
    "ask_margin": (0.5, 1.0, 1.5, 2.0),
    "ask_below": (0.7, 0.75, 0.8, 0.85, 0.9),
    "doubt": (0.57, 0.7, 0.823),
    "refuse_below": (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65),
}
START: Mapping[str, float] = {"ask_margin": 1.0, "ask_below": 0.8, "doubt": 0.7, "refuse_below": 0.5}
ROUNDS = 2
QUESTION = 0.5
"""What a question that names the right command is worth, beside doing it."""

Row = tuple[str, str, Expected, Transcript]


@dataclass(frozen=True, slots=True)
class Fitted:
    """context: with the bounds found; file: the same as its calibration.json; examples: commands fitted on."""

    context: Context
    file: Mapping[str, Any]
    examples: int


def half_a(sentence: Expected) -> bool:
    """Whether a sentence is one that is fitted on."""
    return hashlib.md5(sentence.text.encode(), usedforsecurity=False).digest()[0] % 2 == 0


def fit(rows: Sequence[Row], context: Context) -> Fitted:
    """Weights and bounds for `context` from half A of what was heard."""
    mine = [row for row in rows if half_a(row[2])]
    heard = [(expected, transcript) for _, _, expected, transcript in mine if transcript.hypotheses]
    x = np.array([features(t.hypotheses[0], rivals(t, context)) for _, t in heard])
    y = np.array([_strict(expected, t) for expected, t in heard])
    rule = replace(rule_of(context, None), right=fit_logistic(x, y, RIDGE))
    accept = {name: round(value, 4) for name, value in as_accept(rule).items()}
    bounds = dict(START)
    best = _worth(mine, _with(context, accept, bounds))
    for name, tried in [*TRIED.items()] * ROUNDS:  # one bound after the other, the others held
        for value in tried:
            other = {**bounds, name: value}
            worth = _worth(mine, _with(context, accept, other)) if other["refuse_below"] < other["ask_below"] else best
            if worth > best:
                best, bounds = worth, other
    found = _with(context, accept, bounds)
    settings = found.settings
    own = {name: getattr(settings, name) for name in ("ask_margin", "ask_below", "refuse_below")}
    about = "fitted on half of the sentences of benchmarks/home_sentences.yaml by `assistant bench home --fit`"
    return Fitted(found, {"accept": dict(settings.accept), **own, "about": about}, len(mine))


def judged(rows: Sequence[Row], context: Context) -> dict[str, Any]:
    """What comes of half B under `context`."""
    return home.summary([home.judge(*row, context) for row in rows if not half_a(row[2])])


def _strict(expected: Expected, transcript: Transcript) -> bool:
    best = transcript.hypotheses[0]
    return home.same_meaning(expected.intent or "", expected.slots, best.intent, best.slots)


def _with(context: Context, accept: Mapping[str, float], bounds: Mapping[str, float]) -> Context:
    settings = replace(
        context.settings,
        accept=MappingProxyType({**accept, "doubt": bounds["doubt"]}),
        ask_margin=bounds["ask_margin"],
        ask_below=bounds["ask_below"],
        refuse_below=bounds["refuse_below"],
    )
    return replace(context, settings=settings)


def _worth(rows: Sequence[Row], context: Context) -> tuple[float, float]:
    """How little is above LIMITS (wrong deeds count ten times); how much is done or asked about rightly."""
    heard: list[Heard] = [home.judge(*row, context) for row in rows]
    over = worth = 0.0
    for condition, (wrong, asked) in LIMITS.items():
        some = [h for h in heard if h.condition == condition]
        n = max(len(some), 1)
        over += 10 * max(sum(h.end is End.WRONG for h in some) / n - wrong, 0.0)
        over += max(sum(h.end is End.ASKED for h in some) / n - asked, 0.0)
        worth += sum((h.end is End.RIGHT) + QUESTION * (h.end is End.ASKED and h.strict) for h in some) / n
    return -round(over, 6), worth
