"""A picture is well-formed, shows what was heard and decided, and keeps its tokens apart and in order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.tree import Context
from assistant.trace.picture import draw
from assistant.trace.svg import shortened, side_by_side, text_width
from assistant.trace.writing import record_of
from assistant.types import Decision, Transcript, Utterance
from tests.trace.decisions import decision_about, decisions

SVG = "{http://www.w3.org/2000/svg}"


def texts_of(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314  our own text


@given(decisions())
def test_any_decision_can_be_drawn(decision: Decision) -> None:
    root = ET.fromstring(draw(record_of(decision, "1")))  # noqa: S314
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for box in root.iter(f"{SVG}rect"):
        if box.attrib["width"] != "100%":
            assert 0 <= float(box.attrib["x"]) <= float(box.attrib["x"]) + float(box.attrib["width"]) <= width + 1
            assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height + 1


def test_a_picture_shows_words_tokens_thresholds_and_the_wait(
    heard: list[tuple[Utterance, Transcript]], barista: Context
) -> None:
    utterance, transcript = next((u, t) for u, t in heard if len(t.hypotheses) > 1)
    decision = decision_about(transcript, barista, utterance=utterance)
    timed = replace(decision, felt_ms=412.0)
    shown = texts_of(draw(record_of(timed, "1"), utterance.pcm, lambda tokens: tuple(f" t{t}" for t in tokens)))
    assert f"“{transcript.text}”" in shown or any(text.endswith("…") for text in shown)
    assert "decided after 412 ms" in shown
    assert "Sound" in shown
    assert [f"t{token}" for token in transcript.hypotheses[0].tokens[:3]] == [
        text for text in shown if text in {f"t{token}" for token in transcript.hypotheses[0].tokens[:3]}
    ][:3]
    assert any(text.startswith("it asks below") for text in shown)
    assert "Loudness" in texts_of(draw(record_of(timed, "1")))


def test_the_wave_is_drawn_from_the_sound_that_was_kept(
    heard: list[tuple[Utterance, Transcript]], barista: Context
) -> None:
    utterance, transcript = heard[0]
    record = record_of(decision_about(transcript, barista, utterance=utterance), "1")
    assert draw(record, utterance.pcm) != draw(record, (utterance.pcm // 3).astype(np.int16)[::-1])


boxes = st.lists(st.tuples(st.floats(0, 1000), st.floats(1, 40)), min_size=1, max_size=20)


@given(boxes)
def test_boxes_side_by_side_do_not_overlap_stay_inside_and_keep_their_order(drawn: list[tuple[float, float]]) -> None:
    centres, widths = [c for c, _ in drawn], [w for _, w in drawn]
    placed = side_by_side(centres, widths, 0.0, 1000.0)
    for (one, left), (other, right) in pairwise(zip(placed, widths, strict=True)):
        assert other - one >= (left + right) / 2 - 1e-6
    assert placed[0] - widths[0] / 2 >= -1e-6
    assert placed[-1] + widths[-1] / 2 <= 1000 + 1e-6


@given(st.lists(st.floats(50, 950), min_size=1, max_size=8, unique=True))
def test_boxes_that_have_room_stay_where_they_wish(centres: list[float]) -> None:
    centres = sorted(centres)
    width = min([b - a for a, b in pairwise(centres)], default=100.0) * 0.99
    width = min(width, 100.0)
    np.testing.assert_allclose(side_by_side(centres, [width] * len(centres), 0, 1000), centres, atol=1e-6)


@given(st.text(max_size=60), st.floats(20, 300))
def test_a_shortened_text_fits_and_one_that_fits_is_left(text: str, width: float) -> None:
    cut = shortened(text, width, 12)
    assert text_width(cut, 12) <= width or cut == "…"
    assert cut == text or cut.endswith("…")
