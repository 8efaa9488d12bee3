"""What is refused: foreign speech must be, orders must not, and the stated probabilities must be honest.

Thresholds are fitted on half A of the recordings (by hash of the file name); all figures are of half B.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from assistant.grammar.tree import Context
from assistant.types import Transcript
from assistant.understand.calibration import Calibration, as_accept, expected_calibration_error
from benchmarks.clips import Clip, Speaker, halved, recorded, talked_into
from benchmarks.conditions import BY_NAME, CLEAN, Room
from benchmarks.listening import Listening
from benchmarks.recordings import (
    BABBLE_SET,
    Order,
    Recording,
    barista_orders,
    in_half_a,
    read_sentences,
    recordings_of,
    spread,
)
from benchmarks.scoring import auc, mark, same_value, share, shares_by_bin
from benchmarks.sentences import belongs, known_sentences
from benchmarks.store import transcript_of
from benchmarks.systems import Answer, Ours, decided

ORDER_CONDITIONS = tuple(
    BY_NAME[name] for name in ("clean", "kitchen 12 dB", "kitchen 6 dB", "kitchen 3 dB", "kitchen 0 dB", "babble 6 dB")
)
COMMAND_CONDITIONS = tuple(BY_NAME[n] for n in ("clean", "kitchen 12 dB", "kitchen 6 dB"))
HARD_CONDITIONS = tuple(BY_NAME[n] for n in ("clean", "kitchen 6 dB"))
FOREIGN_SETS = ("so762", BABBLE_SET, "an4")
TEXT_SET = "hwu64"
SPOKEN_SENTENCES = 300
COMMANDS = 150
COMMAND_VOICES = ("hibari", "espeak")
Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One clip heard. group: as it is counted. meant: said to the assistant. order: its label, where it has one."""

    clip: Clip
    context: str
    group: str
    transcript: Transcript
    meant: bool
    order: Order | None = None

    @property
    def fits(self) -> bool:
        """Whether it belongs to the half that is fitted on."""
        return in_half_a(self.clip.name)


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Everything heard, by purpose."""

    orders: list[Case]
    commands: list[Case]
    foreign: list[Case]
    halves: list[Case]
    tails: list[Case]

    def all(self) -> Iterator[Case]:
        """All of them."""
        for field in dataclasses.fields(self):
            yield from getattr(self, field.name)


def gather(listening: Listening, barista: Ours, home: Ours, folder: Path, limit: int | None, advance: Advance) -> Cases:
    """Hear everything. folder: where spoken sentences are kept."""
    room = Room()
    orders = barista_orders(limit)

    def hear(system: Ours, clip: Clip, group: str, *, meant: bool, order: Order | None = None) -> Case:
        advance(1)
        row = listening.hear(system, clip)
        return Case(clip, system.context.name, group, transcript_of(row), meant, order)

    found = Cases([], [], [], [], [])
    for condition, order in itertools.product(ORDER_CONDITIONS, orders):
        clip = recorded(order.recording, condition, room)
        found.orders.append(hear(barista, clip, condition.name, meant=True, order=order))
    for command, clip, group in commands(home.context, folder, limit, room):
        found.commands.append(hear(home, clip, group, meant=True, order=command))
    for origin, clip, text in foreign(folder, limit, room):
        for system in (barista, home):
            if not belongs(text, system.context):
                found.foreign.append(hear(system, clip, origin, meant=False))
    others = recordings_of(BABBLE_SET)
    for condition, order in itertools.product(HARD_CONDITIONS, orders):
        half = halved(order.recording, condition, room, listening.vad)
        found.halves.append(hear(barista, half, condition.name, meant=False, order=order))
        tail = talked_into(order.recording, condition, room, listening.vad, others)
        found.tails.append(hear(barista, tail, condition.name, meant=False, order=order))
    return found


def commands(context: Context, folder: Path, limit: int | None, room: Room) -> Iterator[tuple[Order, Clip, str]]:
    """Sentences of `context` without free names, spoken by voices, in noise: label, clip, group."""
    sentences = known_sentences(context, limit or COMMANDS, seed=11)
    for voice in COMMAND_VOICES:
        speaker = Speaker(voice, folder)
        for condition in COMMAND_CONDITIONS:
            for s in sentences:
                clip = speaker.clip(s.text, condition, room)
                order = Order(Recording(Path(clip.name), voice, s.text), s.intent, s.slots)
                yield order, clip, f"{voice} {condition.name}"


def foreign(folder: Path, limit: int | None, room: Room) -> Iterator[tuple[str, Clip, str]]:
    """Speech that is for nobody here: set, clip, what is said ("" where it is not known)."""
    for origin in FOREIGN_SETS:
        for recording in recordings_of(origin, limit):
            yield origin, recorded(recording, CLEAN, room), recording.text
    speaker = Speaker("hibari", folder)
    for text in spread(read_sentences(TEXT_SET), min(limit or SPOKEN_SENTENCES, SPOKEN_SENTENCES)):
        yield TEXT_SET, speaker.clip(text, CLEAN, room), text


def measure(cases: Cases, contexts: Mapping[str, Context]) -> dict[str, Any]:
    """All figures, of half B, with the thresholds that `contexts` carry."""

    def decide(case: Case) -> Answer:
        return decided(case.transcript, contexts[case.context])

    judged = {field.name: _judged(getattr(cases, field.name), decide) for field in dataclasses.fields(cases)}
    orders, home = judged["orders"], judged["commands"]
    meant = [*orders, *home]
    return {
        "half": "B",
        "orders": {group: _kept(rows) for group, rows in _grouped(orders).items()},
        "commands": {group: _kept(rows) for group, rows in _grouped(home).items()},
        "foreign": {
            context: {
                **{group: _accepted(rows) for group, rows in _grouped(found).items()},
                "all": _accepted(found),
            }
            for context, found in _grouped(judged["foreign"], by="context").items()
        },
        "halves": {group: _completions(rows) for group, rows in _grouped(judged["halves"]).items()},
        "tails": {group: _tails(rows) for group, rows in _grouped(judged["tails"]).items()},
        "auc": _aucs(orders, home, judged["foreign"]),
        "reliability": {
            "orders": _reliability(orders),
            "home commands": _reliability(home),
            "with foreign speech": _reliability([*meant, *judged["foreign"]]),
        },
    }


Judged = tuple[Case, Answer]


def _judged(cases: Sequence[Case], decide: Callable[[Case], Answer]) -> list[Judged]:
    return [(case, decide(case)) for case in cases if not case.fits]


def _grouped(rows: Sequence[Judged], by: str = "group") -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for row in rows:
        groups.setdefault(getattr(row[0], by), []).append(row)
    return groups


def _strict(case: Case, answer: Answer) -> bool:
    return case.meant and case.order is not None and mark(answer, case.order).decoded_strict


def _kept(rows: Sequence[Judged]) -> dict[str, Any]:
    """Of speech that was meant: accepted, asked about, refused, and of what was heard strictly right, accepted."""
    right = [(case, answer) for case, answer in rows if _strict(case, answer)]
    wrong = [(case, answer) for case, answer in rows if not _strict(case, answer)]
    return {
        "accepted": share([a.accepted for _, a in rows]),
        "asked": share([a.asked for _, a in rows]),
        "right_accepted": share([a.accepted for _, a in right]),
        "wrong_accepted": share([a.accepted and not a.asked for _, a in wrong]),
    }


def _accepted(rows: Sequence[Judged]) -> dict[str, Any]:
    return {
        "accepted": share([a.accepted for _, a in rows]),
        "acted_on": share([a.accepted and not a.asked for _, a in rows]),
        "asked": share([a.asked for _, a in rows]),
    }


def _completions(rows: Sequence[Judged]) -> dict[str, Any]:
    """Half orders: accepted ones whose meaning was said so far, and those that were completed by invention."""
    prefix: list[bool] = []
    invented: list[bool] = []
    for case, answer in rows:
        assert case.order is not None
        said = case.order.slots
        true = all(name in said and same_value(said[name], value) for name, value in answer.slots.items())
        (prefix if true and answer.intent else invented).append(answer.accepted and not answer.asked)
    return {"true_prefix": share(prefix), "invented": share(invented)}


def _tails(rows: Sequence[Judged]) -> dict[str, Any]:
    """Orders that somebody talks into: accepted, and of these strictly right."""
    acted = [(case, a) for case, a in rows if a.accepted and not a.asked]
    right = [mark(a, case.order).strict for case, a in acted if case.order is not None]
    return {"acted_on": share([a.accepted and not a.asked for _, a in rows]), "of_these_right": share(right)}


def _aucs(orders: Sequence[Judged], commands: Sequence[Judged], foreign: Sequence[Judged]) -> dict[str, float]:
    """How well the probability of being meant parts both sides, for each condition of what was meant."""
    result = {}
    for name, meant in (("barista", orders), ("home", commands)):
        negatives = [a.heard for case, a in foreign if case.context == name]
        for group, rows in _grouped(meant).items():
            if rows and negatives:
                result[f"{name}, {group}"] = round(auc([a.heard for _, a in rows], negatives), 5)
    return result


def _reliability(rows: Sequence[Judged]) -> dict[str, Any]:
    stated = [answer.confidence for _, answer in rows]
    true = [_strict(case, answer) for case, answer in rows]
    ece = expected_calibration_error(np.array(stated), np.array(true)) if rows else 0.0
    return {"ece": round(ece, 4), "n": len(rows), "bins": shares_by_bin(stated, true)}


def with_calibration(context: Context, fitted: Calibration) -> Context:
    """`context` with `fitted` in place of the shipped numbers; its ask margin stays."""
    accept = {**context.settings.accept, **as_accept(fitted)}
    settings = dataclasses.replace(context.settings, accept=MappingProxyType(accept))
    return dataclasses.replace(context, settings=settings)


def count(limit: int | None) -> int:
    """How many clips `gather` hears, at most; for a progress bar."""
    orders = limit or 261
    foreign_count = sum(min(limit or n, n) for n in (384, 251, 948, SPOKEN_SENTENCES))
    spoken = (limit or COMMANDS) * len(COMMAND_VOICES) * len(COMMAND_CONDITIONS)
    return orders * (len(ORDER_CONDITIONS) + 2 * len(HARD_CONDITIONS)) + 2 * foreign_count + spoken
