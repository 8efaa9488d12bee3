from __future__ import annotations

import numpy as np
import pytest

from assistant.listen.wake_judge import Score, Thresholds
from benchmarks.wake import Heard, Hearings, alarms, figures, halves, poisson_interval, single_threshold
from benchmarks.wake_sounds import holds_the_word_only, loud_part

SILENCE = np.zeros(0, np.int16)


def heard(name: str, *values: float, group: str = "g") -> Heard:
    scores = tuple(Score("alexa", value, 0.03 * n, 0.03 * n) for n, value in enumerate(values))
    return Heard(name, group, 1800.0, scores, SILENCE)


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)])
def test_the_poisson_interval_is_the_published_one(events: int, low: float, high: float) -> None:
    found_low, found_high = poisson_interval(events)
    assert found_low == pytest.approx(low, abs=1e-3)
    assert found_high == pytest.approx(high, abs=1e-3)


def test_misses_and_false_alarms_are_counted_by_threshold() -> None:
    hearings = Hearings({"clean": [heard("a", 0.9), heard("b", 0.6)]}, [heard("c", 0.7), heard("d", 0.2)], [])
    found = figures(hearings, single_threshold(0.8), None)
    assert (found["missed"]["clean"]["count"], found["speech"]["count"]) == (1, 0)
    found = figures(hearings, single_threshold(0.65), None)
    assert (found["missed"]["clean"]["count"], found["speech"]["count"]) == (1, 1)
    assert alarms(hearings.speech, single_threshold(0.65), None)["per_hour"] == pytest.approx(1.0)


def test_doubt_without_a_second_opinion_wakes_nobody() -> None:
    assert heard("a", 0.5, *[0.4] * 9).times(Thresholds(0.9, 0.3, 0.2), None) == 0


def test_the_halves_are_apart_and_whole() -> None:
    words = {"clean": [heard(f"{n}.flac", 0.9) for n in range(40)]}
    a, b = halves(Hearings(words, [], []))
    names = [{one.name for one in half.words["clean"]} for half in (a, b)]
    assert not names[0] & names[1]
    assert len(names[0]) + len(names[1]) == 40
    assert all(names)


def test_the_loud_part_is_the_word_without_its_silence() -> None:
    tone = 0.3 * np.sin(np.arange(9600) / 10)
    loud = loud_part(np.concatenate([np.zeros(8000), tone, np.zeros(4000)]))
    assert len(loud) / 16_000 == pytest.approx(0.6, abs=0.03)
    assert holds_the_word_only(loud)
    assert not holds_the_word_only(np.tile(loud, 2))
