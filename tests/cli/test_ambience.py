"""Cheap rooms under lasting load: exchanged between utterances, no frame is lost, and all is as before afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.act.skills import built_in
from assistant.audio.frontend import Mean
from assistant.cli.ambience import Ambience
from assistant.cli.mouth import Mouth
from assistant.cli.scheduling import QUICK_VAD, spared
from assistant.config import Config, Listen, Paths, Speak
from assistant.grammar.load import load_context
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.listen.wake_segment import WakeSegmenter, Woke
from assistant.pipeline import Conversation, Notable, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.testing import HeldClock
from assistant.types import SAMPLE_RATE_HZ, Decision, Outcome
from assistant.work import InlineWorker
from tests.blocks import Blocks, frames, silence
from tests.test_waking_up import Foretold

LATTE = "Can I have a large latte with soy milk?"
MOCHA = "Can I have a small mocha with cream?"


def test_what_spares_and_what_does_not() -> None:
    config = Config()
    quick = spared(config)
    assert quick.listen.vad == QUICK_VAD
    assert msgspec.structs.replace(quick.listen, vad=config.listen.vad) == config.listen
    assert quick.wake == config.wake
    named = msgspec.structs.replace(config, speak=Speak(voice="none"))
    assert spared(named).speak == named.speak  # a voice that was chosen stays


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(paths=Paths(state=str(tmp_path)), listen=Listen(vad="silero"), speak=Speak(voice="none"))


def test_orders_on_both_sides_of_two_exchanges_are_heard_and_no_frame_is_lost(
    moonshine: Moonshine, clock: HeldClock, spoken: Callable[[str], NDArray[np.int16]], config: Config
) -> None:
    prepared = moonshine.prepare(load_context("barista"))
    understander = Understander(moonshine, prepared, built_in(clock), clock)
    sounds = [spoken(text) for text in (LATTE, MOCHA, LATTE)]
    source, began = Blocks(frames(*sounds), clock), clock.monotonic()
    conversation = Conversation(source, Mean(1), Segmenter(open_vad("silero")), understander, InlineWorker())
    ambience = Ambience(lambda: config, conversation, 1, Mouth(config))
    heard: list[Decision] = []
    for decision in conversation.decisions():
        heard.append(decision)
        ambience(len(heard) == 1)  # after the first it spares, after the second no more
    assert [d.understanding.outcome for d in heard] == [Outcome.ACCEPT] * 3
    assert [d.understanding.slots["coffeeDrink"] for d in heard] == ["latte", "mocha", "latte"]
    whole = np.concatenate(sounds).astype(float)
    for decision in heard:  # what was cut is the sound that was played, at its time: a lost frame would shift it
        assert decision.utterance is not None
        at = round((decision.utterance.at - began) * SAMPLE_RATE_HZ)
        pcm = decision.utterance.pcm.astype(float)
        assert np.corrcoef(pcm, whole[at : at + len(pcm)])[0, 1] > 0.99


def test_rooms_are_not_exchanged_while_a_command_is_expected_after_a_wake_word(
    moonshine: Moonshine, clock: HeldClock, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    understander = Understander(moonshine, moonshine.prepare(load_context("barista")), built_in(clock), clock)
    began = clock.monotonic()
    word_at_s = 0.5
    sounds = (silence(1.0), spoken(LATTE))
    ears = WakeSegmenter(Segmenter(open_vad("silero")), [Foretold({word_at_s: "waiter"}, began)])
    deaf_ears = WakeSegmenter(Segmenter(open_vad("silero")), [Foretold({}, began)])

    def notice(event: Notable) -> float:
        if isinstance(event, Woke):  # the word was said: what only hears after its own word must not take over now
            conversation.exchange(Mean(1), deaf_ears)
        return 0.0

    source = Blocks(frames(*sounds), clock)
    conversation = Conversation(source, Mean(1), ears, understander, InlineWorker(), notice=notice)
    assert [d.understanding.slots.get("coffeeDrink") for d in conversation.decisions()] == ["latte"]


def test_switched_off_it_changes_nothing(
    moonshine: Moonshine, clock: HeldClock, config: Config, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    off = msgspec.structs.replace(config, schedule=msgspec.structs.replace(config.schedule, ambient=False))
    understander = Understander(moonshine, moonshine.prepare(load_context("barista")), built_in(clock), clock)
    segmenter = Segmenter(open_vad("silero"))
    exchanged: list[object] = []

    class Noted(Conversation):
        def exchange(self, *rooms: object) -> None:
            exchanged.extend(rooms)

    conversation = Noted(Blocks(frames(spoken(LATTE)), clock), Mean(1), segmenter, understander, InlineWorker())
    for configured, exchanges in ((off, 0), (config, 2)):
        Ambience(lambda now=configured: now, conversation, 1, Mouth(off))(True)  # type: ignore[misc]
        assert len(exchanged) == exchanges
