"""Makes a net narrower: channels that matter least are taken out, the rest is copied into a smaller net and trained on.

A channel's worth is the L1 norm of what makes it times that of what uses it. Channels that are added or multiplied with
each other stand or fall together. Zeroed single weights only shrink the compressed file, they speed nothing up here
(measured); removed channels make the net faster on every runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.understand.fused.projection import TOKEN_SCALAR_COUNT, FeatureSpec
from convert.model import Shape, build
from convert.train import Trained

Floats = NDArray[np.float32]
Weights = dict[str, list[Floats]]


def narrowed(trained: Trained, spec: FeatureSpec, shape: Shape) -> list[Floats]:
    """Weights of the net of `shape`, no wider than the trained one and with no more blocks, from its best channels."""
    large = by_layer(build(spec, trained.shape), trained.weights)
    product = _best(shape.token, _made(large, "token_sound") * _made(large, "token_word"))
    stem = _best(shape.token, _made(large, "token_joint") + _made(large, "token_block0"))
    joint_frame = _best(shape.frame, _made(large, "frame_joint") * _used(large, "frame_near"))
    near = _best(shape.frame, _made(large, "frame_near") * _used(large, "frame_far"))
    far = _best(shape.frame, _made(large, "frame_far"))
    last = _best(shape.joint, _made(large, "joint") * _used(large, "right", "whole"))
    scalars = np.arange(trained.shape.token, trained.shape.token + TOKEN_SCALAR_COUNT)
    everything = slice(None)
    pooled = _pooled(trained.shape, spec, stem, far)
    kept: Mapping[str, tuple[Any, Any]] = {
        "token_sound": (everything, product),
        "token_word": (everything, product),
        "token_joint": (np.concatenate([product, scalars]), stem),
        **{f"token_block{i}": (stem, stem) for i in range(shape.blocks)},
        "token_wrong": (stem, everything),
        "frame_joint": (everything, joint_frame),
        "frame_near": (joint_frame, near),
        "frame_far": (near, far),
        "joint": (pooled, last),
        "right": (last, everything),
        "whole": (last, everything),
    }
    small = build(spec, shape)
    for layer in small.layers:
        if layer.name in kept:
            kernel, bias = large[layer.name]
            inputs, outputs = kept[layer.name]
            layer.set_weights([kernel[..., inputs, :][..., outputs], bias[outputs]])
    return list(small.get_weights())


def by_layer(net: Any, weights: list[Floats]) -> Weights:
    """`weights` by the name of the layer they belong to."""
    left = iter(weights)
    return {layer.name: [next(left) for _ in layer.weights] for layer in net.layers if layer.weights}


def _made(weights: Weights, name: str) -> Floats:
    """L1 norm of what makes each output channel of a layer."""
    kernel = np.abs(weights[name][0])
    return np.asarray(kernel.reshape(-1, kernel.shape[-1]).sum(axis=0), np.float32)


def _used(weights: Weights, *names: str) -> Floats:
    """L1 norm of what uses each input channel of layers."""
    parts = [np.abs(weights[name][0]) for name in names]
    return np.asarray(sum(k.sum(axis=tuple(i for i in range(k.ndim) if i != k.ndim - 2)) for k in parts), np.float32)


def _best(count: int, worth: Floats) -> NDArray[np.int64]:
    """The `count` most valuable channels, in their order."""
    return np.sort(np.argsort(-worth, kind="stable")[:count])


def _pooled(shape: Shape, spec: FeatureSpec, stem: NDArray[np.int64], far: NDArray[np.int64]) -> NDArray[np.int64]:
    """Inputs of the joint layer: maximum and mean of tokens and frames, the worst word, the globals (model.py)."""
    t, f = shape.token, shape.frame
    rest = np.arange(2 * t + 2 * f, 2 * t + 2 * f + 1 + spec.globals)
    return np.concatenate([stem, t + stem, 2 * t + far, 2 * t + f + far, rest])
