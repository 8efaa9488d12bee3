"""The assistant as a process of its own: how much memory it takes while it listens, and how soon it listens."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import AssistantError
from assistant.types import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from typing_extensions import Self

LISTENING = "Listening"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
SAMPLE_EVERY_S = 0.1
STEADY_SHARE = 0.3
"""The last part of the run, whose median counts as the steady state."""
CHUNK_S = 0.1
LAST_DECISION_S = 3.0
"""Silence after the last command, in which it is answered."""

Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Seconds of wall time, and of CPU time, which other programs on the machine do not lengthen."""

    wall_s: float
    cpu_s: float


class Assistant:
    """`assistant run --source -` in a process; sound is written to it, what it prints is read."""

    def __init__(self, options: Sequence[str], cache: Path | None = None) -> None:
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "assistant", "run", "--source", "-", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(cache),
        )
        self.lines: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.listening_after_s = 0.0
        self.listening_cpu_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(STOP_TIMEOUT_S)
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def wait_until_listening(self) -> Elapsed:
        """From the start of the process until it says that it listens. Raises AssistantError."""
        if not self._listening.wait(START_TIMEOUT_S) or self._process.poll() is not None:
            raise AssistantError("it did not start to listen", where="assistant run", remedy="try it by hand")
        return Elapsed(self.listening_after_s, self.listening_cpu_s)

    def memory_mb(self) -> tuple[float, float]:
        """(resident now, resident at its peak) of the process, MB of 10^6 bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        found = [re.search(rf"{name}:\s+(\d+) kB", status) for name in ("VmRSS", "VmHWM")]
        now, peak = (int(match[1]) * 1024 / 1e6 if match else 0.0 for match in found)
        return now, peak

    def _cpu_s(self) -> float:
        """Seconds of CPU time so far, of all threads and of the processes that it started and that have ended."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def hear(self, pcm: NDArray[np.int16]) -> list[float]:
        """Play sound at its own pace; resident memory every 0.1 s, MB."""
        assert self._process.stdin is not None
        samples = int(CHUNK_S * SAMPLE_RATE_HZ)
        due = time.perf_counter()
        resident = []
        for begin in range(0, len(pcm), samples):
            self._process.stdin.write(pcm[begin : begin + samples].astype("<i2").tobytes())
            self._process.stdin.flush()
            resident.append(self.memory_mb()[0])
            due += CHUNK_S
            time.sleep(max(0.0, due - time.perf_counter()))
        return resident

    def decisions(self) -> int:
        """How many decisions it has printed."""
        return sum(line.split(" ", 1)[0] in ("accept", "ask", "refuse") for line in self.lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            if line.startswith(LISTENING) and not self._listening.is_set():
                self.listening_after_s = time.perf_counter() - self.began
                self.listening_cpu_s = self._cpu_s()
                self._listening.set()
            self.lines.append(line)
        self._listening.set()


def memory(name: str, options: Sequence[str], sounds: Sequence[NDArray[np.int16]], cache: Path) -> dict[str, Any]:
    """Resident memory of a process that hears `sounds`, one command each: when it listens, steady, at its peak."""
    with Assistant(options, cache) as process:
        process.wait_until_listening()
        silence = np.zeros(SAMPLE_RATE_HZ, np.int16)
        idle = process.hear(silence)
        resident: list[float] = []
        for sound in [*sounds, np.zeros(int(LAST_DECISION_S * SAMPLE_RATE_HZ), np.int16)]:
            resident += process.hear(sound)
        _, peak = process.memory_mb()
        steady = resident[-max(int(len(resident) * STEADY_SHARE), 1) :]
        return {
            "process": name,
            "listening_mb": round(float(np.median(idle)), 1),
            "steady_mb": round(float(np.median(steady)), 1),
            "peak_mb": round(peak, 1),
            "commands": len(sounds),
            "decisions": process.decisions(),
        }


def starts(options: Sequence[str], cache: Path, times: int) -> list[Elapsed]:
    """Time to listening, of `times` starts with the same cache folder."""
    found = []
    for _ in range(times):
        with Assistant(options, cache) as process:
            found.append(process.wait_until_listening())
    return found


def run_times(command: Sequence[str], times: int, cache: Path | None = None) -> list[Elapsed]:
    """Time that `python -m assistant COMMAND` takes from start to end, with a cache folder of its own."""
    found = []
    for _ in range(times):
        began, used = time.perf_counter(), _children_cpu_s()
        program = [sys.executable, "-m", "assistant", *command]
        subprocess.run(program, capture_output=True, check=True, env=_environment(cache))
        found.append(Elapsed(time.perf_counter() - began, _children_cpu_s() - used))
    return found


def seconds(values: Sequence[Elapsed]) -> Mapping[str, Any]:
    """Median, least and greatest wall time, median CPU time, rounded to milliseconds."""
    walls = [value.wall_s for value in values]
    return {
        "n": len(values),
        "median_s": round(float(np.median(walls)), 3),
        "min_s": round(min(walls), 3),
        "max_s": round(max(walls), 3),
        "cpu_s": round(float(np.median([value.cpu_s for value in values])), 3),
    }


def _environment(cache: Path | None) -> dict[str, str]:
    """That of this process, with a cache of its own; byte code is kept between starts, as Python does by itself."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | ({"XDG_CACHE_HOME": str(cache.resolve())} if cache else {})


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
