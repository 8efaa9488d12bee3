"""The part that hears: a conversation in its own thread that survives its recogniser, and an exchange without a gap."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.act.skills import built_in
from assistant.audio.frontend import front_end
from assistant.audio.queued import QueueSource
from assistant.audio.source import Nothing, Source
from assistant.clock import SystemClock
from assistant.daemon.ear import HANGS, CountedSource, Ear
from assistant.errors import DeviceError
from assistant.grammar.load import load_context
from assistant.listen.endpoint import EndpointSettings
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import Conversation
from assistant.types import AudioBlock, Decision, Outcome
from assistant.understander import Understander
from assistant.work import ThreadWorker
from tests.daemon.engines import FAIL, Obedient
from tests.sound_server import until

Spoken = Callable[[str], NDArray[np.int16]]
LIGHTS = "turn on the kitchen lights"


def conversation(source: Source, engine: Obedient, lost: Callable[[BaseException], str] | None) -> Conversation:
    clock = SystemClock()
    understander = Understander(engine, engine.prepare(load_context("home")), built_in(clock), clock)
    segmenter = Segmenter(open_vad("webrtc"), EndpointSettings())
    return Conversation(source, front_end("mean", 1), segmenter, understander, ThreadWorker(), lost=lost)


@pytest.fixture
def source() -> QueueSource:
    return QueueSource(capacity=10_000)


def test_an_utterance_that_recognition_fails_over_is_apologised_for_and_the_next_is_understood(
    source: QueueSource, spoken: Spoken
) -> None:
    engine = Obedient(fault=FAIL)
    heard = conversation(source, engine, lost=lambda _error: "Sorry, I lost that.").decisions()
    source.put(spoken(LIGHTS))
    failed = next(heard)
    assert (failed.understanding.outcome, failed.reply.text) == (Outcome.REFUSE, "Sorry, I lost that.")
    assert "the model is broken" in failed.understanding.reason
    engine.fault = 0
    source.put(spoken(LIGHTS))
    source.end()
    assert [decision.understanding.intent for decision in heard] == ["HassTurnOn"]


def test_where_nobody_apologises_the_error_is_raised(source: QueueSource, spoken: Spoken) -> None:
    source.put(spoken(LIGHTS))
    source.end()
    with pytest.raises(Exception, match="the model is broken"):
        list(conversation(source, Obedient(fault=FAIL), lost=None).decisions())


def test_another_segmenter_hears_on_from_the_next_frame(source: QueueSource, spoken: Spoken) -> None:
    hearing = conversation(source, Obedient(), lost=None)
    heard = hearing.decisions()
    source.put(spoken(LIGHTS))
    assert next(heard).understanding.intent == "HassTurnOn"
    hearing.exchange(front_end("mean", 1), Segmenter(open_vad("webrtc"), EndpointSettings()))
    source.put(spoken(LIGHTS))
    source.end()
    assert [decision.understanding.intent for decision in heard] == ["HassTurnOn"]


class Scripted:
    """What runs in the audio thread, in a test: reads its source, and breaks when it is told."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def decisions(self) -> Iterator[Decision]:
        while (block := self.source.read(10.0)) is not Nothing.ENDED:
            if isinstance(block, AudioBlock) and block.pcm[0, 0] == 7:
                raise ZeroDivisionError
        yield from ()


def test_the_thread_shows_its_progress_and_its_end(source: QueueSource) -> None:
    async def scenario() -> None:
        ear = Ear(lambda: source, Scripted, lambda _decision: None, SystemClock())
        source.put(np.zeros(320, np.int16))
        await ear.start()
        assert ear.source is not None
        assert ear.status() == "listening to queue"
        first = ear.progress()
        source.put(np.zeros(320, np.int16))
        await asyncio.get_running_loop().run_in_executor(None, until, lambda: ear.progress() != first, "it has turned")
        source.put(np.full(320, 7, np.int16))
        with pytest.raises(ZeroDivisionError):
            await ear.wait()
        assert ear.progress() is None
        await ear.stop()
        assert (ear.frames, ear.status()) == (3, "no microphone")

    asyncio.run(scenario())


def test_a_microphone_that_is_not_there_is_a_start_that_fails() -> None:
    def absent() -> Source:
        raise DeviceError("no microphone has this name", where="seeed", remedy="plug it in")

    async def scenario() -> None:
        ear = Ear(absent, Scripted, lambda _decision: None, SystemClock())
        with pytest.raises(DeviceError):
            await ear.start()
        await ear.stop()

    asyncio.run(scenario())


def test_a_worker_that_hangs_is_no_progress() -> None:
    worker, gate, hangs = ThreadWorker(), threading.Event(), threading.Event()

    def job() -> None:
        hangs.set()
        gate.wait(30)

    worker.submit(1, job)
    hangs.wait(30)
    source = QueueSource(capacity=1)
    ear = Ear(lambda: source, Scripted, lambda _decision: None, SystemClock(), hangs=lambda: worker.working_s() > 0)
    assert {ear.progress() for _ in range(10)} == {HANGS}
    gate.set()
    while not worker.poll(1.0):
        pass
    assert ear.progress() is None
    worker.close()


def test_gaps_are_counted() -> None:
    source = QueueSource(capacity=1)
    source.put(np.zeros(960, np.int16))  # two blocks too many
    counted = CountedSource(source, SystemClock())
    counted.read(1.0)
    source.put(np.zeros(320, np.int16))
    counted.read(1.0)
    assert (counted.frames, counted.lost_s) == (2, 0.04)
