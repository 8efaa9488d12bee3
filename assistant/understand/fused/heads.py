"""Understanding from sound alone, where there is no time to decode: encoder states in, meanings out.

    states ─► principal components, frames of 48 ms ─► int8 net ─► a distribution of the intent and of each slot
                                                                      │ the likeliest that the grammar can say
                                                                      ▼
                                           Transcript: meanings with a sentence for each, and how to decide (Gate)

Only a bundle made for a context has such a net (`Manifest.sound`): its outputs name that context's intents and values.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import AssistantError, ModelError
from assistant.grammar.tree import Context, Template
from assistant.grammar.wording import Wordings, places_of, values_of
from assistant.types import SOUND_ONLY, Hypothesis, Transcript, frozen_array
from assistant.understand.fused.manifest import INTENT, Head, Manifest, SoundNet, read_manifest
from assistant.understand.fused.net import as_model_error, check_file, find_runtime, opened

Floats = NDArray[np.float32]

log = logging.getLogger(__name__)

CLIP = 4.0
"""Normalised values beyond so many standard deviations say no more."""
OUTSIDE = ""
"""The label of "none of it": no intent of this context, or no value for this slot."""
MOST_VALUES, MOST_SLOTS = 64, 16
"""A slot with more values, or a context with more slots, gets no net for sound alone."""
KEPT = 5
"""Meanings that are offered."""
TRIED = 400
"""Combinations that are tried until so many can be said."""
FLOOR = 1e-6
BASIS_ARRAYS = ("mean", "basis", "column_mean", "column_scale")


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """How states become frames: mean [dim], basis [dim, kept]; normalisation of the columns [kept]. All float32."""

    mean: Floats
    basis: Floats
    column_mean: Floats
    column_scale: Floats

    def frames(self, states: Floats, count: int, pool: int) -> Floats:
        """`states`, float32 [T, dim], as the net's input float32 [count, kept + 1]; the last column is a mask.

        pool: states averaged for a frame; more where they would not fit.
        """
        components = (states - self.mean) @ self.basis
        pool = max(pool, -(-len(components) // count))
        ends = np.arange(0, len(components), pool)
        lengths = np.diff(np.r_[ends, len(components)])[:, None]
        pooled = np.add.reduceat(components, ends, axis=0) / lengths if len(components) else components
        found = np.zeros((count, self.basis.shape[1] + 1), np.float32)
        used = len(pooled)
        found[:used, :-1] = np.clip((pooled - self.column_mean) / self.column_scale, -CLIP, CLIP)
        found[:used, -1] = 1.0
        return found


def read_basis(path: Path, net: SoundNet) -> Basis:
    """The arrays of `path`. Raises ModelError when they are missing or of another shape than `net` says."""
    try:
        with np.load(path) as file:
            found = Basis(*(file[name].astype(np.float32) for name in BASIS_ARRAYS))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"cannot be read ({error})", where=str(path), remedy="build the bundle again") from error
    if found.basis.shape != (net.audio_dim, net.state_dim) or found.column_scale.shape != (net.state_dim,):
        raise ModelError("is of another shape than its manifest says", where=str(path), remedy="build the bundle again")
    return found


def labels_of(context: Context) -> dict[str, Head] | None:
    """The heads that a net for `context` has, by output name; None where its slots are no closed, moderate lists."""
    values = _values(context)
    few = all(values_of(context, place, MOST_VALUES) is not None for place in places_of(context))
    if not few or len(values) > MOST_SLOTS or any(len(of) > MOST_VALUES for of in values.values()):
        return None
    heads = {INTENT: Head(labels=(OUTSIDE, *context.intents))}
    slots = enumerate(values.items())
    return heads | {f"slot_{i}": Head(labels=(OUTSIDE, *map(str, found)), slot=name) for i, (name, found) in slots}


def _values(context: Context) -> dict[str, tuple[Any, ...]]:
    """The values that each slot can take, as far as they are listed."""
    found: dict[str, dict[Any, None]] = {}
    for place in places_of(context):
        found.setdefault(place.slot, {}).update(dict.fromkeys(values_of(context, place, MOST_VALUES) or ()))
    for template in context.templates:
        for name, value in template.slots.items():
            found.setdefault(name, {})[value] = None
    return {name: tuple(values) for name, values in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """An open net for sound alone. Threads take turns."""

    net: SoundNet
    heads: Mapping[str, Head]
    basis: Basis
    run: Callable[..., Mapping[str, Any]]
    wordings: Wordings
    values: Mapping[str, Mapping[str, Any]]
    path: Path
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, transcript: Transcript) -> Transcript:
        """`transcript`, which holds encoder states only, with the likeliest meanings. Raises ModelError."""
        if transcript.states is None:
            return replace(transcript, gate=self.net.gate)
        began = time.perf_counter()
        frames = self.basis.frames(transcript.states, self.net.frames, self.net.pool)
        with self._turn, as_model_error(self.path):
            logits = {name: np.ravel(values) for name, values in self.run(frames=frames[None]).items()}
        found = tuple(self._meanings({name: log_p_of(logits[name], self.net.temperature) for name in self.heads}))
        elapsed_ms = 1000 * (time.perf_counter() - began)
        return replace(
            transcript,
            hypotheses=found,
            text=found[0].text if found else "",
            variant=SOUND_ONLY,
            gate=self.net.gate,
            timings_ms={**transcript.timings_ms, "sound": elapsed_ms},
        )

    def _meanings(self, log_p: Mapping[str, Floats]) -> Iterator[Hypothesis]:
        """The likeliest combinations that the grammar can say, best first, but not that nothing was said."""
        kept = 0
        for tried, (score, chosen) in enumerate(combinations(log_p)):
            if kept == KEPT or tried == TRIED:
                return
            said = {name: self.heads[name].labels[label] for name, label in chosen.items()}
            intent = said.pop(INTENT)
            slots = {
                self.heads[name].slot: self.values[self.heads[name].slot][label]
                for name, label in said.items()
                if label != OUTSIDE
            }
            wording = self.wordings.say(intent, slots) if intent != OUTSIDE else None
            if wording is not None:
                kept += 1
                yield _hypothesis(intent, slots, wording, score)


def _hypothesis(intent: str, slots: Mapping[str, Any], wording: tuple[str, Template], score: float) -> Hypothesis:
    text, template = wording
    none = frozen_array(np.zeros(0, np.float32))
    return Hypothesis(
        intent, slots, text, score, score, frozen_array(np.zeros(0, np.int32)), none, none, response=template.response
    )


def log_p_of(logits: Floats, temperature: float) -> Floats:
    """Log-probabilities of a head's labels, softened by the temperature that the converter fitted."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max()
    p = np.exp(scaled)
    log_p: Floats = np.log(np.maximum(p / p.sum(), FLOOR)).astype(np.float32)
    return log_p


def combinations(log_p: Mapping[str, Floats]) -> Iterator[tuple[float, dict[str, int]]]:
    """Choices of one label for each head with the sum of their log-probabilities, likeliest first."""
    names = list(log_p)
    orders = [np.argsort(-log_p[name], kind="stable") for name in names]

    def score(ranks: Sequence[int]) -> float:
        pairs = zip(names, orders, ranks, strict=True)
        return float(sum(log_p[name][order[rank]] for name, order, rank in pairs))

    first = (0,) * len(names)
    queue, seen = [(-score(first), first)], {first}
    while queue:
        negative, ranks = heapq.heappop(queue)
        yield -negative, {name: int(order[rank]) for name, order, rank in zip(names, orders, ranks, strict=True)}
        for i in range(len(ranks)):
            nearby = (*ranks[:i], ranks[i] + 1, *ranks[i + 1 :])
            if nearby[i] < len(orders[i]) and nearby not in seen:
                seen.add(nearby)
                heapq.heappush(queue, (-score(nearby), nearby))


def open_heads(
    folder: Path, manifest: Manifest, context: Context, interpreter: Callable[..., Any] | None = None
) -> Heads:
    """The net for sound alone of the bundle in `folder`. Raises ModelError (also where it has none), PluginError."""
    net = manifest.sound
    if net is None or manifest.context_hash != context.hash:
        raise ModelError(
            f"no bundle has a net for sound alone for the context '{context.name}'",
            where=str(folder),
            remedy=f"assistant-convert build --context {context.name}",
        )
    basis, run = open_sound(folder, net, manifest.heads, interpreter or find_runtime())
    return heads_of(net, manifest.heads, basis, run, context, folder / net.file)


def open_sound(
    folder: Path, net: SoundNet, heads: Mapping[str, Head], interpreter: Callable[..., Any]
) -> tuple[Basis, Callable[..., Mapping[str, Any]]]:
    """What makes the input of the net in `folder`, and the net. Raises ModelError for whatever is wrong with them."""
    for name, digest in ((net.basis_file, net.basis_sha256), (net.file, net.sha256)):
        check_file(folder / name, digest)
    path = folder / net.file
    run = opened(path, interpreter)
    _check(path, run, net, heads)
    return read_basis(folder / net.basis_file, net), run


def heads_of(
    net: SoundNet, heads: Mapping[str, Head], basis: Basis, run: Callable[..., Any], context: Context, path: Path
) -> Heads:
    """An open net joined with what its labels mean in `context`. run: called with "frames", gives logits by head."""
    values = {slot: {str(value): value for value in found} for slot, found in _values(context).items()}
    return Heads(net, heads, basis, run, Wordings(context), values, path)


def find_heads(folders: Iterable[Path], context: Context, recognizer: str) -> Heads | None:
    """The net for sound alone among the bundles in `folders` that was made for `context` and `recognizer`, opened.

    None where there is none; what is wrong with one is a warning, and the next one is tried.
    """
    for folder in folders:
        try:
            manifest = read_manifest(folder)
            made_for = (manifest.context_hash == context.hash, recognizer.startswith(manifest.recognizer))
            if manifest.sound is not None and all(made_for):
                return open_heads(folder, manifest, context)
        except AssistantError as error:
            log.warning("%s; nothing is understood from sound alone by it", error)
    return None


def _check(path: Path, run: Any, net: SoundNet, heads: Mapping[str, Head]) -> None:
    """Raise ModelError where the file has other inputs or outputs than its manifest says."""
    inputs = {name: tuple(int(n) for n in d["shape"]) for name, d in run.get_input_details().items()}
    outputs = {name: int(d["shape"][-1]) for name, d in run.get_output_details().items()}
    wanted = {name: len(head.labels) for name, head in heads.items()}
    if inputs != {"frames": (1, net.frames, net.state_dim + 1)} or outputs != wanted:
        raise ModelError(
            f"has other inputs or outputs ({inputs}, {outputs}) than its manifest says",
            where=str(path),
            remedy="build the bundle again",
        )
