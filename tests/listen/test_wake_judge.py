from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ConfigError
from assistant.listen.wake_judge import Judgement, Score, Thresholds, Verdict, agreed, judge

LIMITS = Thresholds(sure=0.9, maybe=0.4, together=0.5)
STRIDE_S = 0.03


def verdicts(values: list[float], limits: Thresholds = LIMITS, *, agrees: bool = False) -> list[Verdict]:
    judgement, found = Judgement(), list[Verdict]()
    for n, value in enumerate(values):
        judgement, verdict = judge(judgement, Score("word", value, n * STRIDE_S, n * STRIDE_S), limits)
        if verdict is Verdict.DOUBTFUL and agrees:
            judgement = agreed(judgement)
        if verdict is not Verdict.NOTHING:
            found.append(verdict)
    return found


def test_a_sure_score_wakes_once_while_it_lasts() -> None:
    assert verdicts([0.0, 0.5, 0.95, 0.97, 0.99, 0.95, 0.3]) == [Verdict.SAID]


def test_the_word_can_be_said_again_once_the_score_has_fallen() -> None:
    assert verdicts([0.95, 0.5, 0.95]) == [Verdict.SAID]
    assert verdicts([0.95, 0.1, 0.95]) == [Verdict.SAID]
    assert verdicts([0.95, *[0.1] * 20, 0.95]) == [Verdict.SAID, Verdict.SAID]


def test_a_peak_below_sure_is_doubtful_when_it_has_passed() -> None:
    assert verdicts([0.5, 0.6, 0.5, 0.5, 0.5]) == []
    assert verdicts([0.5, 0.6, 0.5, 0.5, 0.5, 0.5]) == [Verdict.DOUBTFUL]


def test_a_score_that_rises_for_long_is_decided_all_the_same() -> None:
    assert verdicts([0.4 + 0.01 * n for n in range(15)]) == [Verdict.DOUBTFUL]


def test_a_refused_word_that_gets_sure_wakes_and_an_agreed_one_does_not_twice() -> None:
    rising = [0.5, 0.45, 0.45, 0.45, 0.45, 0.95]
    assert verdicts(rising) == [Verdict.DOUBTFUL, Verdict.SAID]
    assert verdicts(rising, agrees=True) == [Verdict.DOUBTFUL]


def test_nothing_happens_below_maybe() -> None:
    assert verdicts([0.39] * 50) == []


@given(st.lists(st.floats(0, 1), max_size=60))
def test_without_room_for_doubt_there_is_none(values: list[float]) -> None:
    assert Verdict.DOUBTFUL not in verdicts(values, Thresholds(0.8, 0.8, 0.0))
    assert (Verdict.SAID in verdicts(values, Thresholds(0.8, 0.8, 0.0))) == any(value >= 0.8 for value in values)


@pytest.mark.parametrize("limits", [(0.5, 0.6, 0.2), (1.2, 0.4, 0.2), (0.5, 0.0, 0.2), (0.9, 0.4, 2.0)])
def test_thresholds_out_of_order_are_refused(limits: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        Thresholds(*limits)


def test_a_refused_word_that_rises_further_is_judged_again() -> None:
    refused = [0.5, *[0.45] * 5]
    assert verdicts([*refused, 0.45, 0.45, 0.45]) == [Verdict.DOUBTFUL]
    assert verdicts([*refused, 0.7, *[0.6] * 5]) == [Verdict.DOUBTFUL, Verdict.DOUBTFUL]
    assert verdicts([*refused, 0.1, *refused]) == [Verdict.DOUBTFUL, Verdict.DOUBTFUL]
