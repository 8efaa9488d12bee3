"""What many contexts cost, or one with very many sentences: extrapolated from measured rates, assumptions said.

a build = what all contexts share (readings, text sets: heard once) + what each has of its own
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convert import costs, stages
from convert.build import Order
from convert.synthesize import Take

BYTES_A_ROW = 28_000
"""Of memory while a net is trained: tokens, frames and globals of a hypothesis in float16."""


@dataclass(frozen=True, slots=True)
class Load:
    """Units of each stage (costs.UNITS): shared by all contexts, and of each context."""

    shared: Mapping[str, float]
    own: Mapping[str, float]


def load_of(order: Order) -> Load:
    """What a build of `order` does from nothing: planned as the build plans it. Raises ContextError, InputError."""
    shared = [take for corpus in (stages.READ, stages.TEXTS) for take in _planned(order, corpus)]
    own = [take for corpus in order.folders for take in _planned(order, corpus)]
    return Load(_made(shared), _made(own) | _trained(order, len(shared) + len(own)))


def with_sentences(order: Order, load: Load, sentences: int) -> Load:
    """The same where a context's every sentence is spoken and heard once: `sentences` takes instead of those drawn."""
    takes = load.shared[costs.HEAR] + sentences
    said = load.own[costs.SPEAK] / max(load.own[costs.HEAR], 1)
    made = {
        costs.SPEAK: said * sentences,
        costs.HEAR: float(sentences),
        costs.FEATURES: costs.ROWS_A_TAKE * sentences,
    }
    return Load(load.shared, {**load.own, **made, **_trained(order, takes)})


def contexts_together(
    load: Load, rates: Mapping[str, costs.Rate], contexts: int, cores: int, memory: float
) -> costs.Forecast:
    """So many contexts on so many cores, side by side. memory: of a process."""
    stage_s, disk = {}, 0.0
    units = {stage: load.shared.get(stage, 0.0) + contexts * load.own.get(stage, 0.0) for stage in costs.UNITS}
    for stage, count in units.items():
        if count:
            side_by_side = cores if stage in costs.SPREAD else min(cores, contexts)
            stage_s[stage] = count * rates[stage].busy_s / side_by_side
            disk += count * rates[stage].made
    return costs.Forecast(units, stage_s, cores, disk, cores * memory)


def lines_of(load: Load, rates: Mapping[str, costs.Rate], contexts: int, cores: int, price: float) -> list[str]:
    """The extrapolation as lines of text. price: of a core for an hour, in any currency."""
    rows = costs.ROWS_A_TAKE * (load.shared[costs.HEAR] + load.own[costs.HEAR])
    memory = max(rows * BYTES_A_ROW, stages.TRAINING_MEMORY)
    found = contexts_together(load, rates, contexts, cores, memory)
    core_h = sum(count * rates[stage].busy_s for stage, count in found.units.items()) / 3600
    lines = [f"{contexts:,} context{'s' if contexts > 1 else ''} on {cores} cores, from nothing:", ""]
    for stage, seconds in found.stage_s.items():
        what = f"{found.units[stage]:,.0f} {costs.UNITS[stage]}"
        lines.append(f"  {stage:>8}  {costs.duration(seconds):>10}  {what}")
    shared_disk = sum(count * rates[stage].made for stage, count in load.shared.items())
    return [
        *lines,
        "",
        f"  together  {costs.duration(found.seconds)} ({core_h:,.1f} core hours, {price * core_h:,.2f} at {price:g})",
        f"  disk      {found.disk / 1e9:,.1f} GB; {shared_disk / 1e9:,.1f} GB of it are of use to all contexts",
        f"  memory    {stages.MEMORY_A_JOB / 1e9:.1f} GB a core in hearing, {memory / 1e9:,.1f} GB a net in training",
    ]


def assumptions(rates: Mapping[str, costs.Rate]) -> list[str]:
    """What an extrapolation rests on."""
    each = ", ".join(f"{stage} {1000 * rate.busy_s:.1f} ms" for stage, rate in rates.items() if rate.busy_s)
    return [
        f"Processor time a unit: {each}. From this work folder where it has measured them, else of a measured build.",
        "All cores are as fast, and busy to the end; what goes wrong and is done again is not in it.",
        "Readings and text sets are heard once for all contexts; nets train for all their epochs.",
        "Contexts are as large as the one that was planned.",
    ]


def _planned(order: Order, corpus: str) -> list[Take]:
    draws = stages.plan(corpus, order.places, order.folders, order.amounts, order.seed)
    return [take for draw in draws for take in draw]


def _made(takes: Sequence[Take]) -> dict[str, float]:
    return {
        costs.SPEAK: float(len(stages.said_by_voices(takes))),
        costs.HEAR: float(len(takes)),
        costs.FEATURES: costs.ROWS_A_TAKE * len(takes),
    }


def _trained(order: Order, takes: float) -> dict[str, float]:
    """What training and judging do for one context that learns from so many takes."""
    epochs = order.schedule.epochs + (len(order.costs) - 1) * order.fine_tuning.epochs
    return {
        costs.TRAIN: costs.ROWS_A_TAKE * takes * epochs,
        costs.JUDGE: float(len(order.costs)),
        costs.SOUND: 0.0 if order.sound is None else float(order.sound.takes),
    }
