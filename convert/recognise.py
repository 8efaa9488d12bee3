"""The device's own recogniser in the loop: takes are made, heard in a room, decoded, and what the net may see is kept.

Takes go in shards; a shard is one file named by a hash of all that it depends on, written whole or not at all. So a
stage that was killed goes on where it was, and an unchanged take is never decoded twice.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ContextError
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize import vosk
from assistant.recognize.engine import Prepared, Recognizer
from assistant.recognize.moonshine import create
from assistant.recognize.moonshine.engine import Moonshine
from assistant.recognize.moonshine.grammar import MoonshineGrammar
from assistant.types import Hypothesis, Word
from assistant.understand.fused.projection import FeatureSpec
from assistant.understand.fused.source import Sound, SoundSource, States, WordTimes
from convert.files import Places, archive, write_whole
from convert.grammars import lattice, text_contexts
from convert.rooms import Rooms
from convert.sources import readings, texts
from convert.synthesize import CUT, LATTICE, Line, Studio, Take
from convert.voices import FORMANT, HELD_OUT, RECORDED

FORMAT = 1
"""Raised whenever shards are made otherwise."""
SHARD_TAKES = 40
SHOWN = 8
"""So many hypotheses are kept with their attention; of the others only their scores count (they are rivals)."""
TEXT_CONTEXTS: Mapping[str, int] = {"hwu64": 14, "snips": 8}
TEXT_SEED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One take as the recogniser heard it.

    take: what it was. truth: slots of what was said, under a lattice. snr_db: None where clean. noise: its kind.
    """

    take: Take
    truth: Mapping[str, Any]
    noise: str
    snr_db: float | None
    sound: Sound
    hypotheses: tuple[Hypothesis, ...]


def shards_of(takes: Sequence[Take]) -> list[list[Take]]:
    """`takes` in groups under the same grammar, so that each is prepared once."""
    groups: dict[str, list[Take]] = {}
    for take in takes:
        groups.setdefault(take.grammar, []).append(take)
    return [found[i : i + SHARD_TAKES] for found in groups.values() for i in range(0, len(found), SHARD_TAKES)]


def shard_file(takes: Sequence[Take], context_hash: str, places: Places, model: str = "") -> Path:
    """Where a shard is kept: named by its takes, its grammar, the recogniser's version. model: as of Ear."""
    heard_by = [Path(model).name] if model else []
    depends = [FORMAT, context_hash, [asdict(take) for take in takes], *heard_by]
    content = json.dumps(depends, sort_keys=True, default=str)
    return places.work / "heard" / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.npz"


class Ear:
    """Recogniser, voice activity, rooms and contexts of one process. It knows those of the text sets.

    model: the folder of a model of Vosk, which then hears; "" for the default recogniser.
    """

    def __init__(self, places: Places, model: str = "") -> None:
        self._places = places
        self._engine: Recognizer = vosk.create(model=model) if model else create(cache=places.models)
        self._vad = open_vad("silero")
        self._readings = readings(places.data)
        self._rooms = Rooms(places.data, places.work, self._readings)
        self._studio = Studio(places.sounds, places.data, (*RECORDED, *FORMANT, *HELD_OUT))
        self._contexts = contexts(places.data)
        self._prepared: dict[str, Prepared] = {}
        self._vocabulary: dict[str, list[str]] = {}

    def know(self, own: Iterable[Context]) -> None:
        """Takes may be under these contexts, too."""
        self._contexts |= {context.name: context for context in own}

    def hear_shard(self, takes: Sequence[Take]) -> bytes:
        """Make and decode `takes`: the content of their shard's file."""
        return packed([heard for take in takes if (heard := self.hear(take)) is not None])

    def hear(self, take: Take) -> Heard | None:
        """One take; None when no voice was found in it or no sentence fits."""
        rng = np.random.default_rng(crc32(take.key.encode()))
        pcm, conditions = self._rooms.hear(self._studio.record(take, rng), rng, take.split)
        utterance = cut_clip(pcm, self._vad)
        try:
            grammar, truth = self._grammar(take)
        except ContextError:  # Vosk knows no word of a transcript; of a context it says so
            if take.grammar != LATTICE:
                raise
            return None
        transcript = self._engine.open(grammar).finish(utterance)
        source: SoundSource = States() if transcript.states is not None else WordTimes(FeatureSpec().state_s)
        # A hypothesis that is only marks and silence has no words.
        if not transcript.hypotheses or (transcript.states is None and not source.sees(transcript)):
            return None
        sound = source.sound(utterance, transcript)
        return Heard(take, truth, conditions.noise, conditions.snr_db, sound, transcript.hypotheses)

    def _grammar(self, take: Take) -> tuple[Prepared, Mapping[str, Any]]:
        if take.grammar == LATTICE:
            made = lattice(
                take.grammar_text, self._words(take.grammar_text), random.Random(take.key), complete=take.kind == CUT
            )
            if isinstance(self._engine, Moonshine):  # nothing is compiled for one utterance
                return MoonshineGrammar(made.context, self._engine.model), made.said
            return self._engine.prepare(made.context), made.said
        context = self._contexts[take.grammar]
        if context.hash not in self._prepared:
            self._prepared[context.hash] = self._engine.prepare(context)
        return self._prepared[context.hash], take.slots

    def _words(self, text: str) -> list[str]:
        """Words of the set that a transcript is from: spelling has another vocabulary than prose."""
        if not self._vocabulary:
            for r in self._readings:
                self._vocabulary.setdefault(r.origin, []).extend(r.said.split())
            self._vocabulary = {origin: sorted(set(words)) for origin, words in self._vocabulary.items()}
        own = set(text.split())
        return max(self._vocabulary.values(), key=lambda words: (len(own & set(words)), -len(words)))


def contexts(data: Path, own: Iterable[Context] = ()) -> dict[str, Context]:
    """All contexts that takes are heard under, by name: `own` and those made from text sets."""
    found = list(own)
    for name, count in TEXT_CONTEXTS.items():
        found += text_contexts(name, texts(data, name), count, TEXT_SEED)
    return {context.name: context for context in found}


def keep(file: Path, heard: Sequence[Heard]) -> None:
    """Write a shard. Raises StorageError."""
    write_whole(file, packed(heard))


def packed(heard: Sequence[Heard]) -> bytes:
    """The content of a shard's file; the same takes give the same bytes."""
    rows, arrays = [], _Flat()
    for h in heard:
        arrays.add("states", h.sound.states, np.float16)
        arrays.add("voice", h.sound.voice, np.float16)
        arrays.add("level", h.sound.level_db, np.float16)
        found = []
        for rank, y in enumerate(h.hypotheses):
            arrays.add("tokens", y.tokens, np.int32)
            arrays.add("log_p", y.log_p, np.float32)
            arrays.add("ilm", y.ilm, np.float32)
            if rank < SHOWN and y.attention is not None:
                arrays.add("attention", y.attention.ravel(), np.float16)
            scores = [y.score, y.rerank, y.prior, y.terminal, len(y.tokens)]
            words = [[[w.text, w.start_s, w.end_s, w.confidence] for w in y.words]] if y.words else []
            found.append([y.intent, dict(y.slots), y.text, *scores, *words])
        lengths = [len(h.sound.states), len(h.sound.voice)]
        rows.append([asdict(h.take), dict(h.truth), h.noise, h.snr_db, h.sound.start_s, lengths, found])
    return archive({"rows": np.frombuffer(json.dumps(rows).encode(), np.uint8), **arrays.joined()})


def read_shard(file: Path) -> Iterator[Heard]:
    """What `keep` wrote; token vectors are left out, they follow from the tokens."""
    with np.load(file) as stored:
        rows = json.loads(stored["rows"].tobytes())
        at = _Cursor({name: stored[name] for name in stored.files if name != "rows"})
    for take, truth, noise, snr_db, start_s, (states, frames), found in rows:
        sound = Sound(
            at.take("states", states).astype(np.float32),
            start_s,
            at.take("voice", frames).astype(np.float32),
            at.take("level", frames).astype(np.float32),
        )
        hypotheses = tuple(
            Hypothesis(
                intent,
                slots,
                text,
                score,
                rerank,
                at.take("tokens", n),
                at.take("log_p", n),
                at.take("ilm", n),
                prior,
                at.take("attention", n * states).astype(np.float32).reshape(n, states) if rank < SHOWN and n else None,
                words=tuple(Word(*word) for said in words for word in said),
                terminal=terminal,
            )
            for rank, (intent, slots, text, score, rerank, prior, terminal, n, *words) in enumerate(found)
        )
        yield Heard(take_of(take), truth, noise, snr_db, sound, hypotheses)


def take_of(row: dict[str, Any]) -> Take:
    """A take as it was kept (`asdict`)."""
    other = row["other"]
    return Take(**(row | {"line": Line(**row["line"]), "other": Line(**other) if other else None}))


class _Flat:
    """Arrays of different lengths, laid end to end."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {}

    def add(self, name: str, values: NDArray[Any], kind: type[np.generic]) -> None:
        self._parts.setdefault(name, []).append(values.astype(kind))

    def joined(self) -> dict[str, NDArray[Any]]:
        return {name: np.concatenate(parts) for name, parts in self._parts.items()}


class _Cursor:
    """Reads `_Flat` again, piece by piece."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._at = dict.fromkeys(arrays, 0)

    def take(self, name: str, count: int) -> NDArray[Any]:
        start = self._at.setdefault(name, 0)
        self._at[name] = start + count
        return self._arrays[name][start : start + count]
