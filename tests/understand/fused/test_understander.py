"""The net beside a real recogniser: joined where a bundle fits, gone without a trace where it breaks."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from assistant.act.skills import built_in
from assistant.grammar.tree import Context
from assistant.recognize.moonshine.engine import Moonshine
from assistant.testing import HeldClock
from assistant.trace.explain import explain
from assistant.trace.record import decode, encode
from assistant.trace.replay import replay
from assistant.trace.writing import record_of
from assistant.types import Decision, Fusion, Outcome, Reply
from assistant.understand.fused.bundle import Bundle, open_bundle
from assistant.understand.fused.features import Features
from assistant.understander import Understander
from tests.understand.fused.conftest import LINEAR, Heard
from tests.understand.fused.linear_net import write_bundle

ASKING = Fusion(weight=2.0, whole={"bias": -3.0}, doubt=0.5)
"""By these numbers nothing is ever all that was said."""


@pytest.fixture
def understander(moonshine: Moonshine, barista: Context, bundle: Path, clock: HeldClock) -> Understander:
    """One with LINEAR beside the recogniser."""
    return Understander(
        moonshine, moonshine.prepare(barista), built_in(clock), clock, find_bundle=lambda _: open_bundle(bundle)
    )


def decided(understander: Understander, heard: Heard) -> Decision:
    """What it decides about an utterance that was heard."""
    transcript = understander.compare(*heard, understander.context)
    understanding = understander.understand(transcript, understander.context, 100.0)
    return understander.decision(heard[0], transcript, understander.context, understanding, understanding, Reply(""))


def test_an_order_is_heard_compared_and_accepted(understander: Understander, order: Heard) -> None:
    transcript = understander.recognize(order[0])
    assert transcript.fused == "generic/full"
    understanding = understander.understand(transcript, understander.context, 100.0)
    assert understanding.outcome is Outcome.ACCEPT
    assert understanding.slots == {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}
    assert understanding.timings_ms["understand"] >= transcript.timings_ms["fused"]


def test_a_decision_with_a_net_replays_from_its_record(understander: Understander, order: Heard) -> None:
    decision = decided(understander, order)
    record = decode(encode(record_of(decision, "1")))
    assert record.fused == "generic/full"
    assert record.thresholds.fusion == Fusion(weight=2.0)
    assert replay(record) == ()


def test_a_logit_changed_in_the_record_is_noticed(understander: Understander, order: Heard) -> None:
    record = record_of(decided(understander, order), "1")
    assert replay(record) == ()
    first, *rest = record.hypotheses
    assert first.right is not None
    changed = structs.replace(record, hypotheses=(structs.replace(first, right=first.right - 3), *rest))
    assert [difference.field for difference in replay(changed)] == ["confidence"]


def test_a_question_about_other_voices_is_explained(
    moonshine: Moonshine, barista: Context, tmp_path: Path, clock: HeldClock, order: Heard
) -> None:
    folder = write_bundle(tmp_path / "asking", LINEAR, fusion=ASKING)
    understander = Understander(
        moonshine, moonshine.prepare(barista), built_in(clock), clock, find_bundle=lambda _: open_bundle(folder)
    )
    decision = decided(understander, order)
    assert decision.understanding.outcome is Outcome.ASK
    assert decision.understanding.question.startswith("Did you say: ")
    record = decode(encode(record_of(decision, "1")))
    assert replay(record) == ()
    because = " ".join(next(s for s in explain(record) if s.title == "Because").sentences)
    assert "The chance that this was all that was said is 5%" in because
    assert "asking/full" in because


def test_a_net_that_breaks_while_running_is_given_up_with_one_warning(
    moonshine: Moonshine,
    barista: Context,
    bundle: Path,
    clock: HeldClock,
    order: Heard,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened = open_bundle(bundle)
    # A projection of another width than the net's inputs: the runtime refuses the arrays.
    spec = opened.projection.spec
    wrong = replace(opened, projection=replace(opened.projection, spec=type(spec)(tokens=spec.tokens + 1)))
    understander = Understander(
        moonshine, moonshine.prepare(barista), built_in(clock), clock, find_bundle=lambda _: wrong
    )
    with caplog.at_level(logging.WARNING):
        first, second = (understander.compare(*order, barista) for _ in range(2))
    assert first is order[1]
    assert second is order[1]
    assert len(caplog.records) == 1
    assert "goes on without it" in caplog.text


def test_an_edited_context_is_asked_for_a_bundle_again(
    moonshine: Moonshine, barista: Context, bundle: Path, clock: HeldClock
) -> None:
    asked: list[str] = []

    def find(context: Context) -> Bundle | None:
        asked.append(context.hash)
        return open_bundle(bundle)

    prepared = moonshine.prepare(barista)
    understander = Understander(moonshine, prepared, built_in(clock), clock, find_bundle=find)
    understander.bind("", prepared)
    understander.renew(prepared)
    assert asked == [barista.hash]


def test_silence_is_not_looked_at(understander: Understander, order: Heard) -> None:
    silent = replace(order[1], hypotheses=(), states=None)
    assert understander.compare(order[0], silent, understander.context) is silent


def test_answers_of_a_net_are_the_same_for_one_and_for_many(bundle: Path) -> None:
    net = open_bundle(bundle).net
    rng = np.random.default_rng(5)

    def some(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32)

    spec = open_bundle(bundle).projection.spec
    many = Features(
        some(5, spec.tokens, spec.token_width), some(5, spec.frames, spec.frame_width), some(5, spec.globals)
    )
    together = net.answers(many)
    for i in range(5):
        one = net.answers(Features(many.tokens[i : i + 1], many.frames[i : i + 1], many.globals[i : i + 1]))
        assert one.right[0] == together.right[i]
        assert one.whole[0] == together.whole[i]
