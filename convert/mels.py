"""Log-mel of takes that were heard before: the same sound is made again, nothing is decoded; kept by shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from assistant.understand.fused.projection import FeatureSpec
from assistant.understand.fused.source import MEL_DIM, log_mel
from convert.files import Places, archive
from convert.recognise import Heard, read_shard
from convert.rooms import Rooms
from convert.sources import readings
from convert.stages import LIMIT_S, MEMORY_A_VOICE, of_the_user, sounds_of
from convert.synthesize import Studio, Take
from convert.voices import FORMANT, HELD_OUT, RECORDED
from convert.workers import Crew, Done, located, missing

FORMAT = 1
"""Raised whenever they are made otherwise."""
FOLDER = f"mel-{FORMAT}"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Melting:
    """A task (workers.py): the log-mel of one shard. shard, name: of files; takes: what the shard was made of."""

    shard: str
    name: str
    takes: tuple[Take, ...]
    stays: bool
    memory: int = MEMORY_A_VOICE
    limit_s: float = LIMIT_S

    @property
    def makes(self) -> tuple[str, ...]:
        """One file."""
        return (self.name,)

    @property
    def needs(self) -> tuple[str, ...]:
        """What was heard, and what synthetic voices said."""
        return (self.shard, *sounds_of(self.takes))

    def run(self, places: Places) -> list[bytes]:
        """Make it. Raises AssistantError."""
        rooms, studio = _place(places)
        mels = [mel_of(heard, rooms, studio) for heard in read_shard(located(places, self.shard))]
        lengths = np.array([len(mel) for mel in mels], np.int32)
        flat = np.concatenate([*mels, np.zeros((0, MEL_DIM), np.float32)])
        return [archive({"lengths": lengths, "mel": flat.astype(np.float16)})]


def mel_of(heard: Heard, rooms: Rooms, studio: Studio) -> Floats:
    """The log-mel of the stretch that was decoded, float32 [states, MEL_DIM]."""
    rng = np.random.default_rng(crc32(heard.take.key.encode()))
    pcm, _ = rooms.hear(studio.record(heard.take, rng), rng, heard.take.split)
    return log_mel(pcm, heard.sound.start_s, len(heard.sound.states), FeatureSpec().state_s)


def mel_all(
    shards: Mapping[Path, Sequence[Take]], places: Places, crew: Crew, advance: Callable[[int, int], None]
) -> int:
    """The log-mel of all shards that have none yet; returns the takes of these. Raises AssistantError."""
    tasks = [
        Melting(
            file.relative_to(places.work).as_posix(),
            mel_file(places, file).relative_to(places.work).as_posix(),
            tuple(takes),
            of_the_user(takes),
        )
        for file, takes in shards.items()
    ]
    unmade = missing(tasks, places)
    made = len(tasks) - len(unmade)
    advance(made, len(tasks))

    def told(done: Done) -> None:
        nonlocal made
        made += len(done.task.makes)
        advance(made, len(tasks))

    crew.run(unmade, told)
    return sum(len(task.takes) for task in unmade)


def mel_file(places: Places, shard: Path) -> Path:
    """Where the log-mel of a shard is kept."""
    return places.work / FOLDER / shard.name


def read_mels(file: Path) -> Iterator[Floats]:
    """Of each take of a shard, in its order."""
    with np.load(file) as kept:
        ends, mel = np.cumsum(kept["lengths"]), kept["mel"]
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        yield mel[begin:end].astype(np.float32)


@lru_cache(maxsize=1)
def _place(places: Places) -> tuple[Rooms, Studio]:
    """Rooms and voices of this process."""
    rooms = Rooms(places.data, places.work, readings(places.data))
    return rooms, Studio(places.sounds, places.data, (*RECORDED, *FORMANT, *HELD_OUT))
