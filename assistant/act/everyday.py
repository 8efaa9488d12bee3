"""The two smallest skills: one that only answers, and the clock."""

from __future__ import annotations

from assistant.act.skill import Request, Result, Services
from assistant.act.when import time_in_words


class Say:
    """Does nothing but answer."""

    name = "say"
    reversible = True

    def handle(self, request: Request) -> Result:
        del request
        return Result()


class WallClock:
    """Time and date, as they are said: "twenty past nine" is left to the voice, which reads 9:20 PM."""

    name = "clock"
    reversible = True

    def start(self, services: Services) -> None:
        """Know the zone."""
        self._services = services

    def handle(self, request: Request) -> Result:
        """{time}: "9:05 PM"; {date}: "Tuesday, November 24"; {day}: "Tuesday"."""
        now = self._services.local(request.now)
        return Result({"time": time_in_words(now), "date": f"{now:%A, %B} {now.day}", "day": f"{now:%A}"})


def create_say() -> Say:
    """The skill as its entry point makes it."""
    return Say()


def create_clock() -> WallClock:
    """The skill as its entry point makes it."""
    return WallClock()
