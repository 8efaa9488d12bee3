"""Which layer int8 costs most: each one alone in int8 with the rest in float, and each one alone in float.

A layer stays float when that buys more than it costs: it has to mend a larger share of the decisions that int8 changes
than the share by which the file or the time grows, and more of them than chance would (an exact sign test).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from convert.dataset import Rows
from convert.model import tensorflow
from convert.quantize import examples, quiet, saved

CHANCE = 0.05
LAYERED = ("CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True, slots=True)
class Split:
    """One layer's two files: alone in int8, and alone in float."""

    layer: str
    alone: bytes
    spared: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether `layer` should stay float. mended, broken: decisions that become, and stop being, those of the float net.

    buys: share of the decisions int8 changes that are mended on balance; costs: share by which file or time grow.
    chance: of so many mended by luck.
    """

    layer: str
    mended: int
    broken: int
    buys: float
    costs: float
    chance: float

    @property
    def stays_float(self) -> bool:
        """The rule."""
        return self.buys > self.costs and self.chance < CHANCE

    @property
    def reason(self) -> str:
        """In words."""
        kept = "stays float" if self.stays_float else "becomes int8"
        return (
            f"{self.layer} {kept}: in float it mends {self.mended} decisions and breaks {self.broken} "
            f"({100 * self.buys:.0f} % of what int8 changes; by chance {self.chance:.2f}) "
            f"and costs {100 * self.costs:.0f} % more bytes or time"
        )


def splits(net: Any, rows: Rows) -> tuple[bytes, list[Split]]:
    """The int8 file of `net`, and two of each layer. rows: to calibrate on, once for all."""
    tf, _ = tensorflow()
    lite = tf.lite.experimental
    with tempfile.TemporaryDirectory() as folder, quiet():
        saved(net, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples(rows)
        debugger = lite.QuantizationDebugger(converter=converter, debug_dataset=converter.representative_dataset)
        whole: bytes = debugger.get_nondebug_quantized_model()
        nodes = _nodes(tf, whole)

        def without(names: Sequence[str]) -> bytes:
            debugger.options = lite.QuantizationDebugOptions(denylisted_nodes=list(names))
            return bytes(debugger.get_nondebug_quantized_model())

        every = [name for names in nodes.values() for name in names]
        found = [
            Split(layer, without([name for name in every if name not in names]), without(names))
            for layer, names in nodes.items()
        ]
    return whole, found


def judge(layer: str, same: dict[str, Sequence[bool]], grown: Sequence[float]) -> Verdict:
    """The verdict on a layer. same: by "int8" and "spared", whether each decision is that of the float net.

    grown: shares by which the file and the time grow.
    """
    before, after = (np.array(same[name], bool) for name in ("int8", "spared"))
    mended, broken = int((after & ~before).sum()), int((before & ~after).sum())
    buys = (mended - broken) / max(int((~before).sum()), 1)
    return Verdict(layer, mended, broken, buys, max(0.0, *grown), sign_test(mended, broken))


def sign_test(more: int, less: int) -> float:
    """Probability of at least `more` of `more + less` by chance (exact, one-sided)."""
    n = more + less
    return float(sum(comb(n, k) for k in range(more, n + 1)) / 2**n)


def _nodes(tf: Any, file: bytes) -> dict[str, list[str]]:
    """The converter's names of each layer's operation, by the layer's own."""
    interpreter = tf.lite.Interpreter(model_content=file)
    names = {tensor["index"]: str(tensor["name"]) for tensor in interpreter.get_tensor_details()}
    found: dict[str, list[str]] = {}
    for operation in interpreter._get_ops_details():  # noqa: SLF001 - there is no public list of operations
        if operation["op_name"] in LAYERED:
            name = names[operation["outputs"][0]]
            layers = re.findall(r"/([a-z]+_[a-z]+\d*|joint)/(?:Conv2D|MatMul)", name)
            if layers:
                found.setdefault(layers[0], []).append(name)
    return found
