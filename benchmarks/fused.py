"""What the fused model is worth: the same clips decided with and without it, by noise, cut, talked into, and foreign.

Its weights are fitted on half A of the recordings (by hash of the file name); figures are of half B.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from assistant.grammar.tree import Context
from assistant.types import Fusion, Transcript
from assistant.understand.calibration import expected_calibration_error
from assistant.understand.fused.bundle import Bundle
from assistant.understand.fused.features import extract
from assistant.understand.fused.fuse import fuse
from benchmarks.fused_clips import FOREIGN, HALVES, ORDERS, TAILS, Case
from benchmarks.scoring import auc, mark, paired, same_value, share, shares_by_bin
from benchmarks.states import Heard, StatesStore
from benchmarks.systems import Answer, decided

ALONE = "recogniser alone"
Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A case heard. transcript: without states. logits: by bundle, `right` and `whole` of its hypotheses.

    sound: by bundle, what its net for sound alone says of them, where it has one.
    """

    case: Case
    transcript: Transcript
    logits: Mapping[str, tuple[list[float], list[float]]]
    sound: Mapping[str, list[tuple[float, float]]] = field(default_factory=dict)

    def with_net(self, name: str, fusion: Fusion) -> Transcript:
        """As the net of this name re-ranks it; as the recogniser gave it where the net could not look."""
        if name not in self.logits:
            return self.transcript
        right, whole = self.logits[name]
        return fuse(self.transcript, right, whole, fusion, name, self.sound.get(name, ()))


def gather(cases: Iterable[Case], store: StatesStore, bundles: Sequence[Bundle], advance: Advance) -> list[Judged]:
    """Hear everything and ask every net."""
    found = []
    for case in cases:
        heard = store.hear(case.clip)
        sound = {bundle.name: said for bundle in bundles if (said := bundle.says(heard.transcript))}
        found.append(Judged(case, _without_states(heard.transcript), _logits(heard, bundles), sound))
        advance(1)
    return found


def _logits(heard: Heard, bundles: Sequence[Bundle]) -> dict[str, tuple[list[float], list[float]]]:
    if heard.sound is None:
        return {}
    found, seen = {}, {}
    for bundle in bundles:
        parameters = bundle.manifest.features_sha256
        if parameters not in seen:  # the variants of a bundle see the same
            seen[parameters] = extract(heard.sound, heard.transcript.hypotheses, bundle.projection)
        answers = bundle.net.answers(seen[parameters])
        found[bundle.name] = (answers.right.tolist(), answers.whole.tolist())
    return found


def _without_states(transcript: Transcript) -> Transcript:
    bare = tuple(replace(h, attention=None, vectors=None) for h in transcript.hypotheses)
    return replace(transcript, hypotheses=bare, states=None)


Rows = list[tuple[Case, Answer]]


def measure(judged: Sequence[Judged], context: Context, fusions: Mapping[str, Fusion]) -> dict[str, Any]:
    """Figures of half B for the recogniser alone and with each net under its `fusions`."""
    half = [row for row in judged if not row.case.fits]
    systems: dict[str, Rows] = {ALONE: [(row.case, decided(row.transcript, context)) for row in half]}
    for name, fusion in fusions.items():
        systems[name] = [(row.case, decided(row.with_net(name, fusion), context)) for row in half]
    return {
        "half": "B",
        "systems": {name: figures(rows) for name, rows in systems.items()},
        "paired": {name: _paired(rows, systems[ALONE]) for name, rows in systems.items() if name != ALONE},
        "best_of_list": _best_of_list([row for row in half if row.case.kind == ORDERS]),
        "fusions": {name: _plain(fusion) for name, fusion in fusions.items()},
    }


def _plain(fusion: Fusion) -> dict[str, Any]:
    return {
        "weight": fusion.weight,
        "right_cap": fusion.right_cap,
        "sound_weight": fusion.sound_weight,
        "confidence": dict(fusion.confidence),
        "whole": dict(fusion.whole),
        "doubt": fusion.doubt,
        "ask_margin": fusion.ask_margin,
        "offer": fusion.offer,
        "taken": fusion.taken,
    }


def figures(rows: Rows) -> dict[str, Any]:
    """All figures of one system, from its answers to the cases."""
    orders = [row for row in rows if row[0].kind == ORDERS]
    return {
        "orders": {group: _kept(found) for group, found in grouped(orders).items()},
        "halves": {group: _halves(found) for group, found in grouped(_of(rows, HALVES)).items()},
        "tails": {group: _tails(found) for group, found in grouped(_of(rows, TAILS)).items()},
        "foreign": {group: _foreign(found) for group, found in grouped(_of(rows, FOREIGN)).items()},
        "confidence": _confidence(orders),
        "confidence_with_foreign": _confidence([*orders, *_of(rows, FOREIGN)]),
    }


def _of(rows: Rows, kind: str) -> Rows:
    return [row for row in rows if row[0].kind == kind]


def grouped(rows: Rows) -> dict[str, Rows]:
    """Rows by group, and all tails of one condition."""
    groups: dict[str, Rows] = {}
    for row in rows:
        groups.setdefault(row[0].group, []).append(row)
    return groups


def strict(case: Case, answer: Answer) -> bool:
    """Whether the best meaning is strictly right, whatever was decided about it."""
    return case.order is not None and case.kind == ORDERS and mark(answer, case.order).decoded_strict


def _kept(rows: Rows) -> dict[str, Any]:
    marks = [mark(answer, case.order) for case, answer in rows if case.order is not None]
    return {
        "right": share([m.right for m in marks]),
        "strict": share([m.strict for m in marks]),
        "heard_right": share([m.decoded_right for m in marks]),
        "heard_strict": share([m.decoded_strict for m in marks]),
        "asked": share([m.asked for m in marks]),
        "acted_wrong": share([m.accepted and not m.asked and not m.decoded_strict for m in marks]),
        "true_refused": share([not m.accepted and not m.asked for m in marks if m.decoded_strict]),
    }


def _halves(rows: Rows) -> dict[str, Any]:
    """Half orders by what the best meaning is: said so far, or completed by invention; acted on, of each."""
    prefix: list[bool] = []
    invented: list[bool] = []
    for case, answer in rows:
        assert case.order is not None
        said = case.order.slots
        true = all(name in said and same_value(said[name], value) for name, value in answer.slots.items())
        (prefix if true and answer.intent else invented).append(answer.accepted and not answer.asked)
    return {"true_prefix": share(prefix), "invented": share(invented)}


def _tails(rows: Rows) -> dict[str, Any]:
    """Orders that somebody talks into: acted on without a question; the order offered at least; refused."""
    marks = [mark(answer, case.order) for case, answer in rows if case.order is not None]
    return {
        "acted_on": share([m.accepted and not m.asked for m in marks]),
        "offered": share([(m.accepted or m.asked) and m.decoded_strict for m in marks]),
        "heard_strict": share([m.decoded_strict for m in marks]),
    }


def _foreign(rows: Rows) -> dict[str, Any]:
    return {
        "accepted": share([a.accepted for _, a in rows]),
        "asked": share([a.asked for _, a in rows]),
    }


def _confidence(rows: Rows) -> dict[str, Any]:
    stated = np.array([answer.confidence for _, answer in rows])
    true = np.array([strict(case, answer) for case, answer in rows], bool)
    if not len(rows) or true.all() or not true.any():
        return {"n": len(rows)}
    return {
        "n": len(rows),
        "auc": round(auc(stated[true].tolist(), stated[~true].tolist()), 4),
        "ece": round(expected_calibration_error(stated, true), 4),
        "bins": shares_by_bin(stated.tolist(), true.tolist()),
    }


def _paired(rows: Rows, alone: Rows) -> dict[str, Any]:
    """Orders that only one of both got strictly right, by condition: answered, and heard (refusal aside)."""
    ours, theirs = grouped(_of(rows, ORDERS)), grouped(_of(alone, ORDERS))

    def pairs(answered: bool) -> dict[str, Any]:  # noqa: FBT001
        def marks(found: Rows) -> list[bool]:
            every = [mark(a, c.order) for c, a in found if c.order is not None]
            return [m.strict if answered else m.decoded_strict for m in every]

        return {group: paired(marks(ours[group]), marks(theirs[group])) for group in ours}

    return {"answered": pairs(answered=True), "heard": pairs(answered=False)}


def _best_of_list(rows: Sequence[Judged]) -> dict[str, Any]:
    """Orders of which a strictly right meaning is in the list at all: what re-ranking could reach."""
    groups: dict[str, list[bool]] = {}
    for row in rows:
        order = row.case.order
        assert order is not None
        found = any(
            mark(Answer(h.text, h.intent, h.slots, accepted=True), order).decoded_strict
            for h in row.transcript.hypotheses
        )
        groups.setdefault(row.case.group, []).append(found)
    return {group: share(found) for group, found in groups.items()}
