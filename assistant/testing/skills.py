"""What tests of a skill need: a request to give it, and whether it keeps the protocol."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assistant.act.skill import Request, Result, Services, Skill
from assistant.grammar.household import Home
from assistant.grammar.tree import Context, Settings
from assistant.testing.clock import HeldClock
from assistant.testing.conformance import NonConformance
from assistant.types import EMPTY


def make_request(
    intent: str,
    slots: Mapping[str, Any] = EMPTY,
    parameters: Mapping[str, Any] = EMPTY,
    *,
    now: float = 1_700_000_000.0,
    confirmed: bool = False,
    home: Home | None = None,
) -> Request:
    """A request as the assistant would make it. parameters: those of actions.yaml; home: the devices there are."""
    context = Context("test", "", (), EMPTY, EMPTY, EMPTY, EMPTY, Settings(), "", home=home)
    return Request(intent, slots, parameters, context, now, confirmed=confirmed)


def check_skill(skill: Skill, *requests: Request, state: Path | None = None) -> tuple[Result, ...]:
    """Check `skill` on `requests`; returns its results. What is in them is for the caller to compare.

    It checks names and signatures, starts the skill with a held clock and the folder `state`, gives it each request,
    and looks at each result: its type, values that a reply can say, a failure that says why, options that can be told
    apart. A result that can be undone is undone, and the request given again. At the end the skill is stopped.

    Raises NonConformance that lists every fault.
    """
    name = f"skill {getattr(skill, 'name', type(skill).__name__)!r}"
    faults = list(_faults(skill))
    if faults:
        raise NonConformance(name, faults)
    start, stop = getattr(skill, "start", None), getattr(skill, "stop", None)
    if start is not None:
        start(Services(HeldClock(), state))
    results = []
    for request in requests:
        result = skill.handle(request)
        faults += [f"{request.intent}: {fault}" for fault in _result_faults(result)]
        if isinstance(result, Result) and result.undo is not None:
            if not isinstance(result.undo(), Result):
                faults.append(f"{request.intent}: `undo` returns no Result")
            result = skill.handle(request)
        results.append(result)
    if stop is not None:
        stop()
    if faults:
        raise NonConformance(name, dict.fromkeys(faults))
    return tuple(results)


def _faults(skill: object) -> Iterator[str]:
    name = getattr(skill, "name", None)
    if not isinstance(name, str) or not name:
        yield f"`name` is {name!r}, not a name"
    for method, arguments in (("handle", 1), ("start", 1), ("stop", 0), ("quiet", 0)):
        own = getattr(skill, method, None)
        if own is None and method != "handle":
            continue
        try:
            inspect.signature(own).bind(*([None] * arguments))  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            yield f"`{method}` cannot be called with {arguments} argument(s): {error}"


def _result_faults(result: object) -> Iterator[str]:
    if not isinstance(result, Result):
        yield f"`handle` returns {type(result).__name__}, not a Result"
        return
    for name, value in result.values.items():
        try:
            json.dumps(value)
        except TypeError:
            yield f"the value of {name!r} is a {type(value).__name__}, which no reply can say"
    if not result.ok and not result.text:
        yield "it failed without saying why"
    if result.question is not None:
        if not result.text:
            yield "a question without words"
        names = [option.text for option in result.question.options]
        if len(set(names)) < len(names):
            yield f"the options {names} cannot be told apart"
