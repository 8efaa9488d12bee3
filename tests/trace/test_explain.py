"""An explanation says what competed, by how much, what the limit was and where the time went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from assistant.grammar.tree import Context
from assistant.recognize.moonshine.tokenizer import Tokenizer
from assistant.trace.explain import calibration_of, explain, headline, words_of
from assistant.trace.record import Record
from assistant.trace.replay import context_of
from assistant.trace.writing import record_of, transcript_of
from assistant.types import Decision, EndReason, Outcome, Transcript, Utterance, frozen_array
from assistant.understand.calibration import FEATURES, features
from assistant.understand.decide import rivals
from tests.trace.decisions import EMPTY_CONTEXT, decision_about, decisions, typed

Heard = list[tuple[Utterance, Transcript]]


def sections(record: Record) -> dict[str, str]:
    return {section.title: " ".join(section.sentences) for section in explain(record)}


def best_with_rivals(heard: Heard) -> tuple[Utterance, Transcript]:
    return next((u, t) for u, t in heard if len(t.hypotheses) > 1)


def with_gap(transcript: Transcript, gap: float) -> Transcript:
    """`transcript` with its first two meanings `gap` nats apart."""
    best, second, *_ = transcript.hypotheses
    return replace(transcript, hypotheses=(best, replace(second, rerank=best.rerank - gap)))


@given(decisions())
def test_any_decision_can_be_explained(decision: Decision) -> None:
    record = record_of(decision, "1")
    found = sections(record)
    assert {"Heard", "Outcome", "Because", "Time"} <= set(found)
    assert all(found.values())
    assert headline(record).startswith(record.final.outcome)


def test_two_meanings_nearly_equal_are_named_with_their_distance_and_what_differs(
    heard: Heard, barista: Context
) -> None:
    utterance, transcript = best_with_rivals(heard)
    close = with_gap(transcript, 1.3)
    decision = decision_about(close, barista, utterance=utterance)
    assert decision.decided.outcome is Outcome.ASK
    because = sections(record_of(decision, "1"))["Because"]
    best, second = close.hypotheses
    assert f"preferred “{best.text}”, but “{second.text}” was only 1.3 nats behind (3.7 to 1)" in because
    assert f"differ in {' and '.join(decision.decided.differs)}" in because.replace(", ", " and ")
    assert "less than 2.0 nats apart are asked about" in because


def test_a_pair_that_sounds_alike_is_said_to_need_more(heard: Heard, barista: Context) -> None:
    utterance, transcript = best_with_rivals(heard)
    best, second = with_gap(transcript, 2.5).hypotheses
    pair = (replace(best, text="turn on the lamp"), replace(second, text="turn out the lamp"))
    context = replace(barista, settings=replace(barista.settings, confusable=(("turn on", "turn out"),)))
    decision = decision_about(replace(transcript, hypotheses=pair), context, utterance=utterance)
    assert decision.decided.outcome is Outcome.ASK
    assert "sound alike" in sections(record_of(decision, "1"))["Because"]


def test_a_refusal_names_the_score_that_would_have_been_enough_and_it_is(heard: Heard, barista: Context) -> None:
    utterance, transcript = heard[0]
    low = replace(transcript, hypotheses=tuple(replace(h, score=h.score - 200) for h in transcript.hypotheses))
    decision = decision_about(low, barista, utterance=utterance)
    assert decision.decided.outcome is Outcome.REFUSE
    record = record_of(decision, "1")
    because = sections(record)["Because"]
    needed = float(because.split("nats a token; ")[1].split(" would")[0])
    again = transcript_of(record)
    values = dict(
        zip(FEATURES, features(again.hypotheses[0], rivals(again, context_of(record.thresholds))), strict=True)
    )
    rule = calibration_of(record)
    at_limit = rule.heard.probability(list((values | {"per_token": needed}).values()))
    assert at_limit == pytest.approx(rule.refuse, abs=0.02)


def test_an_acceptance_names_the_nearest_rival(heard: Heard, barista: Context) -> None:
    utterance, transcript = best_with_rivals(heard)
    decision = decision_about(with_gap(transcript, 7.5), barista, utterance=utterance)
    assert decision.decided.outcome is Outcome.ACCEPT
    found = sections(record_of(decision, "1"))
    assert f"“{transcript.hypotheses[1].text}”, was 7.5 nats behind" in found["Because"]
    assert "2. -7.5 nats" in found["Competed"]
    assert "Accepted" in found["Outcome"]
    assert "Coming up." in found["Outcome"]


def test_faint_words_are_named(heard: Heard, barista: Context, tokenizer: Tokenizer) -> None:
    utterance, transcript = heard[0]
    best = transcript.hypotheses[0]
    log_p = np.full(len(best.tokens), -0.01, np.float32)
    place = next(i for i, token in enumerate(best.tokens.tolist()) if tokenizer.decode([token]).isalpha())
    log_p[place] = -6.5
    faint = replace(transcript, hypotheses=(replace(best, log_p=frozen_array(log_p)),))
    record = record_of(decision_about(faint, barista, utterance=utterance), "1")

    def pieces(tokens: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(
            "" if t <= 2 else (" " if tokenizer.begins_word(t) else "") + tokenizer.decode([t]) for t in tokens
        )

    assert " ".join(word for word, _ in words_of(record.hypotheses[0], pieces)) == best.text.strip(".?!,").replace(
        ",", ""
    )
    (because,) = [section for section in explain(record, pieces) if section.title == "Because"]
    assert "(-6.5 nats)" in because.sentences[-1]


def test_time_is_split_into_computing_and_waiting(heard: Heard, barista: Context) -> None:
    utterance, transcript = heard[0]
    decision = decision_about(
        replace(transcript, timings_ms={"encode": 40.0, "search": 50.0}), barista, utterance=utterance
    )
    understanding = replace(decision.understanding, timings_ms={"recognize": 90.0, "total": 91.0})
    timed = replace(decision, understanding=understanding, felt_ms=412.0)
    time = sections(record_of(timed, "1"))["Time"]
    assert (
        "412 ms after the last sound of speech: 91 ms of computing (encode 40, search 50), and 321 ms of wait" in time
    )
    faster_than_real_time = sections(record_of(replace(timed, felt_ms=-3000.0), "1"))["Time"]
    assert faster_than_real_time == "91 ms of computing (encode 40, search 50)."


def test_typed_text_is_not_said_to_be_heard(barista: Context) -> None:
    assert "Typed, not spoken" in sections(record_of(typed("a large latte", barista), "1"))["Heard"]


def test_sound_without_a_voice_says_so() -> None:
    silent = Utterance(
        frozen_array(np.zeros(16_000, np.int16)), 0.0, 0.0, 0.0, frozen_array(np.zeros(50, np.float32)), EndReason.CAP
    )
    record = record_of(decision_about(Transcript((), "", "moonshine", "tiny"), EMPTY_CONTEXT, utterance=silent), "1")
    found = sections(record)
    assert found["Heard"] == "1.0 s of sound in which no voice was found."
    assert found["Outcome"].startswith("Refused.")


def test_an_answer_is_explained_by_the_question_that_was_open(barista: Context) -> None:
    decision = typed("a large latte", barista)
    confirmed = replace(decision.understanding, outcome=Outcome.ACCEPT, reason="“yes” confirmed “a large latte”")
    outcome = sections(record_of(replace(decision, understanding=confirmed), "1"))["Outcome"]
    assert "The question that was open decided it: “yes” confirmed “a large latte”." in outcome
    assert f"By itself it was: {decision.decided.outcome.value} orderDrink" in outcome
