"""SIGTERM and Ctrl-C end a conversation in order, and in any case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from assistant.cli.ending import EndsOnSignal

COMMAND = [sys.executable, "-m", "assistant"]
NEVER_ENDS = """
import os, signal, threading
from assistant.cli.ending import EndsOnSignal
with EndsOnSignal(within_s={within_s}):
    for _ in range({signals}):
        os.kill(os.getpid(), signal.{name})
    threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_in_another_thread_and_the_handlers_come_back(number: signal.Signals) -> None:
    closed_by: list[str] = []
    closed = threading.Event()
    lock, before = threading.Lock(), signal.getsignal(number)

    def close() -> None:
        with lock:
            closed_by.append(threading.current_thread().name)
        closed.set()

    with EndsOnSignal(close, within_s=60) as ending:
        with lock:  # a handler in this thread could never take it
            os.kill(os.getpid(), number)
            assert ending.requested
        assert closed.wait(10)
    assert closed_by == ["closing"]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("signals", "within_s"), [(1, 0.05), (2, 600)])
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_what_does_not_end_by_itself_or_is_asked_twice_ends_all_the_same(
    name: str, code: int, signals: int, within_s: float
) -> None:
    script = NEVER_ENDS.format(name=name, signals=signals, within_s=within_s)
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == code


@pytest.mark.real
def test_sigterm_in_the_middle_of_an_utterance_still_gives_its_decision(
    recordings: Callable[[str], Path], repository: Path
) -> None:
    sound, _ = soundfile.read(min((recordings("barista") / "audio").glob("*.flac")), dtype="int16")
    command = [*COMMAND, "run", "--context", "barista", "--source", "-", "--quiet"]
    with subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as listening:
        assert listening.stdin is not None
        assert listening.stdout is not None
        while b"Ctrl-C" not in (line := listening.stdout.readline()):
            assert line, "it ended before it listened"
        listening.stdin.write(sound.tobytes())
        listening.stdin.flush()  # the pipe stays open and silent: nothing but the signal ends this
        listening.send_signal(signal.SIGTERM)
        said = listening.stdout.read().decode()
        # On a machine too busy to decode in time, the process has to end without.
        assert (listening.wait(60), "because" in said or "confidence" in said) in {(0, True), (143, False)}


@pytest.mark.parametrize("device", [("--device", "no such microphone"), ("--set", "audio.device=no such microphone")])
def test_a_microphone_that_is_not_there_is_one_line_and_exit_code_7(device: tuple[str, str], repository: Path) -> None:
    done = subprocess.run([*COMMAND, "run", *device], cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (7, "", 1)
    assert done.stderr.startswith("assistant: no such microphone: no microphone has this name; ")
