"""The stages that make data: plan, speak, hear. Each goes on where it was stopped, and says what it will cost.

    plan ─► takes ─► speak ─► sounds/ ─► hear ─► heard/*.npz ─► (dataset.py)

Files are named by what they depend on, so that a changed sentence redoes only what it changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil

from assistant.errors import StorageError
from convert.recognise import Ear, Places, contexts, shard_file, shards_of
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
from convert.voices import FORMANT, RECORDED, Speaker, installed, speak

READ, TEXTS = "read", "texts"
"""Corpora beside those of contexts: read speech under lattices, commands of text sets."""
SECONDS_A_TAKE = 0.35
BYTES_A_TAKE = 130_000
MEMORY_A_JOB = 900_000_000
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


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a build will take: takes not yet heard, seconds, bytes on disk, bytes of memory."""

    takes: int
    seconds: float
    disk: int
    memory: int


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
    known = contexts(places.data, folders)
    made = [context for name, context in known.items() if name not in folders]
    if corpus == TEXTS:
        return [[take for context in made for take in context_takes(context, company, amounts.text, seed)]]
    rounds = range(seed, seed + amounts.rounds)
    crowd = list(crowded_takes(known.get(corpus), company, amounts.crowd, seed))
    if corpus == READ:
        return [*(list(reading_takes(company, amounts.reading, drawn)) for drawn in rounds), crowd]
    return [*(list(context_takes(known[corpus], company, amounts.context, drawn)) for drawn in rounds), crowd]


def estimate(shards: Mapping[Path, Sequence[Take]], jobs: int) -> Estimate:
    """What hearing `shards` will cost, those that are there left out."""
    missing = sum(len(takes) for file, takes in shards.items() if not file.is_file())
    memory = jobs * MEMORY_A_JOB if missing else 0
    return Estimate(missing, SECONDS_A_TAKE * missing / jobs, BYTES_A_TAKE * missing, max(memory, TRAINING_MEMORY))


def check_room(cost: Estimate, work: Path) -> None:
    """Raise StorageError before anything is begun that disk or memory will not hold."""
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    if free < cost.disk:
        raise StorageError(
            f"needs {cost.disk / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            where=str(work),
            remedy="free some space, or choose another folder with --work",
        )
    memory = psutil.virtual_memory().available
    if memory < cost.memory:
        raise StorageError(
            f"needs {cost.memory / 1e9:.1f} GB of memory, {memory / 1e9:.1f} GB are free",
            where="memory",
            remedy="fewer --jobs, or stop other programs",
        )


def shard_files(draws: Sequence[Sequence[Take]], places: Places, folders: Mapping[str, str]) -> dict[Path, list[Take]]:
    """The shards that takes go into, by file; each draw has its own, so that a further one changes none."""
    known = contexts(places.data, folders)
    hashes = {name: context.hash for name, context in known.items()} | {LATTICE: LATTICE}
    shards = [shard for takes in draws for shard in shards_of(takes)]
    return {shard_file(shard, hashes[shard[0].grammar], places): shard for shard in shards}


def speak_all(takes: Sequence[Take], places: Places, advance: Advance) -> None:
    """Let every voice say what it has to; sentences that are there already cost nothing. Raises PluginError."""
    voices: list[Speaker] = installed((*RECORDED, *FORMANT))
    lines = spoken_lines(takes, voices)
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        advance("speak", done, len(lines))

    speak(lines, places.sounds, told)


def hear_all(
    shards: Mapping[Path, Sequence[Take]], places: Places, folders: Mapping[str, str], jobs: int, advance: Advance
) -> None:
    """Hear all shards that are not there, in `jobs` processes."""
    missing = {file: takes for file, takes in shards.items() if not file.is_file()}
    done = len(shards) - len(missing)
    advance("hear", done, len(shards))
    if jobs <= 1:
        ear = Ear(places, folders) if missing else None
        for file, takes in missing.items():
            assert ear is not None
            ear.hear_shard(takes, file)
            done += 1
            advance("hear", done, len(shards))
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _open_ear, (places, folders)) as pool:
        for _ in as_completed([pool.submit(_hear, takes, file) for file, takes in missing.items()]):
            done += 1
            advance("hear", done, len(shards))


_ears: list[Ear] = []
"""The ear of a worker process."""


def _open_ear(places: Places, folders: Mapping[str, str]) -> None:
    _ears.append(Ear(places, folders))


def _hear(takes: Sequence[Take], file: Path) -> Path:
    return _ears[0].hear_shard(takes, file)
