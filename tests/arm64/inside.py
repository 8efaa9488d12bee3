"""Runs by itself, on arm64 and on this machine alike: says what can be imported and what every int8 net answers.

Each net is asked twice: by the reference kernels, which are plain integer arithmetic and must agree to the bit, and by
the kernels that the product uses, which each processor has its own of.

Prints one JSON object; `tests/arm64/test_arm64.py` compares the two.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIBRARIES = ("onnxruntime", "sounddevice", "soundfile", "soxr", "webrtcvad", "hibari", "moonshine_voice", "msgspec")
WAKE_WORDS = ("pymicro_wakeword", "pymicro_features", "pyopen_wakeword")
INPUTS = 8
"""Drawn by one seed for each net: values as the features have them, most within ±2."""


def main() -> None:
    import assistant
    import models

    ours = [found.name for found in pkgutil.walk_packages(assistant.__path__, "assistant.") if _plain(found.name)]
    nets = sorted(Path(models.__path__[0]).glob("*/*.tflite"))
    found = {
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "wrong": {name: why for name in (*LIBRARIES, *WAKE_WORDS, *ours) if (why := _import(name))},
        "modules": len(ours),
        "nets": {f"{net.parent.name}/{net.name}": _answers(net) for net in nets},
    }
    print(json.dumps(found))


def _plain(name: str) -> bool:
    """Not what is a program of its own."""
    return not name.endswith("__main__")


def _import(name: str) -> str:
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001  said, whatever it is
        return f"{type(error).__name__}: {error}"
    return ""


def _answers(net: Path) -> dict[str, Any]:
    """What it says to the same inputs: the product's numbers, and the hash of the reference's."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    reference = Interpreter(str(net), num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    digest = hashlib.sha256(_asked(reference).tobytes()).hexdigest()
    return {"numbers": _asked(Interpreter(str(net), num_threads=1)).round(6).tolist(), "reference": digest}


def _asked(interpreter: Any) -> NDArray[np.float32]:
    """Its outputs, by name, to INPUTS drawn inputs; float32 [inputs, outputs]."""
    interpreter.allocate_tensors()
    rng = np.random.default_rng(11)
    answers = []
    for _ in range(INPUTS):
        for entry in interpreter.get_input_details():
            interpreter.set_tensor(entry["index"], rng.normal(0, 1, entry["shape"]).astype(entry["dtype"]))
        interpreter.invoke()
        outputs = sorted(interpreter.get_output_details(), key=lambda entry: str(entry["name"]))
        answers.append(np.concatenate([interpreter.get_tensor(entry["index"]).ravel() for entry in outputs]))
    return np.array(answers, np.float32)


if __name__ == "__main__":
    main()
