"""The recogniser's own process: `python -m assistant.daemon.child FD`; ends when the daemon's end of the pair closes.

A crash in an engine's native code, or an engine that hangs, so costs one utterance and not the assistant. One thread
reads what is asked and cancels at once; the main thread decodes.
"""

from __future__ import annotations

import importlib
import logging
import queue
import sys
import threading
import time
from collections import OrderedDict
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from assistant.daemon.memory import bound_arenas, give_back
from assistant.daemon.protocol import Fault, refused
from assistant.daemon.wire import (
    ENCODED,
    Cancel,
    Feed,
    Finish,
    Finished,
    Hurry,
    NotReady,
    Order,
    Ping,
    Pong,
    Prepare,
    PreparedContext,
    Ready,
    Rest,
    SetUp,
)
from assistant.errors import AssistantError
from assistant.recognize.engine import Adjustable, Encoding, Resting
from assistant.types import Effort, Transcript

if TYPE_CHECKING:
    from assistant.recognize.engine import Prepared, Recognizer, Session

MOST_SESSIONS = 8
"""A conversation has at most a few open; the oldest of more were left."""
MOST_CONTEXTS = 12
"""Those of the wake words, and of the latest questions: each is a context of its own, and takes 0.2 MB. What is
forgotten is sent again when it is asked for."""
TIDY_AFTER_S = 1.0
"""Free pages go back to the kernel when so long nothing was decoded or compiled: in the midst of a command it would
cost a tenth of its time."""

log = logging.getLogger(__name__)


class Child:
    """The engine and what was prepared for it."""

    def __init__(self, connection: Connection, recognizer: Recognizer) -> None:
        self._connection, self._recognizer = connection, recognizer
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()
        self._sessions: OrderedDict[int, Session] = OrderedDict()
        self._cancelled: set[int] = set()
        self._late: set[int] = set()
        self._lock = threading.Lock()
        self._worked_at: float | None = time.monotonic()

    def serve(self) -> None:
        """Do what is asked until the other end is closed."""
        threading.Thread(target=self._read, name="orders", daemon=True).start()
        while (order := self._orders.get()) is not None:
            self._do(order)

    def _read(self) -> None:
        try:
            while True:
                order = self._connection.recv()
                if isinstance(order, Cancel):
                    self._cancel(order.session)
                elif isinstance(order, Hurry):
                    self._late = _recent(self._late, order.session)
                else:
                    self._orders.put(order)
        except (EOFError, OSError):
            self._orders.put(None)

    def _cancel(self, number: int) -> None:
        with self._lock:
            session = self._sessions.get(number)
            self._cancelled = _recent(self._cancelled, number)
        if session is not None:
            session.cancel()

    def _do(self, order: Order) -> None:
        if isinstance(order, Ping):
            self._connection.send(Pong())
            self._tidy()
        elif isinstance(order, Prepare):
            self._connection.send(PreparedContext(order.context.hash, self._prepare(order)))
            self._worked_at = time.monotonic()
        elif isinstance(order, Feed):
            session = self._session(order.session, order.context_hash)
            if session is not None:
                session.feed(order.frame)
        elif isinstance(order, Finish):
            self._connection.send(self._finish(order))
            self._worked_at = time.monotonic()
        elif isinstance(order, Rest) and isinstance(self._recognizer, Resting):
            self._recognizer.rest()

    def _tidy(self) -> None:
        """Between two utterances: what decoding one, or compiling a context, took is not kept."""
        if self._worked_at is not None and time.monotonic() - self._worked_at > TIDY_AFTER_S:
            self._worked_at = None
            give_back()

    def _prepare(self, order: Prepare) -> Fault | None:
        key = order.context.hash
        try:
            if key not in self._prepared:
                self._prepared[key] = self._recognizer.prepare(order.context)
        except AssistantError as error:
            return refused(error).error
        self._prepared.move_to_end(key)
        if len(self._prepared) > MOST_CONTEXTS:
            self._prepared.popitem(last=False)
        return None

    def _session(self, number: int, context_hash: str, effort: Effort | None = None) -> Session | None:
        with self._lock:
            if number in self._sessions:
                return self._sessions[number]
            prepared = self._prepared.get(context_hash)
            if prepared is None or number in self._cancelled:
                return None
            self._prepared.move_to_end(context_hash)
            session = self._sessions[number] = self._open(number, prepared, effort)
            if len(self._sessions) > MOST_SESSIONS:
                left, _ = self._sessions.popitem(last=False)
                self._cancelled.discard(left)
                self._late.discard(left)
            return session

    def _open(self, number: int, prepared: Prepared, effort: Effort | None) -> Session:
        if effort == ENCODED and isinstance(self._recognizer, Encoding):
            return self._recognizer.open_sound(prepared)
        if effort is None or effort == ENCODED or not isinstance(self._recognizer, Adjustable):
            return self._recognizer.open(prepared)
        return self._recognizer.open_with(prepared, effort, lambda: number in self._late)

    def _finish(self, order: Finish) -> Finished:
        if order.context_hash not in self._prepared:
            return Finished(order.number, None)
        session = self._session(order.session, order.context_hash, order.effort)
        if session is None:  # cancelled before it began: whoever asked does not want it
            empty = Transcript((), "", self._recognizer.name, self._recognizer.variant)
            return Finished(order.number, empty)
        try:
            return Finished(order.number, session.finish(order.utterance))
        except AssistantError as error:
            return Finished(order.number, None, refused(error).error)
        finally:
            self._late.discard(order.session)


def _recent(numbers: set[int], number: int) -> set[int]:
    """`numbers` with `number`, without those of sessions long gone; a new set, for another thread may read the old."""
    return {one for one in numbers if one > number - 8 * MOST_SESSIONS} | {number}


def main(argv: list[str]) -> None:
    """Serve on the inherited descriptor that is named."""
    bound_arenas()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    connection: Connection = Connection(int(argv[0]))
    set_up = connection.recv()
    assert isinstance(set_up, SetUp)
    module, _, function = set_up.factory.partition(":")
    try:
        recognizer = getattr(importlib.import_module(module), function)(*set_up.arguments)
    except AssistantError as error:
        fault = refused(error).error
        assert fault is not None
        connection.send(NotReady(fault))
        return
    connection.send(Ready(recognizer.name, recognizer.variant, isinstance(recognizer, Adjustable)))
    Child(connection, recognizer).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
