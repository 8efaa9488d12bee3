"""Thresholds are fitted on one half and reported on the other; cut orders count by what was said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.grammar.load import load_context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.types import SAMPLE_RATE_HZ, Hypothesis, Transcript
from benchmarks.clips import Clip, halved, recorded, talked_into
from benchmarks.conditions import CLEAN, Room
from benchmarks.fitting import fit, paste
from benchmarks.recordings import Order, Recording, barista_orders, in_half_a, recordings_of
from benchmarks.refuse import Case, Cases, measure, with_calibration

CONTEXT = load_context("barista")
LABEL = {"coffeeDrink": "latte", "size": "small"}


def silence() -> NDArray[np.int16]:
    return np.zeros(0, np.int16)


def case(
    name: str, score_per_token: float, *, meant: bool, group: str = "clean", slots: dict[str, str] | None = None
) -> Case:
    tokens = np.zeros(10, np.int32)
    log_p = np.full(10, -0.1, np.float32)
    score = 10 * score_per_token
    best = Hypothesis("orderDrink", slots or LABEL, "a small latte", score, score, tokens, log_p, log_p)
    transcript = Transcript((best,), best.text, "moonshine", "test")
    order = Order(Recording(Path(name), "barista"), "orderDrink", LABEL) if meant or group == "half" else None
    return Case(Clip(name, group, silence), "barista", group, transcript, meant, order)


def parted() -> Cases:
    """Meant speech from 1.2 to 2 nats a token, foreign from -2 to -0.4."""
    names = [f"{i}.flac" for i in range(400)]
    rng = np.random.default_rng(1)
    orders = [case(n, rng.uniform(1.2, 2), meant=True, group=g) for n in names for g in ("clean", "kitchen 6 dB")]
    foreign = [case(f"x{n}", rng.uniform(-2, -0.4), meant=False, group="so762") for n in names]
    return Cases(orders, [], foreign, [], [])


def test_the_thresholds_lie_where_foreign_speech_ends() -> None:
    cases = parted()
    fitted = fit(cases, {"barista": CONTEXT})
    edges = fitted.edges["barista"]
    at_edge = fitted.calibration.heard.probability((edges.accepted, 0.0, 0.0, 0.0, 0.0))
    assert fitted.calibration.doubt == pytest.approx(at_edge)
    assert fitted.calibration.refuse <= fitted.calibration.doubt
    assert -0.5 < edges.asked <= edges.accepted <= -0.4
    assert 1.1 < edges.meant < 1.4
    assert f"doubt={fitted.calibration.doubt:.3f}" in paste(fitted)
    assert "contexts/barista/calibration.json" in paste(fitted)


def test_where_both_overlap_the_orders_are_kept() -> None:
    names = [f"{i}.flac" for i in range(400)]
    orders = [case(n, 1 + i / 400, meant=True, group=g) for i, n in enumerate(names) for g in ("clean", "kitchen 6 dB")]
    foreign = [case(f"x{n}", 2 * i / 400, meant=False, group="so762") for i, n in enumerate(names)]
    fitted = fit(Cases(orders, [], foreign, [], []), {"barista": CONTEXT})
    assert fitted.edges["barista"].meant < fitted.edges["barista"].asked
    assert fitted.calibration.doubt == fitted.calibration.refuse
    assert 1.0 <= fitted.edges["barista"].meant < 1.1


def test_figures_are_of_the_half_that_was_not_fitted() -> None:
    cases = parted()
    fitted = fit(cases, {"barista": CONTEXT})
    results = measure(cases, {"barista": with_calibration(CONTEXT, fitted.calibration)})
    expected = sum(not in_half_a(f"{i}.flac") for i in range(400))
    assert results["orders"]["clean"]["accepted"]["n"] == expected
    assert results["orders"]["clean"]["accepted"]["rate"] == 1.0
    assert results["foreign"]["barista"]["all"]["accepted"]["rate"] < 0.02
    assert results["auc"]["barista, clean"] == 1.0
    assert results["reliability"]["with foreign speech"]["ece"] < 0.1


def test_a_cut_order_is_completed_by_invention_or_true_so_far() -> None:
    names = [n for n in (f"{i}.flac" for i in range(40)) if not in_half_a(n)]
    true, invented = {"coffeeDrink": "latte"}, {"coffeeDrink": "latte", "milkAmount": "milk"}
    halves = [
        case(name, 9.0, meant=False, group="half", slots=true if i % 2 else invented) for i, name in enumerate(names)
    ]
    found = measure(Cases([], [], [], halves, []), {"barista": CONTEXT})["halves"]["half"]
    assert found["true_prefix"]["n"] == len(names) // 2
    assert found["invented"]["n"] == len(names) - len(names) // 2


def test_half_an_order_ends_in_the_middle_of_its_speech(recordings: Callable[[str], Path]) -> None:
    recordings("barista")
    vad, room, order = open_vad(), Room(), barista_orders(1)[0].recording
    whole = cut_clip(recorded(order, CLEAN, room).load(), vad)
    half = halved(order, CLEAN, room, vad).load()
    assert len(half) / SAMPLE_RATE_HZ == pytest.approx((whole.speech_start_s + whole.speech_end_s) / 2, abs=0.01)


def test_somebody_talks_on_right_after_the_order_and_as_loud(recordings: Callable[[str], Path]) -> None:
    recordings("librispeech_notext")
    vad, room, order = open_vad(), Room(), barista_orders(1)[0].recording
    whole = cut_clip(recorded(order, CLEAN, room).load(), vad)
    sound = talked_into(order, CLEAN, room, vad, recordings_of("librispeech_notext")).load().astype(float)
    end = int((whole.speech_end_s + 0.1) * SAMPLE_RATE_HZ)
    assert len(sound) == end + int(1.5 * SAMPLE_RATE_HZ)
    spoken = sound[int(whole.speech_start_s * SAMPLE_RATE_HZ) : end]
    assert np.sqrt(np.mean(sound[end:] ** 2)) == pytest.approx(np.sqrt(np.mean(spoken**2)), rel=0.05)
