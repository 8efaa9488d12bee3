"""Understanding from sound alone: what the grammar can say, how sure, and what is wrong with a bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.act.skills import built_in
from assistant.errors import ModelError
from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.tree import Context
from assistant.recognize.moonshine.engine import Moonshine
from assistant.testing import HeldClock
from assistant.trace.explain import explain
from assistant.trace.record import decode, encode
from assistant.trace.replay import replay
from assistant.trace.writing import record_of
from assistant.types import SOUND_ONLY, Gate, Outcome, Reply, Transcript, Utterance
from assistant.understand.fused.bundle import open_bundle
from assistant.understand.fused.heads import (
    BASIS_ARRAYS,
    Basis,
    combinations,
    find_heads,
    labels_of,
    open_heads,
    read_basis,
)
from assistant.understand.fused.manifest import MANIFEST_FILE, SoundNet, read_manifest
from assistant.understander import Understander
from tests.understand.fused.conftest import LINEAR, Heard
from tests.understand.fused.linear_net import fixed_net, write_bundle

FRAMES, STATE_DIM, AUDIO_DIM = 16, 4, 288
GATE = Gate(accept=0.9, ask=0.4)
LATTE = {"intent": "orderDrink", "size": "large", "coffeeDrink": "latte"}


def logits(context: Context, said: Mapping[str, str], by: float = 8.0) -> dict[str, NDArray[np.float32]]:
    """Logits of every head: `by` for what is said, and for "" where nothing is."""
    heads = labels_of(context)
    assert heads is not None
    found = {}
    for name, head in heads.items():
        wanted = said.get(head.slot or name, "")
        found[name] = np.array([by * (label == wanted) for label in head.labels], np.float32)
    return found


def sound_bundle(
    folder: Path, context: Context, outputs: Mapping[str, NDArray[np.float32]], gate: Gate = GATE, **changes: Any
) -> Path:
    """A bundle for `context` whose net for sound alone always answers `outputs`."""
    net = fixed_net((1, FRAMES, STATE_DIM + 1), outputs)
    rng = np.random.default_rng(0)
    arrays = (np.zeros(AUDIO_DIM), rng.normal(size=(AUDIO_DIM, STATE_DIM)), np.zeros(STATE_DIM), np.ones(STATE_DIM))
    basis = folder.parent / "basis.npz"
    folder.parent.mkdir(parents=True, exist_ok=True)
    np.savez(basis, **dict[str, Any](zip(BASIS_ARRAYS, (a.astype(np.float32) for a in arrays), strict=True)))
    sound: dict[str, Any] = {
        "file": "sound.tflite",
        "sha256": hashlib.sha256(net).hexdigest(),
        "bytes": len(net),
        "basis_file": "sound.npz",
        "basis_sha256": hashlib.sha256(basis.read_bytes()).hexdigest(),
        "frames": FRAMES,
        "pool": 2,
        "audio_dim": AUDIO_DIM,
        "state_dim": STATE_DIM,
        "precision": "float32",
        "parameters": 0,
        "gate": gate,
    }
    made = SoundNet(**(sound | changes))
    write_bundle(folder, LINEAR, context_hash=context.hash, sound=made, heads=labels_of(context))
    (folder / "sound.tflite").write_bytes(net)
    basis.replace(folder / "sound.npz")
    return folder


@pytest.fixture
def understander(moonshine: Moonshine, barista: Context, clock: HeldClock, tmp_path: Path) -> Understander:
    """One that hears a large latte in every sound."""
    folder = sound_bundle(tmp_path / "barista", barista, logits(barista, LATTE))
    return Understander(
        moonshine,
        moonshine.prepare(barista),
        built_in(clock),
        clock,
        find_heads=lambda context: find_heads([folder], context, "moonshine/tiny-en/beam8"),
    )


def answered(folder: Path, context: Context) -> Transcript:
    """What the net of `folder` makes of some states."""
    states = np.ones((9, AUDIO_DIM), np.float32)
    heads = open_heads(folder, read_manifest(folder), context)
    return heads.answer(Transcript((), "", "moonshine", SOUND_ONLY, states))


def test_an_order_is_understood_without_decoding(understander: Understander, order: Heard) -> None:
    assert understander.can_answer_from_sound(understander.context)
    transcript = understander.recognize_sound(order[0])
    understanding = understander.understand(transcript, understander.context, 10.0)
    assert understanding.outcome is Outcome.ACCEPT
    assert understanding.variant == SOUND_ONLY
    assert understanding.slots == {"size": "large", "coffeeDrink": "latte"}
    assert understanding.partial  # what cannot be undone is asked about
    assert "search" not in transcript.timings_ms


def test_the_sentence_says_what_was_understood(understander: Understander, order: Heard) -> None:
    transcript = understander.recognize_sound(order[0])
    for h in transcript.hypotheses:
        assert any(dict(m.slots) == dict(h.slots) for m in match(understander.context, h.text))


def test_a_decision_from_sound_alone_replays_from_its_record(understander: Understander, order: Heard) -> None:
    transcript = understander.recognize_sound(order[0])
    understanding = understander.understand(transcript, understander.context, 10.0)
    decision = understander.decision(
        order[0], transcript, understander.context, understanding, understanding, Reply("")
    )
    record = decode(encode(record_of(decision, "1")))
    assert record.thresholds.gate == GATE
    assert replay(record) == ()
    told = " ".join(line for section in explain(record) for line in section.sentences)
    assert "from the sound alone" in told


def test_silence_is_refused(understander: Understander, order: Heard) -> None:
    silent: Utterance = replace(order[0], speech_start_s=0.0, speech_end_s=0.0)
    transcript = understander.recognize_sound(silent)
    assert understander.understand(transcript, understander.context, 1.0).outcome is Outcome.REFUSE


def test_only_what_the_grammar_can_say_is_offered(barista: Context, tmp_path: Path) -> None:
    said = logits(barista, {"intent": "orderDrink", "size": "large"})
    drink = next(name for name, head in (labels_of(barista) or {}).items() if head.slot == "coffeeDrink")
    said[drink][1:3] = 5.0, 3.0  # most of all no drink, which no sentence says
    transcript = answered(sound_bundle(tmp_path / "barista", barista, said), barista)
    assert [h.slots["coffeeDrink"] for h in transcript.hypotheses[:2]] == ["americano", "cappuccino"]
    assert transcript.hypotheses[0].score > transcript.hypotheses[1].score


@pytest.mark.parametrize(
    ("by", "outcome"), [(9.0, Outcome.ACCEPT), (5.0, Outcome.ASK), (0.5, Outcome.REFUSE)], ids=["sure", "rather", "not"]
)
def test_the_gate_decides_by_the_confidence(
    barista: Context, tmp_path: Path, understander: Understander, by: float, outcome: Outcome
) -> None:
    transcript = answered(sound_bundle(tmp_path / "other" / "barista", barista, logits(barista, LATTE, by)), barista)
    understanding = understander.understand(transcript, barista, 1.0)
    assert understanding.outcome is outcome
    assert (understanding.question != "") is (outcome is Outcome.ASK)


def test_nothing_of_the_context_gives_no_confident_meaning(barista: Context, tmp_path: Path) -> None:
    transcript = answered(sound_bundle(tmp_path / "barista", barista, logits(barista, {})), barista)
    assert all(h.intent == "orderDrink" for h in transcript.hypotheses)
    assert all(h.score < -5 for h in transcript.hypotheses)


def test_combinations_come_likeliest_first_and_each_once() -> None:
    rng = np.random.default_rng(4)
    log_p = {name: np.log(rng.dirichlet(np.ones(size))).astype(np.float32) for name, size in (("a", 3), ("b", 4))}
    found = list(combinations(log_p))
    assert len({tuple(chosen.values()) for _, chosen in found}) == len(found) == 12
    scores = [score for score, _ in found]
    assert scores == sorted(scores, reverse=True)


def test_a_context_with_free_words_or_long_lists_has_no_heads(barista: Context) -> None:
    assert labels_of(load_context("home")) is None
    heads = labels_of(barista)
    assert heads is not None
    assert {head.slot for head in heads.values()} == {
        "", "size", "roast", "numberOfShots", "coffeeDrink", "milkAmount", "sugarAmount",
    }  # fmt: skip
    assert all(head.labels[0] == "" for head in heads.values())


def test_long_speech_is_read_in_longer_frames() -> None:
    basis = Basis(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), np.zeros(2, np.float32), np.ones(2, np.float32))
    states = np.linspace(0, 1, 200, dtype=np.float32).repeat(2).reshape(200, 2)
    short, long = basis.frames(states[:20], 16, 2), basis.frames(states, 16, 2)
    assert short[:, -1].sum() == 10
    assert np.allclose(short[0, :2], states[:2].mean(axis=0))
    assert long[:, -1].sum() == 16
    assert long[15, 0] > 0.9  # the end is seen, too


def test_without_such_a_net_it_says_what_to_do(moonshine: Moonshine, barista: Context, clock: HeldClock) -> None:
    understander = Understander(moonshine, moonshine.prepare(barista), built_in(clock), clock)
    assert not understander.can_answer_from_sound(barista)
    with pytest.raises(ModelError, match="assistant-convert build --context barista"):
        understander.check_sound()


def _shorter(folder: Path) -> None:
    (folder / "sound.tflite").write_bytes((folder / "sound.tflite").read_bytes()[:100])


def _gone(folder: Path) -> None:
    (folder / "sound.npz").unlink()


def _other_frames(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["sound"]["frames"] = 99
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def _other_labels(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["heads"]["intent"]["labels"].append("more")
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


@pytest.mark.parametrize("spoil", [_shorter, _gone, _other_frames, _other_labels])
def test_what_is_wrong_with_it_is_one_warning(
    barista: Context, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    folder = sound_bundle(tmp_path / "barista", barista, logits(barista, LATTE))
    spoil(folder)
    assert find_heads([folder], barista, "moonshine/tiny-en/beam8") is None
    assert len(caplog.records) == 1
    assert open_bundle(folder).name == "barista/full"  # what compares meanings is not concerned


def test_a_net_of_another_context_or_recogniser_is_not_taken(barista: Context, tmp_path: Path) -> None:
    folder = sound_bundle(tmp_path / "barista", barista, logits(barista, LATTE))
    assert find_heads([folder], load_context("home"), "moonshine/tiny-en/beam8") is None
    assert find_heads([folder], barista, "vosk/small-en") is None


def test_a_basis_of_another_shape_is_refused(barista: Context, tmp_path: Path) -> None:
    folder = sound_bundle(tmp_path / "barista", barista, logits(barista, LATTE), state_dim=STATE_DIM)
    net = read_manifest(folder).sound
    assert net is not None
    path = folder / "sound.npz"
    np.savez(path, **dict[str, Any]({name: np.zeros((3, 3), np.float32) for name in BASIS_ARRAYS}))
    with pytest.raises(ModelError, match="another shape"):
        read_basis(path, net)
