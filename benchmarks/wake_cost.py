"""What waking costs: share of a core while nobody says the word, and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.listen.wake import open_wake_words
from assistant.listen.wake_segment import WakeSegmenter
from assistant.types import AudioFrame
from benchmarks.mixing import as_int16
from benchmarks.recordings import KITCHEN, data_folder, read_float
from benchmarks.vad import frames_of

QUIET_LEVEL = 2 / 32768
REPEATS = 3
ONE, FOUR = ("alexa",), ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")


def measure() -> dict[str, Any]:
    """CPU in percent of a core (the least of several runs; other work only adds), memory in MB."""
    kitchen = read_float(data_folder() / KITCHEN)
    quiet = np.random.default_rng(0).normal(0, QUIET_LEVEL, len(kitchen))
    sounds = {"quiet": as_int16(quiet), "kitchen": as_int16(kitchen)}
    vad = open_vad("silero")
    listeners: dict[str, Callable[[AudioFrame], Any]] = {
        "asleep, one word": WakeSegmenter(Segmenter(vad), open_wake_words(ONE)).feed,
        "asleep, four words": WakeSegmenter(Segmenter(vad), open_wake_words(FOUR)).feed,
        "always listening, no word": Segmenter(open_vad("silero")).feed,
    }
    return {
        "cpu_percent": {
            name: {place: cpu_percent(feed, pcm) for place, pcm in sounds.items()} for name, feed in listeners.items()
        },
        "memory_mb": {"one word": memory_mb(ONE), "four words": memory_mb(FOUR), "after a doubt": memory_mb(ONE, True)},
    }


def cpu_percent(feed: Callable[[AudioFrame], Any], pcm: NDArray[np.int16]) -> float:
    """Share of one core that `feed` takes in real time, percent."""
    frames = list(frames_of(pcm))
    best = float("inf")
    for _ in range(REPEATS):
        begin_s = time.process_time()
        for frame in frames:
            feed(frame)
        best = min(best, time.process_time() - begin_s)
    return round(100 * best / (len(frames) * 0.02), 3)


def memory_mb(words: Sequence[str], doubt: bool = False) -> float:  # noqa: FBT001, FBT002
    """What the detectors add to a process that already has numpy and the listening code. doubt: after an opinion."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(list(words)), str(int(doubt))],
        capture_output=True,
        text=True,
        check=True,
    )
    return round(float(done.stdout), 1)


_PROGRAM = """
import json, sys
import numpy as np
from assistant.listen.wake import open_wake_words
from assistant.listen.wake_open import OpenOpinion
from assistant.types import AudioFrame

def resident_mb():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1000 for line in status if line.startswith("VmRSS"))

before = resident_mb()
words = json.loads(sys.argv[1])
detectors = open_wake_words(words)
for detector in detectors:
    detector.feed(AudioFrame(np.zeros(48000, np.int16), 0.0))
if sys.argv[2] == "1":
    opinion = OpenOpinion(words)
    opinion.opinion(words[0], np.zeros(48000, np.int16))
print(resident_mb() - before)
"""
