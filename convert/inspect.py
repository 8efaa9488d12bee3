"""What is inside a .tflite: operations with their types, sizes and zeros, and which of them stayed in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import ModelError, PluginError
from convert.model import REMEDY

BORDER = ("QUANTIZE", "DEQUANTIZE")
"""Operations between float and int8: they are not what fell back."""
IDENTIFIER = b"TFL3"


def inspect(file: Path) -> dict[str, Any]:
    """Operations, tensors and bytes of `file`. Raises ModelError when it is missing, truncated or no TFLite."""
    schema = _schema()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=str(file), remedy="look at the path") from error
    if data[4:8] != IDENTIFIER:
        raise ModelError("is not a TFLite file", where=str(file), remedy="build it with `assistant-convert build`")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        graph = model.subgraphs[0]
        layers = [_layer(model, graph, operator, schema) for operator in graph.operators]
    except Exception as error:  # the reader of a damaged file raises whatever it stumbles over
        raise ModelError(f"is damaged ({type(error).__name__})", where=str(file), remedy="build it again") from error
    constants = [layer for layer in layers if layer["constants"]]
    weights = sum(layer["constants"] for layer in constants)
    return {
        "file": str(file),
        "bytes": len(data),
        "operations": dict(Counter(layer["operation"] for layer in layers)),
        "fell_back": sorted({layer["operation"] for layer in layers if layer["float"]}),
        "constants": weights,
        "zeros": round(sum(layer["zeros"] for layer in constants) / max(weights, 1), 4),
        "layers": layers,
    }


def table(found: Mapping[str, Any]) -> str:
    """The same for people."""
    rows = [("operation", "types", "output", "constants", "zeros", "float")]
    for layer in found["layers"]:
        share = layer["zeros"] / layer["constants"] if layer["constants"] else 0.0
        shape = "×".join(map(str, layer["output"]))
        rows.append(
            (
                layer["operation"],
                "+".join(layer["types"]),
                shape,
                str(layer["constants"]),
                f"{100 * share:.0f} %" if layer["constants"] else "",
                "yes" if layer["float"] else "",
            )
        )
    fell = ", ".join(found["fell_back"]) or "nothing"
    zeros = 100 * found["zeros"]
    head = f"{found['file']}: {found['bytes']} bytes, {found['constants']} constants, {zeros:.1f} % of them zero"
    return "\n".join([head, f"in float: {fell}", "", *aligned(rows)])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table with columns of one width."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise PluginError("ai-edge-litert is not installed", where="inspect", remedy=REMEDY) from error
    return schema_py_generated


def _layer(model: Any, graph: Any, operator: Any, schema: Any) -> dict[str, Any]:
    code = model.operatorCodes[operator.opcodeIndex]
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    name = names[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))]
    tensors = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
    constants = [model.buffers[t.buffer].data for t in tensors]
    known = [
        (t, np.asarray(data)) for t, data in zip(tensors, constants, strict=True) if data is not None and len(data)
    ]
    count = sum(int(np.prod(t.shape)) for t, _ in known if t.shape is not None)
    zeros = sum(_zeros(data, types[t.type]) for t, data in known)
    kinds = list(dict.fromkeys(types[t.type] for t in tensors))
    output = graph.tensors[operator.outputs[0]].shape
    return {
        "operation": name,
        "types": kinds,
        "output": [int(side) for side in output] if output is not None else [],
        "constants": count,
        "zeros": zeros,
        "float": name not in BORDER and any(kind.startswith("FLOAT") for kind in kinds),
    }


def _zeros(data: Any, kind: str) -> int:
    widths = {"INT8": np.int8, "INT32": np.int32, "FLOAT32": np.float32, "FLOAT16": np.float16, "INT64": np.int64}
    if kind not in widths:
        return 0
    return int((np.frombuffer(data.astype(np.uint8).tobytes(), widths[kind]) == 0).sum())
