"""Utterances to judge a net by, synthetic or real, in one form: hypotheses, which of them are right, what the net sees.

Real ones are the labelled recordings of the benchmarks: orders in noise, cut in half, talked into, and foreign speech.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import InputError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.vad import open_vad
from assistant.recognize.moonshine import create
from assistant.types import Hypothesis, Transcript
from assistant.understand.fused.features import extract
from assistant.understand.fused.manifest import INPUTS
from assistant.understand.fused.projection import Projection
from assistant.understand.fused.source import Sound, log_mel
from benchmarks.fused_clips import FOREIGN, HALVES, ORDERS, TAILS, Case, cases
from benchmarks.mixing import generator
from benchmarks.recordings import BABBLE_SET, Order, Recording, recordings_of
from benchmarks.scoring import same_value
from benchmarks.states import StatesStore
from convert.dataset import Inputs, same_meaning
from convert.reader import Reader
from convert.recognise import Heard
from convert.sources import split_of
from convert.synthesize import CUT, FULL, LEAD, TAIL

Floats = NDArray[np.float32]

CLEAN = "clean"
REAL_GROUPS = ("clean", "kitchen 12 dB", "kitchen 6 dB", "kitchen 3 dB", "kitchen 0 dB", "babble 6 dB")
REAL_CASES = {
    ORDERS: REAL_GROUPS,
    HALVES: ("kitchen 6 dB",),
    TAILS: ("kitchen 6 dB, voices 1",),
    FOREIGN: ("librispeech_notext",),
}
"""What is judged by default; the benchmarks of the device judge more."""
TRAINING_SPLITS = ("train", "valid")
SNR_BINS_DB = (-5, 0, 5, 10, 15, 25)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One utterance.

    kind: ORDERS (meant, whole), HALVES, TAILS or FOREIGN. group: as it is counted. fits: of the half to calibrate on.
    strict, right: for each hypothesis, whether it says exactly, or at least, what was meant. prefix: nothing but that.
    """

    transcript: Transcript
    kind: str
    group: str
    fits: bool
    strict: tuple[bool, ...]
    right: tuple[bool, ...]
    prefix: tuple[bool, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Examples with what the net sees of them; rows first[i] to first[i + 1] are of example i."""

    examples: tuple[Example, ...]
    inputs: Inputs
    first: tuple[int, ...]


def see(pairs: Iterable[tuple[Example, Sound]], projection: Projection) -> Seen:
    """The features of all examples. Raises InputError when there is none."""
    examples, parts, first = [], [], [0]
    for example, sound in pairs:
        features = extract(sound, example.transcript.hypotheses, projection)
        parts.append([getattr(features, name).astype(np.float16) for name in INPUTS])
        bare = tuple(_bare(h) for h in example.transcript.hypotheses)
        examples.append(replace(example, transcript=replace(example.transcript, hypotheses=bare, states=None)))
        first.append(first[-1] + len(features.globals))
    if not parts:
        raise InputError("nothing to judge the net by", where="evaluate")
    inputs = Inputs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    return Seen(tuple(examples), inputs, tuple(first))


def _bare(h: Hypothesis) -> Hypothesis:
    """`h` as the recogniser gave it, without what only the features needed: it would fill the memory."""
    none = np.zeros(0, np.float32)
    if h.words:
        h = replace(h, tokens=np.zeros(0, np.int32), log_p=none, ilm=none)
    return replace(h, attention=None, vectors=None)


def of_takes(heard: Iterable[Heard]) -> Iterable[tuple[Example, Sound]]:
    """Validation takes as examples; every second one is to calibrate on."""
    kinds = {FULL: ORDERS, CUT: HALVES, TAIL: TAILS, LEAD: TAILS}
    for number, h in enumerate(heard):
        hypotheses = h.hypotheses
        strict = tuple(same_meaning(h, y) for y in hypotheses)
        prefix = tuple(y.slots.items() <= h.truth.items() and bool(h.take.said) for y in hypotheses)
        transcript = Transcript(hypotheses, hypotheses[0].text, "moonshine", "")
        kind = kinds.get(h.take.kind, FOREIGN)
        yield Example(transcript, kind, _level(h.snr_db), number % 2 == 0, strict, strict, prefix), h.sound


def real_cases(context: Context, groups: dict[str, tuple[str, ...]] | None = None) -> list[Case]:
    """The labelled recordings in the conditions of `groups` (REAL_CASES); nobody speaks in them who trained the net."""
    wanted = groups or REAL_CASES
    found = [case for case in cases(context, open_vad("silero"), None) if case.group in wanted.get(case.kind, ())]
    others = recordings_of(BABBLE_SET)
    return [case for case in found if stranger_of(case, others) not in TRAINING_SPLITS]


def stranger_of(case: Case, others: Sequence[Recording]) -> str:
    """The split of whoever speaks in `case` besides, or instead of, the labelled speaker; "" where nobody does."""
    if case.kind == TAILS:
        draw = int(case.group.rpartition(" ")[2]) - 1
        key = f"{case.clip.name}|tail" + (f"|{draw}" if draw else "")
        name = others[int(generator(key).integers(len(others)))].name
    elif case.kind == FOREIGN and case.group == BABBLE_SET:
        name = case.clip.name
    else:
        return ""
    return split_of(BABBLE_SET, name.partition("-")[0])


def of_recordings(
    reader: Reader,
    models: Path,
    kept: Path,
    advance: Callable[[int, int], None],
    folder: str = "barista",
    groups: dict[str, tuple[str, ...]] | None = None,
) -> Iterable[tuple[Example, Sound]]:
    """The labelled recordings as examples, heard now or before. models: prepared recogniser; kept: where it is kept.

    groups: what is judged, REAL_CASES by default.
    """
    engine = create(cache=models)
    context = load_context(folder)
    store = StatesStore(engine, engine.prepare(context), open_vad("silero"), kept)
    todo = real_cases(context, groups)
    for number, case in enumerate(todo):
        heard = store.hear(case.clip)
        advance(number + 1, len(todo))
        if heard.sound is not None:
            count, start_s = len(heard.sound.states), heard.sound.start_s
            mel = partial(_mel, case, start_s, count, reader.spec.state_s)
            sound, hypotheses = reader.shown(heard.sound, heard.transcript.hypotheses, mel)
            yield _example(case, replace(heard.transcript, hypotheses=hypotheses)), sound


def _mel(case: Case, start_s: float, count: int, frame_s: float) -> Floats:
    return log_mel(case.clip.load(), start_s, count, frame_s)


def _example(case: Case, transcript: Transcript) -> Example:
    order = case.order
    right, strict, prefix = [], [], []
    for h in transcript.hypotheses:
        says = order is not None and _says(h, order)
        right.append(says)
        strict.append(says and order is not None and not set(_said(h)) - set(order.slots))
        prefix.append(order is not None and _only(h, order))
    return Example(transcript, case.kind, case.group, case.fits, tuple(strict), tuple(right), tuple(prefix))


def _said(h: Hypothesis) -> dict[str, Any]:
    return {name: value for name, value in h.slots.items() if value not in (None, "")}


def _says(h: Hypothesis, order: Order) -> bool:
    said = _said(h)
    return same_value(h.intent, order.intent) and all(
        same_value(said.get(name, ""), value) for name, value in order.slots.items()
    )


def _only(h: Hypothesis, order: Order) -> bool:
    """Whether `h` says nothing but what the order says."""
    return all(name in order.slots and same_value(order.slots[name], value) for name, value in _said(h).items())


def _level(snr_db: float | None) -> str:
    """The name of a range of ratios."""
    if snr_db is None:
        return CLEAN
    edges: Sequence[int] = SNR_BINS_DB
    at = max(i for i, low in enumerate(edges[:-1]) if snr_db >= low or i == 0)
    return f"{edges[at]} to {edges[at + 1]} dB"
