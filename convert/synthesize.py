"""What is said for training: takes, drawn from a context, from text sets and from readings, balanced and in six kinds.

    full      the sentence                          cut       broken off in the middle
    tail      somebody else speaks right after it   lead      somebody else right before it
    alien     one of its words is none of the context
    foreign   speech that has nothing to do with the context

A take is only a plan: which sound, what is done to it, under which grammar it is heard. The same seed draws the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ContextError
from assistant.grammar.match import matcher_of
from assistant.grammar.sample import Sample, sample
from assistant.grammar.tree import Context
from assistant.types import SAMPLE_RATE_HZ
from convert.grammars import LEAST_WORDS, Pieces
from convert.rooms import read
from convert.sources import Reading
from convert.voices import Speaker, sound_file, stretched

FULL, CUT, TAIL, LEAD, ALIEN, FOREIGN = "full", "cut", "tail", "lead", "alien", "foreign"
SHARES: Mapping[str, float] = {FULL: 0.5, CUT: 0.16, TAIL: 0.13, LEAD: 0.03, ALIEN: 0.05, FOREIGN: 0.13}
READ_SHARES: Mapping[str, float] = {FULL: 0.5, CUT: 0.15, TAIL: 0.15, LEAD: 0.05, FOREIGN: 0.15}
CROWD_SHARES: Mapping[str, float] = {FULL: 0.2, TAIL: 0.5, LEAD: 0.1, FOREIGN: 0.2}
LATTICE = "lattice"
"""Name of the grammar that is made around a take's own transcript."""
FACTOR = (0.83, 1.17)
"""Rate, pitch and formants of a voice are moved by so much, by resampling."""
CUT_AT = (0.3, 0.88)
TAIL_S, TAIL_GAP_S, TAIL_DB = (0.6, 2.0), (0.05, 0.5), (-6.0, 3.0)
VALIDATION_SHARE = 0.12
MOST_SECONDS = 9.0
OVERSAMPLED = 8
NEAR_EDITS = 3.0
"""A foreign sentence within so many slips of the context is none."""
ENGINE_SHARES: Mapping[str, float] = {"hibari": 0.35, "flite": 0.25, "festival": 0.15, "espeak": 0.25}
SPEECH_RANGE_DB = 35.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Something spoken: a sentence by a synthetic voice (`speaker`), or a recording (`file`, below the data folder)."""

    text: str
    file: str = ""
    speaker: str = ""
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Take:
    """One utterance to be made and heard.

    key: seeds everything random about it. grammar: name of a context, or LATTICE; grammar_text: its transcript then.
    said: the words said to the assistant, "" where nothing was; intent, slots: their meaning (empty under a lattice).
    line: what is heard; other: who speaks before or after it. cut_at: share of the sentence that is kept.
    split: "train" or "valid".
    """

    key: str
    kind: str
    grammar: str
    grammar_text: str
    said: str
    intent: str
    slots: Mapping[str, Any]
    line: Line
    other: Line | None
    cut_at: float
    split: str


@dataclass(frozen=True, slots=True)
class Company:
    """Whoever else speaks: readings by split, sentences of text sets, voices; crowd: fluent speech by split."""

    readings: Mapping[str, Sequence[Reading]]
    sentences: Sequence[str]
    voices: Sequence[Speaker]
    crowd: Mapping[str, Sequence[Reading]] = field(default_factory=dict)

    def passer_by(self, rng: random.Random, split: str) -> Line:
        """Somebody of the crowd, one of its sets as often as the other."""
        sets: dict[str, list[Reading]] = {}
        for reading in self.crowd.get(split, ()):
            sets.setdefault(reading.origin, []).append(reading)
        if not sets:
            return self.stranger(rng, split)
        reading = rng.choice(sets[rng.choice(sorted(sets))])
        return Line(reading.said, file=reading.name)

    def line(self, rng: random.Random, text: str) -> Line:
        """`text` by some voice, engines by their shares."""
        engines = sorted({voice.engine for voice in self.voices})
        engine = rng.choices(engines, [ENGINE_SHARES.get(e, 0.1) for e in engines])[0]
        speaker = rng.choice([voice for voice in self.voices if voice.engine == engine])
        return Line(text, speaker=speaker.key, factor=round(rng.uniform(*FACTOR), 3))

    def stranger(self, rng: random.Random, split: str) -> Line:
        """Foreign speech: mostly somebody reading, else a synthetic voice with a sentence of a text set."""
        readings = self.readings[split]
        if readings and (rng.random() < 0.6 or not self.sentences or not self.voices):
            reading = rng.choice(readings)
            return Line(reading.said, file=reading.name)
        return self.line(rng, rng.choice(self.sentences))


def balanced(context: Context, count: int, seed: int) -> list[Sample]:
    """`count` different sentences of `context`, as many with each number of slots as there can be.

    Raises ContextError when nothing can be said in it.
    """
    if not context.templates:
        raise ContextError("nothing can be said in it", where=context.name, remedy="add an intent with sentences")
    drawn = {s.text: s for s in sample(context, OVERSAMPLED * count, seed)}
    groups: dict[int, list[Sample]] = {}
    for found in drawn.values():
        groups.setdefault(len(found.slots), []).append(found)
    chosen: list[Sample] = []
    turns = [iter(groups[slots]) for slots in sorted(groups)]
    while turns and len(chosen) < count:
        for turn in list(turns):
            found_next = next(turn, None)
            if found_next is None:
                turns.remove(turn)
            elif len(chosen) < count:
                chosen.append(found_next)
    return chosen


def context_takes(context: Context, company: Company, count: int, seed: int) -> Iterator[Take]:
    """`count` takes under `context`, spoken by synthetic voices."""
    rng = random.Random(f"{context.name}|{context.hash}|{seed}")
    sentences = balanced(context, count, seed)
    matcher = matcher_of(context)
    for i in range(count):
        spoken = sentences[i % len(sentences)]
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        split = "valid" if rng.random() < VALIDATION_SHARE else "train"
        line = company.line(rng, spoken.text)
        if kind == ALIEN:
            line = company.line(rng, with_alien(spoken.text, company.sentences, rng))
        elif kind == FOREIGN:
            line = company.stranger(rng, split)
        meant = kind not in (ALIEN, FOREIGN)
        if not meant and matcher.match_within(line.text, 0.5 if kind == ALIEN else NEAR_EDITS):
            continue
        yield Take(
            key=f"{context.name}-{context.hash[:8]}-{seed}-{i}",
            kind=kind,
            grammar=context.name,
            grammar_text="",
            said=spoken.text if meant else "",
            intent=spoken.intent if meant else "",
            slots=dict(spoken.slots) if meant else {},
            split=split,
            line=line,
            **_treatment(kind, company, rng, split),
        )


def reading_takes(company: Company, per_reading: float, seed: int) -> Iterator[Take]:
    """Takes of readings under lattices around their transcripts, `per_reading` of each in the mean."""
    for split in ("train", "valid"):
        for reading in _usable(company.readings[split]):
            rng = random.Random(f"{reading.path.name}|{seed}")
            for i in range(int(per_reading) + (rng.random() < per_reading % 1)):
                kind = rng.choices(list(READ_SHARES), list(READ_SHARES.values()))[0]
                line = company.stranger(rng, split) if kind == FOREIGN else Line(reading.said, file=reading.name)
                if kind == FOREIGN and line.text == reading.said:
                    continue
                yield Take(
                    key=f"{reading.path.stem}-{seed}-{i}",
                    kind=kind,
                    grammar=LATTICE,
                    grammar_text=reading.said,
                    said="" if kind == FOREIGN else reading.said,
                    intent="",
                    slots={},
                    split=split,
                    line=line,
                    **_treatment(kind, company, rng, split),
                )


def crowded_takes(grammar: Context | None, company: Company, count: int, seed: int) -> Iterator[Take]:
    """`count` more takes in which others speak fluently: under `grammar`, or readings under lattices (None)."""
    name = grammar.name if grammar else LATTICE
    rng = random.Random(f"crowd|{name}|{grammar.hash if grammar else ''}|{seed}")
    sentences = balanced(grammar, count, seed) if grammar else []
    for i in range(count):
        kind = rng.choices(list(CROWD_SHARES), list(CROWD_SHARES.values()))[0]
        split = "valid" if rng.random() < VALIDATION_SHARE else "train"
        usable = [
            r for r in company.readings[split] if len(r.said.split()) >= LEAST_WORDS and r.duration_s < MOST_SECONDS
        ]
        reading = None if grammar else rng.choice(usable)
        spoken = sentences[i % len(sentences)] if grammar else None
        text = spoken.text if spoken else reading.said if reading else ""
        line = company.line(rng, text) if spoken else Line(text, file=reading.name if reading else "")
        line = company.passer_by(rng, split) if kind == FOREIGN else line
        meant = kind != FOREIGN
        yield Take(
            key=f"crowd-{name}-{seed}-{i}",
            kind=kind,
            grammar=name,
            grammar_text="" if grammar else text,
            said=text if meant else "",
            intent=spoken.intent if spoken and meant else "",
            slots=dict(spoken.slots) if spoken and meant else {},
            split=split,
            line=line,
            other=company.passer_by(rng, split) if kind in (TAIL, LEAD) else None,
            cut_at=1.0,
        )


def _usable(readings: Sequence[Reading]) -> list[Reading]:
    """Those that are long enough for a lattice and short enough for an utterance."""
    return [r for r in readings if len(r.said.split()) >= LEAST_WORDS and r.duration_s <= MOST_SECONDS]


def _treatment(kind: str, company: Company, rng: random.Random, split: str) -> dict[str, Any]:
    """Who else speaks, and how much of the sentence is heard."""
    other = company.stranger(rng, split) if kind in (TAIL, LEAD) else None
    return {"other": other, "cut_at": round(rng.uniform(*CUT_AT), 3) if kind == CUT else 1.0}


def with_alien(text: str, sentences: Sequence[str], rng: random.Random) -> str:
    """One word of `text` replaced by a word from elsewhere."""
    words = text.split()
    strange = [w for w in rng.choice(sentences).split() if len(w) > 3 and w not in words] if sentences else []
    at = max(range(len(words)), key=lambda i: (len(words[i]) > 3, rng.random()))
    words[at] = rng.choice(strange) if strange else "something"
    return " ".join(words)


def spoken_lines(takes: Sequence[Take], voices: Sequence[Speaker]) -> list[tuple[Speaker, str]]:
    """All that synthetic voices have to say for `takes`."""
    by_key = {voice.key: voice for voice in voices}
    lines = [line for take in takes for line in (take.line, take.other) if line is not None and line.speaker]
    return list(dict.fromkeys((by_key[line.speaker], line.text) for line in lines))


class Studio:
    """Puts takes together as dry sound. folder: where the voices' sentences are kept; data: the recordings."""

    def __init__(self, folder: Path, data: Path, voices: Sequence[Speaker]) -> None:
        self._folder, self._data = folder, data
        self._voices = {voice.key: voice for voice in voices}

    def record(self, take: Take, rng: np.random.Generator) -> Floats:
        """The dry sound of `take`, ±1 at 16 kHz."""
        pcm = self._sound(take.line)
        begin, end = extent(pcm)
        if take.kind == CUT:
            pcm = pcm[: begin + int(take.cut_at * (end - begin))]
            if rng.random() < 0.5:
                pcm = np.pad(pcm, (0, int(rng.uniform(0.05, 0.4) * SAMPLE_RATE_HZ)))
        if take.other is not None:
            other = self._snippet(take.other, pcm[begin:end], rng)
            gap = np.zeros(int(rng.uniform(*TAIL_GAP_S) * SAMPLE_RATE_HZ))
            pcm = np.concatenate([pcm[:end], gap, other] if take.kind == TAIL else [other, gap, pcm[begin:]])
        return pcm[: int(2 * MOST_SECONDS * SAMPLE_RATE_HZ)]

    def _snippet(self, line: Line, beside: Floats, rng: np.random.Generator) -> Floats:
        """Some of `line`, about as loud as `beside`."""
        sound = self._sound(line)
        begin, end = extent(sound)
        sound = sound[begin:end]
        length = min(int(rng.uniform(*TAIL_S) * SAMPLE_RATE_HZ), len(sound))
        start = int(rng.integers(max(len(sound) - length, 0) + 1))
        sound = sound[start : start + length]
        gain = np.sqrt(np.mean(beside**2) / (np.mean(sound**2) + 1e-12)) if len(beside) and len(sound) else 1.0
        return np.asarray(np.clip(gain * 10 ** (float(rng.uniform(*TAIL_DB)) / 20) * sound, -1, 1), np.float64)

    def _sound(self, line: Line) -> Floats:
        if line.file:
            return read(self._data / line.file)
        return stretched(read(sound_file(self._folder, self._voices[line.speaker], line.text)), line.factor)


def extent(pcm: Floats) -> tuple[int, int]:
    """First and last sample of what is louder than SPEECH_RANGE_DB below the loudest 20 ms."""
    frames = pcm[: len(pcm) // 320 * 320].reshape(-1, 320)
    if not len(frames):
        return 0, len(pcm)
    energy = (frames**2).mean(axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-SPEECH_RANGE_DB / 10))
    return (int(loud[0]) * 320, int(loud[-1] + 1) * 320) if len(loud) else (0, len(pcm))


def plain_sentences(texts: Sequence[tuple[str, Pieces]]) -> list[str]:
    """The sentences of a text set as words, each once, short ones left out."""
    found = (" ".join(words for words, _ in pieces) for _, pieces in texts)
    return sorted({text for text in found if LEAST_WORDS + 1 <= len(text.split()) <= 12})
