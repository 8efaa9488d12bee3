"""What is hidden from a net is hidden, everything else stays; a shorter list is as if the recogniser had found less."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.types import Hypothesis, Transcript
from assistant.understand.fused.projection import FeatureSpec
from convert.ablations import SCORES, SOUND, WORDS, arms_of, cut, hide
from convert.dataset import Inputs, Rows
from convert.examples import Example, Seen
from convert.model import Regularisation, Shape, build, tensorflow
from convert.train import Schedule, train

SPEC = FeatureSpec()


@pytest.mark.parametrize("part", [SOUND, WORDS, SCORES])
def test_what_is_hidden_is_at_its_mean_and_the_rest_and_the_masks_stay(rows: Rows, part: str) -> None:
    shown = hide(rows.inputs, SPEC, [part])

    assert (shown.tokens[..., -1] == 1).all()
    assert (shown.frames[..., -1] == 1).all()
    assert not {SOUND: shown.tokens[..., :96], WORDS: shown.tokens[..., 96:160], SCORES: shown.globals}[part].any()
    assert (shown.globals == rows.globals).all() == (part != SCORES)


def test_hiding_leaves_the_original_as_it_was(rows: Rows) -> None:
    before = rows.tokens.copy()

    hide(rows.inputs, SPEC, [SOUND, WORDS, SCORES])

    assert (rows.tokens == before).all()


def test_all_that_is_hidden_at_once_is_all_there_is(rows: Rows) -> None:
    shown = hide(rows.inputs, SPEC, [SOUND, WORDS, SCORES])

    assert not shown.tokens[..., :-1].any()
    assert not shown.globals.any()


def test_arms_that_leave_data_out_keep_what_they_say(rows: Rows) -> None:
    noisy = rows.snr_db.copy()
    noisy[::4] = np.nan
    kept = {arm.name: arm.kept(_with(rows, noisy)) for arm in arms_of("made") if arm.kept is not None}

    assert np.isnan(noisy[kept["trained without noise"]]).all()
    assert not kept["generic: trained without the context"].any()
    assert (rows.right[kept["trained without the recogniser's mistakes"]] == 1).all()
    few = kept["as few rows, in noise and without"]
    assert len(np.unique(rows.utterance[few])) == len(np.unique(rows.utterance[np.isnan(noisy)]))


def test_stripes_are_hidden_while_training_and_nothing_is_when_the_net_is_used(rows: Rows) -> None:
    tf, _ = tensorflow()
    tf.keras.utils.set_random_seed(0)
    stripes = Regularisation(noise=0.0, dropout=0.0, deaf=0.0, blind=0.0, masked=(6, 12))
    net = build(SPEC, regular=stripes)
    masked = tf.keras.Model(net.input, net.get_layer("frames_masked").output)
    frames = np.ones_like(rows.frames[:8], np.float32)

    seen = np.asarray(masked([rows.tokens[:8], frames, rows.globals[:8]], training=True))[:, :, 0]

    hidden = seen == 0
    assert set(np.unique(seen)) == {0.0, 1.0}
    assert hidden.all(axis=2).sum(axis=1).max() <= 12
    assert hidden.all(axis=1).sum(axis=1).max() <= 24
    assert len(np.unique(hidden, axis=0)) == 8, "each row in its own way"
    assert "frames_masked" not in {layer.name for layer in build(SPEC).layers}


def test_a_normalised_net_is_judged_by_what_its_layers_have_seen(rows: Rows) -> None:
    shape = Shape(8, 8, 8, 1, normalised=True)

    done = train(rows, SPEC, shape, Schedule(epochs=2, averaged=0.5), 0, lambda *_: None)

    net = build(SPEC, shape)
    net.set_weights(done.weights)
    layer = net.get_layer("frame_near_norm")
    assert np.abs(layer.moving_mean.numpy()).max() > 0
    assert np.isfinite(done.history[-1]["valid_loss"])


def test_a_list_cut_short_has_the_rows_of_what_is_left() -> None:
    seen = Seen((_example(3), _example(1), _example(2)), _inputs(6), (0, 3, 4, 6))

    short, rows = cut(seen, 2)

    assert rows.tolist() == [0, 1, 3, 4, 5]
    assert short.first == (0, 2, 3, 5)
    assert [len(e.transcript.hypotheses) for e in short.examples] == [2, 1, 2]
    assert [len(e.strict) for e in short.examples] == [2, 1, 2]
    assert short.inputs.globals[:, 0].tolist() == [0, 1, 3, 4, 5]


def _with(rows: Rows, snr_db: NDArray[np.float32]) -> Rows:
    chosen = rows.chosen(np.arange(len(rows)))
    chosen.snr_db[:] = snr_db
    return chosen


def _example(count: int) -> Example:
    none = np.zeros(1, np.float32)
    h = Hypothesis("order", {}, "tea", 0.0, 0.0, np.zeros(1, np.int32), none, none)
    flags = (True,) + (False,) * (count - 1)
    return Example(Transcript((h,) * count, "tea", "test", ""), "orders", "clean", False, flags, flags, flags)


def _inputs(count: int) -> Inputs:
    numbers = np.arange(count, dtype=np.float16)[:, None] * np.ones((1, SPEC.globals), np.float16)
    tokens = np.zeros((count, SPEC.tokens, SPEC.token_width), np.float16)
    return Inputs(tokens, np.zeros((count, SPEC.frames, SPEC.frame_width), np.float16), numbers)
