"""Bundles: the same bytes for the same content, written whole, and what the device says of damaged ones."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import ModelError
from assistant.types import Fusion
from assistant.understand.fused.bundle import open_bundle
from assistant.understand.fused.manifest import FORMAT, GENERIC, MANIFEST_FILE, read_manifest
from assistant.understand.fused.projection import FeatureSpec, Projection, shapes
from convert.bundle import BUILD_FILE, CARD_FILE, Candidate, Origin, write_bundle
from convert.compare import compare
from convert.dataset import Rows
from convert.model import Shape
from convert.quantize import calibration_rows, convert, exported
from convert.train import Schedule, train

SPEC = FeatureSpec()
ORIGIN = Origin("made", None, "assistant-convert build --out models/made", {"seed": 3}, {"full": 9})


@pytest.fixture(scope="module")
def projection() -> Projection:
    rng = np.random.default_rng(1)
    return Projection(SPEC, **{n: rng.random(s).astype(np.float32) for n, s in shapes(SPEC).items()})


@pytest.fixture(scope="module")
def candidate(rows: Rows) -> Candidate:
    schedule = Schedule(epochs=1, batch=16)
    trained = train(rows, SPEC, Shape(8, 8, 8, 1), schedule, 1, lambda *_: None)
    net = exported(trained, SPEC)
    data = convert(net, "int8", calibration_rows(rows, 0, 40))
    return Candidate("full", data, "int8", net.count_params(), 1000, Fusion(weight=2.0), {}, 0.31)


def test_the_device_opens_what_was_written(tmp_path: Path, projection: Projection, candidate: Candidate) -> None:
    write_bundle(tmp_path / "made", ORIGIN, projection, [candidate], 12.0)
    bundle = open_bundle(tmp_path / "made")
    assert bundle.name == "made/full"
    assert bundle.fusion.weight == 2.0
    assert bundle.manifest.context_hash == GENERIC
    assert "so762" in bundle.manifest.licences


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, projection: Projection, candidate: Candidate) -> None:
    for name, seconds in (("a", 12.0), ("b", 99.0)):
        write_bundle(tmp_path / name / "made", ORIGIN, projection, [candidate], seconds)
    names = {file.name for file in (tmp_path / "a" / "made").iterdir()}
    assert {MANIFEST_FILE, CARD_FILE, BUILD_FILE, "features.npz", "full.tflite"} == names
    for name in names - {BUILD_FILE}:
        assert (tmp_path / "a" / "made" / name).read_bytes() == (tmp_path / "b" / "made" / name).read_bytes()


def test_a_new_bundle_replaces_the_old_one_whole(tmp_path: Path, projection: Projection, candidate: Candidate) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "old").touch()
    write_bundle(folder, ORIGIN, projection, [candidate], 1.0)
    assert not (folder / "old").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["made"]


def test_two_bundles_stand_side_by_side(tmp_path: Path, projection: Projection, candidate: Candidate) -> None:
    for name in ("a", "b"):
        write_bundle(tmp_path / name, ORIGIN, projection, [candidate], 1.0)
    shown = compare(tmp_path / "a", tmp_path / "b")
    assert "full: KiB" in shown
    assert shown.count(", 1.00") == 2  # the dearest variant is as fast as itself
    assert "only one was trained on" not in shown


@pytest.mark.parametrize("name", ["full.tflite", "features.npz"])
def test_a_changed_file_is_noticed(tmp_path: Path, projection: Projection, candidate: Candidate, name: str) -> None:
    write_bundle(tmp_path / "made", ORIGIN, projection, [candidate], 1.0)
    file = tmp_path / "made" / name
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ModelError, match="SHA-256"):
        open_bundle(tmp_path / "made")


def test_a_bundle_of_a_newer_format_is_refused(tmp_path: Path, projection: Projection, candidate: Candidate) -> None:
    write_bundle(tmp_path / "made", ORIGIN, projection, [candidate], 1.0)
    file = tmp_path / "made" / MANIFEST_FILE
    file.write_text(file.read_text().replace(f'"format": {FORMAT},\n "heads"', '"format": 99,\n "heads"'))
    with pytest.raises(ModelError, match="newer version"):
        read_manifest(tmp_path / "made")


WRITE = """
import resource, sys
from pathlib import Path
from assistant.errors import StorageError
from convert.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    write_whole(Path(sys.argv[1]), bytes(100_000))
except StorageError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path, repository: Path) -> None:
    assert resource.RLIMIT_FSIZE >= 0
    file = tmp_path / "kept"
    file.write_bytes(b"old")
    ran = subprocess.run(
        [sys.executable, "-c", WRITE, str(file)], cwd=repository, capture_output=True, text=True, check=True
    )
    assert "goes on where it stopped" in ran.stdout
    assert file.read_bytes() == b"old"
    assert [f.name for f in tmp_path.iterdir()] == ["kept"]
