"""A spoken command, played into a virtual microphone of a real PulseAudio, is decided as it is from its file."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from assistant.act.skills import built_in
from assistant.audio.frontend import Mean
from assistant.audio.reconnect import State
from assistant.audio.soundcard import SoundCardSource
from assistant.clock import SystemClock
from assistant.grammar.load import load_context
from assistant.listen.clip import cut_clip
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import Conversation, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.types import SAMPLE_RATE_HZ, Decision, Outcome
from assistant.work import ThreadWorker
from tests.sound_server import MIC1, MIC1_CD, MIC4, MIC4_CD, PATIENCE_S, Sink, SoundServer, until

pytestmark = pytest.mark.real

ORDERS = ("0075d273-51bb-47cb-b323-4437bd0de029.flac", "02b77977-ada7-4f37-a1b3-8cb433c8c8da.flac")


@pytest.fixture(scope="module")
def understander(moonshine: Moonshine) -> Understander:
    clock = SystemClock()
    return Understander(moonshine, moonshine.prepare(load_context("barista")), built_in(clock), clock)


@pytest.fixture(scope="module")
def orders(recordings: Callable[[str], Path]) -> list[NDArray[np.float32]]:
    """Two real orders, float32 [samples] at 16 kHz, each with a second of quiet after it."""
    folder = recordings("barista") / "audio"
    quiet = np.zeros(SAMPLE_RATE_HZ, np.float32)
    return [np.concatenate([soundfile.read(folder / name, dtype="float32")[0], quiet]) for name in ORDERS]


def decided_from_file(understander: Understander, sound: NDArray[np.float32]) -> Decision:
    utterance = cut_clip(np.round(sound * 32767).astype(np.int16), open_vad("silero"))
    transcript = understander.recognize(utterance)
    understanding = understander.understand(transcript, understander.context, 0.0)
    reply = understander.reply(understanding)
    return understander.decision(utterance, transcript, understander.context, understanding, understanding, reply)


@contextmanager
def listening(understander: Understander, source: SoundCardSource) -> Iterator[queue.SimpleQueue[Decision]]:
    """A conversation on `source` in a thread; its decisions in a queue."""
    decisions: queue.SimpleQueue[Decision] = queue.SimpleQueue()
    worker = ThreadWorker()
    conversation = Conversation(source, Mean(source.channels), Segmenter(open_vad("silero")), understander, worker)

    def listen() -> None:
        for decision in conversation.decisions():
            decisions.put(decision)

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield decisions
    finally:
        source.close()
        thread.join(PATIENCE_S)
        worker.close()


def same_meaning(heard: Decision, expected: Decision) -> bool:
    one, other = heard.understanding, expected.understanding
    return (one.outcome, one.intent, dict(one.slots)) == (other.outcome, other.intent, dict(other.slots))


@pytest.mark.parametrize("sink", [MIC1, MIC1_CD, MIC4, MIC4_CD], ids=lambda sink: sink.name)
def test_a_recording_played_into_a_microphone_is_decided_as_from_its_file(
    sound_server: SoundServer, understander: Understander, orders: list[NDArray[np.float32]], sink: Sink
) -> None:
    expected = decided_from_file(understander, orders[0])
    assert expected.understanding.outcome is Outcome.ACCEPT
    played = soxr.resample(orders[0], SAMPLE_RATE_HZ, sink.rate_hz, "HQ")
    source = SoundCardSource(sink.name, channels=sink.channels)
    with listening(understander, source) as decisions:
        until(lambda: source.state is State.RUNNING, "the microphone runs")
        sound_server.play(sink, np.repeat(played[:, None], sink.channels, axis=1), sink.rate_hz)
        assert same_meaning(decisions.get(timeout=PATIENCE_S), expected)


def test_the_next_command_is_understood_after_the_server_was_killed_and_started(
    sound_server: SoundServer, understander: Understander, orders: list[NDArray[np.float32]]
) -> None:
    source = SoundCardSource(MIC1.name, channels=1)
    with listening(understander, source) as decisions:
        for number, order in enumerate(orders):
            until(lambda: source.state is State.RUNNING, "the microphone runs")
            played = soxr.resample(order, SAMPLE_RATE_HZ, MIC1.rate_hz, "HQ")
            sound_server.play(MIC1, played[:, None], MIC1.rate_hz)
            assert same_meaning(decisions.get(timeout=PATIENCE_S), decided_from_file(understander, order))
            if number == 0:
                sound_server.kill()
                until(lambda: source.state is not State.RUNNING, "the loss is noticed")
                sound_server.start()
