"""Plug-ins of every group and the state of each: found by their entry points, ours like a stranger's.

enabled ──────► failing         it raised or hung too often and is not asked any more
disabled                        switched off in the configuration
load error                      its module or its factory raised, or hung
config error                    it is not content with what it was given (its own words)
failed self-check               it does not keep the protocol
"""

from __future__ import annotations

import enum
import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assistant.act.guard import Guard, HangError, RaisedError
from assistant.clock import Clock
from assistant.errors import AssistantError, ConfigError
from assistant.grammar.places import did_you_mean
from assistant.types import EMPTY

GROUPS = ("assistant.recognizers", "assistant.voices", "assistant.skills", "assistant.wakewords", "assistant.policies")
SKILLS = "assistant.skills"
LOAD_TIMEOUT_S = 20.0
"""Importing may read much from a slow card."""

OURS = (
    ("say", "assistant.act.everyday:create_say"),
    ("clock", "assistant.act.everyday:create_clock"),
    ("timers", "assistant.act.timers:create"),
    ("lists", "assistant.act.lists:create"),
    ("home", "assistant.act.home:create"),
    ("volume", "assistant.act.volume:create"),
    ("command", "assistant.act.command:create"),
    ("http", "assistant.act.http:create"),
)
"""The skills that come with the assistant, also where it runs from its source folder without being installed."""


class State(enum.Enum):
    """What became of a plug-in."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    LOAD_ERROR = "load error"
    CONFIG_ERROR = "config error"
    FAILED_CHECK = "failed self-check"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Status:
    """One plug-in. group: its kind ("skills"). source: the distribution that brings it, with version; reason: why."""

    group: str
    name: str
    state: State
    reason: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A plug-in that is registered; nothing of it has been imported yet."""

    name: str
    entry: importlib.metadata.EntryPoint
    group: str

    @property
    def source(self) -> str:
        """The distribution that brings it."""
        return f"{self.entry.dist.name} {self.entry.dist.version}" if self.entry.dist else ""

    def status(self, state: State, reason: str = "") -> Status:
        """This plug-in in `state`."""
        return Status(self.group.removeprefix("assistant."), self.name, state, reason, self.source)


def find(group: str) -> tuple[Found, ...]:
    """The plug-ins registered in `group`, by name; of two that are called alike ours, else the first, is taken."""
    found: dict[str, Found] = {}
    entries = [*_ours(group), *importlib.metadata.entry_points(group=group)]
    for entry in entries:
        known = found.get(entry.name)
        if known is None or (known.entry.dist is None and known.entry.value == entry.value):
            found[entry.name] = Found(entry.name, entry, group)
    return tuple(found[name] for name in sorted(found))


def switched_off(names: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """By group, what `names` (NAME, or GROUP.NAME: "skills.home") mean. Raises ConfigError for what is no plug-in."""
    known = {(group, found.name) for group in GROUPS for found in find(group)}
    off: dict[str, set[str]] = {group: set() for group in GROUPS}
    for written in names:
        group, _, name = written.rpartition(".")
        meant = [(g, n) for g, n in known if n == (name if group else written) and group in ("", g.partition(".")[2])]
        if not meant:
            raise ConfigError(
                f"there is no plug-in '{written}'{did_you_mean(written, {n for _, n in known})}",
                where="plugins.disabled",
                remedy="`assistant plugins` lists them",
            )
        for g, n in meant:
            off[g].add(n)
    return {group: frozenset(found) for group, found in off.items()}


def load(found: Found, clock: Clock) -> Callable[..., Any] | Status:
    """The plug-in's factory, or why there is none. An import that blocks is left behind."""
    try:
        factory = Guard(f"load {found.name}", clock).call(found.entry.load, LOAD_TIMEOUT_S)
    except HangError as error:
        return found.status(State.LOAD_ERROR, f"while it is imported, {error}")
    except (RaisedError, AssistantError) as error:
        return found.status(State.LOAD_ERROR, str(error))
    if not callable(factory):
        return found.status(State.LOAD_ERROR, f"{found.entry.value} is no function that makes one")
    return factory  # type: ignore[no-any-return]


def statuses(clock: Clock, off: Mapping[str, frozenset[str]] = EMPTY) -> Iterator[Status]:
    """Every plug-in that is not a skill: whether it can be loaded. Skills say more: `assistant.act.skills`.

    off: by group, those that the configuration does not want.
    """
    for group in GROUPS:
        if group != SKILLS:
            for found in find(group):
                if found.name in off.get(group, ()):
                    yield found.status(State.DISABLED, "in the configuration")
                    continue
                factory = load(found, clock)
                yield factory if isinstance(factory, Status) else found.status(State.ENABLED)


def _ours(group: str) -> list[importlib.metadata.EntryPoint]:
    return [importlib.metadata.EntryPoint(name, value, group) for name, value in OURS] if group == SKILLS else []
