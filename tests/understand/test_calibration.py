"""Two logistic probabilities: fitted, kept as flat numbers, and honest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.types import Hypothesis
from assistant.understand.calibration import (
    DEFAULT,
    FEATURES,
    MARGIN_CAP,
    Calibration,
    Logistic,
    as_accept,
    calibration,
    expected_calibration_error,
    features,
    fit_logistic,
)

NUMBERS = st.floats(-50, 50)
LOGISTICS = st.builds(Logistic, NUMBERS, st.tuples(*[NUMBERS] * len(FEATURES)))


@given(rule=st.builds(Calibration, LOGISTICS, LOGISTICS, NUMBERS, NUMBERS, st.floats(0.1, 9)))
def test_a_calibration_survives_the_way_through_its_file(rule: Calibration) -> None:
    assert calibration(as_accept(rule), rule.ask_margin) == rule


def test_what_a_context_does_not_say_is_as_shipped() -> None:
    assert calibration({}) == DEFAULT
    own = calibration({"heard.per_token": 9.0, "refuse": 0.4}, ask_margin=3.0)
    assert own.heard.weights[0] == 9.0
    assert own.heard.weights[1:] == DEFAULT.heard.weights[1:]
    assert (own.refuse, own.doubt, own.ask_margin) == (0.4, DEFAULT.doubt, 3.0)
    assert own.right == DEFAULT.right


def test_the_shipped_calibration_is_sure_of_what_is_said_clearly_and_of_what_is_foreign() -> None:
    assert DEFAULT.heard.probability((1.5, 2.5, -1.0, 8.0, 0.0)) > 0.95
    assert DEFAULT.heard.probability((-1.0, 2.5, -9.0, 0.5, 0.0)) < DEFAULT.refuse / 2
    assert DEFAULT.heard.probability((-0.3, 2.5, -9.0, 0.5, 0.0)) < DEFAULT.refuse
    assert DEFAULT.refuse < DEFAULT.doubt


@given(logistic=LOGISTICS, x=st.tuples(*[st.floats(-1e6, 1e6)] * len(FEATURES)))
def test_no_number_is_too_large_for_a_probability(logistic: Logistic, x: tuple[float, ...]) -> None:
    assert 0.0 <= logistic.probability(x) <= 1.0


def hypothesis_of(score: float, log_p: list[float], rerank: float) -> Hypothesis:
    n = len(log_p)
    return Hypothesis(
        "order",
        {},
        "",
        score,
        rerank,
        np.arange(n, dtype=np.int32),
        np.array(log_p, np.float32),
        np.zeros(n, np.float32),
    )


def test_features_are_what_their_names_say() -> None:
    best = hypothesis_of(6.0, [-0.1, -2.5, -0.2], 7.0)
    assert features(best, [hypothesis_of(1.0, [-1.0], 4.5)]) == pytest.approx((2.0, math.log(3), -2.5, 2.5, 0.0))
    assert features(best, [])[3] == MARGIN_CAP
    assert features(best, [hypothesis_of(1.0, [-1.0], -40.0)])[3] == MARGIN_CAP


def drawn(truth: Logistic, rows: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Random features, what came of them, and its true probability."""
    rng = np.random.default_rng(seed)
    x = rng.normal((1.0, 2.3, -1.5, 5.0, 0.5), (0.6, 0.4, 1.0, 3.0, 0.5), (rows, len(FEATURES)))
    p = np.array([truth.probability(tuple(row)) for row in x])
    return x, rng.random(rows) < p, p


TRUTH = Logistic(-3.0, (4.0, -0.5, 0.3, 0.2, -0.6))


def test_a_known_logistic_is_found_again() -> None:
    x, y, p = drawn(TRUTH, 20_000, seed=1)
    found = fit_logistic(x, y)
    assert found.weights == pytest.approx(TRUTH.weights, abs=0.25)
    again = np.array([found.probability(tuple(row)) for row in x])
    assert np.abs(again - p).mean() < 0.02


def test_features_that_are_not_used_weigh_nothing() -> None:
    x, y, _ = drawn(TRUTH, 2_000, seed=2)
    found = fit_logistic(x, y, used=("per_token", "margin"))
    assert [weight != 0 for weight in found.weights] == [True, False, False, True, False]


def test_what_can_be_told_apart_perfectly_still_gets_finite_weights() -> None:
    x = np.column_stack([np.r_[np.full(50, -1.0), np.full(50, 1.0)], *[np.zeros(100)] * 4])
    found = fit_logistic(x, x[:, 0] > 0)
    assert all(math.isfinite(weight) for weight in (found.bias, *found.weights))
    assert found.probability((1.0, 0.0, 0.0, 0.0, 0.0)) > 0.9
    assert found.probability((-1.0, 0.0, 0.0, 0.0, 0.0)) < 0.1


def test_perfect_calibration_has_hardly_an_error_and_overconfidence_has_its_own_size() -> None:
    _, y, p = drawn(TRUTH, 50_000, seed=3)
    assert expected_calibration_error(p, y) < 0.01
    assert expected_calibration_error(np.full(1000, 0.9), np.arange(1000) < 600) == pytest.approx(0.3)
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_error_is_between_nothing_and_everything(rows: list[tuple[float, bool]]) -> None:
    p, y = (np.array(column) for column in zip(*rows, strict=True))
    assert 0.0 <= expected_calibration_error(p, y) <= 1.0
