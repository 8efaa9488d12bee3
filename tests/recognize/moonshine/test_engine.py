"""Moonshine as an engine: meanings out of speech, conforming to the protocol, stopping when told."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import AssistantError, ModelError, StorageError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context, ListRef, Sequence, Template, Text, Wildcard
from assistant.recognize.engine import Adjustable, Resting
from assistant.recognize.moonshine import create, model
from assistant.recognize.moonshine.engine import Moonshine, MoonshineSession, voiced_stretch
from assistant.recognize.moonshine.grammar import MoonshineGrammar
from assistant.recognize.moonshine.model import FRAME_S, prepare_model
from assistant.recognize.text import TextRecognizer
from assistant.testing import check_recognizer
from assistant.types import SAMPLE_RATE_HZ, Effort, Utterance, frozen_array
from tests.grammar.written_out import context_with
from tests.recognize.moonshine.conftest import ORDER

Speech = Callable[[str], Utterance]


def quiet(seconds: float, speech_s: tuple[float, float] = (0.0, 0.0)) -> Utterance:
    return Utterance(
        pcm=frozen_array(np.zeros(int(seconds * SAMPLE_RATE_HZ), np.int16)),
        at=0.0,
        speech_start_s=speech_s[0],
        speech_end_s=speech_s[1],
        voice=frozen_array(np.zeros(int(seconds * 50), np.float32)),
    )


def test_it_keeps_the_recognizers_protocol(moonshine: Moonshine, utterance: Speech) -> None:
    transcript = check_recognizer(moonshine, load_context("barista"), utterance(ORDER))
    assert transcript.hypotheses[0].slots == {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}


def test_a_hypothesis_keeps_what_later_stages_need(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    spoken = utterance(ORDER)
    transcript = moonshine.open(barista).finish(spoken)
    best = transcript.hypotheses[0]
    assert transcript.states is not None
    assert best.attention is not None
    assert best.attention.shape == (len(best.tokens), len(transcript.states))
    assert best.text == transcript.text == "Can I have a large latte with soy milk?"
    assert len(transcript.states) * FRAME_S == pytest.approx(spoken.speech_end_s - spoken.speech_start_s + 0.2, abs=0.1)
    assert transcript.decoded_start_s == pytest.approx(spoken.speech_start_s - 0.1, abs=0.01)
    assert set(transcript.timings_ms) == {"encode", "search", "meanings"}
    centres_s = best.attention @ np.arange(len(transcript.states)) * FRAME_S
    assert centres_s[-2] > centres_s[1] + 0.5  # words are heard in their order
    assert transcript.variant == f"tiny-en/int8/beam{moonshine.options.beam.width}"


def test_meanings_compete_and_each_is_there_once(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    hypotheses = moonshine.open(barista).finish(utterance(ORDER)).hypotheses
    keys = [(h.intent, tuple(sorted(h.slots.items()))) for h in hypotheses]
    assert len(set(keys)) == len(keys)
    assert [h.rerank for h in hypotheses] == sorted((h.rerank for h in hypotheses), reverse=True)


def test_of_two_meanings_of_the_same_words_the_rarer_wording_has_its_own_weight(
    moonshine: Moonshine, utterance: Speech
) -> None:
    words = Text("turn on the lamp")
    both = context_with(Template("Usual", words, ""), Template("Rare", words, "", weight=math.log(0.02)))
    both = dataclasses.replace(both, hash="two meanings")
    best, other = moonshine.open(moonshine.prepare(both)).finish(utterance("turn on the lamp")).hypotheses[:2]
    assert (best.intent, other.intent) == ("Usual", "Rare")
    assert best.rerank - other.rerank == pytest.approx(-math.log(0.02), abs=1e-3)
    assert best.score - other.score == pytest.approx(-math.log(0.02), abs=1e-3)


def test_free_words_are_marked_in_the_best_sentence(moonshine: Moonshine, utterance: Speech) -> None:
    node = Sequence((Text("add "), ListRef("thing", "item"), Text(" to the list")))
    add = context_with(Template("Add", node, ""), lists={"thing": Wildcard("thing")})
    add = dataclasses.replace(add, hash="free words")
    best = moonshine.open(moonshine.prepare(add)).finish(utterance("add dragon fruit to the list")).hypotheses[0]
    assert best.slots == {"item": "dragon fruit"}
    assert moonshine.model.tokenizer.decode(best.tokens[list(best.spelt)].tolist()) == "dragon fruit"


def test_silence_means_nothing(moonshine: Moonshine, barista: MoonshineGrammar) -> None:
    transcript = moonshine.open(barista).finish(quiet(1.0))
    assert transcript.hypotheses == ()
    assert transcript.text == ""
    assert transcript.timings_ms == {}


def test_only_the_voiced_stretch_is_heard(utterance: Speech) -> None:
    spoken = utterance(ORDER)
    sound, start_s = voiced_stretch(spoken)
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(spoken.speech_end_s - spoken.speech_start_s + 0.2, abs=0.01)
    assert start_s == pytest.approx(spoken.speech_start_s - 0.1, abs=1e-4)
    assert np.abs(sound).max() <= 1.0
    assert len(voiced_stretch(quiet(1.0, (0.02, 1.0)))[0]) == SAMPLE_RATE_HZ  # margins end where the sound ends


def test_a_cancelled_session_stops_at_the_next_step(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    session = moonshine.open(barista)
    session.cancel()
    transcript = session.finish(utterance(ORDER))
    assert transcript.truncated
    assert transcript.hypotheses == ()


def test_cancelling_from_another_thread_ends_the_search(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    session = moonshine.open(barista)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        if asked == 4:
            other = threading.Thread(target=session.cancel)
            other.start()
            other.join()
        return session._cancelled.is_set()

    assert session.decode(utterance(ORDER), stop).truncated
    assert asked == 4


def test_a_deadline_gives_the_best_that_was_ready(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    steps = iter(range(100))
    session = moonshine.open(barista)
    transcript = session.decode(utterance(ORDER), lambda: next(steps) >= 8)
    assert transcript.truncated
    assert transcript.hypotheses[0].slots == {"size": "large", "coffeeDrink": "latte"}


def test_a_context_of_another_engine_is_refused(moonshine: Moonshine) -> None:
    prepared = TextRecognizer().prepare(load_context("barista"))
    with pytest.raises(AssistantError, match="moonshine: a context prepared for another engine"):
        moonshine.open(prepared)


def test_a_contexts_own_settings_come_before_the_engines(moonshine: Moonshine) -> None:
    context = load_context("barista")
    own = dataclasses.replace(context.settings, lambda_=0.1, prune=3.0, rerank=0.2, token_penalty=1.5)
    changed = dataclasses.replace(context, settings=own)
    assert moonshine.beam_options(context) == moonshine.options.beam
    assert (moonshine.beam_options(changed).lambda_, moonshine.beam_options(changed).prune) == (0.1, 3.0)
    assert moonshine.beam_options(changed).width == moonshine.options.beam.width
    second = moonshine.rerank_options(changed)
    assert (second.lambda_, second.token_penalty) == (0.2, 1.5)


def test_two_utterances_at_once_do_not_disturb_each_other(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    texts = [ORDER, "Give me an iced coffee with cream and brown sugar"]
    said = [utterance(text) for text in texts]
    alone = [moonshine.open(barista).finish(one).hypotheses[0].slots for one in said]
    found: dict[int, object] = {}

    def hear(number: int) -> None:
        found[number] = moonshine.open(barista).finish(said[number]).hypotheses[0].slots

    threads = [threading.Thread(target=hear, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0], found[1]] == alone


def test_the_entry_point_makes_an_engine_from_the_configuration(cache: Path, small: Context) -> None:
    engine = create(cache=cache, threads=1, beam=4, prune=6.0, lambda_=0.3)
    assert isinstance(engine.open(MoonshineGrammar(small, engine.model)), MoonshineSession)
    assert engine.variant == "tiny-en/int8/beam4"
    assert (engine.options.beam.prune, engine.options.beam.lambda_) == (6.0, 0.3)


def test_the_prepared_model_is_built_once(cache: Path, moonshine: Moonshine) -> None:
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.onnx")}
    assert prepare_model(cache).encoder in before
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.onnx")} == before


def test_a_build_that_broke_off_is_done_again(cache: Path, tmp_path: Path) -> None:
    files = prepare_model(tmp_path)
    (files.encoder.parent / "complete").unlink()
    files.encoder.write_bytes(b"half")
    assert prepare_model(tmp_path).encoder.stat().st_size > 1_000_000
    assert [path.name for path in tmp_path.iterdir()] == [files.encoder.parent.name]


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="set XDG_CACHE_HOME to a writable folder"):
        prepare_model(tmp_path / "cache")


def test_published_files_that_are_no_model_are_told(tmp_path: Path) -> None:
    broken = tmp_path / "encoder_model.ort"
    broken.write_bytes(b"no model")
    with pytest.raises(ModelError, match="the speech model is corrupt; reinstall moonshine-voice"):
        model._as_onnx(broken, tmp_path)


def test_sound_shorter_than_half_a_second_is_padded(moonshine: Moonshine) -> None:
    short, long = (
        moonshine.model.encode(np.zeros(samples, np.float32)).states for samples in (10, SAMPLE_RATE_HZ // 2)
    )
    assert short.tolist() == long.tolist()


def test_its_effort_is_chosen_for_each_utterance_and_loads_nothing(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    assert isinstance(moonshine, Adjustable)
    for width in (1, 16):
        assert moonshine.ready(Effort(width, 8.0)) == ""
        heard = moonshine.open_with(barista, Effort(width, 8.0), lambda: False).finish(utterance(ORDER))
        assert heard.variant == f"tiny-en/int8/beam{width}"
        assert heard.hypotheses[0].slots["coffeeDrink"] == "latte"
        assert not heard.truncated


def test_an_encoder_that_is_not_loaded_is_not_ready(moonshine: Moonshine) -> None:
    assert "float" in moonshine.ready(Effort(4, 8.0, encoder="float"))


def test_a_late_session_answers_with_the_best_it_has_and_says_so(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech
) -> None:
    transcript = moonshine.open_with(barista, Effort(12, 8.0), lambda: True).finish(utterance(ORDER))
    assert transcript.truncated
    assert transcript.text == "Can I have a large latte with soy milk?"


def test_a_resting_engine_loads_again_when_an_utterance_opens(
    fresh: Callable[..., Moonshine], small: Context, utterance: Speech
) -> None:
    engine = fresh()
    assert isinstance(engine, Resting)
    grammar, spoken = engine.prepare(small), utterance("can I have a large latte with milk")
    before = engine.open(grammar).finish(spoken)
    engine.rest()
    assert not engine.model.loaded
    session = engine.open(grammar)
    assert session.finish(spoken).hypotheses[0].slots == before.hypotheses[0].slots
    assert engine.model.loaded
