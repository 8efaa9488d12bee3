"""What making the net smaller is worth: every way beside every other, in one run, on the same examples.

Ways are of compress.py, made by slimming.py, precisions of quantize.py, layers of sensitivity.py. Each net is a .tflite
in the device's runtime, with its own numbers fitted on one half of the examples and judged on the other; its decisions
are compared one by one with those of the float net. Files are kept: a study that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant.types import Fusion
from assistant.understand.fused.fuse import whole
from convert import calibrate, classes, crossval, evaluate, model, quantize, sensitivity
from convert.build import Data, Order, gather, prepare
from convert.calibrate import Judged
from convert.costs import Ledger
from convert.crew import open_crew
from convert.dataset import Rows
from convert.examples import Seen
from convert.files import write_whole
from convert.nets import Lesson, Recipe, digest, keep_trained, train_all
from convert.race import race
from convert.slimming import REFERENCE, SHIPPED, Entry, Slimming, make_all
from convert.sources import readings
from convert.train import Schedule, Trained, area
from convert.workers import Crew

STUDY_FORMAT = 1
"""Raised whenever nets are made smaller otherwise."""
FULL_FILE = "full.npz"

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """entries: by name; found: everything that was measured, as JSON."""

    entries: Mapping[str, Entry]
    found: Mapping[str, Any]


def study(order: Order, tuning: Schedule, count: int, advance: Advance, tell: Callable[[str], None]) -> Study:
    """All of it for the full net of `order`. count: folds of cross-validation, 0: none. Raises AssistantError."""
    began = time.perf_counter()
    ledger = Ledger(order.places.work)
    with open_crew(order.places, order.jobs, order.cluster) as members:
        crew = ledger.watched(members)
        shards = gather(order, crew, ledger, advance, tell)
        data = prepare(order, shards, ledger, advance)
        lesson = Lesson(data.rows, data.projection.spec, data.projection.to_bytes(), data.files)
        recipe = Recipe(("full",), order.schedule, order.fine_tuning, order.seed)
        full = train_all(recipe, lesson, order.places, crew, advance)["full"]
        made = study_of(full, data, tuning, order, crew, advance)
    held = data.rows.chosen(data.rows.valid)
    answers = quantize.run(made.entries[SHIPPED].file, held.inputs)
    more: dict[str, Any] = {"classes": classes.of_answers(held, *answers)}
    if count:
        paths = [shard for found in shards.values() for shard in found]
        more["folds"] = cross_validated(paths, data, order, count, tuning, advance)
    tell(f"studied in {(time.perf_counter() - began) / 60:.1f} min")
    return replace(made, found={**made.found, **more})


def cross_validated(
    shards: Sequence[Path], data: Data, order: Order, count: int, tuning: Schedule, advance: Advance
) -> dict[str, Any]:
    """The full net without some voices, and without a kind of noise. It starts anew every time, for a third as long."""
    speakers = {reading.name: f"{reading.origin} {reading.speaker}" for reading in readings(order.places.data)}
    spec = data.projection.spec
    tags = crossval.tags_of(shards, data.rows, spec, speakers)
    short = replace(order.schedule, epochs=max(order.schedule.epochs // 3, tuning.epochs))
    found = {}
    for over, of in (("voices", tags.voice), ("noises", tags.noise)):
        held = crossval.folds(of, count, order.seed)

        def told(done: int, total: int, over: str = over) -> None:
            advance(f"folds, {over}", done, total)

        found[over] = crossval.cross_validate(data.rows, held, spec, model.SHAPES["full"], short, order.seed, told)
    return found


def study_of(full: Trained, data: Data, tuning: Schedule, order: Order, crew: Crew, advance: Advance) -> Study:
    """The same for a trained net; crew: who makes it smaller."""
    seen = data.real if data.real is not None else data.seen
    calibration = quantize.calibration_rows(data.rows, order.seed)
    folder = f"study/{_key(full, data, tuning, order.seed)}"
    keep = order.places.work / folder
    keep_trained(full, keep / FULL_FILE)
    pattern = Slimming(
        rows=data.files,
        full=f"{folder}/{FULL_FILE}",
        shape=full.shape,
        start="",
        folder=folder,
        way="",
        share=0.0,
        spec=data.projection.spec,
        tuning=tuning,
        seed=order.seed,
    )
    entries = make_all(pattern, order.places, crew, advance)
    basis = Basis.of(entries[REFERENCE], seen)
    rows = {}
    for i, (name, entry) in enumerate(entries.items()):
        rows[name] = judged(entry, basis)
        advance("judge", i + 1, len(entries))
    times = race({name: entry.file for name, entry in entries.items()}, data.rows.inputs)
    for name, row in rows.items():
        row["ms"] = times[name]["median"]
        row["faster"] = round(times[SHIPPED]["median"] / times[name]["median"], 3)
        row["ms_spread"] = times[name]["spread"]
    found = {
        "judged_by": "recordings" if data.real is not None else "validation",
        "tuning": asdict(tuning),
        "entries": rows,
        "layers": layers(full, calibration, basis, data, keep, advance),
        "front": front(rows),
    }
    return Study(entries, found)


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """What every net is compared with: the float net's decisions under its own numbers."""

    seen: Seen
    fusion: Fusion
    decisions: tuple[tuple[int, bool], ...]
    strict: tuple[bool, ...]

    @staticmethod
    def of(entry: Entry, seen: Seen) -> Basis:
        """From the float net."""
        answers = quantize.run(entry.file, seen.inputs)
        fusion = calibrate.fit(seen, *answers)
        after = calibrate.judge(seen, *answers, fusion)
        return Basis(seen, fusion, _decisions(after, fusion), tuple(j.strict for j in after))

    def same(self, file: bytes) -> list[bool]:
        """Whether each decision of a net is the float net's, under the float net's numbers: only the net differs."""
        after = calibrate.judge(self.seen, *quantize.run(file, self.seen.inputs), self.fusion)
        return [a == b for a, b in zip(_decisions(after, self.fusion), self.decisions, strict=True)]


def judged(entry: Entry, basis: Basis) -> dict[str, Any]:
    """Figures of one net, of the half that nothing was fitted on unless they say "both"."""
    seen = basis.seen
    right, sound_whole = quantize.run(entry.file, seen.inputs)
    fusion = calibrate.fit(seen, right, sound_whole)
    after = calibrate.judge(seen, right, sound_whole, fusion)
    found = evaluate.figures(seen, right, sound_whole, fusion)
    orders = found["orders, both halves"].values()
    same = [a == b for a, b in zip(_decisions(after, fusion), basis.decisions, strict=True)]
    gained = sum(a.strict and not b for a, b in zip(after, basis.strict, strict=True))
    lost = sum(b and not a.strict for a, b in zip(after, basis.strict, strict=True))
    truth = np.array(
        [
            example.strict[k]
            for i, example in enumerate(seen.examples)
            for k in range(seen.first[i + 1] - seen.first[i])
        ],
        np.float32,
    )
    return {
        "way": entry.way,
        "share": entry.share,
        "precision": entry.precision,
        "bytes": len(entry.file),
        "compressed": len(zlib.compress(entry.file, 9)),
        "parameters": entry.parameters,
        "operations": entry.operations,
        "strict_both": sum(row["strict"] for row in orders),
        "orders_both": sum(row["n"] for row in orders),
        "alone_both": sum(row["decoder_strict"] for row in orders),
        "gained": gained,
        "lost": lost,
        "halves_invented": found["halves"]["invented"]["count"],
        "tails": found["tails"]["count"],
        "foreign": found["foreign"]["count"],
        "right_auc": round(area(right, truth), 4),
        "confidence_auc": found["confidence"].get("auc"),
        "same_decision": round(float(np.mean(same)), 4),
        "same_under_float_numbers": round(float(np.mean(basis.same(entry.file))), 4),
    }


def layers(full: Trained, calibration: Rows, basis: Basis, data: Data, keep: Path, advance: Advance) -> dict[str, Any]:
    """Each layer alone in int8, and alone in float; the verdict on the one whose rounding changes most."""
    net = quantize.exported(full, data.projection.spec)
    whole_file, found = sensitivity.splits(net, calibration)
    base = basis.same(whole_file)
    rows: list[dict[str, Any]] = []
    sames: dict[str, list[bool]] = {}
    for i, split in enumerate(found):
        sames[split.layer] = basis.same(split.spared)
        rows.append(
            {
                "layer": split.layer,
                "alone_changes": sum(not same for same in basis.same(split.alone)),
                "spared_changes": sum(not same for same in sames[split.layer]),
                "spared_bytes": len(split.spared),
            }
        )
        advance("layers", i + 1, len(found))
    worst = min(rows, key=lambda row: (row["spared_changes"], -row["alone_changes"]))
    spared = next(split.spared for split in found if split.layer == worst["layer"])
    times = race({"int8": whole_file, "spared": spared}, data.rows.inputs)
    grown = (len(spared) / len(whole_file) - 1, times["spared"]["median"] / times["int8"]["median"] - 1)
    verdict = sensitivity.judge(str(worst["layer"]), {"int8": base, "spared": sames[worst["layer"]]}, grown)
    if verdict.stays_float:
        write_whole(keep / "worst-in-float.tflite", spared)
    return {
        "decisions": len(base),
        "int8_changes": sum(not same for same in base),
        "int8_bytes": len(whole_file),
        "each": rows,
        "verdict": {**asdict(verdict), "grown": grown, "stays_float": verdict.stays_float, "reason": verdict.reason},
    }


def front(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Nets that no other one beats in bytes, milliseconds and orders at once."""

    def worse(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        pairs = [(one[k], other[k]) for k in ("compressed", "ms")] + [(-one["strict_both"], -other["strict_both"])]
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    return [name for name, row in rows.items() if not any(worse(row, other) for other in rows.values())]


def _decisions(after: Sequence[Judged], fusion: Fusion) -> tuple[tuple[int, bool], ...]:
    """Which meaning, and whether it is asked about."""
    return tuple((j.best, whole(j.values, fusion) < fusion.doubt) for j in after)


def _key(full: Trained, data: Data, tuning: Schedule, seed: int) -> str:
    basis = digest(data.rows, data.projection.to_bytes(), full.weights)
    content = json.dumps([STUDY_FORMAT, basis, asdict(full.shape), asdict(tuning), seed])
    return hashlib.sha256(content.encode()).hexdigest()[:20]
