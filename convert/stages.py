"""The stages that make data: plan, speak, hear. Each goes on where it was stopped, and says what it will cost.

    plan ─► takes ─► speak ─► sounds/ ─► hear ─► heard/*.npz ─► (dataset.py)

Files are named by what they depend on, so that a changed sentence redoes only what it changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

from assistant.errors import StorageError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from convert.files import Places
from convert.recognise import Ear, contexts, shard_file, shards_of
from convert.sources import CROWD_SETS, READ_SETS, TEXT_SETS, readings, texts
from convert.synthesize import (
    LATTICE,
    Company,
    Take,
    context_takes,
    crowded_takes,
    plain_sentences,
    reading_takes,
    spoken_lines,
)
from convert.travel import pack, unpack
from convert.voices import FORMANT, RECORDED, Speaker, batches, installed, sound_file, speak
from convert.workers import SOUNDS, Crew, Done, missing

READ, TEXTS = "read", "texts"
"""Corpora beside those of contexts: read speech under lattices, commands of text sets."""
MEMORY_A_JOB = 900_000_000
MEMORY_A_VOICE = 400_000_000
LIMIT_S = 900.0
"""A shard takes 10 to 60 s, its worker's start included."""
TRAINING_MEMORY = 2_500_000_000

Advance = Callable[[str, int, int], None]
"""Told (stage, done, all)."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much is made in a round. context: takes for each context; text: for each made context; reading: a recording.

    crowd: further takes for the corpora READ and of a context, in which others talk into the sentence.
    rounds: each draws contexts and readings anew, so that more of them keep what is there.
    """

    context: int
    text: int
    reading: float
    crowd: int = 0
    rounds: int = 1


FULL_BUILD = Amounts(1000, 45, 1.3, crowd=500, rounds=2)
QUICK_BUILD = Amounts(240, 6, 0.2, crowd=60)


def company_of(data: Path) -> Company:
    """Whoever else speaks in training."""
    found = readings(data, READ_SETS)
    split = {name: [r for r in found if r.split == name] for name in ("train", "valid")}
    crowd = {name: [r for r in readings(data, CROWD_SETS) if r.split == name] for name in ("train", "valid")}
    sentences = [s for name in TEXT_SETS for s in plain_sentences(texts(data, name))]
    return Company(split, sentences, installed((*RECORDED, *FORMANT)), crowd)


def plan(corpus: str, places: Places, folders: Mapping[str, str], amounts: Amounts, seed: int) -> list[list[Take]]:
    """The takes of one corpus, draw by draw: READ, TEXTS, or the name of a context in `folders`.

    Raises ContextError, InputError.
    """
    company = company_of(places.data)
    known = contexts(places.data, map(load_context, folders.values()))
    made = [context for name, context in known.items() if name not in folders]
    if corpus == TEXTS:
        return [[take for context in made for take in context_takes(context, company, amounts.text, seed)]]
    rounds = range(seed, seed + amounts.rounds)
    crowd = list(crowded_takes(known.get(corpus), company, amounts.crowd, seed))
    if corpus == READ:
        return [*(list(reading_takes(company, amounts.reading, drawn)) for drawn in rounds), crowd]
    return [*(list(context_takes(known[corpus], company, amounts.context, drawn)) for drawn in rounds), crowd]


def said_by_voices(takes: Sequence[Take]) -> list[tuple[Speaker, str]]:
    """All that synthetic voices have to say for `takes`."""
    return spoken_lines(takes, _voices())


def silent(takes: Sequence[Take], places: Places, voices: Sequence[Speaker] = ()) -> list[tuple[Speaker, str]]:
    """What synthetic voices have still to say for `takes`; voices: as in `speak_all`."""
    lines = spoken_lines(takes, voices or _voices())
    return [(speaker, text) for speaker, text in lines if not sound_file(places.sounds, speaker, text).is_file()]


def check_room(disk: float, needed: float, work: Path) -> None:
    """Raise StorageError before anything is begun that does not fit. disk, needed: bytes of disk and of memory."""
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    if free < disk:
        raise StorageError(
            f"needs {disk / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            where=str(work),
            remedy="free some space, or choose another folder with --work",
        )
    memory = psutil.virtual_memory().available
    if memory < needed:
        raise StorageError(
            f"needs {needed / 1e9:.1f} GB of memory, {memory / 1e9:.1f} GB are free",
            where="memory",
            remedy="fewer --jobs, or stop other programs",
        )


def shard_files(
    draws: Sequence[Sequence[Take]], places: Places, folders: Mapping[str, str], model: str = ""
) -> dict[Path, list[Take]]:
    """The shards that takes go into, by file; each draw has its own, so that a further one changes none.

    model: as of Ear.
    """
    known = contexts(places.data, map(load_context, folders.values()))
    hashes = {name: context.hash for name, context in known.items()} | {LATTICE: LATTICE}
    shards = [shard for takes in draws for shard in shards_of(takes)]
    return {shard_file(shard, hashes[shard[0].grammar], places, model): shard for shard in shards}


@dataclass(frozen=True, slots=True)
class Speaking:
    """A task (workers.py): sentences that one voice says."""

    speaker: Speaker
    texts: tuple[str, ...]
    memory: int = MEMORY_A_VOICE
    needs: tuple[str, ...] = ()
    limit_s: float = LIMIT_S
    stays: bool = False

    @property
    def makes(self) -> tuple[str, ...]:
        """A file for each sentence."""
        return tuple(_sound(self.speaker, text) for text in self.texts)

    def run(self, places: Places) -> list[bytes]:
        """Say them. Raises PluginError."""
        del places
        return speak(self.speaker, self.texts)


@dataclass(frozen=True, slots=True)
class Hearing:
    """A task: a shard of takes, made and heard. name: of its file; contexts: names of packed ones (travel.py).

    model: as of Ear.
    """

    takes: tuple[Take, ...]
    name: str
    contexts: tuple[str, ...]
    model: str = ""
    memory: int = MEMORY_A_JOB
    limit_s: float = LIMIT_S

    @property
    def makes(self) -> tuple[str, ...]:
        """One file."""
        return (self.name,)

    @property
    def needs(self) -> tuple[str, ...]:
        """What synthetic voices said, and the contexts."""
        return (*self.contexts, *sounds_of(self.takes))

    @property
    def stays(self) -> bool:
        """A user's own recordings, and a model that somebody fetched, are only where they are."""
        return bool(self.model) or of_the_user(self.takes)

    def run(self, places: Places) -> list[bytes]:
        """Make and decode them. Raises AssistantError."""
        ear = _ear(places, self.model)
        ear.know(_context(places.work / name) for name in self.contexts)
        return [ear.hear_shard(self.takes)]


def sounds_of(takes: Sequence[Take]) -> tuple[str, ...]:
    """Names of the files of what synthetic voices say in `takes`."""
    return tuple(_sound(speaker, text) for speaker, text in spoken_lines(takes, _voices()))


def of_the_user(takes: Sequence[Take]) -> bool:
    """Whether recordings are among them that only this machine has."""
    return any(Path(line.file).is_absolute() for take in takes for line in (take.line, take.other) if line)


def speak_all(
    takes: Sequence[Take], places: Places, crew: Crew, advance: Advance, voices: Sequence[Speaker] = ()
) -> int:
    """Let every voice say what it has to; returns how much. What is there costs nothing. Raises PluginError.

    voices: who may speak, those that train the fused net by default.
    """
    lines, unsaid = spoken_lines(takes, voices or _voices()), silent(takes, places, voices)
    said = len(lines) - len(unsaid)
    advance("speak", said, len(lines))

    def told(done: Done) -> None:
        nonlocal said
        said += len(done.task.makes)
        advance("speak", said, len(lines))

    crew.run([Speaking(speaker, texts) for speaker, texts in batches(unsaid)], told)
    return len(unsaid)


def hear_all(
    shards: Mapping[Path, Sequence[Take]],
    places: Places,
    folders: Mapping[str, str],
    crew: Crew,
    advance: Advance,
    model: str = "",
) -> int:
    """Hear all shards that are not there; returns the takes that were heard. Raises AssistantError."""
    packed = {name: pack(folder, places.work) for name, folder in folders.items()}
    everything = [
        Hearing(
            tuple(takes),
            file.relative_to(places.work).as_posix(),
            tuple(packed[name] for name in sorted({take.grammar for take in takes} & packed.keys())),
            model,
        )
        for file, takes in shards.items()
    ]
    unheard = missing(everything, places)
    heard = len(everything) - len(unheard)
    advance("hear", heard, len(everything))

    def told(done: Done) -> None:
        nonlocal heard
        heard += len(done.task.makes)
        advance("hear", heard, len(everything))

    crew.run(unheard, told)
    return sum(len(task.takes) for task in unheard)


def _voices() -> list[Speaker]:
    """All voices that may train, installed or not."""
    return [*RECORDED, *FORMANT]


def _sound(speaker: Speaker, text: str) -> str:
    """The name of a file of sound."""
    return f"{SOUNDS}/{sound_file(Path(), speaker, text).as_posix()}"


@lru_cache(maxsize=1)
def _ear(places: Places, model: str) -> Ear:
    """The ear of this process: opening one takes seconds."""
    return Ear(places, model)


@lru_cache(maxsize=1)
def _context(packed: Path) -> Context:
    return unpack(packed)
