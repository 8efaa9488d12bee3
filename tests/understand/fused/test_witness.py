"""A second witness: what the net for sound alone says of the meanings that were found, and how that counts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.types import Agreement, Fusion, Gate, Hypothesis, Transcript
from assistant.understand.fused import fuse
from assistant.understand.fused.heads import Basis
from assistant.understand.fused.manifest import Head, SoundNet
from assistant.understand.fused.witness import LEAST, Witness

NET = SoundNet(
    file="sound.tflite",
    sha256="0" * 64,
    bytes=1,
    basis_file="sound.npz",
    basis_sha256="0" * 64,
    frames=4,
    pool=1,
    audio_dim=2,
    state_dim=2,
    precision="int8",
    parameters=1,
    gate=Gate(0.9, 0.5),
)
HEADS = {"intent": Head(labels=("", "order")), "slot_0": Head(labels=("", "tea", "mocha"), slot="drink")}


def witness(**logits: list[float]) -> Witness:
    """One that hears `logits` whatever is played."""
    ones = np.ones(2, np.float32)
    basis = Basis(0 * ones, np.eye(2, dtype=np.float32), 0 * ones, ones)
    labels = {name: {label: i for i, label in enumerate(head.labels)} for name, head in HEADS.items()}
    return Witness(NET, HEADS, labels, basis, lambda **_: {k: np.array([v]) for k, v in logits.items()}, Path("net"))


def meaning(drink: str | None, score: float = 0.0, intent: str = "order") -> Hypothesis:
    slots = {} if drink is None else {"drink": drink}
    log_p = np.array([-0.1, -0.2], np.float32)
    return Hypothesis(intent, slots, str(drink), score, score, np.arange(2, dtype=np.int32), log_p, log_p)


STATES = np.zeros((4, 2), np.float32)


def test_a_meaning_is_as_likely_as_its_parts_together() -> None:
    heard = witness(intent=[0.0, 0.0], slot_0=[0.0, math.log(3), 0.0])

    [tea, mocha, nothing] = heard.of(STATES, [meaning("tea"), meaning("mocha"), meaning(None)])

    assert tea == pytest.approx((math.log(0.5) + math.log(3 / 5), 0.0), abs=1e-4)
    assert mocha == pytest.approx((math.log(0.5) + math.log(1 / 5), -math.log(3)), abs=1e-4)
    assert nothing == pytest.approx(mocha, abs=1e-4)


def test_a_value_that_the_net_does_not_know_is_as_unlikely_as_can_be() -> None:
    [(sound, faintest)] = witness(intent=[-9, 9], slot_0=[0, 0, 0]).of(STATES, [meaning("water")])

    assert sound == pytest.approx(LEAST, abs=1e-3)
    assert faintest < -10


def transcript() -> Transcript:
    return Transcript((meaning("tea", -1.0), meaning("mocha", -2.0), meaning("latte", -9.0)), "tea", "test", "")


def test_the_witness_moves_a_meaning_to_the_front() -> None:
    fusion = Fusion(sound_weight=0.5)

    fused = fuse.fuse(transcript(), [0.0, 0.0], [0.0, 0.0], fusion, "net", [(-6.0, -5.0), (-1.0, 0.0)])

    assert fused.text == "mocha"
    assert fused.hypotheses[0].agreement == Agreement(0.0, 0.0, -2.0, -1.0, 0.0)
    assert fused.hypotheses[0].rerank == pytest.approx(-2.5)
    agreed, against = fuse.compared(fused.hypotheses[0], fused.hypotheses[1], fusion)
    assert agreed + against == pytest.approx(1.0)
    assert agreed > 0.9


def test_what_the_witness_was_not_asked_about_counts_as_the_least_of_what_it_was() -> None:
    fused = fuse.fuse(transcript(), [0.0, 0.0], [0.0, 0.0], Fusion(), "net", [(-6.0, -1.0), (-1.0, -2.0)])

    last = fused.hypotheses[-1].agreement
    assert last is not None
    assert (last.sound, last.faintest) == (-6.0, -2.0)


@given(st.floats(-40, 0), st.floats(0, 2))
def test_however_unlikely_a_meaning_is_it_loses_so_much_and_no_more(sound: float, weight: float) -> None:
    lost = fuse.added(Agreement(0.0, 0.0, 0.0, sound, sound), Fusion(sound_weight=weight))

    assert weight * fuse.SOUND_FLOOR <= lost <= 0


def test_without_a_witness_nothing_is_added_and_its_values_are_zero() -> None:
    fused = fuse.fuse(transcript(), [0.0], [0.0], Fusion(sound_weight=0.5), "net")

    assert fused.text == "tea"
    of = fuse.values(fused.hypotheses[0], fused.hypotheses[1:])
    assert (of["sound"], of["faintest"]) == (0.0, 0.0)


def test_a_witness_is_asked_only_where_it_counts() -> None:
    assert not fuse.asks_sound(Fusion(weight=1.0, confidence={"right": 1.0}))
    assert fuse.asks_sound(Fusion(sound_weight=0.1))
    assert fuse.asks_sound(Fusion(confidence={"faintest": 0.2}))
