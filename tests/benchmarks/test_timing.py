"""Latency is taken apart by stage, and a clip played in real time leads to the decision that is timed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.act.skills import built_in
from assistant.clock import SystemClock
from assistant.grammar.load import load_context
from assistant.listen.clip import cut_clip
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import Understander
from assistant.recognize.moonshine.engine import Moonshine
from benchmarks import felt, latency
from benchmarks.clips import Clip
from benchmarks.free import transcribe

Spoken = Callable[[str], NDArray[np.int16]]


def nothing(_: float) -> None:
    """No progress bar."""


@pytest.mark.real
def test_a_free_transcript_is_what_was_said(moonshine: Moonshine, spoken: Spoken) -> None:
    utterance = cut_clip(spoken("She opened the door and went out."), open_vad())
    assert transcribe(moonshine.model, utterance).lower().strip(".") == "she opened the door and went out"


def test_where_nobody_speaks_the_transcript_is_empty(moonshine: Moonshine) -> None:
    assert transcribe(moonshine.model, cut_clip(np.zeros(16_000, np.int16), open_vad())) == ""


@pytest.mark.real
def test_the_stages_of_a_decision_add_up(moonshine: Moonshine, spoken: Spoken) -> None:
    context = load_context("home")
    utterances = [cut_clip(spoken("turn on the desk lamp"), open_vad())] * 4
    part = latency.Part("commands", "home", utterances)
    (row,) = latency.measure([part], {8: moonshine}, {"home": context}, nothing)["decision"]
    assert (row["set"], row["beam"], row["total_ms"]["n"]) == ("commands", 8, 4)
    stages = sum(row["stages_ms"][stage]["mean"] for stage in latency.STAGES)
    assert 0.5 * row["total_ms"]["mean"] < stages <= row["total_ms"]["mean"] + 0.5


@pytest.mark.real
def test_a_clip_played_in_real_time_is_heard_once_and_timed(moonshine: Moonshine, spoken: Spoken) -> None:
    context, clock = load_context("home"), SystemClock()
    understander = Understander(moonshine, moonshine.prepare(context), built_in(clock), clock)
    clip = Clip("lamp", "hibari", lambda: spoken("turn on the desk lamp"))
    found = felt.measure("commands", [clip], understander, Segmenter(open_vad()), nothing)
    assert (found["not_heard"], found["split"]) == (0, 0)
    assert found["felt_ms"]["n"] == 1
    assert sum(found["ends"].values()) == 1
