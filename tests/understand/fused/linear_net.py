"""Builds a real, small .tflite: its logits are linear in all three inputs, with any weights; and a bundle around it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from assistant.types import Fusion
from assistant.understand.fused.features import GLOBALS
from assistant.understand.fused.manifest import (
    FEATURES_FILE,
    FORMAT,
    GENERIC,
    MANIFEST_FILE,
    Manifest,
    Variant,
    write_manifest,
)
from assistant.understand.fused.projection import FeatureSpec, unfitted

Floats = NDArray[np.float32]
INPUTS = ("tokens", "frames", "globals")
SIGNATURE = b"serving_default"


def linear_net(
    spec: FeatureSpec,
    weights: Mapping[str, Mapping[str, Floats | float]],
    outputs: tuple[str, ...] = ("right", "whole"),
    globals_count: int | None = None,
) -> bytes:
    """A net whose output NAME is bias + sum of weights[NAME][input] times the input; what is not given is zero."""
    net = _Builder()
    width = globals_count or spec.globals
    shapes = {
        "tokens": (1, spec.tokens, spec.token_width),
        "frames": (1, spec.frames, spec.frame_width),
        "globals": (1, width),
    }
    inputs = {name: net.tensor(name, shapes[name]) for name in INPUTS}
    results = {}
    for name in outputs:
        given = weights.get(name, {})
        parts = []
        for of in INPUTS:
            size = int(np.prod(shapes[of]))
            row = np.asarray(given.get(of, np.zeros(size, np.float32)), np.float32).reshape(1, size)
            bias = np.array([given.get("bias", 0.0) if of == "globals" else 0.0], np.float32)
            parts.append(net.dense(inputs[of], row, bias, f"{name}_{of}"))
        results[name] = net.add(net.add(parts[0], parts[1], f"{name}_sum"), parts[2], name)
    return net.finish(inputs, results)


def fixed_net(shape: tuple[int, ...], outputs: Mapping[str, Floats]) -> bytes:
    """A net for sound alone whose logits are the same for every "frames", float32 of `shape`."""
    net = _Builder()
    frames = net.tensor("frames", shape)
    blind = {name: np.zeros((len(logits), int(np.prod(shape))), np.float32) for name, logits in outputs.items()}
    results = {name: net.dense(frames, blind[name], logits, name) for name, logits in outputs.items()}
    return net.finish({"frames": frames}, results)


def global_weights(**by_name: float) -> Floats:
    """Weights of the input `globals` by the names of features.py."""
    return np.array([by_name.get(name, 0.0) for name in GLOBALS], np.float32)


def write_bundle(
    folder: Path,
    net: bytes,
    *,
    fusion: Fusion | None = None,
    context_hash: str = GENERIC,
    spec: FeatureSpec | None = None,
    **changes: Any,
) -> Path:
    """A bundle of one variant in `folder`, features neither rotated nor scaled; `changes` go into the manifest."""
    spec = spec or FeatureSpec()
    features = _features(spec)
    folder.mkdir(parents=True)
    (folder / FEATURES_FILE).write_bytes(features)
    (folder / "full.tflite").write_bytes(net)
    variant = Variant(
        cost="full",
        file="full.tflite",
        sha256=hashlib.sha256(net).hexdigest(),
        bytes=len(net),
        precision="float32",
        parameters=0,
        fusion=fusion or Fusion(weight=2.0),
    )
    made: dict[str, Any] = {
        "format": FORMAT,
        "name": folder.name,
        "context": "",
        "context_hash": context_hash,
        "features": spec,
        "features_sha256": hashlib.sha256(features).hexdigest(),
        "variants": (variant,),
    }
    (folder / MANIFEST_FILE).write_bytes(write_manifest(Manifest(**(made | changes))))
    return folder


@functools.cache
def _features(spec: FeatureSpec) -> bytes:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(600, width)).astype(np.float32) for width in (spec.audio_dim, spec.vector_width))
    return unfitted(spec, *rows).to_bytes()


class _Builder:
    """Tensors, buffers and operators of one subgraph."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._buffers = [schema.BufferT()]
        self._operators: list[Any] = []

    def tensor(self, name: str, shape: tuple[int, ...], values: Floats | None = None) -> int:
        buffer = 0
        if values is not None:
            content = schema.BufferT()
            content.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
            self._buffers.append(content)
            buffer = len(self._buffers) - 1
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), 0, buffer
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def dense(self, of: int, weights: Floats, bias: Floats, name: str) -> int:
        inputs = [of, self.tensor(f"{name}_w", weights.shape, weights), self.tensor(f"{name}_b", bias.shape, bias)]
        return self._operator(0, inputs, name, schema.FullyConnectedOptionsT(), 8, len(bias))

    def add(self, one: int, other: int, name: str) -> int:
        return self._operator(1, [one, other], name, schema.AddOptionsT(), 11)

    def _operator(self, code: int, inputs: list[int], name: str, options: Any, kind: int, width: int = 1) -> int:
        operator = schema.OperatorT()
        output = self.tensor(name, (1, width))
        operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, [output]
        operator.builtinOptions, operator.builtinOptionsType = options, kind
        self._operators.append(operator)
        return output

    def finish(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs, graph.name = list(inputs.values()), list(outputs.values()), b"main"
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
        signature.inputs = [_named(name, index) for name, index in inputs.items()]
        signature.outputs = [_named(name, index) for name, index in outputs.items()]
        model = schema.ModelT()
        model.version, model.description = 3, b"linear"
        model.operatorCodes = [
            _code(schema.BuiltinOperator.FULLY_CONNECTED),
            _code(schema.BuiltinOperator.ADD),
        ]
        model.subgraphs, model.buffers, model.signatureDefs = [graph], self._buffers, [signature]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _named(name: str, index: int) -> Any:
    found = schema.TensorMapT()
    found.name, found.tensorIndex = name.encode(), index
    return found


def _code(builtin: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, builtin, 1
    return code
