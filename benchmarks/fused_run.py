"""`assistant bench fused`: opens the bundles, hears, fits and measures; what was fitted may be kept in the bundle."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from assistant.cli.finding import bundle_roots
from assistant.cli.output import progress
from assistant.config import Config
from assistant.errors import ModelError, PluginError
from assistant.grammar.tree import Context
from assistant.listen.vad import open_vad
from assistant.recognize.engine import Recognizer
from assistant.recognize.moonshine.engine import Moonshine
from assistant.types import Fusion
from assistant.understand.fused.bundle import Bundle, bundle_folders, open_bundle
from assistant.understand.fused.features import extract
from assistant.understand.fused.manifest import GENERIC, MANIFEST_FILE, read_manifest, write_manifest
from assistant.understand.fused.net import find_runtime
from assistant.understand.fused.witness import open_witness
from assistant.whole import write_whole
from benchmarks import fused, fused_clips, fused_fit
from benchmarks.fused_clips import ORDERS
from benchmarks.fused_spoken import spoken_orders
from benchmarks.scoring import percentiles
from benchmarks.states import StatesStore

RECORDED = "barista"
"""The context that people were recorded for; sentences of others are spoken by voices that trained nothing."""
TIMED = 60
"""Orders, of all noises, on which the step is timed."""


def measure(args: argparse.Namespace, config: Config, recognizer: Recognizer, context: Context) -> dict[str, Any]:
    """All figures; with `args.fit` by numbers fitted on half A."""
    if not isinstance(recognizer, Moonshine):
        raise PluginError("needs encoder states", where="bench fused", remedy="--engine moonshine")
    folders = list(_folders(args.bundle, config))
    bundles = [bundle for folder, cost in folders for bundle in _open(folder, cost, fits=args.fit)]
    if not bundles:
        raise ModelError("there is no bundle to measure", where="bench fused", remedy="assistant-convert build")
    vad = open_vad(config.listen.vad)
    store = StatesStore(recognizer, recognizer.prepare(context), vad, args.out / "states")
    labelled = None if context.name == RECORDED else spoken_orders(context, args.limit, args.out / "voices")
    every = partial(fused_clips.cases, context, vad, args.limit, labelled)
    with progress("listening", fused_clips.count(args.limit, labelled)) as advance:
        judged = fused.gather(every(), store, bundles, advance)
    fusions = {bundle.name: bundle.fusion for bundle in bundles}
    if args.fit:
        fusions = {b.name: fused_fit.fit(judged, b.name, context, _ranking(b, context)) for b in bundles}
        if args.write:
            for folder, _ in folders:
                _write(folder, fusions)
    cases = [case for case in every() if case.kind == ORDERS]
    costs = {bundle.name: _cost(bundle, store, cases[:: max(len(cases) // TIMED, 1)]) for bundle in bundles}
    return fused.measure(judged, context, fusions) | {"cost": costs}


def _folders(chosen: str | None, config: Config) -> Iterator[tuple[Path, str]]:
    """Folders of bundles, each with the one variant that is wanted, or "" for all."""
    known = {folder.name: folder for folder in bundle_folders(bundle_roots(config))}
    for name in chosen.split(",") if chosen else known:
        if Path(name, MANIFEST_FILE).is_file():
            yield Path(name), ""
            continue
        bundle, _, cost = name.partition("/")
        if bundle not in known:
            there = ", ".join(known) or "none"
            raise ModelError(f"there is no bundle '{name}'", where="--bundle", remedy=f"there are: {there}")
        yield known[bundle], cost


def _ranking(bundle: Bundle, context: Context) -> Fusion | None:
    """How a net counts that was made for another context than the one it is measured in."""
    return None if bundle.manifest.context_hash in (GENERIC, context.hash) else bundle.fusion


def _open(folder: Path, cost: str, *, fits: bool) -> list[Bundle]:
    costs = [cost] if cost else [variant.cost for variant in read_manifest(folder).variants]
    return [_with_witness(open_bundle(folder, each)) if fits else open_bundle(folder, each) for each in costs]


def _with_witness(bundle: Bundle) -> Bundle:
    """With the net for sound alone, whether or not the bundle counts on it already: to be fitted."""
    if bundle.variant.cost in fused_fit.QUICK or bundle.witness is not None:
        return bundle
    return replace(bundle, witness=open_witness(bundle.folder, bundle.manifest, find_runtime()))


def _write(folder: Path, fusions: dict[str, Fusion]) -> None:
    """Put what was fitted into the manifest, all or nothing."""
    manifest = read_manifest(folder)
    variants = tuple(
        msgspec.structs.replace(v, fusion=fusions.get(f"{manifest.name}/{v.cost}", v.fusion)) for v in manifest.variants
    )
    write_whole(folder / MANIFEST_FILE, write_manifest(msgspec.structs.replace(manifest, variants=variants)))


def _cost(bundle: Bundle, store: StatesStore, cases: Sequence[fused_clips.Case]) -> dict[str, Any]:
    """Milliseconds of the features, the net and the witness, and of all ("both"), for all hypotheses of an utterance.

    CPU time of this thread, which runs both: it hardly moves on a busy machine, wall time does.
    """
    features_ms, net_ms, witness_ms, wall_ms, hypotheses = [], [], [], [], []
    for case in cases:
        heard = store.hear(case.clip)
        if heard.sound is None:
            continue
        began, began_cpu = time.perf_counter(), time.thread_time()
        features = extract(heard.sound, heard.transcript.hypotheses, bundle.projection)
        extracted_cpu = time.thread_time()
        bundle.net.answers(features)
        answered_cpu = time.thread_time()
        bundle.says(heard.transcript)
        features_ms.append(1000 * (extracted_cpu - began_cpu))
        net_ms.append(1000 * (answered_cpu - extracted_cpu))
        witness_ms.append(1000 * (time.thread_time() - answered_cpu))
        wall_ms.append(1000 * (time.perf_counter() - began))
        hypotheses.append(len(features.globals))
    both = [a + b + c for a, b, c in zip(features_ms, net_ms, witness_ms, strict=True)]
    return {
        "features_ms": percentiles(features_ms),
        "net_ms": percentiles(net_ms),
        "witness_ms": percentiles(witness_ms),
        "both_ms": percentiles(both),
        "wall_ms": percentiles(wall_ms),
        "hypotheses": round(float(np.mean(hypotheses)), 1) if hypotheses else 0.0,
    }
