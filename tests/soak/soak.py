"""Runs a daemon for an hour at twenty times a day's utterances and says whether anything grows (`make soak`).

A voice speaks sentences of the context into the daemon's standard input at the pace of a microphone, one every three
seconds; beside it typed commands, subscribers that come and go, reloads, and in the first sixth a recogniser that is
killed now and then. Memory, descriptors and threads are sampled every half minute, in a moment of silence; the slope
is that of what follows the first third, in which caches fill, with the bounds of its 95 % interval. Exit code 1 where
even the lower bound is more than 1 MB/h of memory, or more than nothing of the rest.

    python -m tests.soak.soak --hours 1 --out out/soak.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import soxr
from numpy.typing import NDArray

from assistant.daemon.client import Client
from assistant.grammar.load import load_context
from assistant.grammar.sample import sample
from assistant.speak.voice import choose_voice
from assistant.types import SAMPLE_RATE_HZ
from tests.daemon.running import Running

A_DAY = 60
"""Utterances of a household, an assumption; twenty times as many in an hour is one every three seconds."""
EVERY_S = 3600 / (20 * A_DAY)
SAMPLE_EVERY_S = 30.0
SILENCE_S = 2.5
"""Before each sample: what a command took for a moment is not what grows."""
READINGS = 4
"""Of each sample, a second apart: the least counts, where the machine was late and a command was still at work."""
BLOCK_S = 0.1
MOST_MB_PER_HOUR = 1.0
SENTENCES = 40
KILL_EVERY, RELOAD_EVERY = 100, 100
"""Utterances between two kills of the recogniser, and between two reloads."""
KILLED_UNTIL, WARM_AFTER = 1 / 6, 1 / 3
"""Shares of the time: the recogniser is killed in the first; caches have filled, its new ones too, after the second."""
NORMAL_95 = 1.96
SILENCE = np.zeros(int(BLOCK_S * SAMPLE_RATE_HZ), np.int16)
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What the daemon's metrics said at one moment. at_s: since the beginning."""

    at_s: float
    daemon_mb: float
    recognizer_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth of one number: per hour, and the bounds of its 95 % interval."""

    name: str
    per_hour: float
    low: float
    high: float


def main(argv: list[str]) -> int:
    """Run, print, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path("out/soak.json"))
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as home:
        samples, utterances, counted = soak(Path(home), args.hours * 3600)
    slopes = [slope(name, samples) for name in ("daemon_mb", "recognizer_mb", "descriptors", "threads")]
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "hours": args.hours,
        "utterances": utterances,
        "counted": counted,
        "first": asdict(samples[0]),
        "last": asdict(samples[-1]),
        "slopes": [asdict(each) for each in slopes],
        "samples": [asdict(each) for each in samples],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1))
    for each in slopes:
        print(f"{each.name:14} {each.per_hour:+8.2f} an hour ({each.low:+.2f} to {each.high:+.2f})")
    print(f"{utterances} utterances; {counted}; {args.out}")
    return 0 if grows_not(slopes) else 1


def grows_not(slopes: list[Slope]) -> bool:
    """Whether every slope is within its limit, or its interval reaches it."""
    limits = {"daemon_mb": MOST_MB_PER_HOUR, "recognizer_mb": MOST_MB_PER_HOUR}
    return all(each.low <= limits.get(each.name, 0.0) for each in slopes)


def slope(name: str, samples: list[Sample]) -> Slope:
    """The line through one number, without the time in which caches fill: the median of the slopes of all pairs.

    A sample that fell into a command, because the machine was late, so counts for nothing. The interval is Sen's
    (Journal of the American Statistical Association 63, 1968, 1379-1389), without his correction for ties.
    """
    rest = samples[int(len(samples) * WARM_AFTER) :]
    hours = np.array([each.at_s for each in rest]) / 3600
    values = np.array([float(getattr(each, name)) for each in rest])
    first, second = np.triu_indices(len(rest), 1)
    slopes = np.sort((values[second] - values[first]) / (hours[second] - hours[first]))
    count = len(rest)
    spread = NORMAL_95 * np.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low, high = (slopes[int(np.clip((len(slopes) + sign * spread) / 2, 0, len(slopes) - 1))] for sign in (-1, 1))
    return Slope(name, float(np.median(slopes)), float(low), float(high))


def soak(home: Path, seconds: float) -> tuple[list[Sample], int, str]:
    """The samples, how many utterances were spoken, and what the daemon counted."""
    clips = list(spoken_clips())
    daemon = Running(home, arguments=("--source", "-", "--set", f"speak.output={home}/replies"))
    source = daemon.launch_fed()
    feed_until_ready(daemon, source)
    samples: list[Sample] = []
    began = time.monotonic()
    utterances = 0
    choose = random.Random(7)
    for number in itertools.count(1):
        if time.monotonic() - began > seconds:
            break
        feed(source, choose.choice(clips), began + number * EVERY_S)
        utterances += 1
        disturb(daemon, number, home)
        if number % KILL_EVERY == 0 and time.monotonic() - began < seconds * KILLED_UNTIL:
            os.kill(daemon.child, signal.SIGKILL)
        if not samples or time.monotonic() - began - samples[-1].at_s >= SAMPLE_EVERY_S:
            samples.append(sampled_in_silence(daemon, source, began))
            print(utterances, samples[-1], file=sys.stderr, flush=True)
    counted = json.dumps(daemon.ask("status")["counted"])
    daemon.end(signal.SIGTERM)
    return samples, utterances, counted


def spoken_clips() -> Iterator[NDArray[np.int16]]:
    """Sentences of the context, spoken, with the silence that ends an utterance."""
    for sentence in sample(load_context("home"), SENTENCES, seed=5):
        yield spoken(sentence.text)


def spoken(text: str) -> NDArray[np.int16]:
    """A voice says it, and is silent for as long as ends an utterance."""
    voice = choose_voice("hibari")
    sound = soxr.resample(np.concatenate([*voice.stream(text)]), voice.sample_rate, SAMPLE_RATE_HZ)
    return np.concatenate([sound.astype(np.int16), np.zeros(int(0.8 * SAMPLE_RATE_HZ), np.int16)])


def feed(source: IO[bytes], clip: NDArray[np.int16], until: float) -> None:
    """Write `clip`, then silence, each at the pace of a microphone, until that moment."""
    block = int(BLOCK_S * SAMPLE_RATE_HZ)
    at = time.monotonic()
    for begin in itertools.count(0, block):
        if begin >= len(clip) and time.monotonic() >= until:
            return
        part = clip[begin : begin + block]
        source.write(np.pad(part, (0, block - len(part))).astype("<i2").tobytes())
        source.flush()
        at += BLOCK_S
        time.sleep(max(at - time.monotonic(), 0.0))


def feed_until_ready(daemon: Running, source: IO[bytes]) -> None:
    """Silence until the daemon is ready."""
    while not daemon.ready():
        feed(source, SILENCE, time.monotonic())


def disturb(daemon: Running, number: int, home: Path) -> None:
    """What else happens in a house."""
    with Client.connect(daemon.socket) as client:
        client.ask("say", text=("what time is it", "set a timer for one hour", "cancel all timers")[number % 3])
        client.ask("subscribe")
    if number % RELOAD_EVERY == 0:
        daemon.configure(f"listen: {{endpoint_ms: {700 + number % 7}}}\n")
        daemon.ask("reload")
        for old in sorted((home / "replies").glob("*.wav"))[:-20]:
            old.unlink()


def sampled_in_silence(daemon: Running, source: IO[bytes], began: float) -> Sample:
    """The least of a few readings, with nobody speaking meanwhile."""
    feed(source, SILENCE, time.monotonic() + SILENCE_S)
    readings = [sampled(daemon, time.monotonic() - began)]
    for _ in range(READINGS - 1):
        feed(source, SILENCE, time.monotonic() + 1.0)
        readings.append(sampled(daemon, time.monotonic() - began))
    return replace(
        readings[0],
        daemon_mb=min(each.daemon_mb for each in readings),
        recognizer_mb=min(each.recognizer_mb for each in readings),
    )


def sampled(daemon: Running, at_s: float) -> Sample:
    """From the daemon's own metrics."""
    text = daemon.ask("metrics")["text"]

    def value(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, flags=re.MULTILINE)
        return float(found[1]) if found else 0.0

    return Sample(
        round(at_s, 1),
        value('assistant_memory_bytes{process="daemon"}') / MIB,
        value('assistant_memory_bytes{process="recognizer"}') / MIB,
        int(value("assistant_open_descriptors")),
        int(value("assistant_threads")),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
