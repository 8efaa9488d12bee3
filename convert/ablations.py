"""What the net owes to each thing that it sees and that it is taught by: nets trained alike but for one of them.

Each arm hides a part of the input, in training and in judging alike, or leaves a part of the data out; all arms take
the same number of steps from the same seed. They are judged in float by what the net alone says: no score of the
recogniser's counts for refusing. The list's length is another question, asked of the net that sees all of it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.understand.fused.fuse import probability
from assistant.understand.fused.projection import FeatureSpec
from benchmarks.fused_clips import FOREIGN, FOREIGN_SETS, HALVES, ORDERS, TAIL_DRAWS, TAILS
from convert import calibrate, evaluate
from convert.build import Data, Order, gather, prepare
from convert.costs import Ledger
from convert.crew import open_crew
from convert.dataset import Inputs, Rows
from convert.examples import REAL_GROUPS, Example, Seen, of_recordings, see
from convert.model import FULL, Regularisation, Shape, build
from convert.page import figure, picture, png, table, write_page
from convert.reader import reader_of
from convert.synthesize import FULL as SAID_WHOLE
from convert.train import DISTURBED, Floats, Schedule, area, logits, train, utterances

SOUND, WORDS, SCORES = "sound", "words", "scores"
"""What can be hidden: encoder states, of tokens and frames; the tokens' own vectors; all that the decoder scored."""
ALL, GENERIC = "all of it", "generic: trained without the context"
LISTS = (1, 2, 4, 8)
STRIPES = (6, 12)
"""Widest stripes of SpecAugment: frames of 96 ms, components."""
NET_VALUES = ("right", "whole")
DECIDED_VALUES = ("mean", "end", *NET_VALUES)
"""What the device decides by: log p of all words and of the end, too (benchmarks/fused_fit.py)."""
NOISES = ("clean", "kitchen 6 dB")
CASES = {
    ORDERS: REAL_GROUPS,
    HALVES: NOISES,
    TAILS: tuple(f"{noise}, voices {draw + 1}" for noise in NOISES for draw in range(TAIL_DRAWS)),
    FOREIGN: FOREIGN_SETS,
}
"""Labelled recordings: everything that the device is judged by."""

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Arm:
    """One net. hidden: parts of the input. kept: which rows train, or None for all. seed: further than the order's.

    shape, regular: what else it is made or disturbed like.
    """

    name: str
    hidden: tuple[str, ...] = ()
    kept: Callable[[Rows], NDArray[np.bool_]] | None = None
    seed: int = 0
    shape: Shape = FULL
    regular: Regularisation = DISTURBED


def arms_of(corpus: str, seeds: int = 1) -> tuple[Arm, ...]:
    """All arms. corpus: the context that the specialised net is made for. seeds: so many nets of the two that ship."""

    def others(rows: Rows) -> NDArray[np.bool_]:
        kept: NDArray[np.bool_] = rows.corpus != corpus
        return kept

    again = [
        Arm(f"{name}, seed {seed}", kept=kept, seed=seed)
        for seed in range(1, seeds)
        for name, kept in ((ALL, None), (GENERIC, others))
    ]
    return (
        Arm(ALL),
        Arm("sound, no words and no scores", (WORDS, SCORES)),
        Arm("words and scores, no sound", (SOUND,)),
        Arm("sound and words, no scores", (SCORES,)),
        Arm("scores alone", (SOUND, WORDS)),
        Arm("trained without noise", kept=lambda rows: np.isnan(rows.snr_db)),
        Arm("as few rows, in noise and without", kept=_as_few),
        Arm("trained without the recogniser's mistakes", kept=_without_mistakes),
        Arm("nothing hidden in training", regular=replace(DISTURBED, deaf=0.0, blind=0.0)),
        Arm("stripes hidden in training", regular=replace(DISTURBED, masked=STRIPES)),
        Arm("with batch normalisation", shape=replace(FULL, normalised=True)),
        Arm(GENERIC, kept=others),
        *again,
    )


def _as_few(rows: Rows) -> NDArray[np.bool_]:
    """So many utterances as there are without noise, drawn from all."""
    numbers = np.unique(rows.utterance)
    clean = len(np.unique(rows.utterance[np.isnan(rows.snr_db)]))
    return np.isin(rows.utterance, np.random.default_rng(0).permutation(numbers)[:clean])


def _without_mistakes(rows: Rows) -> NDArray[np.bool_]:
    """Of whole sentences only the meaning that was said: what else the recogniser found is unknown to the net."""
    kept: NDArray[np.bool_] = (rows.kind != SAID_WHOLE) | (rows.right > 0.5)
    return kept


def ablate(
    order: Order, only: Sequence[str], seeds: int, advance: Advance, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Train and judge every arm, or those whose names begin with one of `only`. Raises AssistantError.

    Judged by validation takes, or by the labelled recordings (`order.real`).
    """
    ledger = Ledger(order.places.work)
    with open_crew(order.places, order.jobs, order.cluster) as crew:
        shards = gather(order, ledger.watched(crew), ledger, advance, tell)
        data = prepare(replace(order, real=False), shards, ledger, advance)
    seen = data.seen
    if order.real:
        heard, kept = partial(advance, "recordings"), order.places.work / "states"
        reader = reader_of(order.audio, order.places)
        seen = see(of_recordings(reader, order.places.models, kept, heard, groups=CASES), data.projection)
    corpus = next(iter(order.folders), "")
    steps = len(utterances(data.rows.chosen(~data.rows.valid)))
    found: dict[str, Any] = {}
    for arm in arms_of(corpus, seeds):
        if only and not arm.name.startswith(tuple(only)):
            continue
        net, figures = _trained(arm, data, order.schedule, order.seed + arm.seed, steps, advance)
        shown = replace(seen, inputs=hide(seen.inputs, data.projection.spec, arm.hidden))
        right, whole = logits(net, shown.inputs)
        found[arm.name] = {**figures, **judged(shown, right, whole)}
        tell(f"{arm.name}: {line_of(found[arm.name])}")
        if arm.name == ALL:
            for length in LISTS:
                name = f"list of {length}"
                short, rows = cut(seen, length)
                found[name] = {**figures, **judged(short, right[rows], whole[rows])}
                tell(f"{name}: {line_of(found[name])}")
    return {"context": corpus, "epochs": order.schedule.epochs, "seed": order.seed, "arms": found}


def _trained(
    arm: Arm, data: Data, schedule: Schedule, seed: int, utterances_of_all: int, advance: Advance
) -> tuple[Any, dict[str, Any]]:
    """The net of one arm, and what it was trained on. Fewer rows are gone through more often."""
    rows, spec = data.rows, data.projection.spec
    if arm.kept is not None:
        rows = rows.chosen(arm.kept(rows) | rows.valid)
    inputs = hide(rows.inputs, spec, arm.hidden)
    rows = replace(rows, tokens=inputs.tokens, frames=inputs.frames, globals=inputs.globals)
    count = len(utterances(rows.chosen(~rows.valid)))
    alike = replace(schedule, epochs=round(schedule.epochs * utterances_of_all / count), patience=10**6)

    def told(epoch: int, epochs: int, _: Mapping[str, float]) -> None:
        advance(arm.name[:12], epoch, epochs)

    done = train(rows, spec, arm.shape, alike, seed, told, regular=arm.regular)
    net = build(spec, arm.shape)
    net.set_weights(done.weights)
    return net, {"utterances": count, "epochs": alike.epochs, "best_epoch": done.best + 1, "seconds": done.seconds}


def hide(inputs: Inputs, spec: FeatureSpec, hidden: Sequence[str]) -> Inputs:
    """The same with parts of it at their mean, which is 0; the masks stay."""
    tokens, frames, globals_ = (np.array(part) for part in (inputs.tokens, inputs.frames, inputs.globals))
    d, v = spec.state_dim, spec.vector_dim
    if SOUND in hidden:
        tokens[..., :d] = 0
        frames[..., :d] = 0
    if WORDS in hidden:
        tokens[..., d : d + v] = 0
    if SCORES in hidden:
        tokens[..., d + v : -1] = 0
        globals_[:] = 0
    return Inputs(tokens, frames, globals_)


def cut(seen: Seen, length: int) -> tuple[Seen, NDArray[np.int64]]:
    """What `seen` is when the recogniser's list ends after `length`; the numbers of the rows that are left."""
    examples: list[Example] = []
    rows: list[int] = []
    first = [0]
    for i, e in enumerate(seen.examples):
        hypotheses = e.transcript.hypotheses[:length]
        parts = {name: getattr(e, name)[:length] for name in ("strict", "right", "prefix")}
        examples.append(replace(e, transcript=replace(e.transcript, hypotheses=hypotheses), **parts))
        rows += range(seen.first[i], min(seen.first[i] + length, seen.first[i + 1]))
        first.append(len(rows))
    at = np.array(rows, np.int64)
    inputs = Inputs(*(getattr(seen.inputs, name)[at] for name in ("tokens", "frames", "globals")))
    return Seen(tuple(examples), inputs, tuple(first)), at


def judged(seen: Seen, right: Floats, whole: Floats) -> dict[str, Any]:
    """Figures of the half that nothing was fitted on; of re-ranking also of both halves, where counts are larger."""
    fusion = calibrate.fit(seen, right, whole)
    after = calibrate.judge(seen, right, whole, fusion)
    meant = [j for j in after if j.example.fits and j.example.kind == ORDERS]
    known = [j for j in after if j.example.fits and (j.strict or j.example.kind != ORDERS)]
    known = [j for j in known if not j.example.group.startswith(calibrate.CROWDED)]

    def under(values: Sequence[str]) -> tuple[Mapping[str, float], dict[str, Any]]:
        bounds = calibrate.logistic(known, [j.example.kind == ORDERS for j in known], values)
        doubt = calibrate.doubt_of(meant, bounds)
        return bounds, evaluate.figures(seen, right, whole, replace(fusion, whole=bounds, doubt=doubt))

    bounds, found = under(NET_VALUES)
    _, decided = under(DECIDED_VALUES)
    truth = [s for i, e in enumerate(seen.examples) for s in e.strict[: seen.first[i + 1] - seen.first[i]]]
    held = [j for j in after if not j.example.fits]
    whole_of = {
        kind: [probability(bounds, j.values) for j in held if j.example.kind == kind and (j.strict or kind != ORDERS)]
        for kind in (ORDERS, HALVES, TAILS, FOREIGN)
    }
    others = [p for kind in (HALVES, TAILS, FOREIGN) for p in whole_of[kind]]
    stated = np.array([*whole_of[ORDERS], *others], np.float32)
    is_order = np.arange(len(stated)) < len(whole_of[ORDERS])
    return {
        "weight": fusion.weight,
        "right_auc": round(area(right, np.array(truth, np.float32)), 4),
        "whole_auc": round(area(stated, is_order.astype(np.float32)), 4),
        "strict": {group: row["strict"] for group, row in found["orders, both halves"].items()},
        "alone": {group: row["decoder_strict"] for group, row in found["orders, both halves"].items()},
        "orders": {group: row["n"] for group, row in found["orders, both halves"].items()},
        "invented": _short(found["halves"]["invented"]),
        "tails": _short(found["tails"]),
        "decided_invented": _short(decided["halves"]["invented"]),
        "decided_tails": _short(decided["tails"]),
        "kept_3_dB": _short(decided["orders"].get("kitchen 3 dB", {}).get("true_kept", {"count": 0, "n": 0})),
        "confidence_auc": found["confidence"].get("auc"),
    }


def _short(counted: Mapping[str, Any]) -> list[int]:
    return [int(counted["count"]), int(counted["n"])]


def line_of(f: Mapping[str, Any]) -> str:
    """An arm's figures in one line."""
    gained = sum(f["strict"].values()) - sum(f["alone"].values())
    invented, tails = ("{} of {}".format(*f[key]) for key in ("decided_invented", "decided_tails"))
    return (
        f"right {f['right_auc']:.3f}, whole {f['whole_auc']:.3f}, strictly right {gained:+d}, invented {invented}, "
        f"tails {tails}, confidence {f['confidence_auc']:.3f}"
    )


HEAD = (
    "net",
    "utterances, epochs",
    "AUC of `right`",
    "AUC of `whole`",
    "weight",
    "strictly right of all orders",
    "halves invented, accepted: by the net alone",
    "as the device decides",
    "talked into, accepted: by the net alone",
    "as the device decides",
    "true orders kept at 3 dB",
    "confidence, AUC",
)


COUNTED = ("invented", "decided_invented", "tails", "decided_tails", "kept_3_dB")


def rows_of(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each arm."""
    return [
        (
            name,
            f"{f['utterances']}, {f['epochs']}",
            f"{f['right_auc']:.3f}",
            f"{f['whole_auc']:.3f}",
            f"{f['weight']:g}",
            f"{sum(f['strict'].values())} ({sum(f['alone'].values())} without it)",
            *("{} of {}".format(*f[key]) for key in COUNTED),
            f"{f['confidence_auc']:.3f}",
        )
        for name, f in found["arms"].items()
    ]


def markdown(found: Mapping[str, Any]) -> str:
    """As a table of a document."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (HEAD, ["---"] * len(HEAD), *rows_of(found)))


def write_ablations(file: Path, command: str, found: Mapping[str, Any]) -> None:
    """One HTML page with a table and a plot. Raises StorageError."""
    said = (
        f"<p>Measured by <code>{html.escape(command)}</code>: {found['epochs']} epochs over all utterances, or as many "
        f"steps over fewer, seed {found['seed']}, one net each. Counts of what is accepted are of half B, where 97 of "
        "100 true orders at 6 dB on half A are.</p>"
    )
    plot = picture(_plot(found["arms"]), "what each arm parts and accepts")
    write_page(file, "ablations", ["<h1>What the net owes to what</h1>", said, plot, table(HEAD, rows_of(found))])


def _plot(arms: Mapping[str, Any]) -> bytes:
    drawn, (left, right) = figure(2)
    names = list(arms)
    at = np.arange(len(names))
    left.barh(at - 0.2, [arms[n]["right_auc"] for n in names], 0.4, label="right")
    left.barh(at + 0.2, [arms[n]["whole_auc"] for n in names], 0.4, label="whole")
    left.set(yticks=at, yticklabels=names, xlim=(0.5, 1), xlabel="area under the curve")
    left.tick_params(axis="y", labelsize=6)
    left.invert_yaxis()
    left.legend(fontsize=7)
    for key, shift in (("invented", -0.2), ("tails", 0.2)):
        right.barh(at + shift, [100 * arms[n][key][0] / max(arms[n][key][1], 1) for n in names], 0.4, label=key)
    right.set(yticks=at, yticklabels=[], xlabel="accepted, %")
    right.invert_yaxis()
    right.legend(fontsize=7)
    return png(drawn)
