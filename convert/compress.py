"""Ways to make a trained net smaller, each trained on for equally long, so that they can stand side by side.

trained on    nothing but the further training: what the others are compared with
structured    channels taken out (prune.py)
magnitude     single weights driven to zero, more of them step by step (Zhu and Gupta, To Prune or Not to Prune, 2017)
aware         trained with the rounding of int8 in it (Jacob et al., CVPR 2018)
aware, sparse the same from a net of which many weights are zero: they stay zero
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import PluginError
from assistant.understand.fused.projection import FeatureSpec
from convert import prune
from convert.dataset import Rows
from convert.model import REMEDY, Regularisation, build, tensorflow
from convert.pace import optimizer_of
from convert.quantize import exported
from convert.train import LossError, Schedule, Trained, batch_of, settle, stepper, utterances

TUNING = Schedule(epochs=2, rate=1e-3, averaged=0.0)
"""No moving average: it would lag behind weights that are being driven to zero."""
RAMP = 0.6
"""Share of the steps after which all weights that are to be zero are zero."""
RAMP_UPDATES = 25
ANSWERS = ("right", "whole", "token_wrong")
"""Layers of one output each: there is nothing to take out of them."""
WEIGHTED = ("Conv2D", "Dense")

Floats = NDArray[np.float32]
Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The further training that every net gets alike: on rows that are not for validation."""

    rows: Rows
    spec: FeatureSpec
    seed: int
    tuning: Schedule = TUNING

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return -(-len(utterances(self.rows.chosen(~self.rows.valid))) // self.tuning.batch)


@dataclass(frozen=True, slots=True, eq=False)
class Slim:
    """A net that was made smaller. net: for one hypothesis, ready for quantize.convert.

    weights: of a plain net, empty where it was trained for int8.
    """

    net: Any
    weights: list[Floats]


def optimization() -> ModuleType:
    """tensorflow_model_optimization, for the same Keras. Raises PluginError."""
    tensorflow()
    try:
        with warnings.catch_warnings():  # it still compares versions by distutils
            warnings.simplefilter("ignore", DeprecationWarning)
            import tensorflow_model_optimization as tfmot
    except ImportError as error:
        raise PluginError(f"{error.name} is not installed", where="study", remedy=REMEDY) from error
    return tfmot  # type: ignore[no-any-return]


def trained_on(full: Trained, course: Course, advance: Advance) -> Slim:
    """`full` after the further training alone."""
    settle(*tensorflow(), course.seed)
    net = _disturbed(full, course.spec)
    tune(net, course, advance)
    weights = list(net.get_weights())
    return Slim(exported(replace(full, weights=weights), course.spec), weights)


def structured(full: Trained, share: float, course: Course, advance: Advance) -> Slim:
    """About `share` of the channels taken out of every layer."""
    shape = full.shape.narrower(1 - share)
    weights = prune.narrowed(full, course.spec, shape)
    return trained_on(replace(full, shape=shape, weights=weights), course, advance)


def magnitude(full: Trained, share: float, course: Course, advance: Advance) -> Slim:
    """`share` of the weights of every layer zero, those of least magnitude, more and more of them during training."""
    tf, keras = tensorflow()
    sparsity = optimization().sparsity.keras
    settle(tf, keras, course.seed)
    ramp = max(int(RAMP * course.steps * course.tuning.epochs), 1)
    schedule = sparsity.PolynomialDecay(0.0, share, 0, ramp, frequency=max(ramp // RAMP_UPDATES, 1))

    def wrapped(layer: Any) -> Any:
        inner = type(layer).__name__ in WEIGHTED and layer.name not in ANSWERS
        return sparsity.prune_low_magnitude(layer, schedule) if inner else layer

    net = _disturbed(full, course.spec)
    sparse = keras.models.clone_model(net, clone_function=wrapped)
    bare = sparsity.strip_pruning(sparse)
    bare.set_weights(full.weights)
    update = sparsity.UpdatePruningStep()
    update.set_model(sparse)
    update.on_train_begin()
    tune(sparse, course, advance, update.on_train_batch_begin)
    update.on_epoch_end(batch=0)  # the last weights, masked
    weights = _in_order(bare, net)
    return Slim(exported(replace(full, weights=weights), course.spec), weights)


def aware(start: Trained, course: Course, advance: Advance, *, sparse: bool) -> Slim:
    """Trained on with the rounding of int8 in it. sparse: what is zero in `start` stays zero."""
    settle(*tensorflow(), course.seed)
    learner = quantizable(_disturbed(start, course.spec), sparse=sparse)
    tune(learner, course, advance)
    net = quantizable(exported(start, course.spec), sparse=sparse)
    known = {layer.name: layer for layer in learner.layers}
    for layer in net.layers:
        if layer.weights:
            layer.set_weights(known[layer.name].get_weights())
    return Slim(net, [])


def quantizable(net: Any, *, sparse: bool) -> Any:
    """`net` with the rounding of int8 around all layers that have weights, which are kept. sparse: zeros stay zero."""
    _, keras = tensorflow()
    tfmot = optimization()
    quantization = tfmot.quantization.keras

    def annotated(layer: Any) -> Any:
        return quantization.quantize_annotate_layer(layer) if type(layer).__name__ in WEIGHTED else layer

    marked = keras.models.clone_model(net, clone_function=annotated)
    marked.set_weights(net.get_weights())  # the clone starts from new ones
    if not sparse:
        return quantization.quantize_apply(marked)
    return quantization.quantize_apply(marked, _keeping_zeros(tfmot))


def _keeping_zeros(tfmot: ModuleType) -> Any:
    """The scheme that keeps zeros. It says that it knows every layer without weights, and then raises for Multiply."""
    plain = tfmot.quantization.keras.default_8bit.Default8BitQuantizeScheme().get_quantize_registry()

    base: Any = tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme

    class Scheme(base):  # type: ignore[misc]
        def get_quantize_registry(self) -> Any:
            registry = super().get_quantize_registry()
            claims = registry.supports
            registry.supports = lambda layer: claims(layer) and plain.supports(layer)
            return registry

    return Scheme()


def tune(net: Any, course: Course, advance: Advance, before_step: Callable[[int], None] | None = None) -> None:
    """Train `net` for all epochs of the course; its last weights count. Raises LossError."""
    tf, keras = tensorflow()
    tuning, each = course.tuning, course.steps
    fit = course.rows.chosen(~course.rows.valid)
    table = utterances(fit)
    optimizer = optimizer_of(keras, tuning, each)
    step = stepper(tf, net, optimizer, [], tuning)
    rng = np.random.default_rng(course.seed)
    for epoch in range(tuning.epochs):
        for number, chosen in enumerate(np.array_split(rng.permutation(len(table)), each)):
            if before_step is not None:
                before_step(epoch * each + number)
            if not math.isfinite(float(step(batch_of(fit, table[chosen])))):
                raise LossError(f"the loss is not a number any more, in epoch {epoch + 1}, batch {number + 1}", [])
        advance(epoch + 1, tuning.epochs)


def _disturbed(trained: Trained, spec: FeatureSpec) -> Any:
    """The net as it is trained, with the weights of `trained`."""
    net = build(spec, trained.shape, Regularisation())
    net.set_weights(trained.weights)
    return net


def _in_order(source: Any, target: Any) -> list[Floats]:
    """Weights of `source` in the order of `target`'s."""
    found: dict[str, list[Floats]] = {layer.name: layer.get_weights() for layer in source.layers}
    return [weight for layer in target.layers for weight in found[layer.name]]
