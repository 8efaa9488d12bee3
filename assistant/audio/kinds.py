"""The kinds of source that a configuration or command line can name, and how each is opened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from assistant.audio.files import FileSource
from assistant.audio.pacing import RealTime
from assistant.audio.soundcard import SoundCardSource
from assistant.audio.source import Source
from assistant.audio.stdin import RawSource
from assistant.clock import Clock
from assistant.errors import ConfigError
from assistant.types import SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What a user says about where sound comes from.

    kind: a key of SOURCE_KINDS.
    target: device name or part of one, or path; "" for the default device, and for standard input.
    channels: 1 to 8, None for what the source has (1 from standard input).
    rate_hz: None for what the source has (16 kHz from standard input).
    """

    kind: str = "card"
    target: str = ""
    channels: int | None = None
    rate_hz: int | None = None


def open_source(settings: SourceSettings, clock: Clock) -> Source:
    """Open the source that `settings` describe. Raises ConfigError, InputError or DeviceError."""
    opening = SOURCE_KINDS.get(settings.kind)
    if opening is None:
        raise ConfigError(
            f"there is no kind of source {settings.kind!r}",
            where="audio.source",
            remedy="choose " + ", ".join(SOURCE_KINDS),
        )
    return opening(settings, clock)


def _card(settings: SourceSettings, clock: Clock) -> Source:
    return SoundCardSource(settings.target or None, channels=settings.channels, rate_hz=settings.rate_hz, clock=clock)


def _file(settings: SourceSettings, clock: Clock) -> Source:
    return FileSource(settings.target, clock=clock)


def _file_in_real_time(settings: SourceSettings, clock: Clock) -> Source:
    return RealTime(FileSource(settings.target, clock=clock), clock)


def _stdin(settings: SourceSettings, clock: Clock) -> Source:
    return RawSource(
        sys.stdin.buffer, rate_hz=settings.rate_hz or SAMPLE_RATE_HZ, channels=settings.channels or 1, clock=clock
    )


SOURCE_KINDS: Mapping[str, Callable[[SourceSettings, Clock], Source]] = MappingProxyType(
    {"card": _card, "file": _file, "file_in_real_time": _file_in_real_time, "stdin": _stdin}
)
