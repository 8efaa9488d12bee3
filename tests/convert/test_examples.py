"""Whom a net is judged by: nobody who trained it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.types import Fusion, Hypothesis, Transcript
from assistant.understand.fused.features import extract
from assistant.understand.fused.projection import FeatureSpec, Projection, shapes
from assistant.understand.fused.source import Sound
from benchmarks.clips import Clip
from benchmarks.fused_clips import FOREIGN, HALVES, ORDERS, TAILS, Case
from benchmarks.recordings import BABBLE_SET, recordings_of
from convert import calibrate, evaluate
from convert.examples import Example, Seen, see, stranger_of
from convert.sources import CROWD_SETS, readings, split_of


def test_who_talks_into_judging_sentences_did_not_talk_in_training(data: Path) -> None:
    others = recordings_of(BABBLE_SET)
    trained = {r.path.name for r in readings(data, CROWD_SETS[:1]) if r.split != "test"}
    assert trained
    clip = Clip(min(trained), "", lambda: np.zeros(1, np.int16))
    assert stranger_of(Case(clip, FOREIGN, BABBLE_SET), others) in ("train", "valid")
    assert stranger_of(Case(clip, ORDERS, "clean"), others) == ""
    drawn = {stranger_of(Case(clip, TAILS, f"kitchen 6 dB, voices {n}"), others) for n in range(1, 9)}
    assert drawn <= {"train", "valid", "test"}
    assert len(drawn) > 1


def test_half_of_the_fluent_readers_only_judge() -> None:
    splits = [split_of(BABBLE_SET, str(speaker)) for speaker in range(1000)]
    assert splits.count("test") == pytest.approx(500, abs=60)


def hypothesis(drink: str, score: float) -> Hypothesis:
    n = 3
    ones = np.ones(n, np.float32)
    tokens = np.arange(n, dtype=np.int32) + len(drink)
    attention, vectors = np.full((n, 6), 1 / 6, np.float32), np.ones((n, 288), np.float32)
    return Hypothesis("order", {"drink": drink}, drink, score, score, tokens, -ones, -2 * ones, 0.0, attention, vectors)


def example(kind: str, group: str, number: int, *, first: bool) -> tuple[Example, Sound]:
    hypotheses = (hypothesis("latte", 3.0), hypothesis("mocha", 2.5))
    strict = (first, not first) if kind == ORDERS else (False, False)
    sound = Sound(np.ones((6, 288), np.float32), 0.0, np.ones(8, np.float32), np.full(8, -20, np.float32))
    transcript = Transcript(hypotheses, "latte", "moonshine", "")
    return Example(transcript, kind, group, number % 2 == 0, strict, strict, strict), sound


@pytest.fixture(scope="module")
def seen() -> Seen:
    spec = FeatureSpec()
    projection = Projection(spec, **{n: np.ones(s, np.float32) for n, s in shapes(spec).items()})
    kinds = [(ORDERS, "clean", True)] * 20 + [(ORDERS, "kitchen 6 dB", i % 4 > 0) for i in range(20)]
    kinds += [(HALVES, "kitchen 6 dB", False)] * 8 + [(TAILS, "kitchen 6 dB, voices 1", False)] * 8
    kinds += [(FOREIGN, BABBLE_SET, False)] * 8
    made = [example(kind, group, i, first=first) for i, (kind, group, first) in enumerate(kinds)]
    found = see(made, projection)
    assert len(found.inputs) == 2 * len(kinds)
    shown = extract(made[0][1], made[0][0].transcript.hypotheses, projection)
    assert np.allclose(found.inputs.tokens[:2], shown.tokens, atol=1e-2)
    return found


def oracle(seen: Seen) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A net that knows everything."""
    right = np.array([4.0 if s else -4.0 for e in seen.examples for s in e.strict], np.float32)
    return right, right


def test_a_net_that_knows_is_given_the_weight_that_repairs(seen: Seen) -> None:
    right, whole = oracle(seen)
    fusion = calibrate.fit(seen, right, whole)
    found = evaluate.figures(seen, right, whole, fusion)
    assert 0 < fusion.weight <= 0.5
    noisy = found["orders, both halves"]["kitchen 6 dB"]
    assert (noisy["decoder_strict"], noisy["strict"], noisy["in_n_best"]) == (15, 20, 20)
    assert (noisy["gained"], noisy["lost"]) == (5, 0)
    for part in (found["halves"]["invented"], found["tails"], found["foreign"]):
        assert part["count"] == 0
    assert found["orders"]["clean"]["true_kept"]["rate"] == 1.0


def test_a_net_that_knows_nothing_is_given_no_weight(seen: Seen) -> None:
    nothing = np.zeros(len(seen.inputs), np.float32)
    assert calibrate.best_weight(seen, nothing) == 0.0


def test_a_net_that_is_wrong_where_it_is_quiet_is_not_followed(seen: Seen) -> None:
    right, _ = oracle(seen)
    assert calibrate.best_weight(seen, -right) == 0.0


def test_figures_are_of_the_half_that_was_not_calibrated_on(seen: Seen) -> None:
    found = evaluate.figures(seen, *oracle(seen), Fusion(weight=1.0))
    assert sum(row["n"] for row in found["orders"].values()) == 20
    assert sum(row["n"] for row in found["orders, both halves"].values()) == 40
