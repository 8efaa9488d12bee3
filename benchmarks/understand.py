"""How many coffee orders are understood, clean, in kitchen noise and in babble; beside peers on the same sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.clips import recorded
from benchmarks.conditions import PUBLISHED_LEVELS, Condition, Room
from benchmarks.listening import Listening
from benchmarks.recordings import Order
from benchmarks.scoring import Mark, mark, mean_of_levels, paired, share
from benchmarks.systems import Answer, System

PUBLISHED_SNR_DB = (6, 9, 12, 15, 18, 21, 24)
PUBLISHED: Mapping[str, tuple[int, ...]] = {
    "Picovoice Rhino": (96, 97, 98, 99, 99, 99, 99),
    "Microsoft LUIS": (86, 89, 90, 91, 92, 93, 93),
    "IBM Watson": (72, 84, 89, 93, 95, 95, 96),
    "Amazon Lex": (80, 84, 85, 87, 87, 87, 88),
    "Google Dialogflow": (70, 78, 78, 80, 81, 82, 83),
}
"""Percent right by the public rule in the same kitchen noise: the benchmark's own publication."""

Advance = Callable[[float], None]


def measure(
    listening: Listening,
    systems: Sequence[System],
    orders: Sequence[Order],
    conditions: Sequence[Condition],
    advance: Advance,
) -> dict[str, Any]:
    """Every system on every order under every condition; systems[0] is ours."""
    marks: dict[str, dict[str, list[Mark]]] = {system.name: {} for system in systems}
    errors: list[dict[str, Any]] = []
    room = Room()
    for condition in conditions:
        for order in orders:
            clip = recorded(order.recording, condition, room)
            for system in systems:
                answer = system.answer(listening.hear(system, clip))
                scored = mark(answer, order)
                marks[system.name].setdefault(condition.name, []).append(scored)
                if system is systems[0] and not scored.strict:
                    errors.append(_error(order, condition, answer, scored))
            advance(1)
    ours = marks[systems[0].name]
    return {
        "orders": len(orders),
        "conditions": [condition.name for condition in conditions],
        "systems": {name: _summary(by_condition) for name, by_condition in marks.items()},
        "paired": {
            name: {c: paired([m.right for m in ours[c]], [m.right for m in theirs[c]]) for c in ours}
            for name, theirs in marks.items()
            if name != systems[0].name
        },
        "published": {"snr_db": PUBLISHED_SNR_DB, "right_percent": PUBLISHED},
        "errors": errors,
    }


def _summary(marks: Mapping[str, Sequence[Mark]]) -> dict[str, Any]:
    fields = ("right", "strict", "accepted", "asked", "decoded_right", "decoded_strict")
    summary: dict[str, Any] = {
        name: {field: share([getattr(m, field) for m in found]) for field in fields} for name, found in marks.items()
    }
    levels = [marks[c.name] for c in PUBLISHED_LEVELS if c.name in marks]
    if len(levels) == len(PUBLISHED_LEVELS):
        summary["kitchen mean 6-24 dB"] = {
            field: mean_of_levels([[getattr(m, field) for m in found] for found in levels]) for field in fields
        }
    return summary


def _error(order: Order, condition: Condition, answer: Answer, scored: Mark) -> dict[str, Any]:
    wanted, got = dict(order.slots), dict(answer.slots)
    wrong = {n: [wanted.get(n), got.get(n)] for n in sorted(wanted | got) if wanted.get(n) != got.get(n)}
    kind = "refused" if not scored.accepted else "extra slots" if scored.right else "wrong"
    return {
        "file": order.recording.name,
        "condition": condition.name,
        "kind": kind,
        "decoded_right": scored.decoded_right,
        "text": answer.text,
        "wrong_slots": wrong,
        "heard": round(answer.heard, 3),
        "confidence": round(answer.confidence, 3),
    }
