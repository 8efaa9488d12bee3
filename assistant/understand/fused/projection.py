"""The parameters of the features: what their shapes are, the bases and the normalisation, kept beside the net.

The converter fits them (`fit_basis`, `fit_scale`); the device only reads them. The file is a NumPy archive whose bytes
depend on its content alone.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from assistant.errors import ModelError

Floats = NDArray[np.float32]

FEATURES_FORMAT = 1
"""Raised whenever features.py computes something else from the same utterance."""
TOKEN_SCALAR_COUNT, FRAME_SCALAR_COUNT = 8, 6
SMALLEST_SCALE = 1e-3
LOG_MEL = "log-mel"
ATTENTION, WORDS = "attention", "words"


class FeatureSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shapes of the net's inputs.

    format: of the features. audio: what `states` are: "moonshine-tiny-en" encoder states or LOG_MEL.
    alignment: how tokens lie on them (source.py): by the decoder's ATTENTION or by times of WORDS.
    covered: attention from which on a frame counts as read by a token; the frames of one token sum to 1.
    audio_dim, vector_width: columns of the states and of the tokens' vectors before their bases.
    state_s: time between states, seconds. pool: states to a frame of the net (more in long utterances).
    tokens, frames: N and F. state_dim, vector_dim: columns kept of both. hypotheses: how many are looked at.
    """

    format: int = FEATURES_FORMAT
    audio: str = "moonshine-tiny-en"
    alignment: str = ATTENTION
    covered: float = 0.05
    audio_dim: int = 288
    vector_width: int = 288
    state_s: float = 0.024
    pool: int = 4
    tokens: int = 32
    frames: int = 80
    state_dim: int = 96
    vector_dim: int = 64
    globals: int = 24
    hypotheses: int = 8

    @property
    def token_width(self) -> int:
        """Dt: A·E, the token's vector, TOKEN_SCALARS, mask."""
        return self.state_dim + self.vector_dim + TOKEN_SCALAR_COUNT + 1

    @property
    def frame_width(self) -> int:
        """Df: states, FRAME_SCALARS, mask."""
        return self.state_dim + FRAME_SCALAR_COUNT + 1


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """spec, and float32 arrays: means [dim] and bases [dim, kept] of states and vectors; mean and scale of every column
    of tokens [Dt - 1], frames [Df - 1] and globals [G], masks aside.
    """

    spec: FeatureSpec
    states_mean: Floats
    states_basis: Floats
    vectors_mean: Floats
    vectors_basis: Floats
    token_mean: Floats
    token_scale: Floats
    frame_mean: Floats
    frame_scale: Floats
    global_mean: Floats
    global_scale: Floats

    def to_bytes(self) -> bytes:
        """As a file; bases in half precision. The same arrays give the same bytes."""
        arrays = {name: getattr(self, name) for name in array_names()}
        halves = {n: a.astype(np.float16 if n.endswith("basis") else np.float32) for n, a in arrays.items()}
        out = io.BytesIO()
        np.savez(out, **halves)
        return out.getvalue()


def array_names() -> tuple[str, ...]:
    """The arrays of a projection."""
    return tuple(field.name for field in fields(Projection) if field.name != "spec")


def read_projection(path: Path, spec: FeatureSpec) -> Projection:
    """The projection in `path`. Raises ModelError when it is missing, damaged or of other shapes."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name], np.float32) for name in array_names()}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ModelError(f"the features' parameters do not load ({error})", where=str(path)) from error
    expected = shapes(spec)
    for name, array in arrays.items():
        if array.shape != expected[name]:
            found = f"{name} has shape {array.shape}, not {expected[name]}"
            raise ModelError(f"the features' parameters do not fit ({found})", where=str(path))
    return Projection(spec, **arrays)


def shapes(spec: FeatureSpec) -> dict[str, tuple[int, ...]]:
    """The shape of each array."""
    return {
        "states_mean": (spec.audio_dim,),
        "states_basis": (spec.audio_dim, spec.state_dim),
        "vectors_mean": (spec.vector_width,),
        "vectors_basis": (spec.vector_width, spec.vector_dim),
        "token_mean": (spec.token_width - 1,),
        "token_scale": (spec.token_width - 1,),
        "frame_mean": (spec.frame_width - 1,),
        "frame_scale": (spec.frame_width - 1,),
        "global_mean": (spec.globals,),
        "global_scale": (spec.globals,),
    }


def unfitted(spec: FeatureSpec, states: Floats, vectors: Floats) -> Projection:
    """Bases fitted on rows of `states` and `vectors`, normalisation still neutral: what `extract_raw` needs first."""
    states_mean, states_basis = fit_basis(states, spec.state_dim)
    vectors_mean, vectors_basis = fit_basis(vectors, spec.vector_dim)
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes(spec).items() if name.endswith("mean")}
    ones = {name: np.ones(shape, np.float32) for name, shape in shapes(spec).items() if name.endswith("scale")}
    fitted = {
        "states_mean": states_mean,
        "states_basis": states_basis,
        "vectors_mean": vectors_mean,
        "vectors_basis": vectors_basis,
    }
    return Projection(spec, **(zeros | ones | fitted))


def fit_basis(rows: Floats, kept: int) -> tuple[Floats, Floats]:
    """Principal components: mean [dim] and basis [dim, kept] of `rows` [n, dim], signs fixed."""
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
    basis = vectors[:, np.argsort(-values, kind="stable")[:kept]]
    basis = basis * np.where(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])] < 0, -1.0, 1.0)
    return mean.astype(np.float32), basis.astype(np.float32)


def fit_scale(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column of `rows` [n, columns], at least SMALLEST_SCALE."""
    mean = rows.mean(axis=0, dtype=np.float64)
    scale = np.maximum(rows.std(axis=0, dtype=np.float64), SMALLEST_SCALE)
    return mean.astype(np.float32), scale.astype(np.float32)
