"""Shows decisions as they fall, of this process or of the daemon: a few lines for people, a JSON line for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assistant.cli.output import print_json_line, styled

if TYPE_CHECKING:
    from assistant.types import Decision, Understanding


class Printer:
    """Shows decisions as they fall: a few lines for people, a JSON line for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json

    def show(self, decision: Decision) -> None:
        """Print one decision."""
        felt_ms = None if decision.felt_ms is None else round(decision.felt_ms, 1)
        more = {"felt_ms": felt_ms, "provisional": decision.provisional, "revises": decision.revises}
        self.print(decision.understanding, decision.reply.text, decision.path, more)

    def print(self, u: Understanding, reply: str, path: str, more: Mapping[str, Any]) -> None:
        """Print what was understood and said. more: further fields of the JSON line."""
        from assistant.cli.understand import row_of

        if self._json:
            print_json_line(row_of(path, u) | {"reply": reply} | dict(more))
            return
        style = {"accept": "green", "ask": "yellow", "refuse": "red"}[u.outcome.value]
        times = "  ".join(f"{name} {value:.0f} ms" for name, value in u.timings_ms.items())
        slots = "  ".join(f"{name}={value}" for name, value in u.slots.items())
        goes_on = styled("… and on: ", "dim") if more.get("revises") else ""
        print(f"{goes_on}{styled(u.outcome.value, style + ' bold')} “{u.text}”")
        if u.outcome.value != "refuse":
            print(f"    {styled(u.intent, 'bold')}  {slots}  confidence {u.confidence:.0%}")
        print(styled(f"    {times}", "dim"))
        if u.outcome.value != "accept":
            print(styled(f"    because {u.reason}", "dim"))
        if reply:
            print(f"    {styled('reply', 'cyan')} {reply}")
        sys.stdout.flush()


def print_said(said: dict[str, Any], *, as_json: bool) -> None:
    """Print what the daemon understood and answered (the fields of a Decided event), as this process would its own."""
    from assistant.types import Outcome, Understanding

    outcome = Outcome(said["outcome"])
    understanding = Understanding(
        outcome=outcome,
        intent=said["intent"],
        slots=said["slots"],
        text=said["text"],
        confidence=said["confidence"],
        reason=said["reason"],
        engine=said["engine"],
        variant=said["variant"],
        question=said["reply"] if outcome is Outcome.ASK else "",
        timings_ms=said["timings_ms"],
    )
    more = {name: said[name] for name in ("felt_ms", "provisional", "revises")}
    Printer(as_json=as_json).print(understanding, said["reply"], "", more)
