"""A source read in long pieces while nothing depends on the moment: a process that is woken less often costs less.

At rest, behind a wake word, the computing of a 20 ms block costs less than being woken for it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from assistant.audio.source import Nothing, Source
from assistant.types import SAMPLE_RATE_HZ, AudioBlock, frozen_array

REST_S = 0.1
"""The longest piece, and so the most by which anything is noticed later."""
REST_TIMEOUT_S = 0.1


@runtime_checkable
class Patient(Protocol):
    """A source that can be told how patient its reader is."""

    def wake_after(self, sound_s: float) -> None:
        """From now on `read` need not return before so much sound has come; 0: with each block."""
        ...


class RestfulReader:
    """Reads `source`: `read` a block at a time, `read_at_rest` in pieces of up to `REST_S`. One thread's."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._patient = source if isinstance(source, Patient) else None
        self._rests = False
        self._waiting: AudioBlock | Nothing | None = None

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        """As `Source.read`."""
        self._be_patient(0.0)
        return self._next(timeout_s)

    def read_at_rest(self) -> AudioBlock | Nothing:
        """As `Source.read`, but all the sound that is there, up to `REST_S`, as one block; a gap begins another."""
        self._be_patient(REST_S)
        first = self._next(REST_TIMEOUT_S)
        if isinstance(first, Nothing):
            return first
        parts, samples = [first.pcm], first.pcm.shape[1]
        while samples < REST_S * SAMPLE_RATE_HZ:
            block = self._next(0.0)
            if isinstance(block, Nothing) or block.gap:
                self._waiting = None if block is Nothing.NOT_YET else block
                break
            parts.append(block.pcm)
            samples += block.pcm.shape[1]
        return AudioBlock(frozen_array(np.concatenate(parts, axis=1)), first.at, first.gap)

    def _next(self, timeout_s: float) -> AudioBlock | Nothing:
        waiting, self._waiting = self._waiting, None
        return self._source.read(timeout_s) if waiting is None else waiting

    def _be_patient(self, sound_s: float) -> None:
        rests = sound_s > 0
        if self._patient is not None and rests != self._rests:
            self._patient.wake_after(sound_s)
        self._rests = rests
