"""Computing time from the end of speech to the decision, by stage, on recordings and spoken commands.

Wall time is what a person waits; CPU time of the deciding thread is the same on an idle machine and hardly moves on a
busy one, so it is the figure to compare between runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import VoiceActivity
from assistant.recognize.engine import Prepared, Recognizer
from assistant.types import Utterance
from assistant.understand.decide import decide
from benchmarks.clips import Clip, Speaker, recorded
from benchmarks.conditions import BY_NAME, Room
from benchmarks.recordings import barista_orders
from benchmarks.scoring import percentiles
from benchmarks.sentences import known_sentences

CONDITIONS = ("clean", "kitchen 6 dB")
STAGES = ("encode", "search", "meanings", "decide")
VOICES = ("hibari", "espeak")
WARM_UP = 3
"""Utterances understood before the clock counts."""

Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Utterances of one kind under one context."""

    name: str
    context: str
    utterances: list[Utterance]


@dataclass(frozen=True, slots=True)
class Reading:
    """Milliseconds of one decision: each stage's wall time, all wall time, all CPU time."""

    stages: Mapping[str, float]
    total: float
    cpu: float


def order_clips(condition: str, limit: int, room: Room) -> list[Clip]:
    """Spoken coffee orders."""
    return [recorded(order.recording, BY_NAME[condition], room) for order in barista_orders(limit)]


def command_clips(context: Context, condition: str, limit: int, room: Room, speakers: Sequence[Speaker]) -> list[Clip]:
    """Short commands of `context`, without free names, by the speakers in turn."""
    sentences = known_sentences(context, limit, seed=5)
    return [speakers[i % len(speakers)].clip(s.text, BY_NAME[condition], room) for i, s in enumerate(sentences)]


def cut(clips: Sequence[Clip], vad: VoiceActivity) -> list[Utterance]:
    """Voice activity runs while somebody speaks: its time is not the decision's."""
    return [cut_clip(clip.load(), vad) for clip in clips]


def measure(
    parts: Sequence[Part], recognizers: Mapping[int, Recognizer], contexts: Mapping[str, Context], advance: Advance
) -> dict[str, Any]:
    """Every utterance by every recogniser (by beam width) in turn, so that other work on the machine hits all alike."""
    prepared = {
        beam: {name: recognizer.prepare(context) for name, context in contexts.items()}
        for beam, recognizer in recognizers.items()
    }
    rows = []
    for part in parts:
        readings: dict[int, list[Reading]] = {beam: [] for beam in recognizers}
        for utterance in part.utterances[:WARM_UP]:
            for beam, recognizer in recognizers.items():
                read(recognizer, prepared[beam][part.context], utterance)
        for utterance in part.utterances:
            for beam, recognizer in recognizers.items():
                readings[beam].append(read(recognizer, prepared[beam][part.context], utterance))
            advance(1)
        spoken = percentiles([1000 * (u.speech_end_s - u.speech_start_s) for u in part.utterances])
        for beam, found in readings.items():
            rows.append({"set": part.name, "beam": beam, "speech_ms": spoken} | _summary(found))
    return {"decision": rows}


def read(recognizer: Recognizer, prepared: Prepared, utterance: Utterance) -> Reading:
    """Decide once."""
    began, began_cpu = time.perf_counter(), time.thread_time()
    transcript = recognizer.open(prepared).finish(utterance)
    heard = time.perf_counter()
    decide(transcript, prepared.context)
    ended, ended_cpu = time.perf_counter(), time.thread_time()
    stages = {stage: transcript.timings_ms.get(stage, 0.0) for stage in STAGES} | {"decide": 1000 * (ended - heard)}
    return Reading(stages, 1000 * (ended - began), 1000 * (ended_cpu - began_cpu))


def _summary(readings: Sequence[Reading]) -> dict[str, Any]:
    return {
        "stages_ms": {stage: percentiles([r.stages[stage] for r in readings]) for stage in STAGES},
        "total_ms": percentiles([r.total for r in readings]),
        "cpu_ms": percentiles([r.cpu for r in readings]),
    }
