"""Rebuild Moonshine tiny-en as two lean ONNX graphs: encoder with cross keys and values, one decoder step for a beam.

The published files carry about 600 and 900 nodes, most of them shape arithmetic; a decoder step spends its time between
operators, not in them. The weights (int8, per tensor, dynamically quantized activations) are read out once and put into
graphs of about 20 nodes a layer. Same mathematics: pre-norm transformer, partial interleaved rotary embedding
(32 of 36 dimensions), SiLU-gated decoder feed-forward, GELU encoder feed-forward (Moonshine, arXiv 2410.15608,
section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LAYERS = 6
HEADS = 8
HEAD_DIM = 36
ROTARY_DIM = 32
DIM = HEADS * HEAD_DIM
ALIGNED_LAYERS = (3, 4, 5)
"""Decoder layers whose cross-attention follows the sound in time; the first three do not (measured)."""
MAX_POSITIONS = 2048
NORM_EPSILON = 1e-5
MS = "com.microsoft"
OPSET = 18


class Weights:
    """Named weights of one published graph, dequantized on demand.

    graph: the graph whose nodes name the projections by their outputs; outer: initializers of an enclosing graph.
    """

    def __init__(self, graph: onnx.GraphProto, outer: Sequence[onnx.TensorProto] = ()) -> None:
        self._tensors = {tensor.name: tensor for tensor in [*outer, *graph.initializer]}
        self._makers = {output: node for node in graph.node for output in node.output}

    def array(self, *names: str) -> NDArray[Any]:
        """The first of `names` that is an initializer (merging gave some a suffix)."""
        for name in names:
            for candidate in (name, f"{name}_merged_0", f"{name}_merged_1"):
                if candidate in self._tensors:
                    return numpy_helper.to_array(self._tensors[candidate])
        raise KeyError(names[0])

    def quantized(self, output: str) -> tuple[NDArray[np.int16], float]:
        """The projection that computes `output`: integers centred on zero, shape [in, out], and their scale."""
        node = self._makers[output]
        weight, scale, zero = (
            (node.input[1], node.input[2], node.input[3])
            if node.op_type == "DynamicQuantizeMatMul"
            else (node.input[1], node.input[3], node.input[5])
        )
        integers = self.array(weight).astype(np.int16) - np.int16(self.array(zero))
        return integers, float(self.array(scale))


class Builder:
    """Collects nodes and weights; every method adds operators and returns the name of the result."""

    def __init__(self, precision: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.precision = precision
        self._count = 0

    def op(self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> Any:
        """Add one operator; its output's name, or a list of them when `outputs` > 1."""
        self._count += 1
        names = [f"{kind}_{self._count}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: NDArray[Any] | np.generic | Sequence[int] | float, dtype: Any = None) -> str:
        """Add an initializer; its name."""
        self._count += 1
        name = f"constant_{self._count}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(value, dtype=dtype)), name))
        return name

    def linear(
        self, x: str, parts: Sequence[tuple[NDArray[np.int16], float]], bias: NDArray[np.float32] | None = None
    ) -> str:
        """x times the concatenation of `parts` along the output axis, plus `bias`.

        precision "int8": activations quantized per tensor (as published); "block": per row and block of 32, so that a
        row does not depend on its batch mates; "float": weights as float32.
        """
        if self.precision == "float":
            weight = np.concatenate([q.astype(np.float32) * np.float32(s) for q, s in parts], axis=1)
            y: str = self.op("MatMul", x, self.constant(weight))
            return self.op("Add", y, self.constant(bias)) if bias is not None else y
        if self.precision == "block":
            return self._linear_blocks(x, parts, bias)
        clipped, scales, zeros = zip(*(_as_int8(q, s) for q, s in parts), strict=True)
        widths = [q.shape[1] for q in clipped]
        weight8 = np.concatenate(clipped, axis=1)
        if len(parts) == 1:
            scale, zero = self.constant(np.float32(scales[0])), self.constant(np.int8(zeros[0]))
        else:
            scale = self.constant(np.repeat(np.array(scales, np.float32), widths))
            zero = self.constant(np.repeat(np.array(zeros, np.int8), widths))
        inputs = [x, self.constant(weight8), scale, zero]
        if bias is not None:
            inputs.append(self.constant(bias))
        name: str = self.op("DynamicQuantizeMatMul", *inputs, domain=MS)
        return name

    def _linear_blocks(
        self, x: str, parts: Sequence[tuple[NDArray[np.int16], float]], bias: NDArray[np.float32] | None
    ) -> str:
        block = 32
        rows, scales, zeros = [], [], []
        for integers, scale in parts:
            q, _, zero = _as_int8(integers, scale)
            k, n = q.shape
            rows.append((q.T.astype(np.int16) + 128).astype(np.uint8).reshape(n, k // block, block))
            scales.append(np.full(n * (k // block), scale, np.float32))
            zeros.append(np.full(n * (k // block), zero + 128, np.uint8))
        weight = np.concatenate(rows)
        y: str = self.op(
            "MatMulNBits",
            x,
            self.constant(weight),
            self.constant(np.concatenate(scales)),
            self.constant(np.concatenate(zeros)),
            domain=MS,
            K=weight.shape[1] * block,
            N=weight.shape[0],
            bits=8,
            block_size=block,
            accuracy_level=4,
        )
        return self.op("Add", y, self.constant(bias)) if bias is not None else y

    def norm(self, x: str, weight: NDArray[np.float32]) -> str:
        """Layer normalisation without bias."""
        name: str = self.op("LayerNormalization", x, self.constant(weight), axis=-1, epsilon=NORM_EPSILON)
        return name

    def heads(self, x: str, *shape: int) -> str:
        """Reshape to `shape` (0 keeps an axis, -1 is inferred)."""
        name: str = self.op("Reshape", x, self.constant(list(shape), np.int64))
        return name

    def transpose(self, x: str, *axes: int) -> str:
        """Permute axes."""
        name: str = self.op("Transpose", x, perm=list(axes))
        return name

    def model(self, name: str, inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
        """The finished model."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _as_int8(integers: NDArray[np.int16], scale: float) -> tuple[NDArray[np.int8], float, int]:
    """Shift integers (span ≤ 255) into int8 with a zero point: exactly the published weights."""
    zero = -128 - int(integers.min()) if integers.min() < -128 else 127 - int(integers.max())
    zero = min(zero, 0) if integers.min() >= -128 else zero
    shifted = integers + zero
    if shifted.min() < -128 or shifted.max() > 127:
        raise ValueError("weights span more than 8 bits")
    return shifted.astype(np.int8), scale, zero


def rotary_tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """cos and sin, each float32 [MAX_POSITIONS, ROTARY_DIM / 2], base 10,000 (RoFormer, arXiv 2104.09864)."""
    frequency = 10000.0 ** (-np.arange(0, ROTARY_DIM, 2) / ROTARY_DIM)
    angle = np.arange(MAX_POSITIONS)[:, None] * frequency[None, :]
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _value(name: str, kind: int, shape: Sequence[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def build_encoder(published: onnx.ModelProto, decoder: Weights, precision: str) -> onnx.ModelProto:
    """Sound to encoder states and the decoder's cross keys and values.

    in: `sound` float32 [1, samples] at 16 kHz, at least 895 samples. out: `states` float32 [1, frames, 288] (41.7 a
    second), `keys` float32 [6, 8, 36, frames], `values` float32 [6, 8, frames, 36].
    """
    w, b = Weights(published.graph), Builder(precision)
    cos, sin = (b.constant(table) for table in rotary_tables())
    x = _convolutions(b, w, published.graph)
    length = b.op("Shape", x, start=1, end=2)
    count = b.op("Squeeze", length, b.constant([0], np.int64))
    positions = b.op("Range", b.constant(0, np.int64), count, b.constant(1, np.int64))
    positions = b.op("Unsqueeze", positions, b.constant([0], np.int64))
    for layer in range(LAYERS):
        x = _encoder_layer(b, w, f"/layers.{layer}", x, cos, sin, positions)
    states = b.norm(x, w.array("layer_norm.weight"))
    b.nodes.append(helper.make_node("Identity", [states], ["states"]))
    _cross(b, decoder, states)
    outputs = [
        _value("states", TensorProto.FLOAT, [1, "frames", DIM]),
        _value("keys", TensorProto.FLOAT, [LAYERS, HEADS, HEAD_DIM, "frames"]),
        _value("values", TensorProto.FLOAT, [LAYERS, HEADS, "frames", HEAD_DIM]),
    ]
    return b.model("encoder", [_value("sound", TensorProto.FLOAT, [1, "samples"])], outputs)


def _convolutions(b: Builder, w: Weights, graph: onnx.GraphProto) -> str:
    x = b.op("Unsqueeze", "sound", b.constant([1], np.int64))
    x = b.op("Conv", x, b.constant(w.array("conv1.weight_add_tensor")), strides=[64], kernel_shape=[127])
    x = b.op("Tanh", x)
    scale, shift = _group_norm(w, graph)
    flat = b.op("Reshape", x, b.constant([0, 1, -1], np.int64))
    ones, zeros = b.constant(np.ones(1, np.float32)), b.constant(np.zeros(1, np.float32))
    flat = b.op("InstanceNormalization", flat, ones, zeros, epsilon=NORM_EPSILON)
    x = b.op("Reshape", flat, b.op("Shape", x))
    x = b.op("Add", b.op("Mul", x, b.constant(scale)), b.constant(shift))
    for name, stride, width in (("conv2", 3, 7), ("conv3", 2, 3)):
        weight, bias = w.array(f"{name}.weight_add_tensor"), w.array(f"{name}.bias")
        x = b.op("Conv", x, b.constant(weight), b.constant(bias), strides=[stride], kernel_shape=[width])
        x = b.op("Gelu", x, domain=MS)
    return b.transpose(x, 0, 2, 1)


def _group_norm(w: Weights, graph: onnx.GraphProto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scale = next(node for node in graph.node if node.output[0] == "/groupnorm/Mul_output_0").input[1]
    shift = next(node for node in graph.node if node.output[0] == "/groupnorm/Add_output_0").input[1]
    return w.array(scale), w.array(shift)


def _rotate(b: Builder, x: str, positions: str, cos: str, sin: str, heads: int) -> str:
    """Rotary embedding on the first 32 of 36 dimensions; x is [batch, heads, length, 36]."""
    name: str = b.op(
        "RotaryEmbedding",
        x,
        positions,
        cos,
        sin,
        domain=MS,
        interleaved=1,
        rotary_embedding_dim=ROTARY_DIM,
        num_heads=heads,
    )
    return name


def _encoder_layer(b: Builder, w: Weights, at: str, x: str, cos: str, sin: str, positions: str) -> str:
    name = at.strip("/")
    h = b.norm(x, w.array(f"{name}.input_layernorm.weight"))
    parts = [w.quantized(f"{at}/self_attn/{kind}_proj/MatMul_output_0") for kind in "qkv"]
    qkv = b.transpose(b.heads(b.linear(h, parts), 0, 0, 3 * HEADS, HEAD_DIM), 0, 2, 1, 3)
    q, k, v = b.op("Split", qkv, b.constant([HEADS] * 3, np.int64), outputs=3, axis=1)
    q, k = (_rotate(b, part, positions, cos, sin, HEADS) for part in (q, k))
    scores = b.op("FusedMatMul", q, k, domain=MS, transB=1, alpha=HEAD_DIM**-0.5)
    mixed = b.transpose(b.op("MatMul", b.op("Softmax", scores, axis=-1), v), 0, 2, 1, 3)
    out = b.linear(b.heads(mixed, 0, 0, DIM), [w.quantized(f"{at}/self_attn/o_proj/MatMul_output_0")])
    x = b.op("Add", x, out)
    h = b.norm(x, w.array(f"{name}.post_attention_layernorm.weight"))
    h = b.linear(h, [w.quantized(f"{at}/mlp/fc1/Add_output_0")], w.array(f"{name}.mlp.fc1.bias"))
    h = b.op("Gelu", h, domain=MS)
    h = b.linear(h, [w.quantized(f"{at}/mlp/fc2/Add_output_0")], w.array(f"{name}.mlp.fc2.bias"))
    result: str = b.op("Add", x, h)
    return result


def _cross(b: Builder, decoder: Weights, states: str) -> None:
    """All layers' cross keys and values in one product."""
    parts = [
        decoder.quantized(f"/model/decoder/layers.{layer}/encoder_attn/{kind}_proj/MatMul_output_0")
        for kind in "kv"
        for layer in range(LAYERS)
    ]
    both = b.heads(b.linear(states, parts), -1, 2 * LAYERS, HEADS, HEAD_DIM)
    keys, values = b.op("Split", both, b.constant([LAYERS] * 2, np.int64), outputs=2, axis=1)
    b.nodes.append(helper.make_node("Transpose", [keys], ["keys"], perm=[1, 2, 3, 0]))
    b.nodes.append(helper.make_node("Transpose", [values], ["values"], perm=[1, 2, 0, 3]))


def build_decoder(decoder: Weights, vocabulary: NDArray[np.int64], precision: str) -> onnx.ModelProto:
    """One step of a beam over one sound.

    in: `tokens` int64 [beam]; `parents` int64 [beam], row of the past that each continues; `position` int64 [1];
    `keys`, `values` as the encoder gives them; `past_k_i`, `past_v_i` float32 [old beam, 8, past, 36] for each layer.
    out: `logits` float32 [beam, vocabulary]; `hidden` float32 [beam, 288] (for tokens outside the vocabulary);
    `attention` float32 [beam, frames], mean over heads of the aligned layers; `present_k_i`, `present_v_i`.
    """
    b = Builder(precision)
    cos, sin = (b.constant(table) for table in rotary_tables())
    table, scale, zero = (b.constant(value) for value in _embedding(decoder))
    x = b.op("DequantizeLinear", b.op("Gather", table, "tokens"), scale, zero)
    x = b.op("Unsqueeze", x, b.constant([1], np.int64))
    positions = b.op("Expand", b.op("Unsqueeze", "position", b.constant([0], np.int64)), _column(b, "tokens"))
    keys = b.op("Split", "keys", b.constant([1] * LAYERS, np.int64), outputs=LAYERS, axis=0)
    values = b.op("Split", "values", b.constant([1] * LAYERS, np.int64), outputs=LAYERS, axis=0)
    aligned: list[str] = []
    for layer in range(LAYERS):
        x = _self_attention(b, decoder, layer, x, (cos, sin, positions))
        x, weights = _cross_attention(b, decoder, layer, x, keys[layer], values[layer])
        if layer in ALIGNED_LAYERS:
            aligned.append(weights)
        x = _feed_forward(b, decoder, layer, x)
    hidden = b.heads(b.norm(x, decoder.array("model.decoder.norm.weight")), -1, DIM)
    b.nodes.append(helper.make_node("Identity", [hidden], ["hidden"]))
    q, s = decoder.quantized("logits")
    b.nodes.append(helper.make_node("Identity", [b.linear(hidden, [(q[:, vocabulary], s)])], ["logits"]))
    total = b.op("Sum", *[b.op("ReduceMean", a, b.constant([0], np.int64), keepdims=0) for a in aligned])
    b.nodes.append(helper.make_node("Mul", [total, b.constant(np.float32(1 / len(aligned)))], ["attention"]))
    return b.model("decoder_step", _decoder_inputs(), _decoder_outputs(len(vocabulary)))


def _embedding(decoder: Weights) -> tuple[NDArray[np.uint8], np.float32, np.uint8]:
    """The table as published, its scale and its zero point (129: no int8 holds the start token's largest value)."""
    name = "model.decoder.embed_tokens.weight_merged_0"
    table, scale, zero = (decoder.array(f"{name}_{part}") for part in ("quantized", "scale", "zero_point"))
    return table, np.float32(scale), np.uint8(zero)


def _column(b: Builder, tokens: str) -> str:
    name: str = b.op("Concat", b.op("Shape", tokens), b.constant([1], np.int64), axis=0)
    return name


def _self_attention(b: Builder, w: Weights, layer: int, x: str, rotary: tuple[str, str, str]) -> str:
    at = f"/model/decoder/layers.{layer}"
    cos, sin, positions = rotary
    h = b.norm(x, w.array(f"model.decoder.layers.{layer}.input_layernorm.weight"))
    parts = [w.quantized(f"{at}/self_attn/{kind}_proj/MatMul_output_0") for kind in "qkv"]
    qkv = b.heads(b.linear(h, parts), 0, 3 * HEADS, 1, HEAD_DIM)
    qk, v = b.op("Split", qkv, b.constant([2 * HEADS, HEADS], np.int64), outputs=2, axis=1)
    qk = _rotate(b, qk, positions, cos, sin, 2 * HEADS)
    q, k = b.op("Split", qk, b.constant([HEADS] * 2, np.int64), outputs=2, axis=1)
    past_k = b.op("Gather", f"past_k_{layer}", "parents", axis=0)
    past_v = b.op("Gather", f"past_v_{layer}", "parents", axis=0)
    b.nodes.append(helper.make_node("Concat", [past_k, k], [f"present_k_{layer}"], axis=2))
    b.nodes.append(helper.make_node("Concat", [past_v, v], [f"present_v_{layer}"], axis=2))
    scores = b.op("FusedMatMul", q, f"present_k_{layer}", domain=MS, transB=1, alpha=HEAD_DIM**-0.5)
    mixed = b.op("MatMul", b.op("Softmax", scores, axis=-1), f"present_v_{layer}")
    out = b.linear(b.heads(mixed, 0, 1, DIM), [w.quantized(f"{at}/self_attn/o_proj/MatMul_output_0")])
    result: str = b.op("Add", x, out)
    return result


def _cross_attention(b: Builder, w: Weights, layer: int, x: str, keys: str, values: str) -> tuple[str, str]:
    """Eight products of [beam, 36] by [36, frames] instead of beam times eight small ones."""
    at = f"/model/decoder/layers.{layer}"
    h = b.norm(x, w.array(f"model.decoder.layers.{layer}.post_attention_layernorm.weight"))
    q = b.linear(h, [w.quantized(f"{at}/encoder_attn/q_proj/MatMul_output_0")])
    q = b.transpose(b.heads(q, -1, HEADS, HEAD_DIM), 1, 0, 2)
    squeeze = b.constant([0], np.int64)
    k, v = b.op("Squeeze", keys, squeeze), b.op("Squeeze", values, squeeze)
    weights = b.op("Softmax", b.op("FusedMatMul", q, k, domain=MS, alpha=HEAD_DIM**-0.5), axis=-1)
    mixed = b.heads(b.transpose(b.op("MatMul", weights, v), 1, 0, 2), 0, 1, DIM)
    out = b.linear(mixed, [w.quantized(f"{at}/encoder_attn/o_proj/MatMul_output_0")])
    return b.op("Add", x, out), weights


def _feed_forward(b: Builder, w: Weights, layer: int, x: str) -> str:
    at, name = f"/model/decoder/layers.{layer}/mlp", f"model.decoder.layers.{layer}"
    h = b.norm(x, w.array(f"{name}.final_layernorm.weight"))
    h = b.linear(h, [w.quantized(f"{at}/fc1/Add_output_0")], w.array(f"{name}.mlp.fc1.bias"))
    width = 4 * DIM
    value, gate = b.op("Split", h, b.constant([width] * 2, np.int64), outputs=2, axis=-1)
    h = b.op("Mul", b.op("QuickGelu", gate, domain=MS, alpha=1.0), value)
    h = b.linear(h, [w.quantized(f"{at}/fc2/Add_output_0")], w.array(f"{name}.mlp.fc2.bias"))
    result: str = b.op("Add", x, h)
    return result


def _decoder_inputs() -> list[Any]:
    past = [
        _value(f"past_{kind}_{layer}", TensorProto.FLOAT, ["rows", HEADS, "past", HEAD_DIM])
        for layer in range(LAYERS)
        for kind in "kv"
    ]
    return [
        _value("tokens", TensorProto.INT64, ["beam"]),
        _value("parents", TensorProto.INT64, ["beam"]),
        _value("position", TensorProto.INT64, [1]),
        _value("keys", TensorProto.FLOAT, [LAYERS, HEADS, HEAD_DIM, "frames"]),
        _value("values", TensorProto.FLOAT, [LAYERS, HEADS, "frames", HEAD_DIM]),
        *past,
    ]


def _decoder_outputs(vocabulary: int) -> list[Any]:
    present = [
        _value(f"present_{kind}_{layer}", TensorProto.FLOAT, ["beam", HEADS, "length", HEAD_DIM])
        for layer in range(LAYERS)
        for kind in "kv"
    ]
    return [
        _value("logits", TensorProto.FLOAT, ["beam", vocabulary]),
        _value("hidden", TensorProto.FLOAT, ["beam", DIM]),
        _value("attention", TensorProto.FLOAT, ["beam", "frames"]),
        *present,
    ]
