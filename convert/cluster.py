"""A cluster does the work of a build: Ray tasks, on this machine (`--cluster local`) or by a cluster's address.

Machines share no disk. What a task reads travels with it and stays in the cache folder of the machine that does it;
what it makes comes back and is written here. The recordings lie on every machine already ($ASSISTANT_DATA): gigabytes
that never change. A machine whose recordings or packages are others than here is refused, for it would make other
bytes. A task whose machine dies is done again by another one. Ray is imported only here, when a cluster is asked for.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.errors import AssistantError, PluginError
from assistant.folders import folders
from convert.bundle import versions
from convert.files import Places, write_whole
from convert.sources import data_folder
from convert.workers import Alone, Task, Told, keep, located, perform

LOCAL = "local"
FOLDER = "convert"
"""Below the cache folder of each machine."""
RETRIES = 8
"""So often a task is begun again whose machine or process died; one that kills its machine is not begun for ever."""
AHEAD = 2
"""Tasks under way for each processor of the cluster: while one is done, the next one's files travel."""
LARGE = 100_000
"""Files of more bytes are sent to each machine once, smaller ones with every task."""
LOCAL_STORE = 500_000_000
"""Bytes of shared memory for what tasks have made and nobody has fetched yet, on this machine alone."""
REMEDY = "install the extra, beside `convert`: pip install -r requirements/cluster.txt"
GOES_ON = "what is made is kept, the same command goes on"


@dataclass(frozen=True, slots=True)
class Passport:
    """What has to be the same on all machines for the same bytes: packages, recordings (a hash of their list)."""

    packages: tuple[tuple[str, str], ...]
    recordings: str


class Cluster:
    """See workers.Crew. lent: the places of this machine where all workers are on it, else None."""

    trains = True

    def __init__(self, ray: Any, places: Places, lent: Places | None) -> None:
        self._ray = ray
        self._places = places
        self._lent = lent
        self._passport = passport(places.data)
        self._sent: dict[str, Any] = {}
        self._remote = ray.remote(_perform)

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        """See Crew."""
        away = [task for task in tasks if not task.stays]
        for memory in sorted({task.memory for task in away}):
            self._require(memory)
        left = iter(away)
        running: dict[Any, Task] = {}
        try:
            while True:
                while len(running) < self._most() and (task := next(left, None)) is not None:
                    running[self._begin(task)] = task
                if not running:
                    break
                for done in self._first(running):
                    told(keep(running.pop(done), *self._result(done), self._places))
        except BaseException:
            for reference in running:
                self._ray.cancel(reference, force=True)
            raise
        finally:
            self._sent.clear()
        Alone(self._places).run([task for task in tasks if task.stays], told)

    def _first(self, running: Mapping[Any, Task]) -> Sequence[Any]:
        """Those that are done first."""
        patience_s = max(task.limit_s for task in running.values())
        ready, _ = self._ray.wait(list(running), num_returns=1, timeout=patience_s)
        if not ready:
            raise PluginError(
                f"nothing came back for {patience_s / 60:.0f} min",
                where="--cluster",
                remedy=f"see what `ray status` says; {GOES_ON}",
            )
        return list(ready)

    def _begin(self, task: Task) -> Any:
        files = [] if self._lent else [self._content(name) for name in task.needs]
        options = self._remote.options(num_cpus=1, memory=task.memory, max_retries=RETRIES)
        return options.remote(task, self._lent, self._passport, *files)

    def _content(self, name: str) -> Any:
        """The bytes of a file, or where in the cluster they are."""
        if name in self._sent:
            return self._sent[name]
        data = located(self._places, name).read_bytes()
        if len(data) <= LARGE:
            return data
        self._sent[name] = self._ray.put(data)
        return self._sent[name]

    def _result(self, done: Any) -> tuple[list[bytes], float]:
        try:
            made, busy_s = self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, AssistantError):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError as error:
            raise PluginError(
                f"a task was lost {RETRIES + 1} times ({type(error).__name__})",
                where="--cluster",
                remedy=f"see that machines have the memory they say, and `ray status`; {GOES_ON}",
            ) from error
        return list(made), float(busy_s)

    def _most(self) -> int:
        """How many tasks may be under way; machines come and go."""
        return max(AHEAD * int(self._ray.cluster_resources().get("CPU", 0)), 1)

    def _require(self, memory: int) -> None:
        """Raise PluginError unless some machine has a processor and that much memory: a task would wait for ever."""
        found = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(has.get("CPU", 0) >= 1 and has.get("memory", 0) >= memory for has in found):
            raise PluginError(
                f"none of its {len(found)} machines has a processor and {memory / 1e9:.1f} GB of memory",
                where="--cluster",
                remedy="add a larger one, or build without --cluster",
            )


@contextmanager
def joined(places: Places, address: str, jobs: int) -> Iterator[Cluster]:
    """The cluster at `address`, or one of `jobs` processes on this machine (LOCAL), which ends with the block.

    Raises PluginError when Ray is missing or nobody answers.
    """
    # What an assistant for the home is built with has nothing to report to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise PluginError("Ray is not here", where="--cluster", remedy=REMEDY) from error
    own: dict[str, Any] = {"address": address}
    if address == LOCAL:
        own = {"num_cpus": jobs, "include_dashboard": False, "object_store_memory": LOCAL_STORE, "address": LOCAL}
    try:
        ray.init(log_to_driver=False, logging_level="error", **own)
    except (OSError, RuntimeError, ValueError) as error:
        raise PluginError(
            f"no cluster answers at {address} ({str(error).splitlines()[0]})",
            where="--cluster",
            remedy="start one with `ray start --head`, and give the address that it shows",
        ) from error
    try:
        yield Cluster(ray, places, places if address == LOCAL else None)
    finally:
        ray.shutdown()


def passport(data: Path) -> Passport:
    """That of this machine."""
    digest = hashlib.sha256()
    for file in (data / "manifest.jsonl", *sorted((data / "text").glob("*.jsonl"))):
        digest.update(file.read_bytes() if file.is_file() else b"")
    return Passport(tuple(sorted(versions().items())), digest.hexdigest()[:16])


def _perform(task: Task, lent: Places | None, wanted: Passport, *files: bytes) -> tuple[list[bytes], float]:
    """Run on a machine of the cluster. files: the content of all that the task needs, unless its places are lent."""
    places = lent or own_places(wanted)
    for name, data in zip(task.needs, files, strict=False):
        if not located(places, name).is_file():
            write_whole(located(places, name), data)
    return perform(task, places)


@lru_cache(maxsize=1)
def own_places(wanted: Passport) -> Places:
    """Where this machine keeps its files. Raises PluginError when it would make other bytes."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    data = data_folder()
    has = passport(data)
    if has != wanted:
        raise PluginError(
            _difference(dict(wanted.packages), dict(has.packages)) or "its recordings are others",
            where=f"machine {platform.node()} of the cluster",
            remedy="the same packages and recordings on every machine make the same bundle",
        )
    cache = folders().cache
    work = cache / FOLDER
    return Places(data, work / "sounds", work, cache)


def _difference(wanted: Mapping[str, str], has: Mapping[str, str]) -> str:
    """The first package that is another one."""
    for name in sorted(wanted.keys() | has.keys()):
        if wanted.get(name) != has.get(name):
            return f"it has {name} {has.get(name, 'not at all')}, here it is {wanted.get(name, 'not there')}"
    return ""
