"""A trained net becomes a .tflite file, in float or in int8, with the signature that the device expects.

int8 is per channel, calibrated on rows in noise; inputs and answers stay float32: every variant is called alike.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import InputError
from assistant.understand.fused.manifest import INPUTS, RIGHT, WHOLE
from assistant.understand.fused.net import silent
from assistant.understand.fused.projection import FeatureSpec
from convert.dataset import Inputs, Rows
from convert.model import build, tensorflow
from convert.train import Trained

PRECISIONS = ("float32", "float16", "dynamic", "int8")
CALIBRATION_ROWS = 240

Floats = NDArray[np.float32]


def calibration_rows(rows: Rows, seed: int, count: int = CALIBRATION_ROWS) -> Rows:
    """Rows to calibrate on: from training, in noise, every kind in its share."""
    noisy = np.flatnonzero(~rows.valid & ~np.isnan(rows.snr_db))
    if not len(noisy):
        raise InputError("no rows in noise to calibrate int8 with", where="quantize", remedy="a larger build")
    return rows.chosen(np.sort(np.random.default_rng(seed).permutation(noisy)[:count]))


def exported(trained: Trained, spec: FeatureSpec) -> Any:
    """The trained net for one hypothesis, without what only training needs."""
    _, keras = tensorflow()
    keras.backend.clear_session()  # else the file holds names that count how many nets this process has made
    net = build(spec, trained.shape, batch=1)
    net.set_weights(trained.weights)
    return net


def convert(net: Any, precision: str, rows: Rows) -> bytes:
    """`net` as a .tflite of one of PRECISIONS. rows: to calibrate on."""
    tf, _ = tensorflow()
    return converted(net, _serving(tf, net), precision, examples(rows))


def converted(net: Any, serving: Any, precision: str, examples: Callable[[], Iterator[dict[str, Floats]]]) -> bytes:
    """`net`, called by the signature `serving`, as a .tflite. examples: inputs to calibrate int8 on."""
    tf, _ = tensorflow()
    with tempfile.TemporaryDirectory() as folder, quiet():
        module = tf.Module()
        module.net = net
        tf.saved_model.save(module, folder, signatures={"serving_default": serving})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = examples
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return bytes(converter.convert())


def saved(net: Any, folder: str) -> None:
    """Write `net` to `folder` in TensorFlow's format, with the device's signature."""
    tf, _ = tensorflow()
    module = tf.Module()
    module.net = net
    tf.saved_model.save(module, folder, signatures={"serving_default": _serving(tf, net)})


def run(data: bytes, rows: Inputs) -> tuple[Floats, Floats]:
    """Answers (right, whole) of a .tflite for each row, float32 [R], by the device's runtime on one thread."""
    return answers(runner(data), rows)


def answers(call: Callable[..., Any], rows: Inputs) -> tuple[Floats, Floats]:
    """The same of an open one. call: a `runner`."""
    found = []
    for i in range(len(rows)):
        inputs = {name: getattr(rows, name)[i : i + 1].astype(np.float32) for name in INPUTS}
        out = call(**inputs)
        found.append((float(out[RIGHT][0, 0]), float(out[WHOLE][0, 0])))
    both = np.array(found, np.float32).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def timed(data: bytes, rows: Inputs) -> float:
    """Milliseconds of one call, its inputs ready."""
    call = runner(data)
    inputs = [{name: getattr(rows, name)[i : i + 1].astype(np.float32) for name in INPUTS} for i in range(len(rows))]
    call(**inputs[0])
    began = time.perf_counter()
    for one in inputs:
        call(**one)
    return 1000 * (time.perf_counter() - began) / len(inputs)


def runner(data: bytes) -> Any:
    """Calls a .tflite by its signature, in the device's runtime on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    return interpreter.get_signature_runner("serving_default")


def _serving(tf: Any, net: Any) -> Any:
    specs = [
        tf.TensorSpec(tensor.shape, tf.float32, name=name) for name, tensor in zip(INPUTS, net.inputs, strict=True)
    ]

    @tf.function(input_signature=specs)  # type: ignore[untyped-decorator]
    def serve(tokens: Any, frames: Any, globals: Any) -> dict[str, Any]:  # noqa: A002 - the signature's own name
        out = net([tokens, frames, globals], training=False)
        return {RIGHT: out[RIGHT], WHOLE: out[WHOLE]}

    return serve


def examples(rows: Rows) -> Callable[[], Iterator[dict[str, Floats]]]:
    """`rows` one by one, as the converter wants them to calibrate on."""

    def each() -> Iterator[dict[str, Floats]]:
        for i in range(len(rows)):
            yield {name: getattr(rows, name)[i : i + 1].astype(np.float32) for name in INPUTS}

    return each


@contextmanager
def quiet() -> Iterator[None]:
    """TensorFlow's converter prints much that concerns nobody, also past Python, and warns of its own parts."""
    with redirect_stdout(StringIO()), silent(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
