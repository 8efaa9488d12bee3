"""A wake word and an order in one breath, or with a pause between: does the order arrive whole, and without the word?

Real recordings of the word and of orders are put one behind the other, in a quiet room and in kitchen noise, and heard
by the detectors, the segmenter and the recogniser; beside them the orders alone, without a wake word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.listen.segment import Ended, Segmenter
from assistant.listen.vad import VoiceActivity
from assistant.listen.wake import WakeWord
from assistant.listen.wake_segment import Hailed, WakeSegmenter, Woke
from assistant.types import SAMPLE_RATE_HZ, Utterance
from benchmarks.recordings import KITCHEN, Order, data_folder, read_float, spread
from benchmarks.vad import frames_of
from benchmarks.wake import WORD
from benchmarks.wake_sounds import CONTEXT_S, Sound, files, holds_the_word_only, in_room, loud_part, spoken_part

PAUSES_S = (0.0, 0.1, 0.3, 1.0, 4.0)
SNRS_DB: tuple[float | None, ...] = (None, 10.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One pause in one condition. pause_s: None for orders alone.

    woken, hailed: recordings in which the word was heard, in which the earcon was asked for. utterances: in all.
    right: orders strictly right. cut_s: 5, 50, 95 % of where the cut lies behind the true end of the word.
    """

    condition: str
    pause_s: float | None
    recordings: int
    woken: int
    hailed: int
    utterances: int
    right: int
    cut_s: tuple[float, ...]


def measure(
    orders: Sequence[Order],
    detectors: Sequence[WakeWord],
    vad: VoiceActivity,
    right: Callable[[Utterance, Order], bool],
    advance: Callable[[float], None] = lambda _: None,
) -> list[Row]:
    """Every pause in every condition. right: whether an utterance is understood as the order's label says."""
    said = words(len(orders))
    pairs = [(order, said[n % len(said)]) for n, order in enumerate(orders)]
    kitchen = read_float(data_folder() / KITCHEN)
    rows = []
    for snr_db in SNRS_DB:
        for pause_s in (None, *PAUSES_S):
            rows.append(_row(pairs, pause_s, snr_db, kitchen, detectors, vad, right))
            advance(len(orders))
    return rows


def words(count: int) -> list[Sound]:
    """Loud parts of recordings that hold the word and nothing else."""
    found = [loud_part(read_float(file)) for file in files(f"wakeword/{WORD}/*", None)]
    return spread([word for word in found if holds_the_word_only(word)], count)


def _row(
    pairs: Sequence[tuple[Order, Sound]],
    pause_s: float | None,
    snr_db: float | None,
    kitchen: Sound,
    detectors: Sequence[WakeWord],
    vad: VoiceActivity,
    right: Callable[[Utterance, Order], bool],
) -> Row:
    woken = hailed = heard = correct = 0
    cuts: list[float] = []
    for order, word in pairs:
        spoken = spoken_part(order.recording.path, vad)
        pause = np.zeros(round((pause_s or 0.0) * SAMPLE_RATE_HZ))
        together = spoken if pause_s is None else np.concatenate([word, pause, spoken])
        pcm = in_room(together, order.recording.name, snr_db, kitchen)
        segmenter = Segmenter(vad)
        if pause_s is None:
            utterances = [e.utterance for f in frames_of(pcm) for e in segmenter.feed(f) if isinstance(e, Ended)]
        else:
            behind = WakeSegmenter(segmenter, detectors)
            for detector in detectors:
                detector.reset()
            events = [*(event for frame in frames_of(pcm) for event in behind.feed(frame)), *behind.flush()]
            utterances = [event.utterance for event in events if isinstance(event, Ended)]
            woken += any(isinstance(event, Woke) for event in events)
            hailed += any(isinstance(event, Hailed) for event in events)
            end_s = CONTEXT_S[0] + len(word) / SAMPLE_RATE_HZ
            cuts += [event.at - end_s for event in events if isinstance(event, Woke)][:1]
        heard += len(utterances)
        correct += any(right(utterance, order) for utterance in utterances)
    percentiles = tuple(round(float(value), 2) for value in np.percentile(cuts, [5, 50, 95])) if cuts else ()
    condition = "clean" if snr_db is None else f"kitchen {snr_db:g} dB"
    return Row(condition, pause_s, len(pairs), woken, hailed, heard, correct, percentiles)


def lines(rows: Sequence[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    """The rows of a table for people."""
    return [
        (
            row["condition"],
            "no wake word" if row["pause_s"] is None else f"{row['pause_s']:g} s",
            "" if row["pause_s"] is None else f"{row['woken']}/{row['recordings']}",
            "" if row["pause_s"] is None else row["hailed"],
            row["utterances"],
            f"{row['right']}/{row['recordings']}",
        )
        for row in rows
    ]
