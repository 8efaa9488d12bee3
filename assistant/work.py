"""Where decoding runs: in line, when a file is read as fast as the machine can, or in a thread, beside a microphone.

Jobs are numbered by their owner; a job's result is polled, never pushed, so that one thread owns all decisions.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Done:
    """A finished job: its number and its result, or the exception that ended it."""

    number: int
    result: Any
    error: BaseException | None = None


class Worker(Protocol):
    """Runs jobs one after another."""

    def submit(self, number: int, job: Callable[[], Any]) -> None:
        """Queue a job."""
        ...

    def poll(self, timeout_s: float = 0.0) -> Done | None:
        """The next finished job, waiting at most `timeout_s` for it."""
        ...

    @property
    def busy(self) -> bool:
        """A job is queued, running, or finished and not yet polled."""
        ...

    def close(self) -> None:
        """Take no more jobs; what runs is finished first."""
        ...


class InlineWorker:
    """Runs a job at once, in the caller's thread: deterministic, for files and tests."""

    def __init__(self) -> None:
        self._done: list[Done] = []

    def submit(self, number: int, job: Callable[[], Any]) -> None:
        """Run `job` now; errors are raised to the caller."""
        self._done.append(Done(number, job()))

    def poll(self, timeout_s: float = 0.0) -> Done | None:
        """The next finished job."""
        del timeout_s
        return self._done.pop(0) if self._done else None

    @property
    def busy(self) -> bool:
        """A finished job waits to be polled."""
        return bool(self._done)

    def close(self) -> None:
        """Nothing to end."""


class ThreadWorker:
    """Runs jobs in one thread of its own, so that the thread that hears never waits."""

    def __init__(self, name: str = "worker") -> None:
        self._jobs: queue.SimpleQueue[tuple[int, Callable[[], Any]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._open = 0
        self._since: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, number: int, job: Callable[[], Any]) -> None:
        """Queue `job`."""
        self._open += 1
        self._jobs.put((number, job))

    def poll(self, timeout_s: float = 0.0) -> Done | None:
        """The next finished job, or None."""
        try:
            done = self._done.get(timeout=timeout_s) if timeout_s > 0 else self._done.get_nowait()
        except queue.Empty:
            return None
        self._open -= 1
        return done

    @property
    def busy(self) -> bool:
        """A job is queued, running, or not yet polled."""
        return self._open > 0

    def working_s(self) -> float:
        """How long it has been in the job that it is in, seconds; 0 between jobs. From any thread."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self, timeout_s: float = 2.0) -> None:
        """End the thread after the job that it is in."""
        self._jobs.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            number, job = item
            self._since = time.monotonic()
            try:
                done = Done(number, job())
            except BaseException as error:  # noqa: BLE001 - handed to whoever polls, which raises or reports it
                done = Done(number, None, error)
            self._since = None
            self._done.put(done)
