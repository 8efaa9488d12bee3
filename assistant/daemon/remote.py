"""The recogniser as the daemon sees it: an engine in a process of its own, started again by supervision when it dies.

    worker thread ─► RemoteSession.finish ─► queue ─► sender ═► child ═► reader ─► the answer's future
                          └─ waits at most `deadline_s`; then the child is killed and the utterance is lost

Prepared contexts outlive the child: a new one is given them again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assistant.daemon.process import EngineProcess, RecognizerLost
from assistant.daemon.wire import (
    ENCODED,
    Cancel,
    Feed,
    Hurry,
    Order,
    Ready,
    Rest,
    SetUp,
)
from assistant.errors import ModelError
from assistant.grammar.tree import Context
from assistant.recognize.engine import Prepared
from assistant.types import AudioFrame, Effort, Transcript, Utterance

DEADLINE_S = 10.0
"""So long may one utterance take; measured on a loaded machine a command of 3 s takes 0.4 s."""
BACK_WITHIN_S = 4.0
"""An utterance that ends while the process is started again waits so long for it."""
START_WITHIN_S = 110.0
PREPARE_WITHIN_S = 60.0
LOOK_EVERY_S = 0.01
"""How often it is asked whether an utterance is late while it is decoded."""


@dataclass(frozen=True, eq=False)  # without slots: it is held weakly, so that contexts of the past are forgotten
class RemotePrepared:
    """A context that the child has, or will have when it is there."""

    context: Context


class RemoteRecognizer:
    """A `Recognizer`, whose process `RecognizerPart` keeps alive.

    factory: "module:function" that makes the engine in the child from `arguments`.
    deadline_s: longest decoding of one utterance.
    """

    def __init__(self, factory: str, arguments: tuple[Any, ...], deadline_s: float = DEADLINE_S) -> None:
        self._set_up = SetUp(factory, arguments)
        self.deadline_s = deadline_s
        self._contexts: weakref.WeakValueDictionary[str, RemotePrepared] = weakref.WeakValueDictionary()
        self._process: EngineProcess | None = None
        self._there = threading.Event()
        self._sessions = 0
        self._lock = threading.Lock()
        self._engine = Ready("recognizer", "")

    # -- the engine ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The engine's; "recognizer" until it was first there."""
        return self._engine.name

    @property
    def variant(self) -> str:
        """The engine's."""
        return self._engine.variant

    def prepare(self, context: Context) -> RemotePrepared:
        """Have the child make it ready; returns at once. `check` says how that went."""
        with self._lock:
            prepared = self._contexts.get(context.hash)
            if prepared is None:
                prepared = self._contexts[context.hash] = RemotePrepared(context)
                if self._process is not None:
                    self._process.prepare(context)
        return prepared

    def check(self, prepared: Prepared) -> None:
        """Wait until it is ready, and for the process if need be. Raises what the engine has against it."""
        deadline = time.monotonic() + START_WITHIN_S
        while True:
            try:
                process = self._process_within(deadline - time.monotonic())
                return process.prepared(prepared.context).result(PREPARE_WITHIN_S)
            except concurrent.futures.TimeoutError:
                what = f"the context {prepared.context.name} was not ready within {PREPARE_WITHIN_S:.0f} s"
                raise ModelError(what, where=self.name, remedy="is the board busy? `assistant doctor`") from None
            except RecognizerLost:  # supervision starts another
                if time.monotonic() > deadline:
                    raise

    def open(self, prepared: Prepared) -> RemoteSession:
        """Begin an utterance."""
        with self._lock:
            self._sessions += 1
            return RemoteSession(self, self._sessions, prepared.context)

    def open_with(self, prepared: Prepared, effort: Effort, late: Callable[[], bool]) -> RemoteSession:
        """Begin an utterance that is decoded with `effort`."""
        with self._lock:
            self._sessions += 1
            return RemoteSession(self, self._sessions, prepared.context, effort, late)

    def open_sound(self, prepared: Prepared) -> RemoteSession:
        """Begin an utterance that is encoded only, where the engine can."""
        with self._lock:
            self._sessions += 1
            return RemoteSession(self, self._sessions, prepared.context, ENCODED)

    def rest(self) -> None:
        """Have the engine unload, where it can; opening an utterance has it load again."""
        self.send(Rest())

    def ready(self, effort: Effort) -> str:
        """Any effort of the engine's own encoder is, where the engine can be adjusted."""
        if not self._engine.adjustable:
            return f"{self.name} cannot be adjusted"
        return "" if effort.encoder in self.variant.split("/") else f"its encoder ({effort.encoder}) is not loaded"

    def exchange(self, factory: str, arguments: tuple[Any, ...]) -> None:
        """Start another engine beside this one, give it all contexts, and take its place; blocks meanwhile.

        Raises what is wrong with it, and then nothing was changed.
        """
        set_up = SetUp(factory, arguments)
        process = EngineProcess(set_up, START_WITHIN_S)
        try:
            contexts = [prepared.context for prepared in self._contexts.values()]
            for context in contexts:
                process.prepare(context)
            for context in contexts:
                process.prepared(context).result(PREPARE_WITHIN_S)
        except BaseException:
            process.kill()
            raise
        with self._lock:
            before, self._process, self._set_up = self._process, process, set_up
            self._engine = process.ready
        if before is not None:
            before.kill()

    # -- its process -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the process and give it what was prepared before; blocks. Raises what is wrong with the engine."""
        process = EngineProcess(self._set_up, START_WITHIN_S)
        with self._lock:
            self._process, self._engine = process, process.ready
            for prepared in tuple(self._contexts.values()):
                process.prepare(prepared.context)
        self._there.set()

    def end(self) -> None:
        """End the process."""
        self._there.clear()
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()

    def ended(self) -> concurrent.futures.Future[None] | None:
        """Done when the process has ended; None while there is none."""
        process = self._process
        return None if process is None else process.ended

    def ping(self) -> int | None:
        """Signs of life so far; asks for the next."""
        process = self._process
        return None if process is None else process.ping()

    @property
    def pid(self) -> int | None:
        """The process's number, None while there is none."""
        process = self._process
        return None if process is None else process.pid

    # -- for sessions ----------------------------------------------------------------------------------------------

    def send(self, order: Order) -> None:
        """Hand an order to the child, if there is one; never waits."""
        process = self._process
        if process is not None:
            process.send(order)

    def finish(
        self,
        session: int,
        context: Context,
        utterance: Utterance,
        effort: Effort | None = None,
        late: Callable[[], bool] | None = None,
    ) -> Transcript:
        """Decode in the child, and have it hurry when it is late. Raises RecognizerLost, or what the engine raised."""
        process = self._process_within(BACK_WITHIN_S)
        answer = process.finish(session, context, utterance, effort)
        try:
            if late is not None and _late_before(answer, late, self.deadline_s):
                process.send(Hurry(session))
            return answer.result(self.deadline_s)
        except concurrent.futures.TimeoutError:
            process.kill()
            raise RecognizerLost(
                f"recognition took longer than {self.deadline_s:g} s", where=self.name, remedy="it is started again"
            ) from None

    def _process_within(self, wait_s: float) -> EngineProcess:
        """The process, waited for where it is being started."""
        if self._there.wait(wait_s):
            process = self._process
            if process is not None and not process.ended.done():
                return process
        raise RecognizerLost("the recogniser is not there", where=self.name, remedy="it is being started again")


def _late_before(answer: concurrent.futures.Future[Transcript], late: Callable[[], bool], most_s: float) -> bool:
    """Wait for the answer until it is late; whether it was late first."""
    for _ in range(int(most_s / LOOK_EVERY_S)):
        if concurrent.futures.wait([answer], LOOK_EVERY_S).done:
            return False
        if late():
            return True
    return False


class RecognizerPart:
    """The engine's process as a part of the daemon: started, watched by its signs of life, killed."""

    name = "recognizer"

    def __init__(self, recognizer: RemoteRecognizer) -> None:
        self._recognizer = recognizer

    @property
    def pid(self) -> int | None:
        """The process's number."""
        return self._recognizer.pid

    async def start(self) -> None:
        """Start the process and give it what was prepared before."""
        await asyncio.get_running_loop().run_in_executor(None, self._recognizer.begin)

    async def wait(self) -> None:
        """Return when the process in use has ended."""
        while (ended := self._recognizer.ended()) is not None:
            await asyncio.shield(asyncio.wrap_future(ended))
            if self._recognizer.ended() in (ended, None):
                return

    async def stop(self) -> None:
        """End the process."""
        self._recognizer.end()

    def progress(self) -> int | None:
        """Signs of life from the process; asks it for the next one."""
        return self._recognizer.ping()

    def status(self) -> str:
        """Which engine, in which process."""
        r = self._recognizer
        return f"{r.name} {r.variant}, process {r.pid}" if r.pid else "not there"


class RemoteSession:
    """One utterance; see `assistant.recognize.engine.Session`."""

    def __init__(
        self,
        recognizer: RemoteRecognizer,
        number: int,
        context: Context,
        effort: Effort | None = None,
        late: Callable[[], bool] | None = None,
    ) -> None:
        self._recognizer, self._number, self._context = recognizer, number, context
        self._effort, self._late = effort, late

    def feed(self, frame: AudioFrame) -> str:
        """Pass it on; no partial transcripts come back."""
        self._recognizer.send(Feed(self._number, self._context.hash, frame))
        return ""

    def cancel(self) -> None:
        """Pass it on."""
        self._recognizer.send(Cancel(self._number))

    def finish(self, utterance: Utterance) -> Transcript:
        """Decode in the child."""
        return self._recognizer.finish(self._number, self._context, utterance, self._effort, self._late)
