"""One daemon's life: parts, bus, control socket and systemd joined in an event loop; ends in order within two seconds.

begin: socket ─► recogniser's process, contexts and skills beside it ─► integrations, ear ─► READY
while: every half second a look at the parts; WATCHDOG only when those that must progress did
end:   socket ─► ear (what was said so far is decided) ─► integrations ─► recogniser ─► what is kept
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from assistant.clock import Clock
from assistant.daemon import supervision
from assistant.daemon.bus import Assistant, DaemonBus
from assistant.daemon.control import Control
from assistant.daemon.events import Announced, Decided, Event, PartChanged, Reloaded
from assistant.daemon.memory import Tidying, give_back
from assistant.daemon.metrics import Metrics, cpu_pressure, hottest_c, resident_bytes
from assistant.daemon.notify import Notifier
from assistant.daemon.peers import Admitted
from assistant.daemon.server import ControlServer
from assistant.daemon.service import Integration
from assistant.daemon.supervision import Policy
from assistant.daemon.supervisor import Joined, Part, PartStatus, Supervisor
from assistant.daemon.timekeeping import Look, Timekeeping
from assistant.errors import AssistantError

END_WITHIN_S = 1.8
"""From the signal until the process is ended, in order or not."""
BEAT_EVERY_S = 1.0
METRICS_EVERY_S = 15.0
EXTEND_S = 30.0
"""A start that waits for a device or a model asks systemd for so much more at a time."""

EAR = Policy(longest_s=10.0, settled_s=30.0, stuck_s=5.0, start_s=30.0, stuck_limit=3)
RECOGNIZER = Policy(longest_s=15.0, limit=8, settled_s=60.0, stuck_s=20.0)
MOUTH = Policy(longest_s=30.0, limit=20, settled_s=60.0)
INTEGRATION = Policy(first_s=1.0, longest_s=60.0, settled_s=60.0)

log = logging.getLogger(__name__)


class Crew(Protocol):
    """The assembled assistant, as the daemon runs it."""

    @property
    def recognizer(self) -> Part:
        """The engine's process."""
        ...

    @property
    def ear(self) -> Part | None:
        """Who hears; None where no microphone is configured."""
        ...

    @property
    def mouth(self) -> Part:
        """Who speaks."""
        ...

    @property
    def assistant(self) -> Assistant:
        """What requests are put to."""
        ...

    def prepare(self, bus: DaemonBus) -> None:
        """While the recogniser starts, make contexts, skills and voice ready; blocks until both are.

        Raises AssistantError for what no new start would mend.
        """
        ...

    def integrations(self) -> Sequence[Integration]:
        """Those that are configured."""
        ...

    def rejoin(self) -> bool:
        """Whether the last reload changed what integrations were configured with; asked once."""
        ...

    def totals(self) -> dict[str, float]:
        """The present values of `metrics.TOTALS`."""
        ...

    def timers(self) -> list[dict[str, object]]:
        """What is set, for people's eyes."""
        ...

    def model(self) -> tuple[str, str]:
        """Engine and variant."""
        ...

    def close(self) -> None:
        """Keep what has to be kept, and end; blocks for a moment."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How one daemon is run. listening: the control socket. metrics_file: where they are written, None nowhere."""

    listening: socket.socket
    admitted: Admitted
    version: str
    group: str = ""
    metrics_file: Path | None = None


class Daemon:
    """See the module."""

    def __init__(self, crew: Crew, options: Options, clock: Clock, notifier: Notifier) -> None:
        self._crew, self._options, self._clock, self._notifier = crew, options, clock, notifier
        self._metrics = Metrics(options.version)
        self._began = clock.monotonic()
        self._ready = False
        self._status = ""
        self._lost = ""
        self._joined: list[Joined] = []
        self._time = Timekeeping(BEAT_EVERY_S)
        self._tidying = Tidying(self._began)

    async def run(self) -> str:
        """Run until a signal; "" after an ordered end, or why it cannot go on."""
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._bus = DaemonBus(self._crew.assistant, self._clock)
        self._bus.watch(self._metrics.count)
        self._bus.watch(self._after)
        self._supervisor = Supervisor(self._clock, self._report, self._give_up)
        control = Control(self._bus, self._describe, self._crew.timers, self._measured)
        self._server = ControlServer(
            control,
            self._bus.subscribe,
            self._options.admitted,
            self._clock,
            version=self._options.version,
            group=self._options.group,
            counted=lambda why: self._metrics.cut.labels(why).inc(),
        )
        self._on_signals()
        works = (self._heartbeat(), self._tidy(), self._write_metrics(), self._begin())
        tasks = [asyncio.create_task(work) for work in works]
        for task in tasks:
            task.add_done_callback(self._must_not_fail)
        try:
            await self._server.serve(self._options.listening)
            await self._ending.wait()
        finally:
            for task in tasks:
                task.cancel()
            await self._end()
        return self._lost

    # -- beginning -----------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Start everything in its order; a fault that no restart would mend ends the daemon."""
        self._supervisor.run()
        self._supervisor.add(self._crew.recognizer, RECOGNIZER, essential=True)
        try:
            await self._loop.run_in_executor(None, lambda: self._crew.prepare(self._bus))
            await self._supervisor.running(self._crew.recognizer.name)
            self._supervisor.add(self._crew.mouth, MOUTH)
            self._join()
            if self._crew.ear is not None:
                self._supervisor.add(self._crew.ear, EAR, essential=True)
                await self._supervisor.running(self._crew.ear.name)
        except AssistantError as error:
            self._give_up(str(error))
            return
        self._ready = True
        self._metrics.heard_by(*self._crew.model())
        self._notifier.ready(self._in_words())
        log.info("ready: %s", self._in_words())

    def _join(self) -> None:
        for integration in self._crew.integrations():
            self._joined.append(Joined(integration, self._bus))
            self._supervisor.add(self._joined[-1], INTEGRATION)

    async def _rejoin(self) -> None:
        """The integrations as they are configured now, in the place of those before."""
        before, self._joined = self._joined, []
        for joined in before:
            await self._supervisor.remove(joined.name)
        self._join()

    def _after(self, event: Event) -> None:
        """A reload may have changed integrations; what was decided or said took memory."""
        if isinstance(event, Decided | Announced | Reloaded):
            self._tidying.worked_at = self._clock.monotonic()
        if isinstance(event, Reloaded) and event.ok and self._crew.rejoin():
            self._rejoining = asyncio.ensure_future(self._rejoin())

    # -- while it runs -------------------------------------------------------------------------------------------------

    async def _heartbeat(self) -> None:
        """Tell systemd how it is, as long as it is well."""
        while True:
            words = self._in_words()
            if words != self._status:
                self._status = words
                self._notifier.status(words)
            if not self._ready:
                self._notifier.extend_start(EXTEND_S)
            if self._supervisor.progressing():
                self._notifier.alive()
            if noticed := self._time.note(Look(self._clock.monotonic(), self._clock.wall())):
                log.warning("%s", noticed)
            await asyncio.sleep(BEAT_EVERY_S)

    async def _tidy(self) -> None:
        """Give back what starting, reloading and rendering phrases took."""
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            if self._tidying.due(self._clock.monotonic()):
                await self._loop.run_in_executor(None, give_back)

    async def _write_metrics(self) -> None:
        path = self._options.metrics_file
        while path is not None:
            try:
                self._measured()
                self._metrics.write(path)
            except OSError as error:
                log.warning("%s: metrics cannot be written (%s)", path, error.strerror)
            await asyncio.sleep(METRICS_EVERY_S)

    def _measured(self) -> str:
        """The metrics as text, freshly measured."""
        m = self._metrics
        m.totals = {**self._crew.totals(), **self._own_totals()}
        m.connections_lost = {joined.name: joined.times_lost for joined in self._joined}
        m.muted.set(self._bus.muted)
        m.clients.set(len(self._server.connections))
        m.memory.labels("daemon").set(resident_bytes())
        child = getattr(self._crew.recognizer, "pid", None)
        m.memory.labels("recognizer").set(resident_bytes(child) if child else 0)
        m.threads.set(threading.active_count())
        m.descriptors.set(sum(1 for _ in Path("/proc/self/fd").iterdir()))
        for gauge, value in ((m.temperature, hottest_c()), (m.pressure, cpu_pressure())):
            if value is not None:
                gauge.set(value)
        return m.text()

    def _own_totals(self) -> dict[str, float]:
        return {"assistant_stalls": self._time.stalls, "assistant_clock_jumps": self._time.jumps}

    def _describe(self) -> dict[str, object]:
        """The status, for people and programs."""
        model, variant = self._crew.model()
        return {
            "version": self._options.version,
            "process": os.getpid(),
            "ready": self._ready,
            "status": self._in_words(),
            "up_s": round(self._clock.monotonic() - self._began, 1),
            "muted": self._bus.muted,
            "model": model,
            "variant": variant,
            "parts": [_plain(status) for status in self._supervisor.statuses()],
            "subscribers": [
                {"source": subscription.source, "lost": subscription.lost} for subscription in self._bus.subscriptions
            ],
            "clients": len(self._server.connections),
            "counted": self._crew.totals(),
        }

    def _in_words(self) -> str:
        """One line: what it does, or what keeps it from it."""
        troubled = [
            f"{status.name}: {status.why or status.state}"
            for status in self._supervisor.statuses()
            if status.state != supervision.State.RUNNING.value
        ]
        if troubled:
            return ("" if self._ready else "starting; ") + "; ".join(troubled)
        if not self._ready:
            return "starting; contexts are made ready"
        if self._bus.muted:
            return "muted"
        ear = self._crew.ear
        return ear.status() if ear is not None else "no microphone configured; commands come by the control socket"

    def _report(self, status: PartStatus) -> None:
        self._bus.publish(PartChanged(at=self._clock.wall(), part=status.name, state=status.state, why=status.why))

    def _must_not_fail(self, task: asyncio.Task[None]) -> None:
        """The daemon's own tasks have no supervision: a fault of theirs ends it, and is said."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a fault of the daemon itself; please report it", exc_info=error)
            self._give_up(f"{type(error).__name__} in the daemon itself")

    # -- ending --------------------------------------------------------------------------------------------------------

    def _on_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ask_to_end)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.ensure_future(self._reload()))

    async def _reload(self) -> None:
        self._notifier.reloading()
        try:
            log.info("reloaded: %s", await self._bus.reloaded())
        except AssistantError as error:
            for line in str(error).splitlines():
                log.warning("the old configuration is kept: %s", line)
        self._notifier.ready(self._in_words())

    def _ask_to_end(self) -> None:
        threading.Thread(target=_end_in_any_case, args=(END_WITHIN_S,), name="last-resort", daemon=True).start()
        self._ending.set()

    def _give_up(self, why: str) -> None:
        """Nothing here mends it: end, and let whoever started this start it anew."""
        self._lost = self._lost or why
        self._ask_to_end()

    async def _end(self) -> None:
        self._notifier.stopping()
        await self._server.close()
        await self._supervisor.stop()
        self._bus.close()
        await self._loop.run_in_executor(None, self._crew.close)


def _plain(status: PartStatus) -> dict[str, object]:
    import dataclasses

    return dataclasses.asdict(status)


def _end_in_any_case(within_s: float, leave: Callable[[int], object] = os._exit) -> None:
    """A thread that no ordered end outlives."""
    threading.Event().wait(within_s)
    log.warning("ending in order took longer than %.1f s", within_s)
    leave(0)
