"""From a record alone `decide` comes to the same, always; where a record was changed, the replay says what differs."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context, Settings
from assistant.trace.record import Record, decode, encode
from assistant.trace.replay import replay, same
from assistant.trace.writing import record_of
from assistant.types import Decision, Hypothesis, Outcome, Transcript, Utterance, frozen_array
from tests.trace.decisions import decision_about, decisions, typed

RECORDS = 500


@given(decisions())
def test_any_decision_replays_to_itself(decision: Decision) -> None:
    assert replay(decode(encode(record_of(decision, "1")))) == ()


def test_five_hundred_decisions_about_real_orders_replay_to_themselves(
    heard: list[tuple[Utterance, Transcript]], barista: Context
) -> None:
    rng, outcomes = np.random.default_rng(11), set()
    for number in range(RECORDS):
        utterance, transcript = heard[number % len(heard)]
        context = replace(barista, settings=shaken_settings(barista.settings, rng))
        decision = decision_about(shaken(transcript, rng), context, utterance=utterance)
        outcomes.add(decision.decided.outcome)
        assert replay(decode(encode(record_of(decision, str(number))))) == ()
    assert outcomes == set(Outcome)


def test_a_context_with_free_words_and_sound_alikes_replays(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("context")
    (folder / "sentences").mkdir()
    (folder / "sentences/all.yaml").write_text(
        "language: en\nintents:\n"
        "  Add: {data: [{sentences: ['add {item} to the list', 'add {item} to the [big] last']}]}\n"
        "lists:\n  item: {wildcard: true}\n"
    )
    (folder / "context.yaml").write_text("confusable: [[list, last]]\n")
    context = load_context(folder)
    for line in ("add milk to the list", "add oat milk to the lst", "add milk", "open the door", ""):
        record = record_of(typed(line, context), line)
        assert record.thresholds.free == ("item",)
        assert record.thresholds.confusable == (("list", "last"),)
        assert replay(record) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outcome", "accept"),
        ("confidence", 0.123),
        ("slots", {"size": "small"}),
        ("reason", "because"),
        ("alternatives", ()),
        ("differs", ("size",)),
    ],
)
def test_a_record_that_was_changed_is_found_out_by_field(
    field: str, value: object, heard: list[tuple[Utterance, Transcript]], barista: Context
) -> None:
    record = refused(heard, barista)
    changed = msgspec.structs.replace(record, decided=msgspec.structs.replace(record.decided, **{field: value}))
    assert [(d.field, d.recorded) for d in replay(changed)] == [(field, value)]


def test_scores_that_were_changed_are_found_out(heard: list[tuple[Utterance, Transcript]], barista: Context) -> None:
    record = refused(heard, barista)
    best, *others = record.hypotheses
    better = msgspec.structs.replace(best, score=best.score + 100.0)
    assert {d.field for d in replay(msgspec.structs.replace(record, hypotheses=(better, *others)))} >= {
        "outcome",
        "heard",
    }


def test_numbers_are_the_same_up_to_their_last_digits_only() -> None:
    assert same(0.1 + 0.2, 0.3)
    assert not same(0.3, 0.3000001)
    assert same(float("nan"), float("nan"))
    assert not same(True, 1)
    assert not same("1", 1)
    assert same({"a": [1, {"b": "c"}]}, {"a": (1, {"b": "c"})})
    assert not same({"a": [1]}, {"a": [1, 2]})


def refused(heard: list[tuple[Utterance, Transcript]], context: Context) -> Record:
    """An order with rivals, its scores so low that it was refused."""
    utterance, transcript = next((u, t) for u, t in heard if len(t.hypotheses) > 1)
    low = tuple(replace(h, score=h.score - 100.0) for h in transcript.hypotheses)
    decision = decision_about(replace(transcript, hypotheses=low), context, utterance=utterance)
    assert decision.decided.outcome is Outcome.REFUSE
    return record_of(decision, "1")


def shaken(transcript: Transcript, rng: np.random.Generator) -> Transcript:
    """`transcript` as if it had been heard less well: scores and tokens moved, sometimes two meanings nearly equal."""

    def moved(h: Hypothesis, least: float) -> Hypothesis:
        log_p = (h.log_p - rng.exponential(0.5, len(h.log_p))).astype(np.float32)
        lost = float(rng.exponential(12.0))
        return replace(h, score=h.score - lost, rerank=least - float(rng.exponential(2.0)), log_p=frozen_array(log_p))

    found, top = [], max((h.rerank for h in transcript.hypotheses), default=0.0)
    for hypothesis in transcript.hypotheses:
        found.append(moved(hypothesis, top))
        top = found[-1].rerank
    if found and rng.random() < 0.5:
        twin = replace(found[0], slots={**found[0].slots, "size": "small"}, text=f"{found[0].text} small")
        found.insert(1, replace(twin, rerank=found[0].rerank - float(rng.random() * 3)))
    return replace(transcript, hypotheses=tuple(found), truncated=bool(rng.random() < 0.1))


def shaken_settings(settings: Settings, rng: np.random.Generator) -> Settings:
    """Other thresholds."""
    accept = {**settings.accept, "refuse": float(rng.random() * 0.5), "doubt": float(0.5 + rng.random() * 0.4)}
    return replace(settings, accept=accept, ask_margin=float(rng.random() * 4), confusable=(("large", "small"),))
