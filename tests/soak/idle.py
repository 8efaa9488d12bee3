"""What the whole daemon costs while nobody speaks: a room's noise, a wake word listened for (`make idle`).

Prints CPU time of the daemon and its recogniser as a share of one core, and their memory: resident, and proportional
(pages that both processes share counted once). The first minute, in which caches are filled, does not count.

    python -m tests.soak.idle --seconds 120
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from assistant.types import SAMPLE_RATE_HZ
from tests.daemon.running import Running
from tests.soak.soak import feed

SETTLE_S = 60.0
WAKE = ("--source", "-", "--set", "listen.mode=wake", "--set", "wake.words=alexa")
TICKS = os.sysconf("SC_CLK_TCK")


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--level", type=float, default=40.0, help="of the noise, RMS of 16-bit samples (%(default)s)")
    args = parser.parse_args(argv)
    noise = np.random.default_rng(3).normal(0, args.level, 60 * SAMPLE_RATE_HZ).astype(np.int16)
    with tempfile.TemporaryDirectory(prefix="idle-", ignore_cleanup_errors=True) as home:
        # Once to fill the caches with what a daemon that has run before has on its disk.
        for settle_s in (SETTLE_S, 5.0):
            daemon = Running(Path(home), arguments=WAKE)
            daemon.launch_with(subprocess.PIPE)
            assert daemon.process is not None
            assert daemon.process.stdin is not None
            source = daemon.process.stdin.buffer  # type: ignore[attr-defined]
            while not daemon.ready():
                feed(source, noise[:1600], time.monotonic())
            feed(source, noise, time.monotonic() + settle_s)
            if settle_s == SETTLE_S:
                daemon.end(signal.SIGTERM)
        processes = {"daemon": int(daemon.ask("status")["process"]), "recognizer": daemon.child}
        before, began = {name: cpu_s(pid) for name, pid in processes.items()}, time.monotonic()
        feed(source, np.tile(noise, 1 + int(args.seconds // 60)), began + args.seconds)
        elapsed = time.monotonic() - began
        report = {
            name: {"cpu_percent": round(100 * (cpu_s(pid) - before[name]) / elapsed, 2), **memory_mb(pid)}
            for name, pid in processes.items()
        }
        daemon.end(signal.SIGTERM)
    total = {key: round(sum(part[key] for part in report.values()), 2) for key in report["daemon"]}
    print(json.dumps({**report, "together": total}, indent=1))
    return 0


def cpu_s(process: int) -> float:
    """CPU time of a process so far, seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(process: int) -> dict[str, float]:
    """Resident and proportional memory, megabytes."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    found = {name: int(re.search(rf"^{name}:\s+(\d+)", text, flags=re.MULTILINE)[1]) for name in ("Rss", "Pss")}  # type: ignore[index]
    return {"rss_mb": round(found["Rss"] / 1024, 1), "pss_mb": round(found["Pss"] / 1024, 1)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
