"""Fitting a home's bounds: on half A alone, within the limits where that is possible, and reported on half B."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assistant.grammar.load import load_context
from assistant.grammar.test_sentences import Expected
from assistant.grammar.tree import Context, Place
from assistant.types import Hypothesis, Transcript, frozen_array
from benchmarks import home_fit
from benchmarks.home import End

CONDITION = "kitchen 6 dB"
TOKENS = 8


@pytest.fixture(scope="module")
def context() -> Context:
    return load_context("home")


def rows(seed: int, count: int = 120) -> list[home_fit.Row]:
    """Commands heard with a score per token that tells how likely they are right."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        score = float(rng.uniform(0.2, 3.0))
        right = bool(rng.random() < 1 / (1 + np.exp(-3 * (score - 1.0))))
        expected = Expected(f"{seed} {number}", "HassTurnOn", {"name": "desk lamp"}, Place("sentences", 1))
        intent = "HassTurnOn" if right else "HassGetCurrentTime"
        best = Hypothesis(
            intent=intent,
            slots={"name": "desk lamp"} if right else {},
            text=intent,
            score=score * TOKENS,
            rerank=score * TOKENS,
            tokens=frozen_array(np.arange(TOKENS, dtype=np.int32)),
            log_p=frozen_array(np.full(TOKENS, -0.1, np.float32)),
            ilm=frozen_array(np.full(TOKENS, -3.0, np.float32)),
        )
        found.append(("voice", CONDITION, expected, Transcript((best,), intent, "moonshine", "test")))
    return found


def test_the_halves_are_of_sentences_not_of_voices() -> None:
    every = rows(1)
    mine = [row for row in every if home_fit.half_a(row[2])]
    assert 0.35 < len(mine) / len(every) < 0.65
    again = [home_fit.half_a(replace(row[2])) for row in every]
    assert again == [row in mine for row in every]


def test_a_fit_halves_what_is_done_wrong_on_sentences_that_it_has_not_seen(context: Context) -> None:
    heard = rows(2)
    loose = replace(context, settings=replace(context.settings, ask_below=0.0, refuse_below=0.0))
    before = home_fit.judged(heard, loose)[CONDITION]
    fitted = home_fit.fit(heard, context)
    after = home_fit.judged(heard, fitted.context)[CONDITION]
    assert fitted.examples + after["strict"]["n"] == len(heard)
    assert after[End.WRONG.value]["count"] < before[End.WRONG.value]["count"] / 2
    assert after[End.RIGHT.value]["rate"] > 0.3
    assert fitted.file["ask_below"] == fitted.context.settings.ask_below
    assert fitted.file["accept"]["right.per_token"] > 0


def test_half_b_teaches_nothing(context: Context) -> None:
    heard = rows(3)
    only_a = [row for row in heard if home_fit.half_a(row[2])]
    assert home_fit.fit(heard, context).file == home_fit.fit(only_a, context).file
