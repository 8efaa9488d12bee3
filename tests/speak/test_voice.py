"""Choosing a voice by name."""

import logging
from collections.abc import Mapping

import pytest

from assistant.errors import PluginError
from assistant.speak.voice import SilentVoice, Voice, VoiceFactory, choose_voice


class Named(SilentVoice):
    def __init__(self, name: str, language: str = "en") -> None:
        self.name = name
        self.language = language


def missing(*, language: str) -> Voice:
    raise PluginError(f"is not installed for {language}", where="voice 'hibari'", remedy="install it")


def known(**voices: VoiceFactory) -> Mapping[str, VoiceFactory]:
    return voices


def test_auto_takes_the_best_installed() -> None:
    voices = known(
        espeak=lambda *, language: Named("espeak", language), hibari=lambda *, language: Named("hibari", language)
    )
    assert choose_voice("auto", voices=voices).name == "hibari"


def test_auto_falls_back_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    voices = known(hibari=missing, espeak=lambda *, language: Named("espeak", language))
    with caplog.at_level(logging.WARNING):
        assert choose_voice("auto", voices=voices).name == "espeak"
    assert "voice 'hibari': is not installed for en; install it" in caplog.text


def test_auto_ends_in_silence_with_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    voice = choose_voice("auto", voices={})
    assert list(voice.stream("hello")) == []
    assert "replies are printed, not spoken" in caplog.text


def test_a_named_voice_does_not_fall_back() -> None:
    with pytest.raises(PluginError, match="is not installed"):
        choose_voice("hibari", voices=known(hibari=missing, espeak=lambda *, language: Named("espeak", language)))


def test_none_is_silence() -> None:
    assert choose_voice("none", voices={}).name == "none"


def test_an_unknown_name_brings_the_nearest() -> None:
    voices = known(hibari=lambda *, language: Named("hibari", language))
    with pytest.raises(PluginError, match=r"no voice is called 'hibary'; did you mean 'hibari'\?"):
        choose_voice("hibary", voices=voices)
    with pytest.raises(PluginError, match="known: auto, hibari, none"):
        choose_voice("zzz", voices=voices)
