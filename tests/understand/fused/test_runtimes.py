"""The same decisions from every TFLite runtime; those that want another numpy live in environments of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import models
from assistant.understand.fused.bundle import bundle_folders, open_bundle
from assistant.understand.fused.features import extract
from assistant.understand.fused.fuse import fuse
from tests.understand.fused.conftest import LINEAR, Heard
from tests.understand.fused.linear_net import write_bundle

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = {
    "tflite_runtime": ("ASSISTANT_TFLITE_RUNTIME_PYTHON", ".venv-tflite-runtime"),
    "tensorflow": ("ASSISTANT_CONVERT_PYTHON", ".venv-convert"),
}
"""By runtime: the variable that names an interpreter which has it, and where one lies by default."""
PACKAGES = {"tflite_runtime": ("tflite-runtime==2.14.0", "numpy<2", "msgspec")}
"""What an environment needs that the test makes where none lies. The last release has no wheel beyond Python 3.11."""
LARGEST_DIFFERENCE = 0.3
"""Logits of int8 nets may differ by a few steps of 1/256 of their range between kernels."""


def interpreter(runtime: str, made: Path) -> Path:
    """An interpreter that has `runtime`, made where it can be; the test is skipped where there is none."""
    variable, folder = ENVIRONMENTS[runtime]
    found = Path(os.environ.get(variable) or ROOT / folder / "bin" / "python")
    if found.is_file():
        return found
    if runtime not in PACKAGES:
        pytest.skip(f"no environment with {runtime}: ${variable} names none and {folder} is absent")
    return environment(made, PACKAGES[runtime])


def environment(folder: Path, packages: Sequence[str]) -> Path:
    """An interpreter with `packages` and nothing of ours; the test is skipped where they cannot be had."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is None:
        pytest.skip("no uv to make an environment with: pip install uv")
    python = folder / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--no-python-downloads", "--python", "3.11", str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot be installed here: {', '.join(packages)} ({done.stderr.strip().splitlines()[-1:]})")
    return python


@pytest.mark.real
@pytest.mark.parametrize("runtime", ENVIRONMENTS)
def test_another_runtime_gives_the_same_decisions(runtime: str, tmp_path: Path, order: Heard) -> None:
    python = interpreter(runtime, tmp_path / "environment")
    folders = [write_bundle(tmp_path / "linear", LINEAR), *bundle_folders([Path(models.__file__).parent])]
    for folder in folders:
        bundle = open_bundle(folder)
        features = extract(bundle.source.sound(*order), order[1].hypotheses, bundle.projection)
        inputs = tmp_path / "inputs.npz"
        np.savez(inputs, tokens=features.tokens, frames=features.frames, globals=features.globals)
        script = Path(__file__).with_name("other_runtime.py")
        done = subprocess.run([python, script, runtime, folder, inputs], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        there = json.loads(done.stdout)
        here = bundle.net.answers(features)
        assert runtime in there["runtime"]
        np.testing.assert_allclose(there["right"], here.right, atol=LARGEST_DIFFERENCE)
        np.testing.assert_allclose(there["whole"], here.whole, atol=LARGEST_DIFFERENCE)
        ours = fuse(order[1], here.right.tolist(), here.whole.tolist(), bundle.fusion, "")
        theirs = fuse(order[1], there["right"], there["whole"], bundle.fusion, "")
        assert [h.text for h in ours.hypotheses] == [h.text for h in theirs.hypotheses]
