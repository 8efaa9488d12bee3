"""Meanings are scored over all their wordings, and ordered by a second look."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.recognize.moonshine.beam import Sentence
from assistant.recognize.moonshine.rerank import RerankOptions, rerank, second_score
from assistant.types import Hypothesis

PARTS = st.lists(st.tuples(st.floats(-5, 0), st.floats(-9, 0)), min_size=1, max_size=6)


def sentence(parts: list[tuple[float, float]], lambda_: float = 0.4, weight: float = 0.0) -> Sentence:
    log_p, ilm = np.array(parts, np.float32).T
    score = float(log_p.sum() - lambda_ * ilm.sum() + weight)
    attention = np.full((len(parts), 3), 1 / 3, np.float32)
    return Sentence(np.arange(len(parts), dtype=np.int32), log_p, ilm, attention, score, weight, terminal=False)


def hypothesis_of(text: str) -> Hypothesis:
    none, empty = np.zeros(0, np.float32), np.zeros(0, np.int32)
    return Hypothesis("Order", {"size": text}, text, 0.0, 0.0, empty, none, none)


@given(meanings=st.lists(st.lists(PARTS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_a_meaning_is_worth_the_sum_of_its_wordings_probabilities(
    meanings: list[list[list[tuple[float, float]]]],
) -> None:
    groups = [(hypothesis_of(str(n)), [sentence(parts) for parts in group]) for n, group in enumerate(meanings)]
    ranked = rerank(groups, RerankOptions(lambda_=0.4))
    assert [h.rerank for h in ranked] == sorted((h.rerank for h in ranked), reverse=True)
    for hypothesis in ranked:
        sentences = groups[int(hypothesis.text)][1]
        assert hypothesis.score == pytest.approx(np.logaddexp.reduce([s.score for s in sentences]), abs=1e-4)
        assert hypothesis.rerank == pytest.approx(hypothesis.score, abs=1e-3)  # the same lambda, no penalty
        assert hypothesis.score >= max(s.score for s in sentences) - 1e-6
        best = max(sentences, key=lambda s: s.score)
        assert hypothesis.log_p.sum() == pytest.approx(best.log_p.sum(), abs=1e-3)
        assert not hypothesis.tokens.flags.writeable


def test_a_price_per_token_takes_an_invented_slot_out_again() -> None:
    short = sentence([(-1.0, -4.0)] * 5)
    invented = sentence([(-1.0, -4.0)] * 5 + [(-1.5, -5.0)] * 4)
    groups = [(hypothesis_of("short"), [short]), (hypothesis_of("invented"), [invented])]
    assert rerank(groups, RerankOptions(0.4, 0.0))[0].text == "invented"
    assert rerank(groups, RerankOptions(0.4, 1.0))[0].text == "short"


def test_the_grammars_weight_counts_in_the_second_look_too() -> None:
    assert second_score(sentence([(-1.0, -4.0)], weight=-2.5), RerankOptions()) == pytest.approx(
        second_score(sentence([(-1.0, -4.0)]), RerankOptions()) - 2.5
    )
