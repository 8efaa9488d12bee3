"""Predictions: the quantile covers what it promises, sudden load is believed at once, old surprises fade."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.schedule.predict import Belief, learn, predict
from assistant.schedule.profile import Cost

COST = Cost(base_ms=20.0, per_s_ms=30.0, spread=0.2)


def covered(log_times: np.ndarray, slow: float, seed: int) -> float:
    """Share of times that the quantile covered, after some to learn from; utterances of 1 to 4 s every 5 s."""
    rng = np.random.default_rng(seed)
    belief, within, at = Belief(), [], 0.0
    for noise in log_times:
        at += 5.0
        speech_s = rng.uniform(1.0, 4.0)
        predicted = predict(COST, speech_s, 1.0, belief, at)
        measured_ms = COST.time_ms(speech_s) * slow * math.exp(noise)
        within.append(measured_ms <= predicted.late_ms)
        belief = learn(belief, COST, speech_s, 1.0, measured_ms, at, predicted=predicted)
    return float(np.mean(within[30:]))


@pytest.mark.parametrize("slow", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("spread", [0.1, 0.2, 0.4])
def test_the_quantile_covers_95_percent_in_steady_load(slow: float, spread: float) -> None:
    noise = np.random.default_rng(1).normal(0, spread, 3000)
    assert 0.93 <= covered(noise, slow, 2) <= 0.97


def test_it_covers_95_percent_of_times_with_a_heavy_tail() -> None:
    noise = 0.15 * np.random.default_rng(3).standard_t(3, 3000)
    assert 0.93 <= covered(noise, 2.0, 4) <= 0.97


MEASURED_IDLE = {
    "beam-2": Cost(base_ms=16.456, per_s_ms=14.087, spread=0.1563),
    "beam-4": Cost(base_ms=18.449, per_s_ms=16.116, spread=0.1559),
    "beam-8": Cost(base_ms=13.788, per_s_ms=19.49, spread=0.1702),
    "beam-16": Cost(base_ms=22.278, per_s_ms=22.143, spread=0.2108),
}
"""What `assistant calibrate` measured before, on the machine of the recorded times."""


def test_it_covers_95_percent_of_the_times_that_a_busy_machine_really_took(repository: Path) -> None:
    with (repository / "tests/fixtures/schedule/steady.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    belief, within = Belief(), []
    for row in rows:
        at, speech_s, slow, ms = (float(row[name]) for name in ("at_s", "speech_s", "slowdown", "ms"))
        cost = MEASURED_IDLE[row["plan"]]
        predicted = predict(cost, speech_s, slow, belief, at)
        within.append(ms <= predicted.late_ms)
        belief = learn(belief, cost, speech_s, slow, ms, at, predicted=predicted)
    assert len(rows) == 260
    assert 0.93 <= np.mean(within) <= 0.97
    assert within[:20].count(False) <= 4  # nothing was known of the load at first


def test_a_run_of_misses_widens_the_quantile_at_once() -> None:
    belief, z = Belief(), [Belief().z]
    for at in range(6):
        predicted = predict(COST, 2.0, 1.0, belief, 5.0 * at)
        belief = learn(belief, COST, 2.0, 1.0, 1.3 * predicted.late_ms, 5.0 * at, predicted=predicted)
        z.append(belief.z)
    assert z[-1] > z[0] + 1.0
    assert all(b >= a for a, b in itertools.pairwise(z))


@given(st.floats(1.5, 20.0), st.floats(0.5, 5.0))
def test_after_one_utterance_under_sudden_load_the_next_is_foreseen(load: float, speech_s: float) -> None:
    belief = Belief()
    for at in range(10):
        belief = learn(belief, COST, 2.0, 1.0, COST.time_ms(2.0), 5.0 * at)
    belief = learn(belief, COST, speech_s, 1.0, load * COST.time_ms(speech_s), 55.0)
    assert predict(COST, 2.0, 1.0, belief, 60.0).late_ms >= 0.95 * load * COST.time_ms(2.0)


def test_what_signals_explain_is_not_learnt_again() -> None:
    belief = Belief()
    for at in range(20):
        belief = learn(belief, COST, 2.0, 4.0, 4.0 * COST.time_ms(2.0), 5.0 * at)
    assert abs(belief.log) < 0.05


def test_an_old_surprise_fades() -> None:
    belief = Belief()
    for at in range(5):
        belief = learn(belief, COST, 2.0, 1.0, 5.0 * COST.time_ms(2.0), 5.0 * at)
    soon, later = (predict(COST, 2.0, 1.0, belief, at).likely_ms for at in (21.0, 800.0))
    assert soon > 4.4 * COST.time_ms(2.0)
    assert later < 1.2 * COST.time_ms(2.0)


def test_a_time_that_a_deadline_cut_never_makes_it_hopeful() -> None:
    slow = learn(Belief(), COST, 2.0, 1.0, 8.0 * COST.time_ms(2.0), 1.0)
    cut = learn(slow, COST, 2.0, 1.0, 2.0 * COST.time_ms(2.0), 2.0, cut_short=True)
    assert cut.log == pytest.approx(slow.log, rel=0.02)


@given(
    st.lists(
        st.tuples(st.floats(allow_nan=True, allow_infinity=True), st.floats(-1e9, 1e9), st.floats(-5, 60)), max_size=30
    )
)
def test_nonsense_times_and_clocks_leave_a_sane_belief(readings: list[tuple[float, float, float]]) -> None:
    belief = Belief()
    for measured_ms, at, speech_s in readings:
        belief = learn(belief, COST, speech_s, 1.0, measured_ms, at)
        found = predict(COST, 2.0, 1.0, belief, at)
        assert 0 < found.likely_ms <= found.late_ms < math.inf
