"""What is said and what rings: replies in their turn, a ring until somebody says stop, earcons for who waits."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.cli.mouth import Mouth, waits
from assistant.config import Config, Paths, Speak
from assistant.earcons import RATE_HZ, Earcon, sound
from assistant.grammar.load import load_context
from assistant.listen.wake_segment import Hailed
from assistant.types import Decision, Outcome, Reply, Transcript, Understanding

PATIENCE_S = 30.0
"""Real seconds after which a test that waits for a sound that never comes is told so."""


@dataclass
class Heard:
    """A sink that keeps what it was given: sounds as "ring", "wake" or "speech"."""

    sounds: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    stopped: int = 0

    def play(self, pcm: NDArray[np.int16], rate_hz: int) -> None:
        known = [earcon.value for earcon in Earcon if rate_hz == RATE_HZ and np.array_equal(pcm, sound(earcon))]
        self.sounds.put(known[0] if known else "speech")

    def stop(self) -> None:
        self.stopped += 1

    def wait(self, timeout_s: float) -> bool:
        return True

    @property
    def playing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held."""

    def next(self) -> str:
        return self.sounds.get(timeout=PATIENCE_S)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def mouth(heard: Heard, tmp_path: Path) -> Iterator[Mouth]:
    config = Config(paths=Paths(cache=str(tmp_path)), speak=Speak(voice="espeak"))
    opened = Mouth(config, open_sink=lambda: heard)
    yield opened
    opened.close()


def replied(text: str) -> Decision:
    understanding = Understanding(Outcome.ACCEPT, "any", {}, "", 1.0, "", "", "")
    context = load_context("barista")
    return Decision(None, Transcript((), "", "", ""), understanding, Reply(text), 0.0, context, understanding)


def test_replies_are_said_in_their_order(mouth: Mouth, heard: Heard) -> None:
    mouth.say(replied("One."))
    mouth.say(replied("Two."))
    assert [heard.next(), heard.next()] == ["speech", "speech"]


@pytest.mark.parametrize(
    ("context", "reply", "expected"),
    [
        ("barista", Reply("A latte."), True),
        ("home", Reply("The lamp is on."), False),
        ("home", Reply("Which one?", expects_answer=True), True),  # "turn on the ceiling light … in the kitchen"
    ],
)
def test_a_reply_waits_only_where_the_sentence_may_well_go_on(context: str, reply: Reply, *, expected: bool) -> None:
    decision = replace(replied(""), context=load_context(context), reply=reply, provisional=True)
    assert waits(decision) is expected
    assert not waits(replace(decision, provisional=False))


def test_a_timer_rings_says_what_it_is_and_rings_on_until_somebody_says_stop(mouth: Mouth, heard: Heard) -> None:
    mouth.announce("Your pasta timer is done.")
    assert [heard.next() for _ in range(3)] == ["ring", "speech", "ring"]
    mouth.hush()
    assert heard.stopped == 1
    mouth.say(replied("All right."))
    assert heard.next() == "speech"


def test_a_reply_is_said_between_two_rings(mouth: Mouth, heard: Heard) -> None:
    mouth.announce("Your pasta timer is done.")
    assert [heard.next() for _ in range(2)] == ["ring", "speech"]
    mouth.say(replied("It is nine."))
    assert [heard.next() for _ in range(2)] == ["speech", "ring"]
    mouth.hush()


def test_what_does_not_ring_is_only_said(mouth: Mouth, heard: Heard) -> None:
    mouth.announce("Your alarm was an hour ago.", ring=False)
    mouth.say(replied("One."))
    assert [heard.next(), heard.next()] == ["speech", "speech"]


def test_between_two_rings_stop_may_be_said_without_a_wake_word(mouth: Mouth, heard: Heard) -> None:
    invited: queue.SimpleQueue[bool] = queue.SimpleQueue()
    mouth.listen_to(lambda: False, lambda: invited.put(True))
    mouth.announce("Your pasta timer is done.")
    assert invited.get(timeout=PATIENCE_S)
    mouth.hush()


def test_who_waits_after_the_wake_word_hears_an_earcon(mouth: Mouth, heard: Heard) -> None:
    assert mouth.notice(Hailed()) == Earcon.WAKE.duration_s
    assert heard.next() == "wake"
