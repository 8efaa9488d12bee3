"""What an intent does: finds the skill that actions.yaml names, asks first where that is risky, and lets it act.

A skill that raises or hangs is said to have failed, and after MAX_FAILURES in a row it is not asked any more; the
others go on. `Skills.act` never raises because of a skill.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.act.everyday import Say, WallClock
from assistant.act.guard import Guard, HangError, RaisedError
from assistant.act.health import forget_failing, note_failing
from assistant.act.plugins import SKILLS, Found, State, Status, find, load
from assistant.act.skill import DEFAULT_TIMEOUT_S, Request, Result, Services, Skill, confirm, failed
from assistant.clock import Clock
from assistant.errors import AssistantError
from assistant.grammar.tree import Action, Context
from assistant.types import EMPTY

MAX_FAILURES = 3
"""So often in a row may a skill raise or hang before it is not asked any more."""

START_TIMEOUT_S = 10.0
UNDO_WITHIN_S = 120.0
"""So long can what was done last be taken back."""

MOST_UNDONE = 16
"""So many of the last things done can be taken back, one after another."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Plugged:
    """A skill in use. guard: its thread. failures: in a row."""

    skill: Skill
    guard: Guard
    found: Found | None
    status: Status
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Undo:
    plugged: _Plugged
    function: Callable[[], Result]
    at: float


class Skills:
    """The skills of one assistant, by name.

    state: the folder below which each skill has its own; tell: is given one line when a skill is given up.
    """

    def __init__(self, services: Services, tell: Callable[[str], None] = log.warning) -> None:
        self._services, self._tell = services, tell
        self._plugged: dict[str, _Plugged] = {}
        self._statuses: dict[str, Status] = {}
        self._undos: deque[_Undo] = deque(maxlen=MOST_UNDONE)

    # -- gathering ---------------------------------------------------------------------------------------------------

    def add(self, skill: Skill, found: Found | None = None) -> None:
        """Start `skill` and use it under its name; what is wrong with it becomes its state."""
        state = self._services.state
        own = replace(self._services, state=state and own_folder(state, skill.name))
        guard = Guard(skill.name, self._services.clock)
        status = found.status(State.ENABLED) if found else Status("skills", skill.name, State.ENABLED)
        start = getattr(skill, "start", None)
        try:
            if start is not None:
                guard.call(lambda: start(own), START_TIMEOUT_S)
        except HangError as error:
            self._give_up(replace(status, state=State.FAILED_CHECK, reason=f"when it was started, {error}"))
        except AssistantError as error:
            self._give_up(replace(status, state=State.CONFIG_ERROR, reason=str(error)))
        except RaisedError as error:
            self._give_up(replace(status, state=State.FAILED_CHECK, reason=f"when it was started, {error}"))
        else:
            self._plugged[skill.name] = _Plugged(skill, guard, found, status)
            self._statuses[skill.name] = status

    def add_found(self, found: Found) -> None:
        """Load a registered skill and start it."""
        factory = load(found, self._services.clock)
        if isinstance(factory, Status):
            self._give_up(factory)
            return
        guard = Guard(found.name, self._services.clock)
        try:
            skill = guard.call(factory, START_TIMEOUT_S)
        except (HangError, RaisedError, AssistantError) as error:
            self._give_up(found.status(State.LOAD_ERROR, str(error)))
            return
        finally:
            guard.close()
        faults = [*_faults(skill, found.name)]
        if faults:
            self._give_up(found.status(State.FAILED_CHECK, "; ".join(faults)))
        else:
            self.add(skill, found)

    def switch_off(self, found: Found) -> None:
        """Note a skill that the configuration does not want."""
        self._statuses[found.name] = found.status(State.DISABLED, "in the configuration")

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The state of each skill, by name."""
        return tuple(self._statuses[name] for name in sorted(self._statuses))

    def __getitem__(self, name: str) -> Skill:
        """The skill of this name, where it is in use."""
        return self._plugged[name].skill

    def __contains__(self, name: object) -> bool:
        return name in self._plugged

    # -- acting ------------------------------------------------------------------------------------------------------

    def act(
        self,
        context: Context,
        intent: str,
        slots: Mapping[str, Any],
        *,
        response: str = "default",
        text: str = "",
        confirmed: bool = False,
        doubtful: bool = False,
    ) -> Result:
        """Let the skill behind `intent` act; or a question that has to be answered first.

        response: key of the reply template that the wording asks for. text: the words. confirmed: the question whether
        to do exactly this was answered with yes. doubtful: it was heard in a hurry, so what cannot be taken back is
        asked about first.
        """
        action = context.actions.get(intent, Action("say"))
        request = Request(
            intent, slots, action.parameters, context, self._services.clock.wall(), response, text, confirmed
        )
        name = self._responsible(action.skill, slots)
        plugged = self._plugged.get(name)
        if plugged is None:
            return self._absent(name)
        risky = action.risk == "confirm" or (doubtful and not self.reversible(context, intent))
        if risky and not confirmed:
            return confirm(request, f"Shall I really do that: {text}?" if text else "Shall I really do that?")
        result = self._guarded(plugged, lambda: plugged.skill.handle(request), _timeout_s(plugged.skill, request))
        if result.undo is not None:
            self._undos.append(_Undo(plugged, result.undo, self._services.clock.monotonic()))
        elif result.ok and result.question is None and not self.reversible(context, intent):
            self._undos.clear()
        return result

    def reversible(self, context: Context, intent: str) -> bool:
        """Whether what `intent` does can be taken back, or is nothing: then it need not wait until that is certain."""
        plugged = self._plugged.get(context.actions.get(intent, Action("say")).skill)
        return plugged is None or bool(getattr(plugged.skill, "reversible", False))

    def undo(self) -> Result:
        """Take back what was done last, where that can be."""
        last = self._undos.pop() if self._undos else None
        if last is None or self._services.clock.monotonic() - last.at > UNDO_WITHIN_S:
            return failed("There is nothing that I could take back.", "nothing_to_undo")
        return self._guarded(last.plugged, last.function, DEFAULT_TIMEOUT_S)

    def quiet(self) -> bool:
        """Somebody said stop: end every sound of the skills; True if there was one."""
        stopped = False
        for plugged in tuple(self._plugged.values()):
            quiet = getattr(plugged.skill, "quiet", None)
            if quiet is not None:
                stopped = self._guarded(plugged, _as_result(quiet), DEFAULT_TIMEOUT_S).ok or stopped
        return stopped

    def handle(self, context: Context, intent: str, slots: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the skill behind `intent` found out, for the reply template; nothing where there is none."""
        action = context.actions.get(intent, Action("say"))
        return self.act(context, intent, slots).values if action.skill in self._plugged else EMPTY

    def close(self) -> None:
        """Stop every skill."""
        for plugged in self._plugged.values():
            stop = getattr(plugged.skill, "stop", None)
            if stop is not None:
                self._guarded(plugged, _as_result(stop), START_TIMEOUT_S)
            plugged.guard.close()
        self._plugged.clear()

    # -- what goes wrong ---------------------------------------------------------------------------------------------

    def _guarded(self, plugged: _Plugged, function: Callable[[], Any], timeout_s: float) -> Result:
        """The result of a call into a skill, whatever it does."""
        name = plugged.skill.name
        try:
            result = plugged.guard.call(function, timeout_s)
        except HangError as error:
            return self._failure(plugged, str(error), f"Sorry, {name} did not answer in time.")
        except AssistantError as error:
            log.warning("skill %s: %s", name, error)
            return failed(f"Sorry, that did not work: {error.what}{f'; {error.remedy}' if error.remedy else ''}.")
        except RaisedError as error:
            log.warning("skill %s", name, exc_info=error.error)
            return self._failure(plugged, str(error), f"Sorry, {name} has failed.")
        if not isinstance(result, Result):
            reason = f"it answered with {type(result).__name__}, not a Result"
            return self._failure(plugged, reason, f"Sorry, {name} has failed.")
        plugged.failures = 0
        return result

    def _failure(self, plugged: _Plugged, reason: str, text: str) -> Result:
        plugged.failures += 1
        if plugged.failures >= MAX_FAILURES and self._plugged.get(plugged.skill.name) is plugged:
            del self._plugged[plugged.skill.name]
            status = replace(plugged.status, state=State.FAILING, reason=reason)
            self._give_up(status)
            note_failing(self._services.state, status)
            text = f"{text} I will not use it any more until I am started again."
        return failed(text)

    def _give_up(self, status: Status) -> None:
        self._statuses[status.name] = status
        self._tell(f"skill {status.name}: {status.state.value}: {status.reason}")

    def _responsible(self, name: str, slots: Mapping[str, Any]) -> str:
        """The skill that an action names, or the one to which that leaves devices."""
        plugged = self._plugged.get(name)
        if plugged is None or all(slots.get(slot) is None for slot in ("name", "area", "floor", "device_id")):
            return name
        return str(getattr(plugged.skill, "devices_go_to", name))

    def _absent(self, name: str) -> Result:
        status = self._statuses.get(name)
        if status is None:
            return failed(f"Sorry, there is no skill called {name}.", "no_skill", skill=name)
        return failed(f"Sorry, {name} is not working: {status.reason}.", "no_skill", skill=name)


def built_in(clock: Clock) -> Skills:
    """The skills that need nothing: answers, and the clock."""
    skills = Skills(Services(clock))
    for skill in (Say(), WallClock()):
        skills.add(skill)
    return skills


def open_skills(
    services: Services, *, disabled: Iterable[str] = (), tell: Callable[[str], None] = log.warning
) -> Skills:
    """All registered skills, started, except those named in `disabled`.

    Where announcements are heard, this is the assistant that runs: what it gave up before is tried again.
    """
    if services.announce is not None:
        forget_failing(services.state)
    skills, off = Skills(services, tell), frozenset(disabled)
    for found in find(SKILLS):
        if found.name in off:
            skills.switch_off(found)
        else:
            skills.add_found(found)
    return skills


def _faults(skill: Any, name: str) -> Iterable[str]:
    """What is not as the protocol says."""
    if getattr(skill, "name", None) != name:
        yield f"its name is {getattr(skill, 'name', None)!r}, but it is registered as {name!r}"
    for method in ("handle", "start", "stop", "quiet"):
        found = getattr(skill, method, None)
        if (found is not None or method == "handle") and not callable(found):
            yield f"it has no method {method}"


def _timeout_s(skill: Skill, request: Request) -> float:
    """Seconds that a call may take: what actions.yaml grants and a moment more, or what the skill wants."""
    granted = request.parameters.get("timeout_s")
    own = getattr(skill, "timeout_s", DEFAULT_TIMEOUT_S)
    return max(float(own), float(granted) + 1.0) if isinstance(granted, (int, float)) else float(own)


def _as_result(function: Callable[[], Any]) -> Callable[[], Result]:
    """A call whose answer only says whether there was something to do."""
    return lambda: Result(ok=bool(function()))


def own_folder(state: Path, name: str) -> Path:
    """A skill's own folder below the assistant's; its name is made harmless as a file's."""
    return state / "skills" / re.sub(r"[^\w-]", "_", name)
