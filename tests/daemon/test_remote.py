"""The recogniser in a process of its own: whatever happens to it costs at most one utterance."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.daemon.child import MOST_CONTEXTS
from assistant.daemon.process import RecognizerLost
from assistant.daemon.remote import RecognizerPart, RemoteRecognizer
from assistant.errors import ModelError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from tests.daemon.engines import CRASH, FAIL, HANG, WORDS, utterance
from tests.sound_server import until

ENGINE = "tests.daemon.engines:create"
HEARD = 0


@pytest.fixture(scope="module")
def home() -> Context:
    return load_context("home")


@contextmanager
def started(recognizer: RemoteRecognizer) -> Iterator[RemoteRecognizer]:
    recognizer.begin()
    try:
        yield recognizer
    finally:
        recognizer.end()


def test_what_the_engine_hears_comes_back_whole(home: Context) -> None:
    with started(RemoteRecognizer(ENGINE, ())) as recognizer:
        prepared = recognizer.prepare(home)
        recognizer.check(prepared)
        transcript = recognizer.open(prepared).finish(utterance(HEARD))
    assert (recognizer.name, transcript.text) == ("obedient", WORDS)
    assert transcript.hypotheses[0].intent == "HassTurnOn"
    assert dict(transcript.hypotheses[0].slots)


@pytest.mark.parametrize(("fault", "deadline_s", "says"), [(CRASH, 60, "signal 6"), (HANG, 0.5, "longer than 0.5 s")])
def test_a_crash_or_a_hang_costs_one_utterance(home: Context, fault: int, deadline_s: float, says: str) -> None:
    with started(RemoteRecognizer(ENGINE, (), deadline_s)) as recognizer:
        prepared = recognizer.prepare(home)
        with pytest.raises(RecognizerLost, match=says):
            recognizer.open(prepared).finish(utterance(fault))
        asyncio.run(asyncio.wait_for(RecognizerPart(recognizer).wait(), 30))  # supervision sees it, and starts another
        recognizer.end()
        recognizer.deadline_s = 30.0
        recognizer.begin()
        assert recognizer.open(prepared).finish(utterance(HEARD)).text == WORDS


def test_an_engine_that_says_what_is_wrong_lives_on(home: Context) -> None:
    with started(RemoteRecognizer(ENGINE, ())) as recognizer:
        session, before = recognizer.open(recognizer.prepare(home)), recognizer.pid
        with pytest.raises(ModelError, match=r"^model.onnx: the model is broken; fetch it again$"):
            session.finish(utterance(FAIL))
        assert session.finish(utterance(HEARD)).text == WORDS
        assert recognizer.pid == before


def test_a_model_that_does_not_load_is_said_in_its_own_words() -> None:
    with pytest.raises(ModelError, match="the model is cut off; fetch it again"):
        RemoteRecognizer("tests.daemon.engines:create_broken", ()).begin()


def test_a_process_that_stands_still_shows_no_sign_of_life() -> None:
    with started(RemoteRecognizer(ENGINE, ())) as recognizer:
        first = recognizer.ping()
        while recognizer.ping() == first:
            os.sched_yield()
        assert recognizer.pid is not None
        os.kill(recognizer.pid, signal.SIGSTOP)
        seen = {recognizer.ping() for _ in range(1000)}
        assert len(seen) <= 2  # an answer that was on its way
        os.kill(recognizer.pid, signal.SIGCONT)
        last = recognizer.ping()
        while recognizer.ping() == last:
            os.sched_yield()


def test_another_engine_takes_the_place_with_all_contexts_and_a_broken_one_does_not(home: Context) -> None:
    with started(RemoteRecognizer(ENGINE, ())) as recognizer:
        session = recognizer.open(recognizer.prepare(home))
        with pytest.raises(ModelError, match="cut off"):
            recognizer.exchange("tests.daemon.engines:create_broken", ())
        assert session.finish(utterance(HEARD)).text == WORDS
        recognizer.exchange(ENGINE, ("turn off the kitchen lights",))
        assert session.finish(utterance(HEARD)).hypotheses[0].intent == "HassTurnOff"


def test_a_context_that_was_forgotten_is_sent_again_when_it_is_asked_for(home: Context) -> None:
    with started(RemoteRecognizer(ENGINE, ())) as recognizer:
        session = recognizer.open(recognizer.prepare(home))
        others = [recognizer.prepare(replace(home, hash=f"other-{number}")) for number in range(2 * MOST_CONTEXTS)]
        for other in others:
            recognizer.check(other)
        assert session.finish(utterance(HEARD)).text == WORDS
        assert recognizer.open(others[0]).finish(utterance(HEARD)).text == WORDS


DIES = """
import os
from assistant.daemon.remote import RemoteRecognizer
recognizer = RemoteRecognizer("tests.daemon.engines:create", ())
recognizer.begin()
print(recognizer.pid, flush=True)
os._exit(1)
"""


def test_the_child_ends_when_the_daemon_is_gone(repository: Path) -> None:
    died = subprocess.run([sys.executable, "-c", DIES], cwd=repository, capture_output=True, text=True, check=False)
    until(lambda: not Path(f"/proc/{int(died.stdout)}").exists(), "the recogniser's process has ended")
