"""What the net for sound alone learns from: many sentences by many voices, in rooms and noise; encoder states kept.

Nothing is decoded, so that a take costs a tenth of one for the fused net, and there can be ten times as many. Each
sentence is spoken once and heard several times: faster or higher, in another room, in other noise.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from assistant.grammar.match import Matcher, matcher_of
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize.moonshine import create
from assistant.recognize.moonshine.engine import Moonshine, voiced_stretch
from convert.files import Places, archive
from convert.recognise import take_of
from convert.rooms import Rooms
from convert.sources import readings
from convert.synthesize import (
    ALIEN,
    CUT,
    CUT_AT,
    FACTOR,
    FOREIGN,
    FULL,
    NEAR_EDITS,
    Company,
    Line,
    Studio,
    Take,
    balanced,
    spoken_lines,
    with_alien,
)
from convert.voices import FORMANT, FURTHER, HELD_OUT, RECORDED, Speaker, installed, sound_file
from convert.workers import SOUNDS

FORMAT = 1
"""Raised whenever shards are made otherwise."""
SHARD_TAKES = 120
HEARINGS = 3
SHARES: Mapping[str, float] = {FULL: 0.82, CUT: 0.08, FOREIGN: 0.06, ALIEN: 0.04}
CERTAINLY_CUT = 0.08
"""A sentence is surely none any more when it breaks off so much, as a share of its letters, before it can be one."""
PACES, PITCHES = (0.85, 1.0, 1.18), (0.86, 1.0, 1.16)
"""How a voice is moved by its engine; `FACTOR` then moves pitch, rate and formants together."""
PACED = ("hibari",)
"""Engines whose pitch cannot be moved."""
ENGINE_SHARES: Mapping[str, float] = {
    "hibari": 0.22,
    "pico": 0.26,
    "flite": 0.28,
    "festival": 0.08,
    "espeak": 0.16,
}
VALIDATION_SHARE = 0.06
MEMORY_A_JOB = 900_000_000

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Listened:
    """One take, encoded. states: float16 [frames, dim] of the voiced stretch; snr_db: None where clean."""

    take: Take
    noise: str
    snr_db: float | None
    states: NDArray[np.float16]


def voices() -> list[Speaker]:
    """Every voice that is installed, at every pace and pitch that its engine can."""
    found = []
    for speaker in installed((*RECORDED, *HELD_OUT, *FURTHER, *FORMANT)):
        pitches = (1.0,) if speaker.engine in PACED else PITCHES
        found += [
            Speaker(speaker.engine, speaker.name, speaker.person, pace, pitch)
            for pace, pitch in product(PACES, pitches)
        ]
    return found


def sound_takes(context: Context, company: Company, sentences: int, seed: int) -> list[Take]:
    """`sentences` of `context`, each by one voice, HEARINGS times; some cut, with a strange word, or none of it."""
    rng = random.Random(f"sound|{context.name}|{context.hash}|{seed}")
    engines: dict[str, list[Speaker]] = {}
    for voice in voices():
        engines.setdefault(voice.engine, []).append(voice)
    matcher = matcher_of(context)
    found: list[Take] = []
    for i, spoken in enumerate(balanced(context, sentences, seed)):
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        split = "valid" if rng.random() < VALIDATION_SHARE else "train"
        text = spoken.text
        if kind == ALIEN:
            text = with_alien(text, company.sentences, rng)
        elif kind == FOREIGN:
            text = rng.choice(company.sentences)
        engine = rng.choices(sorted(engines), [ENGINE_SHARES.get(e, 0.1) for e in sorted(engines)])[0]
        speaker = rng.choice(engines[engine])
        meant = kind in (FULL, CUT)
        if not meant and matcher.match_within(text, 0.5 if kind == ALIEN else NEAR_EDITS):
            continue
        least = _complete_at(matcher, text) - CERTAINLY_CUT if kind == CUT else 1.0
        for h in range(HEARINGS):
            cut_at = round(rng.uniform(CUT_AT[0], CUT_AT[1]), 3) if kind == CUT else 1.0
            if kind == CUT and cut_at > least:
                continue
            found.append(
                Take(
                    key=f"sound-{context.name}-{context.hash[:8]}-{seed}-{i}-{h}",
                    kind=kind,
                    grammar=context.name,
                    grammar_text="",
                    said=spoken.text if meant else "",
                    intent=spoken.intent if meant else "",
                    slots=dict(spoken.slots) if meant else {},
                    line=Line(text, speaker=speaker.key, factor=round(rng.uniform(*FACTOR), 3)),
                    other=None,
                    cut_at=cut_at,
                    split=split,
                )
            )
    return found


def _complete_at(matcher: Matcher, text: str) -> float:
    """The share of `text` after which it is a sentence for the first time."""
    words = text.split()
    for n in range(1, len(words)):
        begun = " ".join(words[:n])
        if matcher.match(begun):
            return len(begun) / len(text)
    return 1.0


@dataclass(frozen=True, slots=True)
class Encoding:
    """A task (workers.py): a shard of takes, made and encoded."""

    takes: tuple[Take, ...]
    memory: int = MEMORY_A_JOB
    limit_s: float = 1800.0
    stays: bool = False

    @property
    def name(self) -> str:
        """Of its file: all that it depends on."""
        content = json.dumps([FORMAT, [asdict(take) for take in self.takes]], sort_keys=True, default=str)
        return f"listened/{hashlib.sha256(content.encode()).hexdigest()[:24]}.npz"

    @property
    def makes(self) -> tuple[str, ...]:
        """One file."""
        return (self.name,)

    @property
    def needs(self) -> tuple[str, ...]:
        """What voices said."""
        lines = spoken_lines(self.takes, voices())
        return tuple(f"{SOUNDS}/{sound_file(Path(), speaker, text).as_posix()}" for speaker, text in lines)

    def run(self, places: Places) -> list[bytes]:
        """Make and encode them. Raises AssistantError."""
        ear = _ear(places)
        return [packed([found for take in self.takes if (found := ear.listen(take)) is not None])]


def encodings(takes: Sequence[Take]) -> list[Encoding]:
    """`takes` as tasks."""
    return [Encoding(tuple(takes[i : i + SHARD_TAKES])) for i in range(0, len(takes), SHARD_TAKES)]


class Listener:
    """Encoder, voice activity and rooms of one process. studio: who speaks, all voices by default."""

    def __init__(self, places: Places, studio: Studio | None = None) -> None:
        self._engine: Moonshine = create(cache=places.models)
        self._vad = open_vad("silero")
        self._rooms = Rooms(places.data, places.work, readings(places.data))
        self._studio = studio or Studio(places.sounds, places.data, voices())

    def listen(self, take: Take) -> Listened | None:
        """One take; None when no voice was found in it."""
        rng = np.random.default_rng(crc32(take.key.encode()))
        pcm, conditions = self._rooms.hear(self._studio.record(take, rng), rng, take.split)
        speech, _ = voiced_stretch(cut_clip(pcm, self._vad))
        if not len(speech):
            return None
        states = self._engine.model.encode(speech).states.astype(np.float16)
        return Listened(take, conditions.noise, conditions.snr_db, states)


@lru_cache(maxsize=1)
def _ear(places: Places) -> Listener:
    """The ear of this process."""
    return Listener(places)


def packed(listened: Sequence[Listened]) -> bytes:
    """The content of a shard's file."""
    rows = [[asdict(one.take), one.noise, one.snr_db, len(one.states)] for one in listened]
    states = np.concatenate([one.states for one in listened]) if listened else np.zeros((0, 0), np.float16)
    return archive({"rows": np.frombuffer(json.dumps(rows).encode(), np.uint8), "states": states})


def read_listened(file: Path) -> Iterator[Listened]:
    """What `packed` wrote."""
    with np.load(file) as stored:
        rows: list[list[Any]] = json.loads(stored["rows"].tobytes())
        states = stored["states"]
    at = 0
    for take, noise, snr_db, frames in rows:
        yield Listened(take_of(take), noise, snr_db, states[at : at + frames])
        at += frames
