"""Whether PulseAudio or PipeWire has moved our stream to another microphone, which PortAudio cannot see.

When a microphone is unplugged the server may connect its listeners to another source, even to the monitor of the very
loudspeaker. `pactl subscribe` tells when anything about streams changes; only then are they looked at.
"""

from __future__ import annotations

import json
import logging
import os
import select
import shutil
import subprocess
from dataclasses import dataclass

ANSWER_TIMEOUT_S = 2.0
READ_BYTES = 65_536

log = logging.getLogger(__name__)


@dataclass(slots=True)
class MoveWatch:
    """Watches the stream that was opened after `begin`. Every method returns at once or within a short `pactl` call."""

    _events: subprocess.Popen[bytes]
    _before: frozenset[int]
    _sources: dict[int, int]

    @classmethod
    def begin(cls) -> MoveWatch | None:
        """Remember which streams this process has already; None where there is no such server or no `pactl`."""
        if shutil.which("pactl") is None:
            return None
        before = _sources_by_stream()
        if before is None:
            return None
        events = subprocess.Popen(["pactl", "subscribe"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return cls(events, frozenset(before), {})

    def settle(self) -> None:
        """The stream runs: remember which source each of its connections has."""
        now = _sources_by_stream() or {}
        self._sources = {stream: source for stream, source in now.items() if stream not in self._before}

    def moved(self) -> bool:
        """Whether the stream hears another source than at `settle`."""
        if not self._anything_new():
            return False
        now = _sources_by_stream()
        if now is None:  # the server is gone: the callbacks will tell
            return False
        return any(stream in now and now[stream] != source for stream, source in self._sources.items())

    def close(self) -> None:
        """End the subscription."""
        self._events.kill()
        self._events.wait()
        if self._events.stdout is not None:
            self._events.stdout.close()

    def _anything_new(self) -> bool:
        if self._events.stdout is None:
            return False
        descriptor = self._events.stdout.fileno()
        new = False
        while select.select([descriptor], [], [], 0)[0]:
            data = os.read(descriptor, READ_BYTES)
            if not data:
                break
            new = new or b"source" in data
        return new


def _sources_by_stream() -> dict[int, int] | None:
    """Source of each recording stream of this process, by stream; None when the server does not answer."""
    try:
        done = subprocess.run(
            ["pactl", "--format=json", "list", "source-outputs"],
            capture_output=True,
            check=False,
            timeout=ANSWER_TIMEOUT_S,
        )
        if done.returncode != 0:
            return None
        own = str(os.getpid())
        return {
            each["index"]: each["source"]
            for each in json.loads(done.stdout or b"[]")
            if each.get("properties", {}).get("application.process.id") == own
        }
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        log.debug("pactl does not tell where streams are connected: %s", error)
        return None
