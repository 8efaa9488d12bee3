"""The supervisor with real tasks: parts that crash, hang, refuse to stop; each alone pays for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from assistant.daemon.supervision import Policy, State
from assistant.daemon.supervisor import PartStatus, Supervisor
from assistant.errors import DeviceError
from assistant.testing import HeldClock

FAST = Policy(first_s=1.0, limit=3, stuck_s=5.0)


class Lamp:
    """A part that does what the test says."""

    def __init__(self, name: str = "lamp") -> None:
        self.name = name
        self.starts = self.stops = 0
        self.turns: int | None = None
        self.refuses = ""
        self.clings = False
        self._ended: asyncio.Future[None]

    async def start(self) -> None:
        self.starts += 1
        self._ended = asyncio.get_running_loop().create_future()
        if self.refuses:
            raise DeviceError(self.refuses, where="lamp", remedy="plug it in")

    async def wait(self) -> None:
        await self._ended

    async def stop(self) -> None:
        self.stops += 1
        if self.clings:
            await asyncio.Event().wait()

    def breaks(self, error: Exception) -> None:
        self._ended.set_exception(error)

    def progress(self) -> int | None:
        return self.turns

    def status(self) -> str:
        return "shines"


class Kept:
    """A supervisor on a held clock; `look` moves it and lets all tasks run until nothing changes."""

    def __init__(self, clock: HeldClock) -> None:
        self.clock = clock
        self.reports: list[PartStatus] = []
        self.lost: list[str] = []
        self.supervisor = Supervisor(clock, self.reports.append, self.lost.append, stop_within_s=0.01)

    async def look(self, seconds: float = 0.0) -> None:
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            self.supervisor.look()
            await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def states(self) -> list[str]:
        return [report.state for report in self.reports]


def play(clock: HeldClock, scenario: Callable[[Kept], object]) -> None:
    async def run() -> None:
        kept = Kept(clock)
        kept.supervisor.look()
        await scenario(kept)  # type: ignore[misc]
        await kept.supervisor.stop()

    asyncio.run(run())


def test_what_breaks_is_started_again_and_its_words_stay_out_of_the_log(
    clock: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(kept: Kept) -> None:
        lamp = Lamp()
        kept.supervisor.add(lamp, FAST)
        await kept.settle()
        lamp.breaks(ValueError("turn on my secret lamp"))
        await kept.settle()
        assert kept.states == ["starting", "running", "waiting"]
        await kept.look(1.5)
        assert (lamp.starts, lamp.stops, kept.supervisor.state("lamp")) == (2, 1, State.RUNNING)
        assert kept.supervisor.statuses()[0].restarts == 1

    play(clock, scenario)
    assert "please report it" in caplog.text
    assert "secret" not in caplog.text


def test_a_start_that_fails_is_tried_until_the_limit(clock: HeldClock) -> None:
    async def scenario(kept: Kept) -> None:
        lamp = Lamp()
        lamp.refuses = "there is no lamp"
        kept.supervisor.add(lamp, FAST, essential=True)
        await kept.look(30)
        assert lamp.starts == 3
        assert kept.lost == ["lamp: lamp: there is no lamp; plug it in"]
        assert not kept.supervisor.progressing()

    play(clock, scenario)


def test_what_stands_still_is_started_again_and_the_others_are_not(clock: HeldClock) -> None:
    async def scenario(kept: Kept) -> None:
        still, idle = Lamp("still"), Lamp("idle")
        still.turns = 7
        for lamp in (still, idle):
            kept.supervisor.add(lamp, FAST)
        await kept.look(5)
        assert kept.supervisor.progressing()
        await kept.look(3)
        assert (still.starts, idle.starts) == (2, 1)

    play(clock, scenario)


def test_after_the_whole_process_stood_still_nobody_is_blamed(clock: HeldClock) -> None:
    async def scenario(kept: Kept) -> None:
        lamp = Lamp()
        lamp.turns = 7
        kept.supervisor.add(lamp, FAST)
        await kept.look(3)
        clock.advance(30)
        await kept.look(0.5)
        assert lamp.starts == 1
        lamp.turns = 8
        await kept.look(4)
        assert lamp.starts == 1

    play(clock, scenario)


def test_what_does_not_stop_is_left_behind(clock: HeldClock) -> None:
    async def scenario(kept: Kept) -> None:
        lamp = Lamp()
        lamp.clings = True
        kept.supervisor.add(lamp, FAST)
        await kept.settle()
        await kept.supervisor.remove("lamp")
        assert lamp.stops == 1
        assert kept.supervisor.statuses() == ()

    play(clock, scenario)
