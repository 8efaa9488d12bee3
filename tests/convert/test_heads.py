"""The net for sound alone: its takes, its labels, a small one from training to the device, its place in a bundle."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from assistant.grammar.load import load_context
from assistant.grammar.match import matcher_of
from assistant.grammar.tree import Context
from assistant.types import Fusion, Gate
from assistant.understand.fused.bundle import open_bundle
from assistant.understand.fused.heads import BASIS_ARRAYS, heads_of, labels_of, open_heads
from assistant.understand.fused.manifest import Head, SoundNet, read_manifest
from assistant.understand.fused.projection import FeatureSpec, Projection, shapes
from benchmarks.fused_clips import FOREIGN as STRANGER
from benchmarks.fused_clips import ORDERS
from convert import heads_train as t
from convert.bundle import Candidate, Origin, add_sound, write_bundle
from convert.files import archive
from convert.heads import Answered, SoundMade, answers, calibrated, exported, figures_of
from convert.heads_data import HEARINGS, Listened, encodings, packed, read_listened, sound_takes
from convert.heads_judge import Recorded
from convert.heads_model import SoundShape
from convert.quantize import runner
from convert.synthesize import ALIEN, CUT, FOREIGN, FULL, Company, Line, Take, balanced
from convert.voices import RECORDED
from tests.understand.fused.linear_net import linear_net

AUDIO_DIM = 288
FRAMES_A_WORD = 6
COMPANY = Company({"train": [], "valid": []}, ["turn the radio off please", "what is the weather today"], RECORDED)


@pytest.fixture(scope="module")
def barista() -> Context:
    return load_context("barista")


@pytest.fixture(scope="module")
def heads(barista: Context) -> dict[str, Head]:
    found = labels_of(barista)
    assert found is not None
    return found


def said(context: Context, count: int, seed: int) -> list[Listened]:
    """Sentences whose states are a pattern for each word, with some noise."""
    rng = np.random.default_rng(seed)
    patterns: dict[str, Any] = {}
    found = []
    for i, sentence in enumerate(balanced(context, count, seed)):
        words = sentence.text.split()
        for word in words:
            patterns.setdefault(word, np.random.default_rng([9, *word.encode()]).normal(size=AUDIO_DIM))
        states = np.repeat([patterns[word] for word in words], FRAMES_A_WORD, axis=0)
        states = states + 0.1 * rng.normal(size=states.shape)
        take = Take(
            key=f"{i}",
            kind=FULL,
            grammar=context.name,
            grammar_text="",
            said=sentence.text,
            intent=sentence.intent,
            slots=dict(sentence.slots),
            line=Line(sentence.text),
            other=None,
            cut_at=1.0,
            split="valid" if i % 5 == 0 else "train",
        )
        found.append(Listened(take, "coloured", 10.0, states.astype(np.float16)))
    return found


@pytest.fixture(scope="module")
def made(barista: Context, heads: dict[str, Head]) -> tuple[t.SoundRows, t.SoundTrained, Any]:
    """A small net that learnt the patterns."""
    listened = said(barista, 240, 1)
    basis = t.fit(listened, 0)
    rows = t.rows_of(listened, heads, barista.name, basis)
    schedule = t.SoundSchedule(epochs=12, batch=16, rate=5e-3, averaged=0.9)
    trained = t.train(rows, heads, SoundShape(48, (1, 2), 32), schedule, 1, lambda *_: None)
    return rows, trained, basis


def test_takes_are_drawn_alike_and_cover_every_value(barista: Context, heads: dict[str, Head]) -> None:
    takes = sound_takes(barista, COMPANY, 300, 4)
    assert takes == sound_takes(barista, COMPANY, 300, 4)
    assert {take.kind for take in takes} == {FULL, CUT, FOREIGN, ALIEN}
    for head in heads.values():
        if head.slot:
            values = {str(take.slots.get(head.slot, "")) for take in takes if take.kind == FULL}
            assert values >= set(head.labels) - {""}
    heard = [take for take in takes if take.kind == FULL]
    assert len(heard) == HEARINGS * len({take.line.text for take in heard})
    assert len({task.name for task in encodings(takes)}) == len(encodings(takes))


def test_a_broken_off_sentence_is_surely_none(barista: Context) -> None:
    matcher = matcher_of(barista)
    cut = [take for take in sound_takes(barista, COMPANY, 400, 4) if take.kind == CUT]
    assert cut
    for take in cut:
        begun = take.line.text[: int(take.cut_at * len(take.line.text))].split()
        assert not any(matcher.match(" ".join(begun[:n])) for n in range(1, len(begun) + 1))


def test_what_was_encoded_is_read_again(barista: Context, tmp_path: Path) -> None:
    listened = said(barista, 4, 1)
    (tmp_path / "shard.npz").write_bytes(packed(listened))
    again = list(read_listened(tmp_path / "shard.npz"))
    assert [one.take for one in again] == [one.take for one in listened]
    assert all(np.array_equal(a.states, b.states) for a, b in zip(again, listened, strict=True))


def test_only_whole_sentences_of_the_context_have_its_labels(barista: Context, heads: dict[str, Head]) -> None:
    whole = said(barista, 6, 1)[5]
    kinds = [
        whole,
        replace(whole, take=replace(whole.take, kind=CUT)),
        replace(whole, take=replace(whole.take, kind=FOREIGN)),
        replace(whole, take=replace(whole.take, grammar="another")),
    ]
    rows = t.rows_of(kinds, heads, barista.name, t.fit(said(barista, 40, 1), 0))
    named = {name: i for i, name in enumerate(heads)}
    assert [heads["intent"].labels[i] for i in rows.labels[:, named["intent"]]] == ["orderDrink", "", "", ""]
    assert (rows.labels[1:] == 0).all()
    slots = [i for name, i in named.items() if name != "intent"]
    assert (rows.weights[1, slots] == 0).all()  # who knows what is missing
    assert rows.words[0].sum() >= len(whole.take.slots)


def test_disturbed_frames_keep_their_shape() -> None:
    rng = np.random.default_rng(2)
    frames = rng.normal(size=(50, 96)).astype(np.float32)
    for _ in range(20):
        found = t.disturbed(frames, rng)
        assert found.dtype == np.float32
        assert 44 <= len(found) <= 56
        assert np.isfinite(found).all()


def test_training_learns_what_can_be_heard(made: tuple[t.SoundRows, t.SoundTrained, Any]) -> None:
    _, trained, _ = made
    assert trained.history[-1]["loss"] < 0.5 * trained.history[0]["loss"]


def test_the_same_seed_makes_the_same_file(heads: dict[str, Head], barista: Context) -> None:
    listened = said(barista, 60, 2)
    rows = t.rows_of(listened, heads, barista.name, t.fit(listened, 0))
    schedule = t.SoundSchedule(epochs=1, batch=16)
    files = {
        exported(t.train(rows, heads, SoundShape(8, (1,), 8), schedule, 3, lambda *_: None), rows, heads, 0)[0]
        for _ in range(2)
    }
    assert len(files) == 1


def test_the_device_understands_with_the_int8_net(
    made: tuple[t.SoundRows, t.SoundTrained, Any], heads: dict[str, Head], barista: Context
) -> None:
    rows, trained, basis = made
    data, _, _ = exported(trained, rows, heads, 0)
    net = calibrated(sound_net(data), heads, basis, data, barista, recordings(said(barista, 60, 1)))
    assert 0 < net.gate.ask <= net.gate.accept <= 1
    found = answers(
        heads_of(net, heads, basis, runner(data), barista, Path("sound.tflite")), recordings(said(barista, 60, 1))
    )
    assert np.mean([one.strict for one in found]) > 0.3  # by chance it would be one in thousands


def recordings(listened: list[Listened]) -> list[Recorded]:
    """As if somebody had recorded and labelled them."""
    return [
        Recorded(one.take.key, ORDERS, "clean", i % 2 == 0, one.take.intent, one.take.slots, one.states)
        for i, one in enumerate(listened)
    ]


def sound_net(data: bytes) -> SoundNet:
    """What the manifest says of a net before it is calibrated."""
    return SoundNet(
        file="sound.tflite",
        sha256="0" * 64,
        bytes=len(data),
        basis_file="sound.npz",
        basis_sha256="0" * 64,
        frames=t.FRAMES,
        pool=t.POOL,
        audio_dim=AUDIO_DIM,
        state_dim=t.STATE_DIM,
        precision="int8",
        parameters=1,
        gate=Gate(1.0, 1.0),
    )


def test_figures_are_of_the_half_that_nothing_was_fitted_on() -> None:
    rng = random.Random(1)
    found = [
        Answered(ORDERS if i % 3 else STRANGER, "clean", i % 2 == 0, bool(i % 3), -0.1 if i % 3 else -4 - rng.random())
        for i in range(60)
    ]
    figures = figures_of(found, Gate(accept=0.5, ask=0.1))
    assert figures["groups"]["clean"] == {"n": 20, "strict": 20, "answered": 20, "answered_right": 20, "asked": 0}
    assert figures["groups"]["foreign: clean"] == {"n": 10, "strict": 0, "answered": 0, "answered_right": 0, "asked": 0}
    assert figures["auc"] == 1.0


def test_it_goes_into_a_bundle_whose_other_nets_stay(
    tmp_path: Path, made: tuple[t.SoundRows, t.SoundTrained, Any], heads: dict[str, Head], barista: Context
) -> None:
    rows, trained, basis = made
    spec = FeatureSpec()
    rng = np.random.default_rng(1)
    projection = Projection(spec, **{n: rng.random(s).astype(np.float32) for n, s in shapes(spec).items()})
    candidate = Candidate("full", linear_net(spec, {}), "float32", 1, 1, Fusion())
    origin = Origin("barista", barista, "assistant-convert build", {"seed": 0}, {"full": 1})
    folder = tmp_path / "barista"
    write_bundle(folder, origin, projection, [candidate], 1.0)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    data, _, _ = exported(trained, rows, heads, 0)
    basis_data = archive({name: getattr(basis, name) for name in BASIS_ARRAYS})
    net = msgspec.structs.replace(
        sound_net(data),
        sha256=hashlib.sha256(data).hexdigest(),
        basis_sha256=hashlib.sha256(basis_data).hexdigest(),
    )
    add_sound(folder, SoundMade(net, heads, data, basis_data, (), {}))
    add_sound(folder, SoundMade(net, heads, data, basis_data, (), {}))  # a new one takes the place of the old
    assert (folder / "full.tflite").read_bytes() == before["full.tflite"]
    assert (folder / "features.npz").read_bytes() == before["features.npz"]
    assert (folder / "CARD.md").read_text().count("From sound alone") == 1
    assert "SVOX Pico" in " ".join(read_manifest(folder).licences.values())
    open_bundle(folder)
    open_heads(folder, read_manifest(folder), barista)
