"""Accept, ask or refuse: a table over probabilities and margins, without side effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.tree import Context, ListRef, Settings, Template, Wildcard
from assistant.types import Hypothesis, Outcome, Transcript, Word
from assistant.understand.calibration import Calibration, Logistic, as_accept
from assistant.understand.decide import CONFUSABLE_MARGIN_FACTOR, WIDENING_MARGIN_FACTOR, decide, differing

RULE = Calibration(
    heard=Logistic(-4.0, (8.0, 0.0, 0.0, 0.0, 0.0)),  # 0.5 at half a nat a token
    right=Logistic(0.0, (0.0, 0.0, 0.0, 0.5, 0.0)),
    refuse=0.3,
    doubt=0.6,
    ask_margin=2.0,
)
SURE, DOUBTFUL, FOREIGN = 1.5, 0.5, 0.1
"""Scores per token that RULE takes for certainly, perhaps and hardly said to us."""

CONTEXT = Context("test", "", (), {}, {}, {}, {}, Settings(accept=as_accept(RULE), ask_margin=RULE.ask_margin), "0")
TOKENS = 10
Slots = Mapping[str, Any]


def heard(
    *meanings: tuple[float, str, Slots],
    per_token: float = SURE,
    text: str = "",
    context: Context = CONTEXT,
    **more: Any,
) -> Transcript:
    """A transcript of meanings: (nats below the best, wording, slots); the intent is the wording's first word."""
    hypotheses = tuple(
        Hypothesis(
            intent=wording.split()[0],
            slots=slots,
            text=wording,
            score=per_token * TOKENS,
            rerank=per_token * TOKENS - below,
            tokens=np.arange(TOKENS, dtype=np.int32),
            log_p=np.full(TOKENS, -0.1, np.float32),
            ilm=np.full(TOKENS, -3.0, np.float32),
        )
        for below, wording, slots in meanings
    )
    return Transcript(hypotheses, text or (hypotheses[0].text if hypotheses else ""), "moonshine", "test", **more)


LARGE = (0.0, "order large latte", {"size": "large", "drink": "latte"})
SMALL = (1.5, "order small latte", {"size": "small", "drink": "latte"})


@pytest.mark.parametrize(
    ("transcript", "outcome", "differs"),
    [
        (heard(LARGE), Outcome.ACCEPT, ()),
        (heard(LARGE, (2.5, *SMALL[1:])), Outcome.ACCEPT, ()),
        (heard(LARGE, SMALL), Outcome.ASK, ("size",)),
        (heard(LARGE, (0.0, *SMALL[1:])), Outcome.ASK, ("size",)),
        (heard(LARGE, (1.9, "stop", {})), Outcome.ASK, ("intent",)),
        (heard(LARGE, per_token=DOUBTFUL), Outcome.ASK, ()),
        (heard(LARGE, SMALL, per_token=DOUBTFUL), Outcome.ASK, ("size",)),
        (heard(LARGE, per_token=FOREIGN), Outcome.REFUSE, ()),
        (heard(LARGE, SMALL, per_token=FOREIGN), Outcome.REFUSE, ()),
        (heard(), Outcome.REFUSE, ()),
        (heard(text="the weather"), Outcome.REFUSE, ()),
    ],
)
def test_the_table(transcript: Transcript, outcome: Outcome, differs: tuple[str, ...]) -> None:
    understanding = decide(transcript, CONTEXT)
    assert (understanding.outcome, understanding.differs) == (outcome, differs)
    assert understanding.reason
    assert understanding.accepted == (outcome is Outcome.ACCEPT)


def test_a_transcript_without_meanings_says_what_was_heard_instead() -> None:
    assert "“the weather”" in decide(heard(text="the weather"), CONTEXT).reason
    assert decide(heard(), CONTEXT).text == ""
    assert decide(heard(), CONTEXT).confidence == decide(heard(), CONTEXT).heard == 0.0


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ({"size": "large"}, {"size": "small"}, ("size",)),
        ({"size": "large"}, {}, ("size",)),
        ({}, {"milk": "soy"}, ("milk",)),
        ({"size": "large", "milk": "soy"}, {"size": "small", "sugar": "brown"}, ("size", "milk", "sugar")),
        ({"size": "large"}, {"size": "large"}, ()),
    ],
)
def test_what_differs_is_named(one: Slots, other: Slots, differs: tuple[str, ...]) -> None:
    best, rival = heard((0.0, "order", one), (1.0, "order", other)).hypotheses
    assert differing(best, rival) == differs
    assert differing(best, replace(rival, intent="cancel")) == ("intent",)


def with_confusable(*pairs: tuple[str, str]) -> Context:
    return replace(CONTEXT, settings=replace(CONTEXT.settings, confusable=pairs))


@pytest.mark.parametrize("order", [("fifteen", "fifty"), ("fifty", "fifteen")])
def test_words_that_sound_alike_need_a_larger_margin(order: tuple[str, str]) -> None:
    gap = 2.0 * CONFUSABLE_MARGIN_FACTOR - 0.1
    transcript = heard((0.0, f"dim to {order[0]}", {"level": 1}), (gap, f"dim to {order[1]}", {"level": 2}))
    assert decide(transcript, CONTEXT).outcome is Outcome.ACCEPT
    assert decide(transcript, with_confusable(("fifteen", "fifty"))).outcome is Outcome.ASK
    assert decide(transcript, with_confusable(("teen", "fty"))).outcome is Outcome.ACCEPT  # whole words only
    clear = heard((0.0, "dim to fifteen", {"level": 1}), (gap + 0.2, "dim to fifty", {"level": 2}))
    assert decide(clear, with_confusable(("fifteen", "fifty"))).outcome is Outcome.ACCEPT


def test_a_meaning_that_says_less_than_its_rival_needs_a_larger_margin() -> None:
    gap = 2.0 * WIDENING_MARGIN_FACTOR - 0.1
    wide, narrow = {"area": "bedroom"}, {"area": "bedroom", "device": "fan"}
    assert decide(heard((0.0, "off bedroom", wide), (gap, "off bedroom fan", narrow)), CONTEXT).outcome is Outcome.ASK
    assert decide(heard((0.0, "off bedroom fan", narrow), (gap, "off bedroom", wide)), CONTEXT).accepted


def test_a_rival_further_down_is_asked_about_if_it_is_the_one_that_sounds_alike() -> None:
    transcript = heard(
        (0.0, "dim to fifteen", {"level": 15}), (2.5, "dim to ten", {"level": 10}), (2.8, "dim to fifty", {"level": 50})
    )
    understanding = decide(transcript, with_confusable(("fifteen", "fifty")))
    assert understanding.outcome is Outcome.ASK
    assert "“dim to fifty”" in understanding.reason


def test_another_spelling_of_free_words_is_no_other_meaning() -> None:
    context = replace(
        CONTEXT, templates=(Template("add", ListRef("any", "item"), ""),), lists={"any": Wildcard("any")}, hash="1"
    )
    transcript = heard((0.0, "add oat milk", {"item": "oat milk"}), (0.3, "add oatmilk", {"item": "oatmilk"}))
    assert decide(transcript, context).outcome is Outcome.ACCEPT
    assert decide(transcript, CONTEXT).outcome is Outcome.ASK


def test_alternatives_are_told_with_their_distance() -> None:
    rivals = [(float(n), f"order {n}", {"n": n}) for n in range(3, 10)]
    understanding = decide(heard(LARGE, *rivals), CONTEXT)
    assert [a.text for a in understanding.alternatives] == ["order 3", "order 4", "order 5", "order 6"]
    assert [a.score for a in understanding.alternatives] == pytest.approx([-3.0, -4.0, -5.0, -6.0])


def test_a_decision_cut_short_by_a_deadline_says_so() -> None:
    assert decide(heard(LARGE, truncated=True), CONTEXT).partial
    assert not decide(heard(LARGE), CONTEXT).partial


def test_engines_without_tokens_are_judged_by_their_words_or_by_their_score() -> None:
    none, empty = np.zeros(0, np.float32), np.zeros(0, np.int32)
    bare = Hypothesis("on", {}, "on", 0.0, 0.0, empty, none, none)

    def outcome(hypothesis: Hypothesis) -> Outcome:
        return decide(Transcript((hypothesis,), "on", "vosk", "small"), CONTEXT).outcome

    words = [(Word("turn", 0.0, 0.2, c), Word("on", 0.2, 0.4, c)) for c in (1.0, 0.5, 0.1)]
    assert [outcome(replace(bare, words=said)) for said in words] == [Outcome.ACCEPT, Outcome.ASK, Outcome.REFUSE]
    scored = [replace(bare, score=score, rerank=score) for score in (0.0, -3.0, -9.0)]
    assert [outcome(hypothesis) for hypothesis in scored] == [Outcome.ACCEPT, Outcome.ASK, Outcome.REFUSE]


GAPS = st.lists(st.floats(0, 12), max_size=4).map(sorted)


@given(gaps=GAPS, per_token=st.floats(-1, 3))
def test_the_same_transcript_is_always_decided_alike_and_left_as_it_was(
    gaps: Sequence[float], per_token: float
) -> None:
    transcript = heard(LARGE, *((gap, f"order {n}", {"n": n}) for n, gap in enumerate(gaps)), per_token=per_token)
    before = repr(transcript)
    first, second = decide(transcript, CONTEXT), decide(transcript, CONTEXT)
    assert repr(first) == repr(second)
    assert repr(transcript) == before


@given(gaps=GAPS, per_token=st.floats(-1, 3), more=st.floats(0, 3))
def test_a_better_score_or_a_wider_margin_never_makes_it_less_sure(
    gaps: Sequence[float], per_token: float, more: float
) -> None:
    def sure(per_token: float, shift: float) -> tuple[int, float, float]:
        rivals = ((gap + shift, f"order {n}", {"n": n}) for n, gap in enumerate(gaps))
        found = decide(heard(LARGE, *rivals, per_token=per_token), CONTEXT)
        return [Outcome.REFUSE, Outcome.ASK, Outcome.ACCEPT].index(found.outcome), found.confidence, found.heard

    before = sure(per_token, 0.0)
    assert all(b <= a + 1e-9 for b, a in zip(before, sure(per_token + more, 0.0), strict=True))
    assert all(b <= a + 1e-9 for b, a in zip(before, sure(per_token, more), strict=True))


@given(gaps=GAPS, per_token=st.floats(-1, 3))
def test_confidence_is_a_probability_and_no_more_than_that_it_was_said_to_us(
    gaps: Sequence[float], per_token: float
) -> None:
    transcript = heard(LARGE, *((gap, f"order {n}", {"n": n}) for n, gap in enumerate(gaps)), per_token=per_token)
    understanding = decide(transcript, CONTEXT)
    assert 0.0 <= understanding.confidence <= understanding.heard <= 1.0


@pytest.mark.parametrize(
    ("per_token", "log_p", "outcome"),
    [(1.5, -0.05, Outcome.ACCEPT), (1.0, -0.05, Outcome.ASK), (1.5, -0.4, Outcome.ASK)],
)
def test_free_words_that_were_not_heard_clearly_are_asked_about(
    per_token: float, log_p: float, outcome: Outcome
) -> None:
    transcript = heard((0.0, "add dragon fruit to the list", {"item": "dragon fruit"}), per_token=per_token)
    best = transcript.hypotheses[0]
    assert decide(transcript, CONTEXT).outcome is Outcome.ACCEPT
    spelt = replace(best, spelt=(1, 2), log_p=np.where(np.isin(best.tokens, (1, 2)), log_p, -0.1).astype(np.float32))
    understanding = decide(replace(transcript, hypotheses=(spelt,)), CONTEXT)
    assert understanding.outcome is outcome
    assert understanding.differs == ()


def test_below_the_confidence_that_a_context_wants_it_asks_whether_that_was_said() -> None:
    transcript = heard(LARGE)
    sure = decide(transcript, CONTEXT)
    assert sure.accepted
    for wanted, outcome in ((sure.confidence - 0.01, Outcome.ACCEPT), (sure.confidence + 0.001, Outcome.ASK)):
        context = replace(CONTEXT, settings=replace(CONTEXT.settings, ask_below=wanted))
        understanding = decide(transcript, context)
        assert (understanding.outcome, understanding.differs) == (outcome, ())
    typed = replace(transcript.hypotheses[0], tokens=np.zeros(0, np.int32))
    strict = replace(CONTEXT, settings=replace(CONTEXT.settings, ask_below=1.0))
    assert decide(replace(transcript, hypotheses=(typed,)), strict).accepted


def test_what_is_less_likely_right_than_the_context_wants_is_not_even_asked_about() -> None:
    transcript = heard(LARGE, SMALL)
    asked = decide(transcript, CONTEXT)
    assert asked.outcome is Outcome.ASK
    for wanted, outcome in ((asked.confidence - 0.01, Outcome.ASK), (asked.confidence + 0.001, Outcome.REFUSE)):
        context = replace(CONTEXT, settings=replace(CONTEXT.settings, refuse_below=wanted))
        understanding = decide(transcript, context)
        assert understanding.outcome is outcome
        assert not understanding.accepted
    typed = replace(transcript.hypotheses[0], tokens=np.zeros(0, np.int32))
    strict = replace(CONTEXT, settings=replace(CONTEXT.settings, refuse_below=1.0))
    assert decide(replace(transcript, hypotheses=(typed,)), strict).accepted


def test_what_does_no_harm_is_done_however_unsure_it_is() -> None:
    transcript = heard((0.0, "stop", {}))
    settings = replace(CONTEXT.settings, ask_below=1.0, refuse_below=1.0)
    assert decide(transcript, replace(CONTEXT, settings=settings)).outcome is Outcome.REFUSE
    harmless = replace(CONTEXT, settings=replace(settings, harmless=("stop",)))
    assert decide(transcript, harmless).outcome is Outcome.ACCEPT
    assert decide(heard((0.0, "stop", {}), per_token=FOREIGN), harmless).outcome is Outcome.REFUSE
