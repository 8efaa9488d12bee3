"""Calls into a plug-in from a thread of its own, so that one that raises or blocks takes nothing else with it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from assistant.clock import Clock
from assistant.errors import AssistantError

T = TypeVar("T")


class RaisedError(Exception):
    """A call raised something that is no AssistantError; `error` is what."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        text = str(error).splitlines()[0] if str(error) else ""
        super().__init__(f"{type(error).__name__}: {text}" if text else type(error).__name__)


class HangError(Exception):
    """A call did not return in time; its thread was left alone with it."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(f"it did not answer within {timeout_s:g} s")


@dataclass(slots=True, eq=False)
class _Call(Generic[T]):
    function: Callable[[], T]
    done: threading.Event
    result: Any = None
    error: BaseException | None = None


class Guard:
    """One plug-in's thread; calls come one after another. After a hang the next call gets a new thread."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name, self._clock = name, clock
        self._calls: queue.SimpleQueue[_Call[Any] | None] | None = None
        self._lock = threading.Lock()

    def call(self, function: Callable[[], T], timeout_s: float) -> T:
        """What `function` returns.

        Raises AssistantError as the function did, RaisedError for anything else that it raised, and HangError if it
        neither returned nor raised within `timeout_s`.
        """
        call = _Call(function, threading.Event())
        with self._lock:
            if self._calls is None:
                self._calls = queue.SimpleQueue()
                # A thread that hangs must not keep the process from ending.
                threading.Thread(target=_work, args=(self._calls,), name=f"skill {self._name}", daemon=True).start()
            calls = self._calls
        calls.put(call)
        if not self._clock.wait(call.done, timeout_s):
            with self._lock:
                if self._calls is calls:
                    self._calls = None
            calls.put(None)
            raise HangError(timeout_s)
        if isinstance(call.error, AssistantError):
            raise call.error
        if call.error is not None:
            raise RaisedError(call.error)
        result: T = call.result
        return result

    def close(self) -> None:
        """Let the thread end when it has nothing left to do."""
        with self._lock:
            if self._calls is not None:
                self._calls.put(None)
                self._calls = None


def _work(calls: queue.SimpleQueue[_Call[Any] | None]) -> None:
    while (call := calls.get()) is not None:
        try:
            call.result = call.function()
        except BaseException as error:  # noqa: BLE001  a plug-in may even raise SystemExit; the caller gets it
            call.error = error
        call.done.set()
