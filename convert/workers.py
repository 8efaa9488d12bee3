"""Who does the work of a build: this process, a pool of processes, or a cluster (cluster.py). One protocol for all.

    Task ── makes: names of files ── needs: names of files ── run(places) → their bytes
      │
      ▼
    Crew ── Alone │ Pool (--jobs) │ Cluster (--cluster) ── writes each file whole as soon as it is made

A task names its files by all that they depend on and makes the same bytes whenever and wherever it is run. So it may be
run again, after a crash or on another machine, and whoever starts a build may stop it at any time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from assistant.errors import PluginError
from convert.files import Places, write_whole

SOUNDS = "sounds"
AHEAD = 2
"""Tasks that wait at each process of a pool, so that none is idle and few are lost when a build is stopped."""


class Task(Protocol):
    """A picklable piece of work."""

    @property
    def makes(self) -> tuple[str, ...]:
        """Names of the files that it makes (see `located`)."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the files that it reads; they travel to where no disk is shared."""
        ...

    @property
    def memory(self) -> int:
        """Bytes that a process needs for it."""
        ...

    @property
    def limit_s(self) -> float:
        """Seconds after which something is wrong when nothing has come back."""
        ...

    @property
    def stays(self) -> bool:
        """Whether it can only be done on the machine where the build was started."""
        ...

    def run(self, places: Places) -> list[bytes]:
        """The content of each file of `makes`. Raises AssistantError."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """A task that was done. busy_s: processor time of whoever did it, its children's included; bytes: that it made."""

    task: Task
    busy_s: float
    bytes: int


Told = Callable[[Done], None]
Some = TypeVar("Some", bound=Task)


class Crew(Protocol):
    """Does tasks. trains: whether it has machines besides this one, so that nets may be trained side by side."""

    trains: bool

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        """Do all tasks, in any order; each file is written to its place here before `told` hears of it.

        Raises AssistantError of the first task that fails, or when nobody is left to do them. Nothing goes on then.
        """
        ...


def located(places: Places, name: str) -> Path:
    """Where the file `name` is kept: sounds/… below the folder of sounds, everything else below the work folder."""
    first, _, rest = name.partition("/")
    return places.sounds / rest if first == SOUNDS else places.work / name


def missing(tasks: Sequence[Some], places: Places) -> list[Some]:
    """Those of `tasks` that have still a file to make."""
    return [task for task in tasks if not all(located(places, name).is_file() for name in task.makes)]


def perform(task: Task, places: Places) -> tuple[list[bytes], float]:
    """What a task makes, and the processor time that it took."""
    began = busy_s()
    made = task.run(places)
    return made, busy_s() - began


def keep(task: Task, made: Sequence[bytes], seconds: float, places: Places) -> Done:
    """Write what a task made. Raises StorageError."""
    for name, data in zip(task.makes, made, strict=True):
        write_whole(located(places, name), data)
    return Done(task, seconds, sum(map(len, made)))


class Alone:
    """This process does everything, one task after the other."""

    trains = False

    def __init__(self, places: Places) -> None:
        self._places = places

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        """See Crew."""
        for task in tasks:
            told(keep(task, *perform(task, self._places), self._places))


class Pool:
    """Processes on this machine, one task in each at a time. They are ended with the build, however it ends."""

    trains = False

    def __init__(self, places: Places, jobs: int) -> None:
        self._places = places
        self._jobs = jobs

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        """See Crew."""
        if not tasks:
            return
        with _processes(min(self._jobs, len(tasks))) as pool:
            left = iter(tasks)
            running: dict[Future[tuple[list[bytes], float]], Task] = {}
            while True:
                while len(running) < AHEAD * self._jobs and (task := next(left, None)) is not None:
                    running[pool.submit(perform, task, self._places)] = task
                if not running:
                    return
                patience_s = max(task.limit_s for task in running.values())
                ready = wait(running, timeout=patience_s, return_when=FIRST_COMPLETED).done
                if not ready:
                    raise PluginError(f"nothing was made for {patience_s / 60:.0f} min", where="--jobs")
                for future in ready:
                    task = running.pop(future)
                    told(keep(task, *_result(future), self._places))


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes are gone at the end, also when they were in the middle of a task."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _ignore_interrupts)
    try:
        yield pool
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _ignore_interrupts() -> None:
    """Ctrl-C goes to every process of a terminal: whoever began the build ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _result(future: Future[tuple[list[bytes], float]]) -> tuple[list[bytes], float]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise PluginError(
            "a process that made data was killed",
            where="--jobs",
            remedy="if memory was short, fewer --jobs; what is made is kept, the same command goes on",
        ) from error


def busy_s() -> float:
    """Processor time of this process and of the programs it has waited for, seconds."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
