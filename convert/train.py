"""Trains a net: AdamW with warm-up and cosine decay; the best epoch is kept; it stops when a loss is no number.

The same rows, seed and versions give the same weights: one thread, deterministic kernels.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import AssistantError, InputError
from assistant.understand.fused.manifest import INPUTS
from assistant.understand.fused.projection import FeatureSpec
from convert.dataset import Inputs, Rows
from convert.files import archive
from convert.model import Regularisation, Shape, build, tensorflow
from convert.pace import Pace, optimizer_of

Floats = NDArray[np.float32]

LEAST_ROWS = 32
ORDER_SCALE = 2.0
"""Nats that a logit of `right` is worth beside the recogniser's scores when hypotheses are ordered."""
ABSENT = -1e4
DISTURBED = Regularisation()


@dataclass(frozen=True, slots=True)
class Schedule(Pace):
    """patience: epochs without a better validation loss before it stops.

    wrong_weight, order_weight: of the losses of single words, and of the order of an utterance's hypotheses.
    averaged: share of the old in the moving average of the weights.
    """

    patience: int = 6
    wrong_weight: float = 0.5
    order_weight: float = 0.5
    averaged: float = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """weights: by layer, as Keras orders them. history: figures of each epoch. best: which epoch was kept."""

    shape: Shape
    weights: list[Floats]
    history: list[dict[str, float]]
    best: int
    seconds: float


class LossError(AssistantError):
    """The loss stopped being a number. weights: those of the best epoch before, empty where there was none."""

    def __init__(self, what: str, weights: Sequence[Floats] = ()) -> None:
        super().__init__(what, where="train", remedy="a lower --rate, or look for the recording that is not sound")
        self.weights = list(weights)


@dataclass(slots=True)
class _Best:
    loss: float = math.inf
    epoch: int = -1
    weights: list[Floats] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """How an epoch is judged. judge: a net for the weights; check: rows; agreed: what others who train make of it."""

    shape: Shape
    judge: Any
    check: Rows
    agreed: Callable[[float], float] = float


def train(
    rows: Rows,
    spec: FeatureSpec,
    shape: Shape,
    schedule: Schedule,
    seed: int,
    advance: Callable[[int, int, Mapping[str, float]], None],
    start: list[Floats] | None = None,
    regular: Regularisation | None = DISTURBED,
) -> Trained:
    """Train on the rows that are not for validation. start: weights to begin with (fine-tuning).

    Raises InputError when there is too little to train on, LossError when the loss stops being a number.
    """
    fit, check = parted(rows)
    tf, keras = tensorflow()
    settle(tf, keras, seed)
    net = build(spec, shape, regular)
    if start is not None:
        net.set_weights(start)
    table = utterances(fit)
    optimizer = optimizer_of(keras, schedule, steps_of(schedule, len(table)))
    average = [tf.Variable(v, trainable=False) for v in net.weights]
    step = stepper(tf, net, optimizer, average, schedule)

    def learnt(chosen: NDArray[np.int64]) -> float:
        return float(step(batch_of(fit, table[chosen])))

    return learn(learnt, average, Trial(shape, build(spec, shape), check), schedule, len(table), seed, advance)


def parted(rows: Rows) -> tuple[Rows, Rows]:
    """What is trained on, and what validates. Raises InputError when there is too little."""
    fit, check = rows.chosen(~rows.valid), rows.chosen(rows.valid)
    if len(fit) < LEAST_ROWS or len(check) < 1:
        raise InputError(
            f"only {len(fit)} hypotheses to train on and {len(check)} to validate with",
            remedy="more sentences, voices or recordings",
        )
    return fit, check


def learn(
    step: Callable[[NDArray[np.int64]], float],
    average: Sequence[Any],
    trial: Trial,
    schedule: Schedule,
    count: int,
    seed: int,
    advance: Callable[[int, int, Mapping[str, float]], None],
) -> Trained:
    """Epoch after epoch over `count` utterances until the validation gets no better; the best weights are returned.

    step: trains on the utterances of a batch, by number, and returns the loss. average: the variables that are judged.
    """
    began = time.perf_counter()
    judge = trial.judge
    rng = np.random.default_rng(seed)
    best, history = _Best(), []
    for epoch in range(schedule.epochs):
        losses = []
        for number, chosen in enumerate(np.array_split(rng.permutation(count), steps_of(schedule, count))):
            loss = step(chosen)
            if not math.isfinite(loss):
                raise _no_number(epoch, number, best)
            losses.append(loss)
        judge.set_weights([v.numpy() for v in average])
        figures = {"loss": float(np.mean(losses)), **validate(judge, trial.check)}
        figures["valid_loss"] = trial.agreed(figures["valid_loss"])
        history.append(figures)
        advance(epoch + 1, schedule.epochs, figures)
        if figures["valid_loss"] < best.loss:
            best = _Best(figures["valid_loss"], epoch, judge.get_weights())
        elif epoch - best.epoch >= schedule.patience:
            break
    return Trained(trial.shape, best.weights, history, best.epoch, time.perf_counter() - began)


def packed_net(trained: Trained) -> bytes:
    """A trained net as a file. The time that it took is in it: only its weights are the same every time."""
    history = np.frombuffer(json.dumps([trained.history, trained.best, trained.seconds]).encode(), np.uint8)
    return archive({"history": history, **{f"w{i:03d}": w for i, w in enumerate(trained.weights)}})


def read_trained(file: Path, shape: Shape) -> Trained:
    """Read it again."""
    with np.load(file) as kept:
        history, best, seconds = json.loads(kept["history"].tobytes())
        return Trained(shape, [kept[name] for name in kept.files if name.startswith("w")], history, best, seconds)


def settle(tf: Any, keras: Any, seed: int) -> None:
    """Make what follows repeatable."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def batch_of(rows: Rows, table: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Inputs, labels and weights of some utterances by name. table: int64 [U, K], their rows, -1 where there is none.

    place: int64 [U, K], where in the batch each row is. offered: float32 [U, K], the recogniser's scores relative to
    its best, ABSENT where there is no row. said: float32 [U, K], which of them is right. ordered: float32 [U], whether
    one is.
    """
    there = table >= 0
    at = table[there]
    names = (*INPUTS, *(name + end for name in ("right", "whole", "wrong") for end in ("", "_weight")))
    batch: dict[str, NDArray[Any]] = {name: getattr(rows, name)[at].astype(np.float32) for name in names}
    place = np.zeros(table.shape, np.int64)
    place[there] = np.arange(len(at))
    score = np.where(there, rows.score[table], -np.inf)
    said = np.where(there, rows.right[table], 0.0)
    batch["place"] = place
    batch["offered"] = np.maximum(score - score.max(axis=1, keepdims=True), ABSENT).astype(np.float32)
    batch["said"] = said.astype(np.float32)
    batch["ordered"] = ((said.sum(axis=1) > 0) & (there.sum(axis=1) > 1)).astype(np.float32)
    return batch


def utterances(rows: Rows) -> NDArray[np.int64]:
    """The rows of each utterance, int64 [U, K], -1 behind the last."""
    numbers, first, count = np.unique(rows.utterance, return_index=True, return_counts=True)
    table = np.full((len(numbers), int(count.max())), -1, np.int64)
    for u, (begin, many) in enumerate(zip(first, count, strict=True)):
        table[u, :many] = np.arange(begin, begin + many)
    return table


def logits(net: Any, rows: Inputs, batch: int = 512) -> tuple[Floats, Floats]:
    """The net's answers (right, whole), each float32 [R]."""
    found = []
    for begin in range(0, len(rows), batch):
        part = slice(begin, begin + batch)
        inputs = [getattr(rows, name)[part].astype(np.float32) for name in INPUTS]
        out = net(inputs, training=False)
        found.append((np.asarray(out["right"])[:, 0], np.asarray(out["whole"])[:, 0]))
    right, whole = zip(*found, strict=True)
    return np.concatenate(right), np.concatenate(whole)


def validate(net: Any, rows: Rows) -> dict[str, float]:
    """Weighted loss of both answers, and how well each parts its classes (area under the curve)."""
    right, whole = logits(net, rows.inputs)
    first = rows.rank == 0
    return {
        "valid_loss": _cross_entropy(right, rows.right, rows.right_weight)
        + _cross_entropy(whole, rows.whole, rows.whole_weight),
        "right_auc": area(right, rows.right),
        "whole_auc": area(whole[first], rows.whole[first]),
    }


def area(scores: Floats, truth: Floats) -> float:
    """Area under the ROC: probability that a true one scores higher than a false one; 0.5 where one side is missing."""
    positive = truth > 0.5
    if positive.all() or not positive.any():
        return 0.5
    order = scores.argsort(kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))


def _cross_entropy(logit: Floats, truth: Floats, weight: Floats) -> float:
    loss = np.logaddexp(0, logit) - truth * logit
    return float((loss * weight).sum() / max(float(weight.sum()), 1e-9))


def stepper(tf: Any, net: Any, optimizer: Any, average: list[Any], schedule: Schedule) -> Any:
    """One step of training as a graph; returns the loss. average: variables that follow the weights, or none."""
    return tf.function(step_of(tf, net, optimizer, average, schedule, lambda value: value), reduce_retracing=True)


def step_of(
    tf: Any, net: Any, optimizer: Any, average: list[Any], schedule: Schedule, total: Callable[[Any], Any]
) -> Callable[[dict[str, Any]], Any]:
    """One step of training. total: the sum of a number over all who have a part of the batch."""

    def entropy(truth: Any, logit: Any, weight: Any) -> Any:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(truth, logit)
        return tf.reduce_sum(loss * weight) / (total(tf.reduce_sum(weight)) + 1e-6)

    def order(batch: dict[str, Any], right: Any) -> Any:
        """Cross-entropy of the right hypothesis among those of its utterance, scores and logits added."""
        joined = batch["offered"] + ORDER_SCALE * tf.gather(right, batch["place"])
        chance = tf.nn.log_softmax(joined, axis=1)
        lost = -tf.reduce_sum(chance * batch["said"], axis=1) / tf.maximum(tf.reduce_sum(batch["said"], axis=1), 1.0)
        return tf.reduce_sum(lost * batch["ordered"]) / (total(tf.reduce_sum(batch["ordered"])) + 1e-6)

    def step(batch: dict[str, Any]) -> Any:
        with tf.GradientTape() as tape:
            out = net([batch[name] for name in INPUTS], training=True)
            loss = sum(entropy(batch[o], out[o][:, 0], batch[f"{o}_weight"]) for o in ("right", "whole"))
            loss += schedule.wrong_weight * entropy(batch["wrong"], out["wrong"], batch["wrong_weight"])
            loss += schedule.order_weight * order(batch, out["right"][:, 0])
        gradients = tape.gradient(loss, net.trainable_variables)
        optimizer.apply_gradients(zip(gradients, net.trainable_variables, strict=True))
        for kept, now in zip(average, net.weights, strict=False):
            kept.assign(schedule.averaged * kept + (1 - schedule.averaged) * now)
        return loss

    return step


def steps_of(schedule: Pace, count: int) -> int:
    """Batches of an epoch of `count` utterances."""
    return -(-count // schedule.batch)


def _no_number(epoch: int, number: int, best: _Best) -> LossError:
    kept = f"epoch {best.epoch + 1} was the last good one" if best.weights else "no epoch was complete"
    return LossError(
        f"the loss is not a number any more, in epoch {epoch + 1}, batch {number + 1}; {kept}",
        best.weights,
    )
