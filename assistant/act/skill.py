"""The protocol of skills: what a skill is asked, what it may answer, and what the assistant lends it.

    Request ─► Skill.handle ─► Result ─┬─ values, response, text    what is said
                                       ├─ question                  what has to be known before anything is done
                                       └─ undo                      how to take it back ("cancel that")

A skill is registered as an entry point of the group `assistant.skills`: a function without arguments that returns it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from assistant.clock import Clock
from assistant.grammar.tree import Context
from assistant.types import EMPTY

ENTRY_POINTS = "assistant.skills"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One understood sentence, for the skill that its intent names in actions.yaml.

    slots: canonical values. parameters: what actions.yaml gives the skill. context: where the sentence was understood.
    now: wall clock, seconds since the epoch.
    response: key of the reply template that the wording asks for. text: the words.
    confirmed: the user has answered yes to the question whether to do this.
    """

    intent: str
    slots: Mapping[str, Any]
    parameters: Mapping[str, Any]
    context: Context
    now: float
    response: str = "default"
    text: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One of the things that may be meant.

    slots: those of the request that this answer would make. text: how it is called in the question ("kitchen lamp").
    also: other ways to say it ("the one in the kitchen").
    """

    slots: Mapping[str, Any]
    text: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be known before anything is done; its words are the result's.

    slot: the slot that is missing or in doubt; "" where only yes or no is asked.
    options: what may be meant; a single one is asked yes or no; none: any value of the slot answers.
    confirms: yes makes the request `confirmed`.
    """

    slot: str = ""
    options: tuple[Option, ...] = ()
    confirms: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a request.

    values: what the skill found out, for the reply template.
    response: key of another reply template than the wording asks for, "" for none.
    text: what is said where the context has no template `response`; "" leaves it to the context's own reply.
    ok: False if it was not done; then `text` says why, and what to do about it.
    question: nothing was done yet; the answer makes a new request.
    undo: takes it back, and says so; None where it cannot be.
    """

    values: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    response: str = ""
    text: str = ""
    ok: bool = True
    question: Question | None = None
    undo: Callable[[], Result] | None = None


class Announce(Protocol):
    """Says something that nobody asked for just now; returns before it has been said."""

    def __call__(self, text: str, *, ring: bool = True) -> None:
        """Say `text`; with `ring` a sound calls first, and goes on until somebody says stop or a minute has passed."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What the assistant lends a skill.

    state: a folder of the skill's own that outlives the process, made when needed; None: nothing is kept.
    announce: None where nobody would hear it (a process that only does one command).
    zone: time zone of what is said; None is the system's.
    boot: names the time since the machine was switched on, within which the monotonic clock is one.
    """

    clock: Clock
    state: Path | None = None
    announce: Announce | None = None
    zone: dt.tzinfo | None = None
    boot: str = ""

    def local(self, at: float) -> dt.datetime:
        """A moment (seconds since the epoch) as the user's clocks show it."""
        moment = dt.datetime.fromtimestamp(at, self.zone)
        return moment if self.zone else moment.astimezone()


class Skill(Protocol):
    """Something that the assistant can do.

    It may also have `start(services)`, called once before anything is asked; `stop()`, called at the end;
    `quiet() -> bool`, called when the user says "stop": end every sound of yours, True if there was one; and
    `timeout_s`, seconds within which `handle` answers (DEFAULT_TIMEOUT_S unless given); `devices_go_to`, the skill to
    which a request goes that names a device or a room; and `reversible`, True where
    whatever it does comes with an `undo`, so that it may act before it is certain that the sentence is over.

    Every call comes in a thread of the skill's own, one at a time. What is wrong with the world is a Result that is not
    ok, or an AssistantError, whose words are said; any other exception counts against the skill.
    """

    @property
    def name(self) -> str:
        """Name as in actions.yaml."""
        ...

    def handle(self, request: Request) -> Result:
        """Do it, or say why not, or ask."""
        ...


DEFAULT_TIMEOUT_S = 5.0


def failed(text: str, response: str = "failed", **values: Any) -> Result:
    """It was not done, and why; a context may word it itself as the reply `response`."""
    return Result(values, response, text, ok=False)


def asked(text: str, question: Question, response: str = "", **values: Any) -> Result:
    """A question; a context may word it itself as the reply `response`."""
    return Result(values, response, text, question=question)


def confirm(request: Request, text: str, **values: Any) -> Result:
    """Ask whether to do what `request` asks; a context may word the question itself as the reply "confirm"."""
    option = Option(request.slots, request.text)
    return asked(text, Question(options=(option,), confirms=True), "confirm", **values)


def operation(request: Request, operations: Mapping[str, str]) -> str:
    """What to do: the parameter `do` in actions.yaml, else what `operations` has for the intent, else ""."""
    return str(request.parameters.get("do") or operations.get(request.intent, ""))


def boot_id() -> str:
    """The kernel's name for the time since it was started, "" where there is none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
