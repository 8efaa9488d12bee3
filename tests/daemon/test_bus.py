"""The bus: events to all, calls one after another, and nobody who lags behind holds up the others."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.clock import SystemClock
from assistant.daemon.bus import MOST_CONVERSATIONS, MOST_WAITING_CALLS, WAITING_EVENTS, Conversations, DaemonBus
from assistant.daemon.events import Decided, Muted, Reloaded
from assistant.errors import ConfigError, UsageError
from assistant.grammar.load import load_context
from assistant.recognize.text import PreparedText, TextRecognizer, recognize_text
from assistant.types import Decision, Reply
from assistant.understand.decide import decide


@functools.cache
def home() -> PreparedText:
    return TextRecognizer().prepare(load_context("home"))


class Assistant:
    """Understands by text and notes what it is asked; `gate` holds `understand` up."""

    def __init__(self) -> None:
        self.prepared = home()
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.broken = ""

    def say(self, text: str, source: str) -> Decision:
        self.asked.append(source)
        return self.understand(text)

    def understand(self, text: str) -> Decision:
        self.gate.wait(30)
        transcript = recognize_text(self.prepared, text)
        understanding = decide(transcript, self.prepared.context)
        return Decision(None, transcript, understanding, Reply("Done."), 1.0, self.prepared.context, understanding)

    def hear(self, pcm: NDArray[np.int16]) -> Decision:
        return self.understand(f"{len(pcm)}")

    def speak(self, text: str, said: Callable[[], None]) -> None:
        self.asked.append(text)
        said()

    def listen(self, action: str) -> None:
        self.asked.append(action)

    def mute(self, *, muted: bool) -> None:
        self.asked.append(f"mute {muted}")

    def reload(self) -> str:
        if self.broken:
            raise ConfigError(self.broken, where="config.yaml:1", remedy="mend it")
        return "context"


def play(scenario: Callable[[DaemonBus, Assistant], Awaitable[None]]) -> None:
    async def run() -> None:
        assistant = Assistant()
        bus = DaemonBus(assistant, SystemClock())
        await scenario(bus, assistant)
        bus.close()

    asyncio.run(run())


def test_what_one_says_all_subscribers_are_told() -> None:
    async def scenario(bus: DaemonBus, assistant: Assistant) -> None:
        async with bus.subscribe("a") as first, bus.subscribe("b") as second:
            answer = await bus.say("turn on the kitchen lights", "mqtt")
            told = [await anext(events) for events in (first, second)]
        assert told == [answer, answer]
        assert (answer.intent, answer.source, answer.acted) == ("HassTurnOn", "mqtt", True)
        assert assistant.asked == ["mqtt"]
        assert bus.subscriptions == ()

    play(scenario)


def test_understanding_is_nobodys_business() -> None:
    async def scenario(bus: DaemonBus, _assistant: Assistant) -> None:
        async with bus.subscribe("a") as events:
            understood = await bus.understand("turn on the kitchen lights")
            await bus.mute(muted=True)
            assert isinstance(await anext(events), Muted)
        assert isinstance(understood, Decided)
        assert not understood.acted

    play(scenario)


def test_who_lags_behind_loses_the_oldest() -> None:
    async def scenario(bus: DaemonBus, _assistant: Assistant) -> None:
        async with bus.subscribe("slow") as events:
            for _ in range(WAITING_EVENTS + 5):
                await bus.mute(muted=True)
            await asyncio.sleep(0)
            assert bus.subscriptions[0].lost == 5
            assert isinstance(await anext(events), Muted)

    play(scenario)


def test_events_come_from_any_thread_and_after_the_end_from_none() -> None:
    kept: list[DaemonBus] = []

    async def scenario(bus: DaemonBus, _assistant: Assistant) -> None:
        kept.append(bus)
        async with bus.subscribe("a") as events:
            thread = threading.Thread(target=bus.speech_began)
            thread.start()
            assert type(await anext(events)).__name__ == "SpeechBegan"
            thread.join()

    play(scenario)
    kept[0].speech_began()


def test_too_many_calls_at_once_are_refused_and_the_others_answered() -> None:
    async def scenario(bus: DaemonBus, assistant: Assistant) -> None:
        assistant.gate.clear()
        calls = [asyncio.ensure_future(bus.understand("stop")) for _ in range(MOST_WAITING_CALLS + 1)]
        await asyncio.sleep(0)
        assistant.gate.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(answer, UsageError) for answer in answers) == 1

    play(scenario)


def test_a_reload_that_fails_is_told_and_raised() -> None:
    async def scenario(bus: DaemonBus, assistant: Assistant) -> None:
        assistant.broken = "audio.device is 7"
        async with bus.subscribe("a") as events:
            with pytest.raises(ConfigError):
                await bus.reload()
            told = await anext(events)
            assert isinstance(told, Reloaded)
            assert (told.ok, told.why) == (False, "config.yaml:1: audio.device is 7; mend it")

    play(scenario)


def test_each_source_has_a_conversation_of_its_own_and_the_oldest_is_forgotten() -> None:
    begun = []

    class Talk:
        def __init__(self) -> None:
            begun.append(self)
            self.lines: list[str] = []

        def line(self, text: str) -> Decision:
            self.lines.append(text)
            return Assistant().understand(text)

    talks = Conversations(Talk)
    talks.line("stop", "first")
    for number in range(MOST_CONVERSATIONS - 1):
        talks.line("stop", f"{number}")
    talks.line("stop", "first")
    talks.line("stop", "one more")  # "0" is forgotten, for "first" has just spoken
    talks.line("stop", "first")
    assert begun[0].lines == ["stop"] * 3
    talks.line("stop", "0")
    assert len(begun) == MOST_CONVERSATIONS + 2
