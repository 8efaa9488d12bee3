"""Runs a decision again from its record: `decide` is a pure function, so it must come to the same.

Where it does not, the record was made by another version of this program, or is damaged, or `decide` looks at something
that is not written down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.grammar.tree import Context, ListRef, Settings, Template, Wildcard
from assistant.trace.record import Record, Thresholds, Verdict
from assistant.trace.writing import transcript_of, verdict_of
from assistant.types import EMPTY
from assistant.understand.decide import decide
from assistant.understand.fused.fuse import rank_again

RELATIVE_TOLERANCE = 1e-9
"""Of numbers: exp and sums may differ in their last digit between processors."""

NOT_DECIDED = ("question",)
"""Fields of a verdict that others fill in after `decide`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that came out otherwise."""

    field: str
    recorded: Any
    replayed: Any


def replay(record: Record) -> tuple[Difference, ...]:
    """Decide again; what differs from `record.decided`, field by field; () when both agree."""
    again = verdict_of(decide(rank_again(transcript_of(record)), context_of(record.thresholds)))
    return differences(record.decided, again)


def context_of(thresholds: Thresholds) -> Context:
    """A context with nothing in it but what `decide` takes from one."""
    free = thresholds.free
    return Context(
        name="",
        folder="",
        templates=tuple(Template("", ListRef(slot, slot), "") for slot in free),
        rules=EMPTY,
        lists={slot: Wildcard(slot) for slot in free},
        responses=EMPTY,
        actions=EMPTY,
        settings=Settings(
            accept=thresholds.accept,
            ask_margin=thresholds.ask_margin,
            ask_below=thresholds.ask_below,
            refuse_below=thresholds.refuse_below,
            harmless=thresholds.harmless,
            confusable=thresholds.confusable,
        ),
        hash=f"thresholds {free}",  # `free_slots` remembers its answers by hash
    )


def differences(recorded: Verdict, replayed: Verdict) -> tuple[Difference, ...]:
    """The fields in which two verdicts differ, `NOT_DECIDED` aside."""
    return tuple(
        Difference(field, getattr(recorded, field), getattr(replayed, field))
        for field in Verdict.__struct_fields__
        if field not in NOT_DECIDED and not same(getattr(recorded, field), getattr(replayed, field))
    )


def same(one: Any, other: Any) -> bool:
    """Equal, numbers within RELATIVE_TOLERANCE, at any depth. True is not 1, and not-a-number equals itself."""
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str):
        return type(one) is type(other) and bool(one == other)
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__struct_fields__") and type(one) is type(other):
        return all(same(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__)
    return bool(one == other)
