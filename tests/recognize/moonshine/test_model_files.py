"""The model's files: checked by hash, prepared once, built again when they are damaged."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import ModelError
from assistant.recognize.moonshine import model as module
from assistant.recognize.moonshine.engine import MoonshineOptions, open_model
from assistant.recognize.moonshine.model import prepare_model, published_folder


def test_a_damaged_prepared_file_is_built_again(tmp_path: Path) -> None:
    files = prepare_model(tmp_path)
    files.decoder.write_bytes(files.decoder.read_bytes()[:1000])
    model = open_model(MoonshineOptions(tmp_path))
    assert model.encode(np.zeros(16_000, np.float32)).states.shape[1] == 288


def test_a_published_file_with_one_bit_changed_is_refused_with_a_remedy(tmp_path: Path) -> None:
    wheel = tmp_path / "moonshine_voice"
    shutil.copytree(published_folder(), wheel / "assets" / "tiny-en")
    (wheel / "__init__.py").touch()
    damaged = wheel / "assets" / "tiny-en" / "encoder_model.ort"
    content = bytearray(damaged.read_bytes())
    content[5_000_000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ModelError, match=r"encoder_model\.ort: the speech model is corrupt .* pip install"):
        module._check(damaged.parent)


def test_the_installed_model_is_the_one_that_the_engine_was_made_for() -> None:
    assert importlib.util.find_spec("moonshine_voice") is not None
    module._check(published_folder())
