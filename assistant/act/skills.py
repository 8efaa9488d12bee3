"""What an intent does: a skill takes the slots and tells what it found out, which the reply template may name.

Skills are registered as entry points `assistant.skills`; a context's actions.yaml says which intent goes to which.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Protocol

from assistant.clock import Clock
from assistant.grammar.tree import Action, Context
from assistant.types import EMPTY


class Skill(Protocol):
    """Something that the assistant can do."""

    @property
    def name(self) -> str:
        """Name as in actions.yaml."""
        ...

    def handle(self, intent: str, slots: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do it; values for the reply template."""
        ...


class Say:
    """Does nothing but answer."""

    name = "say"

    def handle(self, intent: str, slots: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing to find out."""
        del intent, slots, parameters
        return EMPTY


class WallClock:
    """Time and date, as they are said: "twenty past nine" is left to the voice, which reads 9:20."""

    name = "clock"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def handle(self, intent: str, slots: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """{time}: "9:05 PM"; {date}: "Tuesday, November 24"."""
        del intent, slots, parameters
        now = dt.datetime.fromtimestamp(self._clock.wall()).astimezone()
        hour = now.hour % 12 or 12
        return {"time": f"{hour}:{now:%M %p}", "date": f"{now:%A, %B} {now.day}"}


class Skills:
    """The skills of one assistant, by name. An intent without a skill of ours is answered only."""

    def __init__(self, skills: tuple[Skill, ...]) -> None:
        self._skills = {skill.name: skill for skill in skills}

    def handle(self, context: Context, intent: str, slots: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let the skill behind `intent` act."""
        action = context.actions.get(intent, Action("say"))
        skill = self._skills.get(action.skill)
        return skill.handle(intent, slots, action.parameters) if skill else EMPTY


def built_in(clock: Clock) -> Skills:
    """The skills that come with the assistant."""
    return Skills((Say(), WallClock(clock)))
