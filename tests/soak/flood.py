"""How much a flood on the control socket delays the voice: spoken commands with and without it, in turns of five.

A voice speaks into a virtual microphone. In every second turn 100 clients ask, 50 requests each, over and over; beside
them are some that never read and some that stop in the middle. Prints the felt latency (last sound to decision) of
both, p50 and p95, and with bootstrap intervals the ratio of the p95 and, which needs fewer commands, the median of what
each command took with the flood over what the same one took without. The clients run on the same machine: what they
take from the processor is in it.

    python -m tests.soak.flood --turns 6
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.daemon.client import Client
from assistant.daemon.events import MICROPHONE, Decided
from assistant.errors import AssistantError
from assistant.types import SAMPLE_RATE_HZ
from tests.daemon.running import Running
from tests.soak.soak import spoken_clips
from tests.sound_server import MIC1, SoundServer, running_server

CLIENTS, REQUESTS = 100, 50
A_TURN = 5
DRAWS = 2000
HEARING = ("--set", "audio.device=mic1", "--set", "speak.voice=none")


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=6)
    args = parser.parse_args(argv)
    with running_server() as server, tempfile.TemporaryDirectory(prefix="flood-", ignore_cleanup_errors=True) as home:
        daemon = Running(Path(home), server.environment, HEARING).start()
        clips = list(spoken_clips())
        felt: tuple[list[float | None], list[float | None]] = ([], [])
        for turn in range(args.turns):
            with flooded(daemon) if turn % 2 else contextlib.nullcontext():
                for number in range(A_TURN):
                    felt[turn % 2].append(heard(daemon, server, clips[(turn // 2 * A_TURN + number) % len(clips)]))
        daemon.end(signal.SIGTERM)
    quiet, full = (np.array([ms for ms in each if ms is not None]) for each in felt)
    pairs = [(a, b) for a, b in zip(*felt, strict=False) if a is not None and b is not None]
    report = {
        "quiet": described(quiet),
        "flooded": described(full),
        "p95_ratio": ratio(quiet, full),
        "ratio_of_the_same_command": paired(np.array(pairs)),
    }
    print(json.dumps(report, indent=1))
    return 0


def heard(daemon: Running, server: SoundServer, clip: NDArray[np.int16]) -> float | None:
    """Play a command; its felt latency, milliseconds, None where it was not noticed."""
    with Client.connect(daemon.socket) as client:
        events = client.events(timeout_s=10)
        server.play(MIC1, (clip / np.float32(32_768)).astype(np.float32)[:, np.newaxis], SAMPLE_RATE_HZ)
        for event in events:
            if isinstance(event, Decided) and event.source == MICROPHONE and event.felt_ms is not None:
                return event.felt_ms
    return None


@contextlib.contextmanager
def flooded(daemon: Running) -> Iterator[None]:
    """100 clients at work, less those who listen, and some that harm."""
    over = threading.Event()

    def ask() -> None:
        with contextlib.suppress(AssistantError):
            while not over.is_set():
                with Client.connect(daemon.socket) as client:
                    for number in range(REQUESTS):
                        client.ask(("status", "metrics", "timers")[number % 3])
                        if over.is_set():
                            return

    harmful = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for number, each in enumerate(harmful):
        each.connect(str(daemon.socket))
        each.sendall((b'{"do":"stat', b'{"do":"metrics"}\n' * 500)[number % 2])
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        for each in harmful:
            each.close()


def described(felt: NDArray[np.float64]) -> dict[str, float]:
    """p50 and p95, milliseconds, and how many."""
    p50, p95 = np.quantile(felt, (0.5, 0.95))
    return {"count": len(felt), "p50_ms": round(float(p50)), "p95_ms": round(float(p95))}


def ratio(quiet: NDArray[np.float64], full: NDArray[np.float64]) -> list[float]:
    """p95 with a flood over that without: the figure, and the bounds of a 95 % bootstrap interval."""
    rng = np.random.default_rng(1)

    def drawn(values: NDArray[np.float64]) -> float:
        return float(np.quantile(rng.choice(values, len(values)), 0.95))

    return _bounded(
        float(np.quantile(full, 0.95) / np.quantile(quiet, 0.95)), [drawn(full) / drawn(quiet) for _ in range(DRAWS)]
    )


def paired(pairs: NDArray[np.float64]) -> list[float]:
    """Median of the second over the first of each pair, float64 [commands, 2]; with bounds as `ratio`."""
    rng, ratios = np.random.default_rng(1), pairs[:, 1] / pairs[:, 0]
    draws = [float(np.median(rng.choice(ratios, len(ratios)))) for _ in range(DRAWS)]
    return _bounded(float(np.median(ratios)), draws)


def _bounded(figure: float, draws: list[float]) -> list[float]:
    return [round(float(value), 3) for value in (figure, *np.quantile(draws, (0.025, 0.975)))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
