"""Looking again at an order: the views move meanings, and what is learnt of a meaning is of that meaning."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.grammar.load import load_context
from assistant.types import Fusion, Hypothesis, Transcript
from benchmarks.clips import Clip
from benchmarks.fused_clips import ORDERS, Case
from benchmarks.fused_views import BUNDLE, FAR, Viewed, decided, values_of

FIRST = Fusion()


def meaning(drink: str, score: float, first_token: int) -> Hypothesis:
    log_p = np.array([-0.1, -0.2], np.float32)
    tokens = np.array([first_token, 9], np.int32)
    return Hypothesis("orderDrink", {"coffeeDrink": drink}, drink, score, score, tokens, log_p, log_p)


def viewed(*change: list[float], count: int = 2) -> Viewed:
    """The best of two meanings is ahead by one nat; `change` is what each view adds to both."""
    hypotheses = (meaning("latte", -1.0, 1), meaning("mocha", -2.0, 2))[:count]
    logits = {name: ([1.0, -1.0][:count], [2.0, 2.0][:count]) for name in (BUNDLE, "generic")}
    case = Case(Clip("a.wav", "test", lambda: np.zeros(0, np.int16)), ORDERS, "clean")
    said = [[(-0.5, 0.0), (-7.0, -6.0)][:count]] * 3
    transcript = Transcript(hypotheses, "latte", "moonshine", "test")
    return Viewed(case, transcript, logits, np.array(change).reshape(len(change), count), said)


def test_views_count_by_their_weight() -> None:
    row = viewed([-3.0, 0.0], [-3.0, 0.0])

    assert decided(row, 0.0, FIRST).text == "latte"
    assert decided(row, 0.1, FIRST).text == "latte"
    assert decided(row, 0.3, FIRST).text == "mocha"


def test_what_is_learnt_is_of_the_meaning_that_is_best() -> None:
    row, barista = viewed([-3.0, 0.0], [1.0, 0.0]), load_context("barista")

    first = values_of(row, decided(row, 0.0, FIRST), barista)
    other = values_of(row, decided(row, 0.0, Fusion(weight=-1.0)), barista)

    assert (first["lead"], first["least_lead"], first["votes"]) == pytest.approx((1 / 3, -2.0, 2.0))
    assert (other["lead"], other["least_lead"], other["votes"]) == pytest.approx((-1 / 3, -2.0, 1.0))
    assert first["drop"] == pytest.approx(-0.5)
    assert (first["right_of_nets"], other["right_of_nets"]) == (1.0, -1.0)
    assert (first["faintest_of_views"], other["faintest_of_views"]) == pytest.approx((0.0, -6.0))


def test_a_meaning_alone_leads_by_as_much_as_counts() -> None:
    row = viewed([0.0], [0.0], count=1)

    assert values_of(row, decided(row, 0.3, FIRST), load_context("barista"))["lead"] == FAR
