"""`python -m benchmarks.fused_views`: would a second look at the sound, or more witnesses, make an order surer?

Doubtful orders (recognize/moonshine/views.py) are scored again on the sound five per cent slower and faster, and the
net for sound alone hears those views, too. Then it counts, for weights of both, which orders are strictly right; and
fits the confidence on half A with more and more of what was learnt, judged on half B, and the other way round. Nothing
of it is written anywhere: it tells whether a change of the product is worth its cost.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

import models
from assistant.folders import folders
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import VoiceActivity, open_vad
from assistant.recognize.moonshine import create
from assistant.recognize.moonshine.engine import Moonshine, voiced_stretch
from assistant.recognize.moonshine.views import LOOKED_AT, SPEEDS, doubtful, scores
from assistant.types import Fusion, Transcript
from assistant.understand.calibration import expected_calibration_error, fit_weights
from assistant.understand.decide import rivals
from assistant.understand.fused import fuse
from assistant.understand.fused.bundle import Bundle, open_bundle
from assistant.understand.fused.features import extract
from benchmarks.fused_clips import ORDER_CONDITIONS, ORDERS, Case, cases
from benchmarks.fused_fit import CONFIDENCE_VALUES, is_strict
from benchmarks.scoring import auc
from benchmarks.states import StatesStore

BUNDLE, OTHERS = "barista", ("generic", "home")
VIEW_WEIGHTS, SOUND_WEIGHTS = (0.0, 0.15, 0.3, 0.45), (0.0, 0.2, 0.4)
FAR, NEAR = 10.0, -8.0
"""Leads beyond these, nats, say no more."""
RESAMPLES = 300
NOW = (*CONFIDENCE_VALUES, *fuse.SOUND_VALUES)
TRIED: Mapping[str, tuple[str, ...]] = {
    "without the net for sound alone": CONFIDENCE_VALUES,
    "as it is now": NOW,
    "and how far the views score it lower": (*NOW, "drop"),
    "and its lead over its rivals in the views: mean, least": (*NOW, "lead", "least_lead"),
    "and in how many of three it leads": (*NOW, "lead", "least_lead", "votes"),
    "and what the net for sound alone says of the views, mean": (*NOW, "sound_of_views", "faintest_of_views"),
    "and logits of three nets, mean": (*NOW, "right_of_nets", "whole_of_nets"),
    "and all of these": (
        *(*NOW, "drop", "lead", "least_lead", "votes", "sound_of_views", "faintest_of_views"),
        *("right_of_nets", "whole_of_nets"),
    ),
}

Doubles = NDArray[np.float64]
Said = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Viewed:
    """An order heard once, and its best meanings scored anew. logits: of the nets, right and whole.

    change: [views, meanings] what each further view adds to a meaning's score, nats. sound: what the net for sound
    alone says, at first and of each view.
    """

    case: Case
    transcript: Transcript
    logits: Mapping[str, tuple[list[float], list[float]]]
    change: Doubles
    sound: Sequence[Said]
    elapsed_ms: float | None = None


def look(case: Case, engine: Moonshine, store: StatesStore, bundles: Sequence[Bundle], vad: VoiceActivity) -> Viewed:
    """An order, its further views only where it is doubtful."""
    heard = store.hear(case.clip)
    assert heard.sound is not None
    hypotheses = heard.transcript.hypotheses
    logits = {}
    for bundle in bundles:
        answers = bundle.net.answers(extract(heard.sound, hypotheses, bundle.projection))
        logits[bundle.manifest.name] = (answers.right.tolist(), answers.whole.tolist())
    witness = bundles[0].witness
    assert witness is not None
    seen = hypotheses[:LOOKED_AT]
    sound = [witness.of(heard.sound.states, seen)]
    change = np.zeros((len(SPEEDS), len(seen)))
    elapsed_ms = None
    if doubtful(hypotheses):
        pcm, _ = voiced_stretch(cut_clip(case.clip.load(), vad))
        tokens = [h.tokens for h in seen]
        first = scores(engine.model, engine.model.encode(pcm), tokens)
        looking = time.thread_time()
        for view, speed in enumerate(SPEEDS):
            encoded = engine.model.encode(np.asarray(soxr.resample(pcm, speed, 1.0, quality="HQ"), np.float32))
            change[view] = scores(engine.model, encoded, tokens) - first
            sound.append(witness.of(encoded.states, seen))
        elapsed_ms = 1000 * (time.thread_time() - looking)
    bare = tuple(replace(h, attention=None, vectors=None) for h in hypotheses)
    found = replace(heard.transcript, hypotheses=bare, states=None)
    return Viewed(case, found, logits, change, sound, elapsed_ms)


def decided(row: Viewed, view_weight: float, fusion: Fusion) -> Transcript:
    """Its meanings ranked by the first sight, the views and both nets."""
    added = view_weight * row.change.sum(axis=0)
    rest = len(row.transcript.hypotheses) - len(added)
    every = [*added.tolist(), *[float(added.min())] * rest]
    moved = tuple(replace(h, rerank=h.rerank + c) for h, c in zip(row.transcript.hypotheses, every, strict=True))
    right, whole = row.logits[BUNDLE]
    return fuse.fuse(replace(row.transcript, hypotheses=moved), right, whole, fusion, BUNDLE, row.sound[0])


def values_of(row: Viewed, transcript: Transcript, context: Context) -> dict[str, float]:
    """What a confidence of the best meaning could be made of."""
    best = transcript.hypotheses[0]
    known = fuse.values(best, rivals(transcript, context))
    at = next(i for i, h in enumerate(row.transcript.hypotheses) if h.tokens is best.tokens)
    at = min(at, row.change.shape[1] - 1)
    first = np.array([h.rerank for h in row.transcript.hypotheses[: row.change.shape[1]]])
    scored = np.vstack([first, first + row.change])
    others = np.delete(scored, at, axis=1)
    leads = scored[:, at] - others.max(axis=1) if others.shape[1] else np.full(len(scored), FAR)
    leads = np.clip(leads, NEAR, FAR)
    sound, faintest = (float(np.mean([said[at][part] for said in row.sound])) for part in (0, 1))
    nets = [[fuse.capped(of[part][min(at, len(of[part]) - 1)]) for of in row.logits.values()] for part in (0, 1)]
    return known | {
        "drop": float(row.change[:, at].mean()) / len(best.tokens),
        "lead": float(leads.mean()),
        "least_lead": float(leads.min()),
        "votes": float((leads > 0).sum()),
        "sound_of_views": max(sound, fuse.SOUND_FLOOR),
        "faintest_of_views": max(faintest, fuse.FAINTEST_FLOOR),
        "right_of_nets": float(np.mean(nets[0])),
        "whole_of_nets": float(np.mean(nets[1])),
    }


def rankings(rows: Sequence[Viewed], fusion: Fusion) -> Iterator[str]:
    """Orders heard strictly right in each noise, half A and half B, by weights of the views and of the other net."""
    for views, sound in itertools.product(VIEW_WEIGHTS, SOUND_WEIGHTS):
        under = replace(fusion, sound_weight=sound)
        hit = [is_strict(row.case, decided(row, views, under)) for row in rows]
        counts = {
            half: [
                sum(h for h, row in zip(hit, rows, strict=True) if row.case.fits == fits and row.case.group == group)
                for group in ORDER_CONDITIONS
            ]
            for half, fits in (("A", True), ("B", False))
        }
        said = "; ".join(f"{half} {' '.join(map(str, of))} = {sum(of)}" for half, of in counts.items())
        yield f"views {views:.2f}, sound alone {sound:.1f}: {said}"


def confidences(rows: Sequence[Viewed], fusion: Fusion, context: Context) -> Iterator[str]:
    """AUC and ECE of confidences that are fitted on the orders of one half and judged by those of the other."""
    found = [decided(row, 0.0, fusion) for row in rows]
    true = np.array([is_strict(row.case, transcript) for row, transcript in zip(rows, found, strict=True)], bool)
    fits = np.array([row.case.fits for row in rows])
    every = [values_of(row, transcript, context) for row, transcript in zip(rows, found, strict=True)]
    names = np.array([row.case.clip.name for row in rows])
    yield f"wrong: {(~true & fits).sum()} of {fits.sum()} in half A, {(~true & ~fits).sum()} of {(~fits).sum()} in B"
    for label, used in TRIED.items():
        x = np.array([[of[name] for name in used] for of in every])
        parts = []
        for says, fitted, judged in (("A to B", fits, ~fits), ("B to A", ~fits, fits), ("B seen", ~fits, ~fits)):
            p = _stated(x[fitted], true[fitted], x[judged])
            parts.append(f"{says} {_auc(p, true[judged]):.4f}, {expected_calibration_error(p, true[judged]):.4f}")
        yield f"{label}: {'; '.join(parts)}"
        if used == NOW:
            yield _spread(_stated(x[fits], true[fits], x[~fits]), true[~fits], names[~fits])


def _stated(x: Doubles, true: NDArray[np.bool_], judged: Doubles) -> Doubles:
    bias, weights = fit_weights(x, true)
    stated: Doubles = 1 / (1 + np.exp(-np.clip(bias + judged @ weights, -60, 60)))
    return stated


def _auc(p: Doubles, true: NDArray[np.bool_]) -> float:
    return auc(p[true].tolist(), p[~true].tolist())


def _spread(p: Doubles, true: NDArray[np.bool_], names: NDArray[np.str_]) -> str:
    """How much of both figures is chance: recordings drawn anew, and truths drawn as the confidence states them."""
    rng = np.random.default_rng(0)
    rows_of = [np.flatnonzero(names == name) for name in np.unique(names)]
    areas, errors = [], []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([rows_of[i] for i in rng.integers(0, len(rows_of), len(rows_of))])
        areas.append(_auc(p[drawn], true[drawn]))
        errors.append(expected_calibration_error(p, rng.random(len(p)) < p))
    low, high = np.percentile(areas, [2.5, 97.5])
    least, most = np.percentile(errors, [2.5, 97.5])
    return (
        f"  95 % interval of its AUC on B: {low:.3f} to {high:.3f}; ECE of a perfectly honest confidence: "
        f"{np.mean(errors):.4f} ({least:.4f} to {most:.4f})"
    )


def main() -> None:
    """Look again and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fused_views", description=__doc__)
    parser.add_argument("--limit", type=int, metavar="N", help="only N orders, spread over all")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where what was heard is kept")
    args = parser.parse_args()
    context, vad, engine = load_context(BUNDLE), open_vad("silero"), create(cache=folders().cache)
    root = Path(models.__file__).parent
    bundles = [open_bundle(root / name) for name in (BUNDLE, *OTHERS)]
    store = StatesStore(engine, engine.prepare(context), vad, args.out / "states")
    orders = [case for case in cases(context, vad, args.limit) if case.kind == ORDERS]
    rows = [look(case, engine, store, bundles, vad) for case in orders]
    took = [row.elapsed_ms for row in rows if row.elapsed_ms is not None]
    print(f"{len(took)} of {len(rows)} orders are doubtful; two views take {np.median(took):.0f} ms of one thread")
    print("\n".join([*rankings(rows, bundles[0].fusion), *confidences(rows, bundles[0].fusion, context)]))


if __name__ == "__main__":
    main()
