"""The net: does this sound say this hypothesis (`right`), and nothing else (`whole`)?

    tokens [N, Dt] ─┬─ sound read by the token ─► dense, tanh ─┐
                    ├─ the token's vector ──────► dense, tanh ─┴ product ─┐
                    └─ scalars ───────────────────────────────────────────┴► dense ─► residual convolutions
                                                                                           │ ├─► wrong [N]
    frames [F, Df] ─► dense ─► convolutions, one dilated ──────────────────────────────────┤ │
                                                                                max, mean ◄┴─┘
    globals [G] ──────────────────────────────────────────────────────────────────┴► dense ─► right, whole

Only operations that become int8: convolutions of width 1 over [T, 1, C], no layer normalisation, masks as products.
TensorFlow is imported when a net is made, not before.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from assistant.errors import PluginError
from assistant.understand.fused.projection import TOKEN_SCALAR_COUNT, FeatureSpec

REMEDY = "install the extra, in an environment of its own: pip install -r requirements/convert.txt"
EXTRA = ("tensorflow", "tf_keras", "scipy", "pyroomacoustics", "psutil", "matplotlib")


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths of the net. token, frame: channels over tokens and frames; joint: of the last layer; blocks: residual.

    normalised: batch normalisation before every rectifier (convert/ablations.py: it brings nothing here).
    """

    token: int = 64
    frame: int = 48
    joint: int = 48
    blocks: int = 2
    normalised: bool = False

    def narrower(self, kept: float) -> Shape:
        """The same with `kept` of the channels, in steps of 8."""
        token, frame, joint = (max(8 * round(kept * width / 8), 8) for width in (self.token, self.frame, self.joint))
        return Shape(token, frame, joint, self.blocks)


FULL = Shape()
SHAPES = {"full": FULL, "lite": Shape(40, 24, 32, 2), "tiny": Shape(24, 16, 24, 1)}


@dataclass(frozen=True, slots=True)
class Regularisation:
    """noise: standard deviation added to every input. dropout: of the joint layer. deaf, blind: how often a training
    row loses its sound, or its words: so that the net never leans on one of them alone. masked: widest stripes that
    SpecAugment takes out of the frames, two over time and two over components (Park et al. 2019), 0 for none.
    """

    noise: float = 0.2
    dropout: float = 0.25
    deaf: float = 0.05
    blind: float = 0.1
    masked: tuple[int, int] = (0, 0)


def check_extra() -> None:
    """Raise PluginError, naming what is missing, unless the extra is installed; imports none of it."""
    missing = []
    for name in EXTRA:
        try:
            found = importlib.util.find_spec(name)
        except ValueError:  # taken out of this process
            found = None
        if found is None:
            missing.append(name)
    if missing:
        raise PluginError(f"not installed: {', '.join(missing)}", where="convert", remedy=REMEDY)


def tensorflow() -> tuple[ModuleType, ModuleType]:
    """TensorFlow and Keras (the 2.x API). Raises PluginError with the extra to install."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import tensorflow as tf
        import tf_keras
    except ImportError as error:
        raise PluginError(f"TensorFlow is not installed ({error.name})", where="convert", remedy=REMEDY) from error
    return tf, tf_keras


def build(
    spec: FeatureSpec, shape: Shape = FULL, regular: Regularisation | None = None, batch: int | None = None
) -> Any:
    """A Keras model with the inputs of `spec`, and the outputs right [B, 1], whole [B, 1], wrong [B, N] (logits).

    regular: noise and dropout while training, None for a net that is exported. batch: fixed batch size or None.
    """
    _, keras = tensorflow()
    layers = keras.layers
    n, f = spec.tokens, spec.frames
    tokens = keras.Input((n, spec.token_width), batch, name="tokens")
    frames = keras.Input((f, spec.frame_width), batch, name="frames")
    globals_ = keras.Input((spec.globals,), batch, name="globals")
    d, v, s = spec.state_dim, spec.vector_dim, TOKEN_SCALAR_COUNT
    seen = [layers.Reshape((n, 1, spec.token_width))(tokens), layers.Reshape((f, 1, spec.frame_width))(frames)]
    token_mask, frame_mask = seen[0][..., -1:], seen[1][..., -1:]
    read, vector, scalars = seen[0][..., :d], seen[0][..., d : d + v], seen[0][..., d + v : d + v + s]
    if regular is not None:
        read, vector, scalars, states, rest, globals_in = _disturbed(
            keras, regular, read, vector, scalars, seen[1][..., :d], seen[1][..., d:-1], globals_
        )
        around = layers.Concatenate()([states, rest])
    else:
        around, globals_in = seen[1][..., :-1], globals_

    def over(x: Any, width: int, size: int, name: str, reach: int = 1) -> Any:
        """A convolution over `size` steps, rectified."""
        shaped = {"padding": "same" if size > 1 else "valid", "dilation_rate": (reach, 1), "name": name}
        if not shape.normalised:
            return layers.Conv2D(width, (size, 1), activation="relu", **shaped)(x)
        x = layers.Conv2D(width, (size, 1), use_bias=False, **shaped)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.98, name=f"{name}_norm")(x))

    def dense(x: Any, width: int, name: str, activation: str | None = "relu") -> Any:
        if activation == "relu":
            return over(x, width, 1, name)
        return layers.Conv2D(width, 1, activation=activation, name=name)(x)

    heard = dense(read, shape.token, "token_sound", "tanh")
    meant = dense(vector, shape.token, "token_word", "tanh")
    agreed = layers.Multiply(name="token_agreement")([heard, meant])
    x = dense(layers.Concatenate(name="token_known")([agreed, scalars]), shape.token, "token_joint")
    for i in range(shape.blocks):
        x = layers.Multiply()([x, token_mask])
        x = layers.Add()([x, over(x, shape.token, 3, f"token_block{i}")])
    x = layers.Multiply(name="tokens_seen")([x, token_mask])
    wrong = dense(x, 1, "token_wrong", None)

    y = layers.Multiply()([dense(around, shape.frame, "frame_joint"), frame_mask])
    y = over(y, shape.frame, 5, "frame_near")
    y = over(y, shape.frame, 5, "frame_far", reach=2)
    y = layers.Multiply(name="frames_seen")([y, frame_mask])

    worst = layers.GlobalMaxPooling2D()(layers.Multiply()([layers.ReLU()(wrong), token_mask]))
    pooled = [pool()(z) for z in (x, y) for pool in (layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D)]
    joint = layers.Dense(shape.joint, activation="relu", name="joint")(
        layers.Concatenate(name="pooled")([*pooled, worst, globals_in])
    )
    if regular is not None:
        joint = layers.Dropout(regular.dropout)(joint)
    right = layers.Dense(1, name="right")(joint)
    whole = layers.Dense(1, name="whole")(joint)
    outputs = {"right": right, "whole": whole, "wrong": layers.Reshape((n,), name="wrong")(wrong)}
    return keras.Model([tokens, frames, globals_], outputs)


def operations(model: Any) -> int:
    """Multiplications of one pass, convolutions and dense layers."""
    total = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Conv2D":
            places = int(layer.output_shape[1])
            total += places * int(layer.kernel.shape.num_elements())
        elif kind == "Dense":
            total += int(layer.kernel.shape.num_elements())
    return total


def _disturbed(keras: Any, regular: Regularisation, *inputs: Any) -> list[Any]:
    """Noise on everything; now and then no sound or no words. inputs: read, vector, scalars, states, rest, globals."""
    layers = keras.layers
    read, vector, scalars, states, rest, globals_ = (layers.GaussianNoise(regular.noise)(x) for x in inputs)
    if any(regular.masked):
        states = layers.Lambda(lambda x: _striped(x, regular.masked), name="frames_masked")(states)
    whole_row = (None, 1, 1, 1)
    read = layers.Dropout(regular.deaf, noise_shape=whole_row)(read)
    states = layers.Dropout(regular.deaf, noise_shape=whole_row)(states)
    vector = layers.Dropout(regular.blind, noise_shape=whole_row)(vector)
    return [read, vector, scalars, states, rest, globals_]


def _striped(frames: Any, masked: tuple[int, int]) -> Any:
    """Frames [B, F, 1, D] without two stripes over time and two over components, as wide as chance says."""
    tf, _ = tensorflow()
    count = tf.shape(frames)[0]

    def kept(length: int, widest: int) -> Any:
        width = tf.random.uniform((count, 1), 0, widest + 1, tf.int32)
        start = tf.cast(tf.random.uniform((count, 1)) * tf.cast(length - width + 1, tf.float32), tf.int32)
        at = tf.range(length)[None]
        return tf.cast((at < start) | (at >= start + width), frames.dtype)

    for _ in range(2):
        over_time, over_components = kept(frames.shape[1], masked[0]), kept(frames.shape[3], masked[1])
        frames = frames * over_time[:, :, None, None] * over_components[:, None, None, :]
    return frames
