"""The whole daemon with a real sound server: spoken to, robbed of its microphone and its recogniser, and spoken to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.daemon.client import Client
from assistant.daemon.events import Decided
from assistant.types import SAMPLE_RATE_HZ
from tests.daemon.running import Running, running
from tests.sound_server import MIC1, SoundServer, running_server, until

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(SoundServer.missing()), reason=f"to be installed: {SoundServer.missing()}"),
]

LIGHTS = "turn on the kitchen lights"
HEARING = ("--set", "audio.device=mic1", "--set", "speak.voice=none", "--set", "recognize.beam=4")


@pytest.fixture(scope="module")
def server() -> Iterator[SoundServer]:
    with running_server() as started:
        yield started


@pytest.fixture(scope="module")
def daemon(server: SoundServer) -> Iterator[Running]:
    with running(environment=server.environment, arguments=HEARING) as started:
        yield started


def play(server: SoundServer, sound: NDArray[np.int16]) -> None:
    """Into the microphone, to its end."""
    server.play(MIC1, (sound / np.float32(32_768)).astype(np.float32)[:, np.newaxis], SAMPLE_RATE_HZ)


def said_and_heard(daemon: Running, server: SoundServer, sound: NDArray[np.int16]) -> Decided:
    """Play `sound` into the microphone; what the daemon makes of it."""
    with Client.connect(daemon.socket) as client:
        events = client.events(timeout_s=60)
        play(server, sound)
        return next(event for event in events if isinstance(event, Decided))


def test_it_is_ready_when_sound_comes(daemon: Running) -> None:
    assert daemon.part("ear")["state"] == "running"
    assert daemon.ask("status")["status"] == "listening to mic1"


def test_what_is_spoken_is_understood(
    daemon: Running, server: SoundServer, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    heard = said_and_heard(daemon, server, spoken(LIGHTS))
    assert (heard.intent, heard.slots["area"], heard.source) == ("HassTurnOn", "kitchen", "microphone")
    assert heard.felt_ms is not None


def test_one_command_is_heard_for_the_verb_that_asks(
    daemon: Running, server: SoundServer, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    command = [sys.executable, "-m", "assistant", "listen", "--json", "--set", f"daemon.socket={daemon.socket}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        until(lambda: daemon.ask("status")["subscribers"], "it listens")
        play(server, spoken(LIGHTS))
        assert listening.stdout is not None
        assert json.loads(listening.stdout.read())["intent"] == "HassTurnOn"


def test_muted_it_hears_nothing(
    daemon: Running, server: SoundServer, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    daemon.ask("mute")
    with Client.connect(daemon.socket) as client:
        events = client.events(timeout_s=60)
        play(server, spoken(LIGHTS))
        daemon.ask("mute", muted=False)
        assert type(next(events)).__name__ == "Muted"
    assert daemon.ask("status")["counted"]["assistant_audio_frames"] > 0


def test_a_sound_server_that_is_restarted_costs_what_was_said_meanwhile_only(
    daemon: Running, server: SoundServer, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    server.kill()
    until(lambda: "is lost" in daemon.part("ear")["status"], "the loss is noticed")
    assert daemon.ask("understand", text=LIGHTS)["outcome"] == "accept"
    server.start()
    until(lambda: daemon.part("ear")["status"] == "listening to mic1", "the microphone is back")
    assert said_and_heard(daemon, server, spoken(LIGHTS)).intent == "HassTurnOn"
    assert daemon.ask("status")["counted"]["assistant_audio_reopens"] == 1
    assert daemon.part("ear")["restarts"] == 0


def test_a_recogniser_killed_over_an_utterance_costs_that_one(
    daemon: Running, server: SoundServer, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    os.kill(daemon.child, signal.SIGSTOP)  # it cannot answer what it is asked now
    stopped = daemon.child
    with Client.connect(daemon.socket) as client:
        events = client.events(timeout_s=60)
        play(server, spoken(LIGHTS))
        os.kill(stopped, signal.SIGKILL)
        lost = next(event for event in events if isinstance(event, Decided))
    assert (lost.outcome, lost.reply) == ("refuse", "Sorry, I lost that. Please say it again.")
    until(lambda: daemon.part("recognizer")["state"] == "running", "there is another")
    assert said_and_heard(daemon, server, spoken(LIGHTS)).intent == "HassTurnOn"


def test_a_new_configuration_is_taken_without_losing_a_frame(
    daemon: Running, server: SoundServer, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    before = daemon.ask("status")["counted"]
    daemon.configure("listen: {endpoint_ms: 900, vad: webrtc}\n")
    assert "listen.endpoint_ms" in daemon.ask("reload")["changed"]
    assert said_and_heard(daemon, server, spoken(LIGHTS)).intent == "HassTurnOn"
    after = daemon.ask("status")["counted"]
    assert after["assistant_audio_overruns"] == before["assistant_audio_overruns"]
    assert daemon.part("ear")["restarts"] == 0


def test_it_ends_in_order_while_it_listens(daemon: Running) -> None:
    assert daemon.end() == 0
    assert "longer than" not in daemon.log
