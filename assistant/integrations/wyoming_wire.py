"""Wyoming's frames, read with limits: a JSON line, then data, then a payload, none of which may be larger than needed.

{"type": …, "data_length": n, "payload_length": m}⏎ n bytes of JSON, m bytes
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from wyoming.event import Event

from assistant.errors import InputError
from assistant.types import SAMPLE_RATE_HZ

MOST_HEADER_BYTES = 64 * 1024
MOST_DATA_BYTES = 64 * 1024
MOST_PAYLOAD_BYTES = 512 * 1024
"""Five seconds of sound at 48 kHz; usual are 64 ms."""
WHOLE_WITHIN_S = 10.0
"""From a frame's first byte to its last: who drips bytes is cut off."""

RATES_HZ = (8_000, 48_000)
WIDTH_BYTES = 2
MOST_CHANNELS = 8


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """The next event, None where the client has gone. Raises InputError for what is none; then the stream is lost."""
    first = await reader.read(1)
    if not first:
        return None
    try:
        return await asyncio.wait_for(_rest(first, reader), WHOLE_WITHIN_S)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.TimeoutError:
        raise _no_event("an event did not end in time") from None
    except asyncio.LimitOverrunError:
        raise _no_event(f"a header has more than {MOST_HEADER_BYTES} bytes") from None


class Resampler:
    """Audio chunks of one stretch of sound as one channel at 16 kHz; rate and channels must not change within it.

    Chunks may end in the middle of a sample: Home Assistant hands on what it receives as it came from the network.
    """

    def __init__(self) -> None:
        self._format: tuple[int, int] | None = None
        self._stream: soxr.ResampleStream | None = None
        self._broken = b""

    def heard(self, event: Event) -> NDArray[np.int16]:
        """A chunk as int16, shape [samples]; a little of it may come with the next. Raises InputError."""
        rate_hz, channels = _format(event.data)
        if self._format is None:
            self._format = rate_hz, channels
            if rate_hz != SAMPLE_RATE_HZ:
                self._stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="int16")
        if self._format != (rate_hz, channels):
            raise _no_event("rate or channels change in the middle of the sound")
        payload = self._broken + (event.payload or b"")
        whole = len(payload) // (WIDTH_BYTES * channels) * WIDTH_BYTES * channels
        self._broken = payload[whole:]
        pcm = np.frombuffer(payload[:whole], "<i2").reshape(-1, channels)
        mono = pcm[:, 0] if channels == 1 else np.asarray(pcm.mean(axis=1).round(), np.int16)
        return mono if self._stream is None else np.asarray(self._stream.resample_chunk(mono), np.int16)

    def rest(self) -> NDArray[np.int16]:
        """What was held back, at the end."""
        nothing = np.zeros(0, np.int16)
        return (
            nothing if self._stream is None else np.asarray(self._stream.resample_chunk(nothing, last=True), np.int16)
        )


def seconds_of(event: Event) -> float:
    """How long an audio chunk is. Raises InputError."""
    rate, channels = _format(event.data)
    return len(event.payload or b"") / (WIDTH_BYTES * channels * rate)


async def _rest(first: bytes, reader: asyncio.StreamReader) -> Event:
    header = _object(first + await reader.readuntil(b"\n"))
    kind, data = header.get("type"), header.get("data") or {}
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise _no_event("a header has no type")
    data_bytes = _length(header, "data_length", MOST_DATA_BYTES)
    if data_bytes:
        data = {**data, **_object(await reader.readexactly(data_bytes))}
    payload_bytes = _length(header, "payload_length", MOST_PAYLOAD_BYTES)
    return Event(kind, data, await reader.readexactly(payload_bytes) if payload_bytes else None)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_event("an event is no JSON") from None
    if not isinstance(found, dict):
        raise _no_event("an event is no JSON object")
    return found


def _length(header: Mapping[str, Any], name: str, most: int) -> int:
    value = header.get(name) or 0
    if not isinstance(value, int) or not 0 <= value <= most:
        raise _no_event(f"{name} is not a number up to {most}")
    return value


def _format(data: Mapping[str, Any]) -> tuple[int, int]:
    """Rate and channels of a chunk."""
    rate, width, channels = data.get("rate"), data.get("width"), data.get("channels")
    low, high = RATES_HZ
    if not (isinstance(rate, int) and low <= rate <= high):
        raise _no_event(f"the sound has no rate from {low} to {high} Hz")
    if width != WIDTH_BYTES:
        raise _no_event("the samples are not 16-bit")
    if not (isinstance(channels, int) and 1 <= channels <= MOST_CHANNELS):
        raise _no_event(f"the sound has not 1 to {MOST_CHANNELS} channels")
    return rate, channels


def _no_event(what: str) -> InputError:
    return InputError(what, where="Wyoming client", remedy="send what https://github.com/OHF-Voice/wyoming describes")
