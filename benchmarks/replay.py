"""Records of real orders, decided again: all must agree. Also what a record costs in time and disk.

Orders in a quiet room, in kitchen noise down to 0 dB and among voices, and foreign speech go through recogniser,
`decide`, the file on disk and back.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from assistant.cli.assembly import prepare_context
from assistant.cli.output import progress
from assistant.grammar.load import load_context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize.engine import Recognizer
from assistant.trace.file import FILE, Limits, TraceFile, TraceReader
from assistant.trace.record import encode
from assistant.trace.replay import replay
from assistant.trace.writing import record_of
from assistant.types import Decision, Reply
from assistant.understand.decide import decide
from benchmarks.clips import Clip, recorded
from benchmarks.conditions import BY_NAME, CLEAN, Room
from benchmarks.recordings import barista_orders, recordings_of, spread

CONDITIONS = tuple(BY_NAME[name] for name in ("clean", "kitchen 6 dB", "kitchen 0 dB", "babble 6 dB"))
FOREIGN_SHARE = 0.1
CONTEXT = "barista"
RECORDS = 500


def clips(records: int) -> list[Clip]:
    """`records` clips: orders in all conditions, a tenth foreign speech."""
    room, foreign = Room(), round(records * FOREIGN_SHARE)
    orders = [
        recorded(order.recording, condition, room)
        for order, condition in itertools.product(barista_orders(), CONDITIONS)
    ]
    others = [recorded(recording, CLEAN, room) for recording in recordings_of("so762", foreign)]
    return [*spread(orders, records - len(others)), *others]


def decisions(chosen: list[Clip], recognizer: Recognizer) -> Iterator[Decision]:
    """What is decided about each clip."""
    context = load_context(CONTEXT)
    prepared, vad = prepare_context(recognizer, context), open_vad("auto")
    for clip in chosen:
        utterance = cut_clip(clip.load(), vad)
        transcript = recognizer.open(prepared).finish(utterance)
        decided = decide(transcript, context)
        yield Decision(utterance, transcript, decided, Reply(""), time.time(), context, decided, path=clip.name)


def measure(records: int, recognizer: Recognizer) -> dict[str, Any]:
    """Record and replay; counts, differences, and what a record costs."""
    outcomes: Counter[str] = Counter()
    make_ms, add_ms, sizes = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder, chosen = Path(name), clips(records)
        file = TraceFile(folder, Limits(10**9, 1e9))
        with progress("hearing and recording", len(chosen)) as advance:
            for decision in decisions(chosen, recognizer):
                outcomes[decision.decided.outcome.value] += 1
                began = time.perf_counter()
                sizes.append(len(encode(record_of(decision, ""))))
                made = time.perf_counter()
                file.add(partial(record_of, decision), decision.at, decision.at)
                make_ms.append(1000 * (made - began))
                add_ms.append(1000 * (time.perf_counter() - made))
                advance(1)
        file.close()
        reader = TraceReader(folder)
        began = time.perf_counter()
        found = [(record.id, replay(record)) for record in reader.records()]
        replay_ms = 1000 * (time.perf_counter() - began) / max(len(found), 1)
        reader.close()
        disk = (folder / FILE).stat().st_size
    differing = {id_: [d.field for d in differences] for id_, differences in found if differences}
    return {
        "records": len(found),
        "agree": len(found) - len(differing),
        "differing": differing,
        "outcomes": dict(outcomes),
        "make_ms": float(np.median(make_ms)),
        "write_ms": float(np.median(add_ms)),
        "replay_ms": replay_ms,
        "record_bytes": float(np.median(sizes)),
        "disk_bytes_a_record": disk / max(len(found), 1),
    }


def show(doc: Mapping[str, Any]) -> None:
    """For people."""
    results = doc["results"]
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in results["outcomes"].items())
    print(f"{results['agree']} of {results['records']} records agree when decided again ({outcomes})")
    for id_, fields in results["differing"].items():
        print(f"  {id_}: {', '.join(fields)}")
    print(f"a record: {results['make_ms']:.2f} ms to make, {results['write_ms']:.2f} to write, ", end="")
    print(f"{results['replay_ms']:.2f} to decide again; {results['disk_bytes_a_record'] / 1000:.1f} kB on disk")


def section(results: Mapping[str, Any]) -> str:
    """The part of docs/figures.md."""
    cost = f"{results['make_ms'] + results['write_ms']:.1f} ms and {results['disk_bytes_a_record'] / 1000:.1f} kB"
    return f"{results['agree']} of {results['records']} records agree. A record costs {cost}."
