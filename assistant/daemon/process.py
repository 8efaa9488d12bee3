"""One process with the recogniser's engine: started, talked to by two threads, and told of everybody when it ends.

send ─► queue ─► sender thread ═► child        child ═► reader thread ─► the future of the answer
"""

from __future__ import annotations

import concurrent.futures
import logging
import os
import queue
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection

from assistant.daemon.protocol import raised
from assistant.daemon.wire import (
    Finish,
    Finished,
    NotReady,
    Order,
    Ping,
    Pong,
    Prepare,
    PreparedContext,
    Ready,
    SetUp,
)
from assistant.errors import ModelError
from assistant.grammar.tree import Context
from assistant.types import Effort, Transcript, Utterance

WAITING_ORDERS = 512
"""Orders that may wait for a child that does not read: ten seconds of frames. More are dropped."""
NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")

log = logging.getLogger(__name__)


class RecognizerLost(ModelError):
    """The recogniser's process died or hung over an utterance."""


class EngineProcess:
    """One child, from its start to its end; starting blocks. Raises what the engine says, or RecognizerLost.

    ended: done when it has ended.
    """

    def __init__(self, set_up: SetUp, within_s: float) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        command = [sys.executable, "-m", "assistant.daemon.child", str(theirs.fileno())]
        with theirs:
            # In a session of its own: a Ctrl-C at the terminal is the daemon's to handle.
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        self._connection: Connection = Connection(ours.detach())
        self._lock = threading.Lock()
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._answers: dict[int, _Asked] = {}
        self._contexts: dict[str, concurrent.futures.Future[None]] = {}
        self._number = self._life = 0
        self._asked = False
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.ready = self._begin(set_up, within_s)
        threading.Thread(target=self._send_on, name="recognizer-out", daemon=True).start()
        threading.Thread(target=self._read, name="recognizer-in", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def prepare(self, context: Context) -> None:
        """Have it make `context` ready."""
        with self._lock:
            self._contexts.setdefault(context.hash, concurrent.futures.Future())
        self.send(Prepare(context))

    def prepared(self, context: Context) -> concurrent.futures.Future[None]:
        """Done when `context` is ready."""
        with self._lock:
            found = self._contexts.get(context.hash)
        if found is None:
            self.prepare(context)
            return self.prepared(context)
        return found

    def finish(
        self, session: int, context: Context, utterance: Utterance, effort: Effort | None = None
    ) -> concurrent.futures.Future[Transcript]:
        """Decode; the answer's future."""
        answer: concurrent.futures.Future[Transcript] = concurrent.futures.Future()
        with self._lock:
            self._number += 1
            order = Finish(self._number, session, context.hash, utterance, effort)
            if self.ended.done():
                answer.set_exception(self._lost())
                return answer
            self._answers[order.number] = _Asked(order, context, answer)
        self.send(order)
        return answer

    def ping(self) -> int:
        """Signs of life so far; asks for the next."""
        with self._lock:
            ask, self._asked = not self._asked, True
        if ask:
            self.send(Ping())
        return self._life

    def send(self, order: Order) -> None:
        """Put an order into the queue; where it is full the child has stood still for long, and the order is lost."""
        if self._orders.qsize() < WAITING_ORDERS:
            self._orders.put(order)
        else:
            log.debug("an order to the recogniser was dropped")

    def kill(self) -> None:
        """End it at once; what it has not answered is lost."""
        self._process.kill()

    def _begin(self, set_up: SetUp, within_s: float) -> Ready:
        try:
            return self._first_report(set_up, within_s)
        except BaseException:
            self._end()
            raise

    def _first_report(self, set_up: SetUp, within_s: float) -> Ready:
        try:
            self._connection.send(set_up)
            report = self._connection.recv() if self._connection.poll(within_s) else None
        except (EOFError, OSError):
            self._process.wait()
            raise self._lost() from None
        if isinstance(report, NotReady):
            raise raised(report.fault)
        if not isinstance(report, Ready):
            what = f"the engine was not loaded within {within_s:.0f} s"
            raise RecognizerLost(what, where="recogniser", remedy="see `assistant doctor`")
        return report

    def _send_on(self) -> None:
        try:
            while (order := self._orders.get()) is not None:
                self._connection.send(order)
        except OSError:
            return

    def _read(self) -> None:
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            self._end()

    def _take(self, report: object) -> None:
        self._life += 1
        if isinstance(report, Pong):
            with self._lock:
                self._asked = False
        elif isinstance(report, PreparedContext):
            with self._lock:
                future = self._contexts[report.context_hash]
            if not future.done():
                if report.fault is None:
                    future.set_result(None)
                else:
                    future.set_exception(raised(report.fault))
        elif isinstance(report, Finished):
            self._answered(report)

    def _answered(self, report: Finished) -> None:
        with self._lock:
            asked = self._answers.pop(report.number)
            if report.transcript is None and report.fault is None:
                self._answers[report.number] = asked
        if report.transcript is not None:
            asked.answer.set_result(report.transcript)
        elif report.fault is not None:
            asked.answer.set_exception(raised(report.fault))
        else:
            self.prepare(asked.context)
            self.send(asked.order)

    def _end(self) -> None:
        """The child has gone, or is to go: tell everybody who waits."""
        self._process.kill()
        self._process.wait()
        self._connection.close()
        self._orders.put(None)
        with self._lock:
            asked, contexts = tuple(self._answers.values()), tuple(self._contexts.values())
            self._answers.clear()
            if not self.ended.done():
                self.ended.set_result(None)
        for one in asked:
            one.answer.set_exception(self._lost())
        for context in contexts:
            if not context.done():
                context.set_exception(self._lost())

    def _lost(self) -> RecognizerLost:
        code = self._process.poll()
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
        return RecognizerLost(f"its process {how}", where="recogniser", remedy="it is started again")


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    order: Finish
    context: Context
    answer: concurrent.futures.Future[Transcript]
