"""Starts, watches and restarts the daemon's parts as `assistant.daemon.supervision` says, a task for each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from assistant.clock import Clock
from assistant.daemon import supervision
from assistant.daemon.service import STOP_WITHIN_S, Bus, Integration
from assistant.daemon.supervision import Action, Policy, State, Watched
from assistant.errors import AssistantError

LOOK_EVERY_S = 0.5

log = logging.getLogger(__name__)


class Part(Protocol):
    """Something that the daemon keeps alive; the life of an `Integration`, and a counter of its progress."""

    @property
    def name(self) -> str:
        """As in the status."""
        ...

    async def start(self) -> None:
        """Begin; returns when it works. Whatever it raises is a failed start."""
        ...

    async def wait(self) -> None:
        """Return or raise when it has ended by itself."""
        ...

    async def stop(self) -> None:
        """End within STOP_WITHIN_S, in whatever state it is."""
        ...

    def progress(self) -> int | None:
        """A number that changes as long as it works; None while there is nothing to do, or nothing to show."""
        ...

    def status(self) -> str:
        """A few words for people."""
        ...


@dataclass(slots=True)
class _Kept:
    part: Part
    essential: bool
    watched: Watched
    task: asyncio.Task[None] | None = None
    stopping: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class PartStatus:
    """How a part is. state: one of `supervision.State`. restarts: starts after the first."""

    name: str
    state: str
    essential: bool
    restarts: int
    since_s: float
    why: str
    status: str


class Supervisor:
    """All parts of one daemon.

    report: is told of every change of state. lost: is called when an essential part is given up; the daemon then ends,
    and whoever started it starts it anew. stop_within_s: so long may a part take to stop before it is left behind.
    """

    def __init__(
        self,
        clock: Clock,
        report: Callable[[PartStatus], None],
        lost: Callable[[str], None],
        *,
        stop_within_s: float = STOP_WITHIN_S,
    ) -> None:
        self._clock, self._report, self._lost = clock, report, lost
        self._stop_within_s = stop_within_s
        self._kept: dict[str, _Kept] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked_at: float | None = None
        self._changes = asyncio.Event()

    def add(self, part: Part, policy: Policy, *, essential: bool = False) -> None:
        """Keep `part`, and start it."""
        kept = self._kept[part.name] = _Kept(part, essential, Watched(policy))
        self._step(kept, supervision.Begin(self._clock.monotonic()))

    def run(self) -> None:
        """Begin to look after them."""
        self._looking = asyncio.create_task(self._look_on())

    async def stop(self) -> None:
        """Stop them all at once, each within STOP_WITHIN_S."""
        if self._looking is not None:
            self._looking.cancel()
        for kept in self._kept.values():
            self._step(kept, supervision.Stop(self._clock.monotonic()))
        waiting = [task for kept in self._kept.values() for task in kept.stopping]
        if waiting:
            await asyncio.wait(waiting, timeout=self._stop_within_s)

    async def remove(self, name: str) -> None:
        """Stop one and keep it no more."""
        kept = self._kept.pop(name)
        self._step(kept, supervision.Stop(self._clock.monotonic()))
        if kept.stopping:
            await asyncio.wait(kept.stopping, timeout=self._stop_within_s)

    def restart(self, name: str) -> None:
        """Begin anew with one that was given up; nothing happens to others."""
        self._step(self._kept[name], supervision.Begin(self._clock.monotonic()))

    def statuses(self) -> tuple[PartStatus, ...]:
        """All of them, in the order in which they were added."""
        return tuple(self._status(kept) for kept in self._kept.values())

    def state(self, name: str) -> State:
        """Where one stands."""
        return self._kept[name].watched.state

    def progressing(self) -> bool:
        """Whether every part that has to make progress did, or is being started again, and none is lost for good."""
        now = self._clock.monotonic()
        for kept in self._kept.values():
            w = kept.watched
            if w.state is State.GIVEN_UP and kept.essential:
                return False
            overdue = w.policy.stuck_s is not None and now - w.progressed_at > w.policy.stuck_s + LOOK_EVERY_S
            if w.state is State.RUNNING and w.progress is not None and overdue:
                return False
        return True

    async def running(self, name: str) -> None:
        """Return when the part of this name runs."""
        while self.state(name) is not State.RUNNING:
            self._changes.clear()
            await self._changes.wait()

    def look(self) -> None:
        """Judge everybody's progress now."""
        now = self._clock.monotonic()
        late_s = 0.0 if self._looked_at is None else max(now - self._looked_at - LOOK_EVERY_S, 0.0)
        self._looked_at = now
        for kept in tuple(self._kept.values()):
            self._step(kept, supervision.Look(now, kept.part.progress(), late_s))

    async def _look_on(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def _step(self, kept: _Kept, event: supervision.Event) -> None:
        kept.watched, actions = supervision.step(kept.watched, event)
        for action in actions:
            if action is Action.START:
                kept.task = asyncio.create_task(self._live(kept), name=kept.part.name)
            elif action is Action.STOP:
                self._stop(kept)
            else:
                self._changed(kept)

    def _changed(self, kept: _Kept) -> None:
        status = self._status(kept)
        if kept.watched.state in (State.WAITING, State.GIVEN_UP):
            again = "given up" if kept.watched.state is State.GIVEN_UP else "starting it again"
            log.warning("%s: %s; %s", status.name, status.why, again)
        else:
            log.info("%s: %s", status.name, status.state)
        self._report(status)
        self._changes.set()
        if kept.watched.state is State.GIVEN_UP and kept.essential:
            self._lost(f"{status.name}: {status.why}")

    def _stop(self, kept: _Kept) -> None:
        task, kept.task = kept.task, None
        stopping = asyncio.create_task(_end(kept.part, task, self._stop_within_s), name=f"stop {kept.part.name}")
        kept.stopping.add(stopping)
        stopping.add_done_callback(kept.stopping.discard)

    async def _live(self, kept: _Kept) -> None:
        """One life of a part, from its start to its end."""
        why = "it ended"
        try:
            if kept.stopping:
                await asyncio.wait(kept.stopping)
            await kept.part.start()
            self._step(kept, supervision.Started(self._clock.monotonic()))
            await kept.part.wait()
        except AssistantError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001  a fault of a part must end no other
            why = _in_words(error)
        if kept.task is asyncio.current_task():  # a life that was left behind has nothing to say
            self._step(kept, supervision.Ended(self._clock.monotonic(), why))

    def _status(self, kept: _Kept) -> PartStatus:
        watched = kept.watched
        return PartStatus(
            name=kept.part.name,
            state=watched.state.value,
            essential=kept.essential,
            restarts=max(watched.starts - 1, 0),
            since_s=round(self._clock.monotonic() - watched.since, 1),
            why=watched.why if watched.state is not State.RUNNING else "",
            status=kept.part.status(),
        )


class Joined:
    """An integration as a part: lent the bus."""

    def __init__(self, integration: Integration, bus: Bus) -> None:
        self._integration, self._bus = integration, bus

    @property
    def name(self) -> str:
        """The integration's."""
        return self._integration.name

    async def start(self) -> None:
        """Start it on the bus."""
        await self._integration.start(self._bus)

    async def wait(self) -> None:
        """As it does."""
        await self._integration.wait()

    async def stop(self) -> None:
        """As it does."""
        await self._integration.stop()

    def progress(self) -> int | None:
        """It shows none: it notices by itself when its peer is gone."""
        return None

    def status(self) -> str:
        """As it says."""
        return self._integration.status()

    @property
    def times_lost(self) -> int:
        """How often it lost its peer, where it counts that."""
        return int(getattr(self._integration, "times_lost", 0))


async def _end(part: Part, life: asyncio.Task[None] | None, within_s: float) -> None:
    """Stop `part`, and its life, whether or not it wants to end."""
    if life is not None and life is not asyncio.current_task():
        life.cancel()
    try:
        await asyncio.wait_for(part.stop(), within_s)
    except asyncio.TimeoutError:
        log.warning("%s: it did not stop in time and is left behind", part.name)
    except Exception as error:  # noqa: BLE001  it is wanted no more, whatever it says
        log.warning("%s: when it was stopped: %s", part.name, _in_words(error))
    if life is not None:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await asyncio.wait_for(life, within_s)


def _in_words(error: BaseException) -> str:
    """What went wrong, for the log. Not the error's own text: it may quote what was said."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}{place}; please report it"
