"""The doctor's checks of microphone and loudspeaker: are they there, may they be used, and what is heard."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assistant.cli.examine import Finding, Subject
from assistant.errors import DeviceError, DeviceInUse
from assistant.types import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from assistant.audio.source import Source
    from assistant.clock import Clock

LISTEN_S = 2.0
FIRST_SOUND_S = 4.0
QUIET_DBFS = -75.0
"""Mean level of a room through a usable microphone is above; what has no gain lies at −80 and below."""
CLIPPED_SHARE = 0.01
"""So many of all samples at full scale are no accident."""
RATE_TOLERANCE = 0.1
"""Sound may come so much too fast or slow within 2 s: it arrives in bunches (measured: callbacks up to 145 ms late)."""
FULL_SCALE = 32_767
NO_MICROPHONE = "none"


def library(_subject: Subject) -> Iterator[Finding]:
    """PortAudio is installed."""
    from assistant.audio.portaudio import PORTAUDIO

    try:
        PORTAUDIO.devices()
    except DeviceError as error:
        yield Finding("library-missing", str(error))


def permission(subject: Subject) -> Iterator[Finding]:
    """The kernel's sound devices may be opened by who the assistant runs as."""
    refused = []
    for device in sorted((subject.root / "dev/snd").glob("pcm*")):
        mode, owner = device.stat().st_mode, device.stat()
        allowed = (
            subject.uid == 0
            or (owner.st_uid == subject.uid and mode & stat.S_IRUSR)
            or (owner.st_gid in subject.groups and mode & stat.S_IRGRP)
            or mode & stat.S_IROTH
        )
        if not allowed:
            refused.append(device.name)
    if refused:
        yield Finding("not-in-audio-group", f"/dev/snd: {', '.join(refused)}")


def loudspeaker(subject: Subject) -> Iterator[Finding]:
    """The configured loudspeaker is there."""
    from assistant.audio.devices import Direction
    from assistant.audio.portaudio import PORTAUDIO

    config = subject.config
    if config.speak.voice == "none" or config.speak.output is not None:
        return
    try:
        PORTAUDIO.find(None if config.audio.output == "default" else config.audio.output, Direction.OUTPUT)
    except DeviceError as error:
        yield Finding("loudspeaker-not-found", str(error))


def microphone(subject: Subject) -> Iterator[Finding]:
    """The microphone opens, and gives sound at its rate and at a sensible level."""
    if subject.config.audio.device == NO_MICROPHONE:
        return
    try:
        source = subject.open_source()
    except DeviceInUse as error:
        yield Finding("microphone-busy", str(error))
        return
    except DeviceError as error:
        named = subject.config.audio.device != "default"
        yield Finding("microphone-not-found" if named else "no-microphone", str(error))
        return
    try:
        yield from judged(listen(source, subject.clock), source.name)
    finally:
        source.close()


@dataclass(frozen=True, slots=True)
class Heard:
    """What two seconds of a microphone were like.

    samples: that came. seconds: that it took. mean_dbfs: level, −inf for digital silence. clipped: share at full scale.
    """

    samples: int
    seconds: float
    mean_dbfs: float
    clipped: float


def listen(source: Source, clock: Clock) -> Heard:
    """Hear for LISTEN_S, from the first sound on."""
    from assistant.audio.source import Nothing
    from assistant.types import AudioBlock

    deadline = clock.monotonic() + FIRST_SOUND_S
    while clock.monotonic() < deadline and not isinstance(source.read(0.1), AudioBlock):
        pass
    began = clock.monotonic()
    blocks: list[AudioBlock] = []
    while clock.monotonic() < began + LISTEN_S:
        block = source.read(0.1)
        if isinstance(block, AudioBlock):
            blocks.append(block)
        elif block is Nothing.ENDED:
            break
    pcm = np.concatenate([block.pcm.reshape(-1) for block in blocks]) if blocks else np.zeros(0, np.int16)
    samples = sum(block.pcm.shape[1] + block.gap for block in blocks)
    if not len(pcm):
        return Heard(0, clock.monotonic() - began, -math.inf, 0.0)
    power = float(np.mean(pcm.astype(np.float64) ** 2)) / FULL_SCALE**2
    clipped = float(np.mean(np.abs(pcm.astype(np.int32)) >= FULL_SCALE - 1))
    return Heard(samples, clock.monotonic() - began, 10 * math.log10(power) if power else -math.inf, clipped)


def judged(heard: Heard, name: str) -> Iterator[Finding]:
    """What is wrong with what was heard."""
    if not heard.samples or math.isinf(heard.mean_dbfs):
        yield Finding("microphone-silent", f"{name}: {'all zeros' if heard.samples else 'nothing came'}")
        return
    rate = heard.samples / heard.seconds
    if abs(rate / SAMPLE_RATE_HZ - 1) > RATE_TOLERANCE:
        says = f"{name}: {rate / SAMPLE_RATE_HZ:.0%} of the samples that should have come"
        yield Finding("microphone-rate", says)
    if heard.clipped > CLIPPED_SHARE:
        yield Finding("level-high", f"{name}: {heard.clipped:.0%} of the samples at full scale")
    elif heard.mean_dbfs < QUIET_DBFS:
        yield Finding("level-low", f"{name}: {heard.mean_dbfs:.0f} dBFS")
