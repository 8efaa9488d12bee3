"""The net for sound alone: frames of encoder states in, logits of the intent and of every slot out.

    frames [F, D] ─► convolutions over every other frame ─┬─► words [F/2, W] ─► max ─────────────┐
                                                          └─► attention of each head ─► its sum ─┴► dense ─► logits

Each head looks where its own words are said: softmax over time, one column a head and glimpse. What was said where is
learnt beside it (`words`): whether each word of the slots' values occurs at all. Only operations that become int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.model import tensorflow

Spelt = NDArray[np.float32]
"""Of a head, float32 [labels, its words]: which label is made of which words."""
GLIMPSES = 2
SHARPEST = 6.0
"""Scores of attention stay within ±this, so that int8 holds them."""
HIDDEN = -16.0
OWN, WORDS = "_hidden", "_hidden_words"
"""Ends of names of layers."""
UNHEARD = -8.0


@dataclass(frozen=True, slots=True)
class SoundShape:
    """channels: of the convolutions; dilations: of the residual ones; hidden: of a head's own layer."""

    channels: int = 96
    dilations: tuple[int, ...] = (1, 2, 4)
    hidden: int = 48


@dataclass(frozen=True, slots=True)
class SoundRegularisation:
    """noise: standard deviation added to the input. dropout: of components of the input, and of the heads' layers."""

    noise: float = 0.2
    components: float = 0.05
    dropout: float = 0.2


def build(
    state_dim: int,
    heads: Mapping[str, Spelt],
    words: int,
    shape: SoundShape,
    regular: SoundRegularisation | None = None,
    frames: int | None = None,
) -> Any:
    """A Keras model: input "frames" [B, F, D + 1]; outputs by head [B, labels], and "words" [B, W]; all logits.

    heads: by output. words: of all. regular: while training, None for a net that is exported. frames: fixed length.
    """
    _, keras = tensorflow()
    layers = keras.layers
    given = keras.Input((frames, state_dim + 1), 1 if frames else None, name="frames")
    x, mask = given[..., :-1], given[..., -1:]
    if regular is not None:
        x = layers.GaussianNoise(regular.noise)(x)
        x = layers.SpatialDropout1D(regular.components)(x)
    c = shape.channels
    # A convolution over time is one over [F, 1, C]: what the runtimes are quickest at.
    x, mask = (layers.Lambda(lambda y: y[:, :, None])(y) for y in (x, mask))
    x = layers.Multiply()([x, mask])
    x = layers.Conv2D(c, (5, 1), strides=(2, 1), padding="same", activation="relu", name="first")(x)
    mask = layers.MaxPooling2D((2, 1), padding="same")(mask)
    for i, dilation in enumerate(shape.dilations):
        x = layers.Multiply()([x, mask])
        near = layers.Conv2D(
            c, (3, 1), padding="same", dilation_rate=(dilation, 1), activation="relu", name=f"block{i}"
        )(x)
        x = layers.Add()([x, near])
    x = layers.Multiply(name="heard")([x, mask])
    away = layers.Lambda(lambda m: 1.0 - m, name="away")(mask)
    said = layers.Conv2D(words, 1, bias_initializer=keras.initializers.Constant(-2.0), name="said")(x)
    said = layers.Add()([layers.Multiply()([said, mask]), layers.Rescaling(UNHEARD)(away)])
    occurs = layers.GlobalMaxPooling2D(name="words")(said)
    states = layers.Reshape((-1, c))(x)
    looks = layers.Conv2D(len(heads) * GLIMPSES, 1, activation="tanh", name="looks")(x)
    looks = layers.Add()([layers.Rescaling(SHARPEST)(looks), layers.Rescaling(HIDDEN)(away)])
    looks = layers.Softmax(axis=-1)(layers.Permute((2, 1))(layers.Reshape((-1, len(heads) * GLIMPSES))(looks)))
    seen = layers.Dot(axes=(2, 1), name="seen")([looks, states])
    heard = layers.Activation("sigmoid")(occurs)
    outputs = {"words": occurs}
    for i, (name, made_of) in enumerate(heads.items()):
        own = layers.Reshape((GLIMPSES * c,))(seen[:, i * GLIMPSES : (i + 1) * GLIMPSES])
        if frames is None:
            both = layers.Concatenate()([own, heard])
            own = layers.Dense(shape.hidden, activation="relu", name=f"{name}{OWN}")(both)
        else:  # the same in two products: one scale of int8 does not hold both
            seen_part = layers.Dense(shape.hidden, name=f"{name}{OWN}")(own)
            heard_part = layers.Dense(shape.hidden, use_bias=False, name=f"{name}{WORDS}")(heard)
            own = layers.ReLU()(layers.Add()([seen_part, heard_part]))
        if regular is not None:
            own = layers.Dropout(regular.dropout)(own)
        labels, spelt = made_of.shape
        # A label's logit is that of its words together, and a little of its own: values share what they are made of.
        by_word = layers.Dense(spelt, name=f"{name}_by_word")(own)
        fixed = keras.initializers.Constant(made_of.T)
        together = layers.Dense(labels, use_bias=False, trainable=False, kernel_initializer=fixed, name=f"{name}_spelt")
        outputs[name] = layers.Add(name=name)([together(by_word), layers.Dense(labels, name=f"{name}_own")(own)])
    return keras.Model(given, outputs)


def fix(net: Any, fixed: Any) -> None:
    """Give `fixed`, made with a length, the weights of `net`, made without."""
    for layer in fixed.layers:
        if layer.name.endswith(WORDS):
            kernel = net.get_layer(layer.name.removesuffix(WORDS) + OWN).get_weights()[0]
            layer.set_weights([kernel[-layer.input_shape[-1] :]])
        elif layer.name.endswith(OWN):
            kernel, bias = net.get_layer(layer.name).get_weights()
            layer.set_weights([kernel[: layer.input_shape[-1]], bias])
        elif layer.weights:
            layer.set_weights(net.get_layer(layer.name).get_weights())
