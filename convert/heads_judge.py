"""Judges the net for sound alone: the labelled recordings, in every noise, encoded and not decoded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.grammar.load import load_context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize.moonshine import create
from assistant.recognize.moonshine.engine import voiced_stretch
from benchmarks.fused_clips import ORDERS, Case, cases
from benchmarks.recordings import BABBLE_SET, recordings_of
from convert.examples import TRAINING_SPLITS, stranger_of
from convert.files import Places, archive, write_whole

FORMAT = 1
PART = 100
"""Recordings that are kept in one file: a stage that was stopped goes on from there."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A recording, encoded. kind: ORDERS or FOREIGN. group: as it is counted. fits: of the half to calibrate on.

    intent, slots: its label, "" for foreign speech. states: float16 [frames, dim], empty where no voice was found.
    """

    name: str
    kind: str
    group: str
    fits: bool
    intent: str
    slots: Mapping[str, Any]
    states: NDArray[np.float16]


def recorded(places: Places, folder: str, advance: Callable[[int, int], None]) -> list[Recorded]:
    """All labelled recordings in all noises, and foreign speech of nobody who trained; encoded now or before."""
    context = load_context(folder)
    others = recordings_of(BABBLE_SET)
    todo = [
        case
        for case in cases(context, open_vad("silero"), None)
        if (case.kind == ORDERS or case.group == BABBLE_SET) and stranger_of(case, others) not in TRAINING_SPLITS
    ]
    found: list[Recorded] = []
    encode = _Encoder(places)
    for start in range(0, len(todo), PART):
        part = todo[start : start + PART]
        names = json.dumps([FORMAT, [[case.clip.kind, case.clip.name] for case in part]])
        file = places.work / "listened" / f"recorded-{hashlib.sha256(names.encode()).hexdigest()[:20]}.npz"
        if not file.is_file():
            write_whole(file, _packed([encode(case) for case in part]))
        found += [_of(case, states) for case, states in zip(part, _unpacked(file), strict=True)]
        advance(len(found), len(todo))
    return found


class _Encoder:
    """Opened when the first recording is not there yet."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._parts: tuple[Any, Any] | None = None

    def __call__(self, case: Case) -> NDArray[np.float16]:
        if self._parts is None:
            self._parts = create(cache=self._places.models), open_vad("silero")
        engine, vad = self._parts
        speech, _ = voiced_stretch(cut_clip(case.clip.load(), vad))
        if not len(speech):
            return np.zeros((0, 0), np.float16)
        states: NDArray[np.float16] = engine.model.encode(speech).states.astype(np.float16)
        return states


def _packed(parts: Sequence[NDArray[np.float16]]) -> bytes:
    lengths = np.array([len(states) for states in parts])
    spoken = [states for states in parts if len(states)]
    return archive({"lengths": lengths, "states": np.concatenate(spoken) if spoken else np.zeros((0, 0), np.float16)})


def _unpacked(file: Any) -> Iterator[NDArray[np.float16]]:
    with np.load(file) as stored:
        lengths, states = stored["lengths"], stored["states"]
    at = 0
    for length in lengths.tolist():
        yield states[at : at + length]
        at += length


def _of(case: Case, states: NDArray[np.float16]) -> Recorded:
    order = case.order
    intent, slots = ("", {}) if order is None else (order.intent, dict(order.slots))
    return Recorded(case.clip.name, case.kind, case.group, case.fits, intent, slots, states)
