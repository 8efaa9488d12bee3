"""Trains the net for sound alone: rows of frames with labels, disturbed anew in every epoch; the weights averaged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import InputError
from assistant.understand.fused.heads import CLIP, OUTSIDE, Basis
from assistant.understand.fused.manifest import INTENT, Head
from assistant.understand.fused.projection import fit_basis, fit_scale
from convert.heads_data import Listened
from convert.heads_model import SoundRegularisation, SoundShape, build
from convert.model import tensorflow
from convert.pace import Pace, optimizer_of
from convert.reader import plain_word
from convert.synthesize import ALIEN, CUT, FOREIGN, FULL
from convert.train import LossError, settle, steps_of

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

FRAMES, POOL, STATE_DIM = 160, 2, 96
"""Frames of 48 ms, 7.7 s in all, of so many principal components."""
BASIS_STATES = 60_000
LEAST_ROWS = 32
FOREIGN_SLOTS = 0.3
"""Weight of "no value" for every slot of speech that is none of the context."""
STRETCH = 0.12
HIDDEN_FRAMES = 5
MIXED = 0.25
SHIFTED = 0.15
STEP = 16
"""Batches are padded to a multiple of this: what dilated convolutions can share out."""
BUCKETS = 40
"""Batches that are sorted by length together, so that little is padding."""


@dataclass(frozen=True, slots=True)
class SoundSchedule(Pace):
    """smoothing: of labels. word_weight: of the loss of single words. averaged: as of convert.train.Schedule."""

    epochs: int = 25
    batch: int = 32
    warm_up: float = 0.05
    weight_decay: float = 5e-3
    smoothing: float = 0.05
    word_weight: float = 1.0
    averaged: float = 0.998


@dataclass(frozen=True, slots=True, eq=False)
class SoundRows:
    """Utterances. frames: float16 [all, D], laid end to end; first: int64 [R + 1]. labels: int16 [R, heads].

    weights: float32 [R, heads]. words: uint8 [R, W], which were said; word_weight: float32 [R]. valid: bool [R].
    snr_db: float32 [R], not a number where clean.
    """

    frames: Halves
    first: NDArray[np.int64]
    labels: NDArray[np.int16]
    weights: Floats
    words: NDArray[np.uint8]
    word_weight: Floats
    valid: NDArray[np.bool_]
    snr_db: Floats

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, row: int) -> Halves:
        """The frames of one utterance."""
        return self.frames[self.first[row] : self.first[row + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class SoundTrained:
    """weights: by layer, as Keras orders them. history: figures of each epoch."""

    shape: SoundShape
    weights: list[Floats]
    history: list[dict[str, float]]
    seconds: float


def words_of(heads: Mapping[str, Head]) -> tuple[str, ...]:
    """The words that slots' values are made of."""
    found = (word for head in heads.values() if head.slot for label in head.labels for word in label.split())
    return tuple(dict.fromkeys(map(plain_word, found)))


def spelling_of(heads: Mapping[str, Head]) -> dict[str, Floats]:
    """For each head which of its labels is made of which words, float32 [labels, words]; the first label is of none."""
    found = {}
    for name, head in heads.items():
        words = list(dict.fromkeys(word for label in head.labels for word in label.split()))
        found[name] = np.array([[float(word in label.split()) for word in words] for label in head.labels], np.float32)
    return found


def fit(listened: Sequence[Listened], seed: int) -> Basis:
    """Principal components and normalisation from a part of the training utterances."""
    some = [one for one in listened if one.take.split == "train"]
    rng = np.random.default_rng(seed)
    some = [some[i] for i in rng.permutation(len(some))[: max(BASIS_STATES // 60, 1)]]
    states = np.concatenate([one.states for one in some])[:: max(sum(len(o.states) for o in some) // BASIS_STATES, 1)]
    mean, basis = fit_basis(states.astype(np.float32), STATE_DIM)
    plain = Basis(mean, basis, np.zeros(STATE_DIM, np.float32), np.full(STATE_DIM, 1.0, np.float32))
    pooled = np.concatenate([_pooled(one.states, plain) for one in some])
    return Basis(mean, basis, *fit_scale(pooled))


def _pooled(states: Halves, basis: Basis) -> Floats:
    """Frames before normalisation."""
    components = (states.astype(np.float32) - basis.mean) @ basis.basis
    even = len(components) // POOL * POOL
    found: Floats = components[:even].reshape(-1, POOL, STATE_DIM).mean(axis=1)
    return found


def rows_of(listened: Iterable[Listened], heads: Mapping[str, Head], context: str, basis: Basis) -> SoundRows:
    """Utterances as rows. context: its name; what was said under another grammar is none of it."""
    words = {word: i for i, word in enumerate(words_of(heads))}
    index = {name: {label: i for i, label in enumerate(head.labels)} for name, head in heads.items()}
    parts, labels, weights, said, word_weight, valid, snr_db = [], [], [], [], [], [], []
    for one in listened:
        take = one.take
        own = take.grammar == context
        if own and take.kind not in (FULL, CUT, ALIEN, FOREIGN):
            continue
        meant = own and take.kind == FULL
        used = basis.frames(one.states.astype(np.float32), FRAMES, POOL)
        used = used[used[:, -1] > 0, :-1]
        row = [
            index[name][
                (take.intent if name == INTENT else str(take.slots.get(head.slot, OUTSIDE))) if meant else OUTSIDE
            ]
            for name, head in heads.items()
        ]
        foreign = not own or take.kind == FOREIGN
        weight = 1.0 if meant else FOREIGN_SLOTS if foreign else 0.0
        heard = np.zeros(len(words), np.uint8)
        for word in map(plain_word, take.line.text.split()):
            if word in words:
                heard[words[word]] = 1
        parts.append(used.astype(np.float16))
        labels.append(row)
        weights.append([1.0 if name == INTENT else weight for name in heads])
        said.append(heard)
        word_weight.append(float(take.kind in (FULL, ALIEN, FOREIGN) and take.other is None))
        valid.append(take.split != "train")
        snr_db.append(math.nan if one.snr_db is None else one.snr_db)
    return SoundRows(
        np.concatenate(parts) if parts else np.zeros((0, STATE_DIM), np.float16),
        np.cumsum([0, *map(len, parts)]).astype(np.int64),
        np.array(labels, np.int16).reshape(-1, len(heads)),
        np.array(weights, np.float32).reshape(-1, len(heads)),
        np.array(said, np.uint8).reshape(-1, len(words)),
        np.array(word_weight, np.float32),
        np.array(valid, bool),
        np.array(snr_db, np.float32),
    )


def train(
    rows: SoundRows,
    heads: Mapping[str, Head],
    shape: SoundShape,
    schedule: SoundSchedule,
    seed: int,
    advance: Callable[[int, int, Mapping[str, float]], None],
) -> SoundTrained:
    """Train on the rows that are not for validation. Raises InputError with too few, LossError without a number."""
    chosen = np.flatnonzero(~rows.valid)
    if len(chosen) < LEAST_ROWS:
        raise InputError(f"only {len(chosen)} utterances to train on", where="sound", remedy="more sentences")
    began = time.perf_counter()
    tf, keras = tensorflow()
    keras.backend.clear_session()  # what was made before in this process would change the last digit
    settle(tf, keras, seed)
    spelt = spelling_of(heads)
    net = build(rows.frames.shape[1], spelt, rows.words.shape[1], shape, SoundRegularisation())
    optimizer = optimizer_of(keras, schedule, steps_of(schedule, len(chosen)))
    average = [tf.Variable(v, trainable=False) for v in net.trainable_variables]
    step = _stepper(tf, net, optimizer, average, list(heads), schedule)
    rng = np.random.default_rng(seed)
    history: list[dict[str, float]] = []
    judge = build(rows.frames.shape[1], spelt, rows.words.shape[1], shape)
    for epoch in range(schedule.epochs):
        losses = []
        for number, batch in enumerate(_batches(rows, chosen, schedule.batch, rng)):
            loss = float(step(**batch))
            if not math.isfinite(loss):
                raise LossError(f"the loss is no number any more, in epoch {epoch + 1}, batch {number + 1}", [])
            losses.append(loss)
        for kept, now in zip(judge.trainable_variables, average, strict=True):
            kept.assign(now)
        history.append({"loss": float(np.mean(losses)), "valid_strict": strictly(judge, rows, list(heads))})
        advance(epoch + 1, schedule.epochs, history[-1])
    return SoundTrained(shape, judge.get_weights(), history, time.perf_counter() - began)


def strictly(net: Any, rows: SoundRows, heads: Sequence[str]) -> float:
    """The share of validation sentences of which every head is right."""
    held = np.flatnonzero(rows.valid & (rows.labels[:, 0] > 0))
    right = []
    for start in range(0, len(held), 256):
        part = held[start : start + 256]
        out = net(padded([rows.of(row) for row in part]), training=False)
        found = np.stack([np.asarray(out[name]).argmax(axis=1) for name in heads], axis=1)
        right.append((found == rows.labels[part]).all(axis=1))
    return float(np.concatenate(right).mean()) if right else math.nan


def padded(parts: Sequence[NDArray[Any]], length: int = 0) -> Floats:
    """Utterances as one array float32 [B, longest, D + 1]; the last column says what is there."""
    longest = length or -(-max(map(len, parts)) // STEP) * STEP
    found = np.zeros((len(parts), longest, parts[0].shape[1] + 1), np.float32)
    for i, part in enumerate(parts):
        found[i, : len(part), :-1] = part
        found[i, : len(part), -1] = 1.0
    return found


def _batches(
    rows: SoundRows, chosen: NDArray[np.int64], size: int, rng: np.random.Generator
) -> Iterator[dict[str, NDArray[Any]]]:
    """All rows once, in batches of like length, each disturbed."""
    order = rng.permutation(chosen)
    lengths = np.diff(rows.first)
    groups = []
    for start in range(0, len(order), size * BUCKETS):
        some = order[start : start + size * BUCKETS]
        some = some[np.argsort(lengths[some], kind="stable")]
        groups += [some[i : i + size] for i in range(0, len(some), size)]
    for at in rng.permutation(len(groups)):
        group = groups[at]
        parts = [disturbed(rows.of(row).astype(np.float32), rng) for row in group]
        frames = padded(parts)
        if rng.random() < MIXED:  # somebody else, faintly, behind everybody
            frames[:, :, :-1] += rng.uniform(0.05, MIXED) * (frames[::-1, :, :-1] * frames[:, :, -1:])
        yield {
            "frames": np.clip(frames, -CLIP, CLIP),
            "labels": rows.labels[group].astype(np.int32),
            "weights": rows.weights[group],
            "said": rows.words[group].astype(np.float32),
            "word_weight": rows.word_weight[group],
        }


def disturbed(frames: Floats, rng: np.random.Generator) -> Floats:
    """The same spoken a little faster or slower, in another colour, some of it hidden; float32 [F', D]."""
    pace = float(rng.uniform(1 - STRETCH, 1 + STRETCH))
    length = min(max(round(len(frames) * pace), 2), FRAMES)
    place = np.linspace(0, len(frames) - 1, length)
    low = place.astype(np.int64)
    part = (place - low)[:, None].astype(np.float32)
    frames = frames[low] * (1 - part) + frames[np.minimum(low + 1, len(frames) - 1)] * part
    frames = frames * np.float32(rng.uniform(0.9, 1.1))
    frames += np.float32(SHIFTED) * rng.standard_normal(frames.shape[1], np.float32)
    if rng.random() < 0.5:
        start = int(rng.integers(length))
        frames[start : start + int(rng.integers(1, HIDDEN_FRAMES + 1))] = 0.0
    return frames


def _stepper(
    tf: Any, net: Any, optimizer: Any, average: list[Any], heads: Sequence[str], schedule: SoundSchedule
) -> Any:
    """One step of training as a graph; returns the loss."""
    sizes = [int(net.output_shape[name][-1]) for name in heads]
    words = int(net.output_shape["words"][-1])

    shapes = ((None, None, net.input_shape[-1]), (None, len(heads)), (None, len(heads)), (None, words), (None,))
    kinds = (tf.float32, tf.int32, tf.float32, tf.float32, tf.float32)
    signature = [tf.TensorSpec(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def step(frames: Any, labels: Any, weights: Any, said: Any, word_weight: Any) -> Any:
        with tf.GradientTape() as tape:
            out = net(frames, training=True)
            loss = 0.0
            for i, name in enumerate(heads):
                truth = tf.one_hot(labels[:, i], sizes[i])
                truth = truth * (1 - schedule.smoothing) + schedule.smoothing / sizes[i]
                lost = tf.nn.softmax_cross_entropy_with_logits(truth, out[name])
                loss += tf.reduce_mean(lost * weights[:, i])
            told = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(said, out["words"]), axis=1)
            loss += schedule.word_weight * tf.reduce_mean(told * word_weight) / 4.0
        gradients = tape.gradient(loss, net.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        optimizer.apply_gradients(zip(gradients, net.trainable_variables, strict=True))
        done = tf.cast(optimizer.iterations, tf.float32)
        follow = tf.minimum(schedule.averaged, (1.0 + done) / (10.0 + done))  # the beginning is soon forgotten
        for kept, now in zip(average, net.trainable_variables, strict=True):
            kept.assign(follow * kept + (1 - follow) * now)
        return loss

    return step
