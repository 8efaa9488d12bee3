"""Ends a conversation on SIGTERM or Ctrl-C: in order when that takes less than two seconds, otherwise all the same."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signal import _HANDLER

    from typing_extensions import Self

END_WITHIN_S = 1.8
"""From the signal until the process is ended, in order or not: service managers and people expect about two seconds."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class EndsOnSignal:
    """A context in which the first signal calls `closing` in a thread of its own, and a second one ends the process.

    A handler runs in the middle of whatever the main thread does, perhaps while that holds the lock that closing a
    sound card needs; a thread may wait for it. When the context is not left within `within_s` of the signal, the
    process ends with exit code 128 + the signal's number. Outside the main thread it does nothing.
    """

    def __init__(self, *closing: Callable[[], None], within_s: float = END_WITHIN_S) -> None:
        self._closing = closing
        self._within_s = within_s
        self._left = threading.Event()
        self._before: dict[signal.Signals, _HANDLER] = {}
        self.requested = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            os._exit(128 + number)
        self.requested = True
        threading.Thread(target=self._end, args=(number,), name="ending", daemon=True).start()

    def _end(self, number: int) -> None:
        threading.Thread(target=self._close_all, name="closing", daemon=True).start()
        if not self._left.wait(self._within_s):
            os._exit(128 + number)

    def _close_all(self) -> None:
        for close in self._closing:
            close()
