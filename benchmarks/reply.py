"""From a decision to the first sound of its reply: `python -m benchmarks.reply`.

Measured as the assistant runs: speech begins (the voice is loaded), 1.5 s later the decision falls, and the time until
the first samples reach the loudspeaker's queue is taken. The loudspeaker itself adds 30 to 40 ms (`assistant.audio`).
A reply to a sentence that may go on waits longer on purpose, and is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.cli.mouth import Mouth
from assistant.config import Config, Paths, Speak
from assistant.grammar.load import load_context
from assistant.listen.segment import Began
from assistant.types import Decision, Outcome, Reply, Transcript, Understanding

REPLIES = (
    "The kitchen lights are on.",
    "Timer set for 25 minutes.",
    "The bedroom is set to 21 degrees.",
    "I put oat milk on the shopping list.",
    "Which one: the floor lamp or the reading lamp?",
    "Shall I unlock the front door?",
    "The pasta timer has 4 minutes and 12 seconds left.",
    "It is 9:05 PM.",
)
SPEECH_S = 1.5
"""From the beginning of speech to the decision."""
PATIENCE_S = 20.0
TARGETS_MS = {"said before": 120.0, "never said before": 400.0}


class FirstSound:
    """A sink that is done at once and notes when it was first given sound."""

    def __init__(self) -> None:
        self.at = 0.0
        self.heard = threading.Event()

    def play(self, pcm: NDArray[np.int16], rate_hz: int) -> None:
        """Note the time."""
        del pcm, rate_hz
        if not self.heard.is_set():
            self.at = time.perf_counter()
            self.heard.set()

    def stop(self) -> None:
        """Nothing is being played."""

    def wait(self, timeout_s: float) -> bool:
        """Everything was played."""
        del timeout_s
        return True

    @property
    def playing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of each reply."""

    kind: str
    ms: tuple[float, ...]

    @property
    def row(self) -> dict[str, Any]:
        """For printing."""
        target = TARGETS_MS[self.kind]
        return {
            "kind": self.kind,
            "replies": len(self.ms),
            "median_ms": round(statistics.median(self.ms), 1),
            "worst_ms": round(max(self.ms), 1),
            "target_ms": target,
            "reached": statistics.median(self.ms) <= target,
        }


def measure(voice: str = "auto", replies: Sequence[str] = REPLIES) -> tuple[Measured, Measured]:
    """(said before, never said before)."""
    with tempfile.TemporaryDirectory(prefix="assistant-reply-") as folder:
        config = Config(paths=Paths(cache=folder), speak=Speak(voice=voice))
        sink = FirstSound()
        mouth = Mouth(config, open_sink=lambda: sink)
        mouth.notice(Began(0.0))
        time.sleep(SPEECH_S)
        fresh = tuple(_first_sound_ms(mouth, sink, text) for text in replies)
        again = tuple(_first_sound_ms(mouth, sink, text) for text in replies)
        mouth.close()
    return Measured("said before", again), Measured("never said before", fresh)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reply", description=__doc__)
    parser.add_argument("--voice", default="auto", help="the voice that answers (default: the best that is installed)")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    options = parser.parse_args(arguments)
    for measured in measure(options.voice):
        row = measured.row
        if options.json:
            print(json.dumps(row))
        else:
            print(
                f"{row['kind']:18} median {row['median_ms']:6.1f} ms  worst {row['worst_ms']:6.1f} ms"
                f"  (target {row['target_ms']:g} ms)"
            )
    return 0


def _first_sound_ms(mouth: Mouth, sink: FirstSound, text: str) -> float:
    decision = _decision(text)
    sink.heard.clear()
    began = time.perf_counter()
    mouth.say(decision)
    if not sink.heard.wait(PATIENCE_S):
        raise TimeoutError(f"no sound for “{text}”")
    return 1000 * (sink.at - began)


def _decision(text: str) -> Decision:
    understanding = Understanding(Outcome.ACCEPT, "any", {}, "", 1.0, "", "", "")
    context = load_context("barista")
    return Decision(None, Transcript((), "", "", ""), understanding, Reply(text), 0.0, context, understanding)


if __name__ == "__main__":
    raise SystemExit(main())
