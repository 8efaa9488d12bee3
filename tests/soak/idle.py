"""What the whole daemon costs while nobody speaks: a room's noise, a wake word listened for (`make idle`).

Prints CPU time of the daemon and its recogniser as a share of one core, how often a second they were woken, and their
memory: resident, and for both together every page once, whoever else on the machine has it, too (proportional memory
would depend on what else runs). The first minute, in which caches are filled, does not count.

    python -m tests.soak.idle --seconds 120
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from assistant.types import SAMPLE_RATE_HZ
from tests.daemon.running import Running
from tests.soak.soak import feed
from tests.sound_server import running_server

SETTLE_S = 60.0
NOISE_RMS = 40.0
"""Of 16-bit samples."""
WAKE = ("--set", "listen.mode=wake", "--set", "wake.words=alexa")
TICKS = os.sysconf("SC_CLK_TCK")


Wait = Callable[[float], None]
"""Lets so many seconds of the room pass."""


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--microphone", action="store_true", help="hear by a sound server's microphone, not by a pipe")
    args = parser.parse_args(argv)
    room = microphone if args.microphone else pipe
    with tempfile.TemporaryDirectory(prefix="idle-", ignore_cleanup_errors=True) as home:
        # Once to fill the caches with what a daemon that has run before has on its disk.
        with room(Path(home)) as (_daemon, wait):
            wait(SETTLE_S)
        with room(Path(home)) as (daemon, wait):
            wait(5.0)
            report = measured(daemon, wait, args.seconds)
    print(json.dumps(report, indent=1))
    return 0


def measured(daemon: Running, wait: Wait, seconds: float) -> dict[str, dict[str, float]]:
    """Of each process and of both together."""
    processes = {"daemon": int(daemon.ask("status")["process"]), "recognizer": daemon.child}
    before = {name: (cpu_s(pid), wakes(pid)) for name, pid in processes.items()}
    began = time.monotonic()
    wait(seconds)
    elapsed = time.monotonic() - began
    report = {
        name: {
            "cpu_percent": round(100 * (cpu_s(pid) - before[name][0]) / elapsed, 2),
            "wakes_per_s": round((wakes(pid) - before[name][1]) / elapsed, 1),
            "rss_mb": round(sum(resident_kib(pid).values()) / 1024, 1),
        }
        for name, pid in processes.items()
    }
    once_mb = round(each_page_once_kib([resident_kib(pid) for pid in processes.values()]) / 1024, 1)
    total = {key: round(sum(part[key] for part in report.values()), 2) for key in report["daemon"]}
    return {**report, "together": {**total, "each_page_once_mb": once_mb}}


@contextlib.contextmanager
def pipe(home: Path) -> Iterator[tuple[Running, Wait]]:
    """A daemon that hears the noise of a room by its standard input."""
    noise = np.random.default_rng(3).normal(0, NOISE_RMS, 60 * SAMPLE_RATE_HZ).astype(np.int16)
    daemon = Running(home, arguments=("--source", "-", *WAKE))
    source = daemon.launch_fed()
    try:
        while not daemon.ready():
            feed(source, noise[:1600], time.monotonic())
        yield daemon, lambda seconds: feed(source, np.tile(noise, 1 + int(seconds // 60)), time.monotonic() + seconds)
    finally:
        daemon.end(signal.SIGTERM)


@contextlib.contextmanager
def microphone(home: Path) -> Iterator[tuple[Running, Wait]]:
    """A daemon that hears by PortAudio, ALSA and PulseAudio; nothing sounds."""
    with running_server() as server:
        daemon = Running(home, server.environment, ("--set", "audio.device=mic1", *WAKE)).start()
        try:
            yield daemon, time.sleep
        finally:
            daemon.end(signal.SIGTERM)


def cpu_s(process: int) -> float:
    """CPU time of a process so far, seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wakes(process: int) -> int:
    """How often its threads that live have waited and been woken so far."""
    text = "".join(path.read_text() for path in Path(f"/proc/{process}/task").glob("*/status"))
    return sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)))


def resident_kib(process: int) -> dict[tuple[str, str], int]:
    """Resident memory by (file, offset in it) of each mapping; what is no file's by the process and the address."""
    found: dict[tuple[str, str], int] = {}
    key = ("", "")
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        if mapped := re.match(r"([0-9a-f]+)-\S+ \S+ ([0-9a-f]+) \S+ \d+\s*(/.*)?$", line):
            key = (mapped[3], mapped[2]) if mapped[3] else (str(process), mapped[1])
        elif line.startswith("Rss:"):
            found[key] = found.get(key, 0) + int(line.split()[1])
    return found


def each_page_once_kib(processes: list[dict[tuple[str, str], int]]) -> int:
    """The memory of all together: of what several have mapped of a file, the most that one has in memory."""
    return sum(max(each.get(key, 0) for each in processes) for key in set().union(*processes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
