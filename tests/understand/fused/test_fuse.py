"""Joining the net's answers: a pure rule that re-ranks, asks and says why, and that a record repeats."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.tree import Context, Settings
from assistant.types import Fusion, Hypothesis, Outcome, Transcript
from assistant.understand.calibration import Calibration, Logistic, as_accept
from assistant.understand.decide import decide
from assistant.understand.fused.fuse import VALUES, agrees, apart, confidence, fuse, preferred, rank_again, values

RULE = Calibration(Logistic(4.0, (0.0,) * 5), Logistic(2.0, (0.0,) * 5), refuse=0.3, doubt=0.6, ask_margin=2.0)
CONTEXT = Context("test", "", (), {}, {}, {}, {}, Settings(accept=as_accept(RULE), ask_margin=RULE.ask_margin), "0")
TWELVE, TWENTY = "a twelve ounce latte", "a twenty ounce latte"
NAME = "generic/full"


def heard(*meanings: tuple[str, str, float]) -> Transcript:
    """A transcript of orders: wording, size, and nats below the best."""
    tokens = 8
    hypotheses = tuple(
        Hypothesis(
            intent="order",
            slots={"size": size} if size else {},
            text=text,
            score=12.0 - below,
            rerank=12.0 - below,
            tokens=np.arange(tokens, dtype=np.int32),
            log_p=np.full(tokens, -0.2, np.float32),
            ilm=np.full(tokens, -3.0, np.float32),
        )
        for text, size, below in meanings
    )
    return Transcript(hypotheses, hypotheses[0].text, "moonshine", "test")


BOTH = heard((TWELVE, "twelve", 0.0), (TWENTY, "twenty", 1.0))
SURE = Fusion(weight=2.0)


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=4),
    st.floats(0, 5),
    st.floats(0, 9),
)
def test_ranking_again_changes_nothing(logits: list[tuple[float, float]], weight: float, cap: float) -> None:
    transcript = heard(*((f"a latte {i}", str(i), 0.7 * i) for i in range(5)))
    rights, wholes = zip(*logits, strict=True)
    fused = fuse(transcript, rights, wholes, Fusion(weight=weight, right_cap=cap), NAME)
    assert [h.rerank for h in rank_again(fused).hypotheses] == [h.rerank for h in fused.hypotheses]
    assert sorted(h.rerank for h in fused.hypotheses)[::-1] == [h.rerank for h in fused.hypotheses]
    assert fused.text == fused.hypotheses[0].text


def test_without_a_weight_the_order_stays() -> None:
    fused = fuse(BOTH, [-3.0, 3.0], [0.0, 0.0], Fusion(), NAME)
    assert [h.text for h in fused.hypotheses] == [TWELVE, TWENTY]
    assert [h.rerank for h in fused.hypotheses] == [12.0, 11.0]


def test_the_sound_outvotes_the_recogniser_and_the_reason_says_so() -> None:
    fused = fuse(BOTH, [math.log(0.34 / 0.66), math.log(0.81 / 0.19)], [3.0, 3.0], SURE, NAME)
    assert fused.text == TWENTY
    assert preferred(fused) is fused.hypotheses[1]
    understanding = decide(fused, CONTEXT)
    assert understanding.slots == {"size": "twenty"}
    assert "the recogniser preferred twelve, the sound agreed with twenty: 0.81 against 0.34" in understanding.reason


def test_a_slot_that_only_one_meaning_has_is_named_as_such() -> None:
    fused = fuse(heard(("a latte", "", 0.0), (TWENTY, "twenty", 1.0)), [-2.0, 2.0], [3.0, 3.0], SURE, NAME)
    assert "preferred no size, the sound agreed with twenty" in decide(fused, CONTEXT).reason


def test_one_logit_beyond_the_cap_is_worth_no_more() -> None:
    fused = fuse(BOTH, [0.0, 900.0], [0.0, 0.0], Fusion(weight=0.1, right_cap=4.0), NAME)
    assert fused.text == TWELVE


def test_what_the_net_did_not_look_at_counts_as_the_least_that_it_did() -> None:
    three = heard((TWELVE, "twelve", 0.0), (TWENTY, "twenty", 1.0), ("a latte", "", 1.5))
    fused = fuse(three, [2.0, -1.0], [2.0, -3.0], SURE, NAME)
    last = next(h for h in fused.hypotheses if h.text == "a latte")
    assert last.agreement is not None
    assert (last.agreement.right, last.agreement.whole) == (-1.0, -3.0)
    assert last.rerank == pytest.approx(12.0 - 1.5 - 2.0)


def test_an_order_with_other_voices_is_offered_and_never_refused() -> None:
    fused = fuse(heard((TWELVE, "twelve", 0.0)), [3.0], [-8.0], Fusion(weight=2.0, doubt=0.5), NAME)
    understanding = decide(fused, CONTEXT)
    assert understanding.outcome is Outcome.ASK
    assert understanding.differs == ()
    assert understanding.taken
    assert not understanding.accepted
    assert "more or less than that was heard (0.00 that it is all)" in understanding.reason


def test_what_was_hardly_said_is_asked_about_but_not_taken_as_heard() -> None:
    fused = fuse(heard((TWELVE, "twelve", 0.0)), [-3.0], [-8.0], Fusion(weight=2.0, doubt=0.5), NAME)
    understanding = decide(fused, CONTEXT)
    assert understanding.outcome is Outcome.ASK
    assert not understanding.taken


def test_a_refusal_stays_a_refusal_unless_the_bundle_says_otherwise() -> None:
    context = replace(CONTEXT, settings=Settings(accept=as_accept(replace(RULE, heard=Logistic(-4.0, (0.0,) * 5)))))
    fused = fuse(heard((TWELVE, "twelve", 0.0)), [8.0], [8.0], Fusion(weight=2.0, doubt=0.5), NAME)
    assert decide(fused, context).outcome is Outcome.REFUSE


@pytest.mark.parametrize(("logit", "outcome"), [(2.5, Outcome.ASK), (1.5, Outcome.REFUSE)])
def test_a_bundle_may_offer_what_scores_low_where_the_sound_agrees(logit: float, outcome: Outcome) -> None:
    context = replace(CONTEXT, settings=Settings(accept=as_accept(replace(RULE, heard=Logistic(-4.0, (0.0,) * 5)))))
    fused = fuse(heard((TWELVE, "twelve", 0.0)), [logit], [3.0], Fusion(offer=0.9), NAME)
    understanding = decide(fused, context)
    assert understanding.outcome is outcome
    assert ("the sound agrees" in understanding.reason) == (outcome is Outcome.ASK)


def test_a_bundle_sets_the_margin_and_the_confidence() -> None:
    near = fuse(BOTH, [0.0, 0.0], [3.0, 3.0], Fusion(ask_margin=0.5, confidence={"bias": 1.0, "right": 2.0}), NAME)
    understanding = decide(near, CONTEXT)
    assert understanding.outcome is Outcome.ACCEPT
    assert understanding.confidence == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert decide(fuse(BOTH, [0.0, 0.0], [3.0, 3.0], Fusion(), NAME), CONTEXT).outcome is Outcome.ASK


def test_without_weights_of_its_own_the_confidence_is_the_nets_own_answer() -> None:
    fused = fuse(BOTH, [1.5, 0.0], [3.0, 3.0], SURE, NAME)
    of = values(fused.hypotheses[0], fused.hypotheses[1:])
    assert confidence(of, Fusion()) == pytest.approx(agrees(fused.hypotheses[0]))
    assert of["right_lead"] == pytest.approx(1.5)


def test_without_a_net_nothing_is_different() -> None:
    assert rank_again(BOTH) is BOTH
    assert decide(BOTH, CONTEXT).reason == decide(rank_again(BOTH), CONTEXT).reason
    assert "recogniser" not in decide(BOTH, CONTEXT).reason


def test_the_words_that_decide_are_those_a_rival_lacks() -> None:
    tokens = {"best": ([5, 6, 7, 2], [-0.1, -3.0, -0.2, -0.1]), "rival": ([5, 9, 7, 2], [0.0] * 4)}
    best, rival = (
        Hypothesis(
            name, {}, "", 0.0, 0.0, np.array(ids, np.int32), np.array(log_p, np.float32), np.zeros(4, np.float32)
        )
        for name, (ids, log_p) in tokens.items()
    )
    assert apart(best, [rival]) == pytest.approx(-3.0)
    assert apart(best, []) == 0.0
    assert apart(best, [best]) == 0.0


def test_every_value_has_its_name() -> None:
    fused = fuse(heard(("a", "one", 2.0), ("b", "two", 1.0)), [1.0, -1.0], [2.0, 0.0], Fusion(), "net")
    assert set(VALUES) <= set(values(fused.hypotheses[0], fused.hypotheses[1:]))
