"""Run by an interpreter of another environment: answers of a net there. Arguments: runtime, bundle, .npz of inputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from assistant.understand.fused.features import Features
from assistant.understand.fused.manifest import read_manifest
from assistant.understand.fused.net import RUNTIMES, Net, find_runtime


def main(name: str, folder: Path, inputs: Path) -> None:
    """Print the runtime's module and the logits as JSON."""
    manifest = read_manifest(folder)
    runtime = find_runtime([(module, path) for module, path in RUNTIMES if module.startswith(name)])
    net = Net(folder / manifest.variants[0].file, manifest.features, runtime)
    with np.load(inputs) as file:
        answers = net.answers(Features(file["tokens"], file["frames"], file["globals"]))
    print(json.dumps({"runtime": runtime.__module__, "right": answers.right.tolist(), "whole": answers.whole.tolist()}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
