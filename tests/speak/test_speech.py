"""Speaking with the real engines: hibari-tts, which every installation has, and espeak-ng where it is installed."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.errors import PluginError
from assistant.speak.espeak import EspeakVoice
from assistant.speak.hibari import HibariVoice
from assistant.speak.speech import LEVEL_DBFS, Speech, active_level_dbfs, leveled
from assistant.speak.voice import Voice

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")

VOICES = [pytest.param(HibariVoice, id="hibari"), pytest.param(EspeakVoice, id="espeak", marks=needs_espeak)]

LIGHTS = "Turned on the kitchen lights."


class CountingVoice:
    """A stranger's voice, as the protocol allows: each letter is a millisecond of tone."""

    name = "counting"
    sample_rate = 16_000

    def __init__(self) -> None:
        self.loaded = False
        self.spoken: list[str] = []

    def load(self) -> None:
        self.loaded = True

    def unload(self) -> None:
        self.loaded = False

    def stream(self, text: str) -> Iterator[NDArray[np.int16]]:
        self.load()
        self.spoken.append(text)
        if "fail" in text:
            raise PluginError("broke", where="voice 'counting'", remedy="mend it")
        yield np.full(16 * len(text), 3_000, np.int16)


@pytest.mark.parametrize("make", VOICES)
def test_every_voice_speaks_at_the_same_active_level(make: Callable[[], Voice]) -> None:
    speech = Speech(make())
    chunks = list(speech.stream(f"{LIGHTS} The oven is at two hundred degrees."))
    assert len(chunks) == 2
    for chunk in chunks:
        assert chunk.dtype == np.int16
        assert 0.5 < len(chunk) / speech.sample_rate < 5
        assert abs(active_level_dbfs(chunk, speech.sample_rate) - LEVEL_DBFS) < 0.5
        assert np.abs(chunk.astype(int)).max() < 32_767


@pytest.mark.parametrize("make", VOICES)
def test_a_text_without_sound_gives_none_and_raises_nothing(make: Callable[[], Voice]) -> None:
    speech = Speech(make())
    assert [len(speech.say(text)) for text in ("", " ", "\U0001f600", "--")] == [0, 0, 0, 0]


@pytest.mark.parametrize("make", VOICES)
def test_strange_text_is_spoken_as_far_as_it_can_be(make: Callable[[], Voice]) -> None:
    assert len(Speech(make()).say("\U0001f44d 거실 lights [[on]] -v xx --help \x00")) > 0


def test_hibari_says_the_same_sentence_the_same_way() -> None:
    first, second = HibariVoice(), HibariVoice()
    np.testing.assert_array_equal(Speech(first).say("Okay."), Speech(second).say("Okay."))


def test_hibari_loads_when_it_must_speak_and_can_be_unloaded() -> None:
    voice = HibariVoice()
    speech = Speech(voice)
    states = [voice.loaded]
    speech.warm_up().join()
    states.append(voice.loaded)
    voice.unload()
    states.append(voice.loaded)
    assert states == [False, True, False]
    assert len(speech.say("Okay.")) > 0


def test_hibari_refuses_another_language() -> None:
    with pytest.raises(PluginError, match=r"voice 'hibari': does not speak 'ko'; use the voice espeak"):
        HibariVoice(language="ko")


@needs_espeak
def test_espeak_speaks_another_language() -> None:
    assert len(Speech(EspeakVoice(language="ko")).say("거실 불을 켰습니다")) > 0


@needs_espeak
def test_espeak_names_a_language_it_lacks() -> None:
    with pytest.raises(PluginError, match=r"voice 'espeak/xx': .*does not exist.*--voices"):
        EspeakVoice(language="xx").load()


def test_a_missing_espeak_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PluginError, match=r"espeak-ng is not installed; apt-get install espeak-ng"):
        EspeakVoice()


def test_an_espeak_that_writes_no_sound_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho nothing\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(PluginError, match="wrote no WAV"):
        list(EspeakVoice().stream("hello"))


def test_a_sentence_said_before_comes_from_the_cache() -> None:
    voice = CountingVoice()
    speech = Speech(voice)
    first = speech.say(LIGHTS)
    np.testing.assert_array_equal(speech.say(LIGHTS), first)
    assert voice.spoken == [LIGHTS]


def test_phrases_on_disk_are_spoken_without_loading_the_voice(tmp_path: Path) -> None:
    Speech(CountingVoice(), folder=tmp_path).render_ahead(["Okay. Done.", "Okay."]).join()
    voice = CountingVoice()
    speech = Speech(voice, folder=tmp_path)
    speech.render_ahead(["Okay.", "Done."]).join()
    assert len(speech.say("Okay. Done.")) > 0
    assert not voice.loaded


def test_a_voice_that_was_loaded_only_to_render_ahead_is_unloaded_after_it() -> None:
    voice = CountingVoice()
    speech = Speech(voice)
    speech.render_ahead(["Okay."]).join()
    assert voice.spoken == ["Okay."]
    assert not voice.loaded


@pytest.mark.parametrize("want", [lambda speech: speech.warm_up().join(), lambda speech: list(speech.stream("Hi."))])
def test_a_voice_that_somebody_waits_for_stays(want: Callable[[Speech], object]) -> None:
    voice = CountingVoice()
    speech = Speech(voice)
    want(speech)
    speech.render_ahead(["Okay."]).join()
    assert voice.loaded


def test_closing_early_renders_no_further_sentence() -> None:
    voice = CountingVoice()
    stream = Speech(voice).stream("One. Two. Three.")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert voice.spoken == ["One."]


def test_a_failing_voice_raises_but_cached_sentences_are_still_spoken() -> None:
    voice = CountingVoice()
    speech = Speech(voice)
    speech.say("Okay.")
    with pytest.raises(PluginError, match="mend it"):
        speech.say("Now fail.")
    assert len(speech.say("Okay.")) > 0


def test_a_failure_in_the_background_is_logged_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    Speech(CountingVoice()).render_ahead(["fail"]).join()
    assert "voice 'counting': broke; mend it" in caplog.text


def test_silence_and_nothing_keep_their_length() -> None:
    for length in (0, 1, 7, 16_000):
        silence = np.zeros(length, np.int16)
        np.testing.assert_array_equal(leveled(silence, 16_000), silence)


def test_pauses_do_not_lower_the_measured_level() -> None:
    tone = (10_000 * np.sin(np.arange(16_000) / 5)).astype(np.int16)
    padded = np.concatenate([np.zeros(32_000, np.int16), tone, np.zeros(32_000, np.int16)])
    assert abs(active_level_dbfs(padded, 16_000) - active_level_dbfs(tone, 16_000)) < 0.1


def test_the_level_of_a_sine_is_its_rms() -> None:
    """A sine of amplitude a has the RMS a / sqrt(2): half scale is -9.03 dBFS."""
    sine = np.round(16_383.5 * np.sin(2 * np.pi * 100 * np.arange(16_000) / 16_000)).astype(np.int16)
    assert abs(active_level_dbfs(sine, 16_000) - -9.03) < 0.01


@given(st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=2_000))
def test_leveling_never_clips(values: list[int]) -> None:
    samples = np.array(values, np.int16)
    louder = leveled(samples, 16_000, level_dbfs=-1.0).astype(int)
    assert np.abs(louder).max() <= 32_000
    assert len(louder) == len(samples)
