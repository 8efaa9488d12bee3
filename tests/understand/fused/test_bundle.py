"""Bundles: what is wrong with one is said once, in one line, and understanding goes on without it."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.errors import ModelError, PluginError
from assistant.types import Fusion
from assistant.understand.fused.bundle import Wanted, bundle_folders, choose, open_bundle
from assistant.understand.fused.manifest import (
    FEATURES_FILE,
    FORMAT,
    MANIFEST_FILE,
    read_manifest,
    write_manifest,
)
from assistant.understand.fused.net import find_runtime
from assistant.understand.fused.projection import FeatureSpec, read_projection, unfitted
from tests.understand.fused.conftest import LINEAR, Heard
from tests.understand.fused.linear_net import linear_net, write_bundle

CONTEXT_HASH = "0123"
WANTED = Wanted(CONTEXT_HASH, "en", "moonshine/tiny-en/int8/beam12")
SMALL = FeatureSpec(state_dim=4, vector_dim=3, hypotheses=2)


def rewrite(folder: Path, **changes: Any) -> None:
    """Change fields of the manifest as a text editor would."""
    path = folder / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def with_net(folder: Path, net: bytes) -> None:
    """Put another net into a bundle, its hash right."""
    (folder / "full.tflite").write_bytes(net)
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    manifest["variants"][0]["sha256"] = hashlib.sha256(net).hexdigest()
    path.write_text(json.dumps(manifest))


def lose_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).unlink()


def tear_manifest(folder: Path) -> None:
    path = folder / MANIFEST_FILE
    path.write_bytes(path.read_bytes()[:100])


def lose_net(folder: Path) -> None:
    (folder / "full.tflite").unlink()


def swap_net(folder: Path) -> None:
    path = folder / "full.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def lose_features(folder: Path) -> None:
    (folder / FEATURES_FILE).unlink()


def other_shapes(folder: Path) -> None:
    features = unfitted(SMALL, *(np.random.default_rng(0).normal(size=(2, 60, 288)).astype(np.float32))).to_bytes()
    (folder / FEATURES_FILE).write_bytes(features)
    rewrite(folder, features_sha256=hashlib.sha256(features).hexdigest())


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no manifest": (lose_manifest, "cannot be read"),
    "torn manifest": (tear_manifest, "is not a manifest"),
    "newer format": (lambda f: rewrite(f, format=FORMAT + 1, surprise=1), "newer version"),
    "unknown field": (lambda f: rewrite(f, surprise=1), "surprise"),
    "no variants": (lambda f: rewrite(f, variants=[]), "has no variants"),
    "no net": (lose_net, "cannot be read"),
    "another net": (swap_net, "SHA-256"),
    "no features": (lose_features, "cannot be read"),
    "features of other shapes": (other_shapes, "do not fit"),
    "truncated net": (lambda f: with_net(f, LINEAR[:5_000]), "does not run"),
    "no TFLite": (lambda f: with_net(f, b"this is a text" * 50), "does not run"),
    "empty net": (lambda f: with_net(f, b""), "does not run"),
    "other inputs": (lambda f: with_net(f, linear_net(FeatureSpec(tokens=7), {})), "other inputs"),
    "fewer globals": (lambda f: with_net(f, linear_net(FeatureSpec(), {}, globals_count=9)), "other inputs"),
    "other outputs": (lambda f: with_net(f, linear_net(FeatureSpec(), {}, ("right", "intent"))), "are needed"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_clear_error(bundle: Path, fault: str) -> None:
    spoil, says = FAULTS[fault]
    spoil(bundle)
    with pytest.raises(ModelError, match=says) as raised:
        open_bundle(bundle)
    assert raised.value.where
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"no manifest"}))
def test_a_broken_bundle_is_one_warning_and_the_next_one_is_taken(
    tmp_path: Path, bundle: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = write_bundle(tmp_path / "own", LINEAR, context_hash=CONTEXT_HASH)
    FAULTS[fault][0](own)
    with caplog.at_level(logging.WARNING):
        found = choose((bundle, own), WANTED)
    assert found is not None
    assert found.name == "generic/full"
    assert len(caplog.records) == 1
    assert "goes on without it" in caplog.text


def test_a_contexts_own_bundle_comes_before_a_generic_one(tmp_path: Path, bundle: Path) -> None:
    own = write_bundle(tmp_path / "own", LINEAR, context_hash=CONTEXT_HASH)
    for folders in ((bundle, own), (own, bundle)):
        found = choose(folders, WANTED)
        assert found is not None
        assert found.name == "own/full"


def test_a_home_of_other_devices_takes_the_bundle_that_was_made_for_its_sentences(tmp_path: Path, bundle: Path) -> None:
    family = write_bundle(tmp_path / "home", LINEAR, context_hash="another home", family="sentences")
    own = write_bundle(tmp_path / "own", LINEAR, context_hash=CONTEXT_HASH, family="sentences")
    for folders, wanted, name in (
        ((bundle, family), replace(WANTED, family="sentences"), "home/full"),
        ((bundle, family, own), replace(WANTED, family="sentences"), "own/full"),
        ((bundle, family), replace(WANTED, family="others"), "generic/full"),
        ((bundle, family), WANTED, "generic/full"),
    ):
        found = choose(folders, wanted)
        assert found is not None
        assert found.name == name


def test_a_named_bundle_for_another_context_gives_way_to_the_generic_one(
    tmp_path: Path, bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = write_bundle(tmp_path / "other", LINEAR, context_hash="another")
    found = choose((other, bundle), WANTED, "other")
    assert found is not None
    assert found.name == "generic/full"
    assert "another context" in caplog.text


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(CONTEXT_HASH, "ko", WANTED.recognizer),
        Wanted(CONTEXT_HASH, "en", "vosk/small-en"),
    ],
)
def test_another_language_or_recogniser_has_no_bundle_and_no_warning(
    bundle: Path, wanted: Wanted, caplog: pytest.LogCaptureFixture
) -> None:
    assert choose((bundle,), wanted) is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("choice", "name", "says"),
    [
        ("on", "generic/full", ""),
        ("full", "generic/full", ""),
        ("generic", "generic/full", ""),
        ("generic/full", "generic/full", ""),
        ("off", None, ""),
        ("tiny", None, "no variant 'tiny'"),
        ("elsewhere", None, "no bundle fits 'elsewhere'"),
    ],
)
def test_what_is_asked_for_is_taken_or_missed_aloud(
    bundle: Path, choice: str, name: str | None, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = choose((bundle,), WANTED, choice)
    assert (found.name if found else None) == name
    assert bool(caplog.records) == bool(says)
    assert says in caplog.text


def test_a_bundle_of_the_user_hides_one_that_ships_under_the_same_name(tmp_path: Path) -> None:
    mine, shipped = (write_bundle(tmp_path / root / "generic", LINEAR) for root in ("mine", "shipped"))
    home = write_bundle(tmp_path / "shipped" / "home", LINEAR)
    assert list(bundle_folders((mine.parent, shipped.parent))) == [mine, home]


def test_without_a_runtime_it_says_what_to_install() -> None:
    with pytest.raises(PluginError, match=r"assistant-voice\[tflite\]"):
        find_runtime((("no_such_package.interpreter", "Interpreter"),))


def test_a_manifest_and_the_features_come_back_as_they_were_written(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    data = write_manifest(manifest)
    (bundle / MANIFEST_FILE).write_bytes(data)
    assert read_manifest(bundle) == manifest
    assert write_manifest(read_manifest(bundle)) == data
    projection = read_projection(bundle / FEATURES_FILE, manifest.features)
    assert projection.to_bytes() == (bundle / FEATURES_FILE).read_bytes()


def test_a_look_ranks_again_and_notes_its_time_and_its_numbers(bundle: Path, order: Heard) -> None:
    opened = open_bundle(bundle)
    seen = opened.look(*order)
    assert seen.fused == "generic/full"
    assert seen.fusion == Fusion(weight=2.0)
    assert seen.timings_ms["fused"] > 0
    assert all(h.agreement is not None for h in seen.hypotheses)
    assert {h.text for h in seen.hypotheses} == {h.text for h in order[1].hypotheses}
    again = opened.look(*order)
    assert [(h.text, h.rerank) for h in again.hypotheses] == [(h.text, h.rerank) for h in seen.hypotheses]


def test_states_that_are_no_numbers_are_an_error_and_no_answer(bundle: Path, order: Heard) -> None:
    utterance, transcript = order
    assert transcript.states is not None
    broken = replace(transcript, states=np.full_like(transcript.states, np.nan))
    with pytest.raises(ModelError, match="not a number"):
        open_bundle(bundle).look(utterance, broken)


def test_a_manifest_that_is_gone_leaves_no_trace_of_the_bundle(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = list(bundle_folders((bundle.parent,)))
    shutil.rmtree(bundle)
    assert choose(folders, WANTED) is None
    assert "cannot be read" in caplog.text
