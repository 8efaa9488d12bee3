"""What a person feels: files played in real time through the whole conversation, endpoint and speculation included.

Each clip is followed by a quiet room, as a microphone would hear it; the time is from the last voiced sample to the
decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.frontend import Mean
from assistant.audio.pacing import RealTime
from assistant.audio.queued import QueueSource
from assistant.clock import SystemClock
from assistant.listen.segment import Segmenter
from assistant.pipeline import Conversation, Understander
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, Decision, EndReason
from assistant.work import ThreadWorker
from benchmarks.clips import Clip
from benchmarks.scoring import percentiles

BEFORE_S, AFTER_S = 0.3, 2.0
ROOM_RMS = 10.0
"""Of the quiet room around a clip, int16 units (-70 dB of full scale)."""

Advance = Callable[[float], None]


def measure(
    name: str, clips: Sequence[Clip], understander: Understander, segmenter: Segmenter, advance: Advance
) -> dict[str, Any]:
    """Play `clips` one after another; a conversation of its own for each, so that no question stays open."""
    felt: list[float] = []
    ends: dict[str, int] = {}
    silent = split = 0
    for clip in clips:
        decisions = _played(clip, understander, segmenter)
        if decisions:
            last = decisions[-1]
            felt += [last.felt_ms] if last.felt_ms is not None else []
            reason = last.utterance.end if last.utterance else EndReason.SILENCE
            ends[reason.value] = ends.get(reason.value, 0) + 1
        silent += not decisions
        split += len(decisions) > 1
        advance(1)
    return {"set": name, "felt_ms": percentiles(felt), "ends": ends, "not_heard": silent, "split": split}


def _played(clip: Clip, understander: Understander, segmenter: Segmenter) -> list[Decision]:
    sound = in_a_quiet_room(clip.load())
    clock = SystemClock()
    queue = QueueSource(capacity=len(sound) // FRAME_SAMPLES + 2, clock=clock)
    queue.put(sound)
    queue.end()
    worker = ThreadWorker()
    segmenter.reset()
    try:
        conversation = Conversation(RealTime(queue, clock), Mean(1), segmenter, understander, worker)
        return list(conversation.decisions())
    finally:
        worker.close()


def in_a_quiet_room(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """`pcm` with 0.3 s before and 2 s after it of a room where nobody speaks."""
    rng = np.random.default_rng(0)
    before, after = (rng.normal(0, ROOM_RMS, int(s * SAMPLE_RATE_HZ)) for s in (BEFORE_S, AFTER_S))
    return np.concatenate([before.astype(np.int16), pcm, after.astype(np.int16)])
