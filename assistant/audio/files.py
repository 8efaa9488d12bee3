"""Sound files as a source: whatever libsndfile reads, at any usual rate, 1 to 8 channels, in memory of one chunk."""

from __future__ import annotations

import logging
import os
from collections import deque
from pathlib import Path

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from assistant.audio.resample import BlockCutter
from assistant.audio.source import MAX_CHANNELS, Nothing, Source
from assistant.clock import Clock, SystemClock
from assistant.errors import InputError
from assistant.types import SAMPLE_RATE_HZ, AudioBlock

LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 768_000
CHUNK_S = 0.1
UNKNOWN_LENGTH = 2**60  # libsndfile gives a number near 2**63 where the header does not tell
TOLERATED_SHORTFALL = 0.01  # an MP3's own frame count is that inexact; lossless formats are exact or raise

log = logging.getLogger(__name__)


class FileSource(Source):
    """A sound file from its beginning to its end, as fast as it is read.

    Raises InputError when the file is absent, no sound, empty, or has more than 8 channels; `read` raises it when the
    file breaks off or does not decode (the sound before that has been delivered). Samples that are not numbers become
    silence with one warning; what lies beyond full scale is clipped.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        self._path = os.fspath(path)
        self._file: soundfile.SoundFile | None = _open(self._path)
        self._channels = int(self._file.channels)
        self._chunk = max(1, round(self._file.samplerate * CHUNK_S))
        self._cutter = BlockCutter(self._file.samplerate, self._channels)
        self._ready: deque[NDArray[np.int16]] = deque()
        self._frames_read = 0
        self._at = (clock or SystemClock()).monotonic()
        self._warned = False

    @property
    def name(self) -> str:
        return self._path

    @property
    def channels(self) -> int:
        return self._channels

    def read(self, timeout_s: float) -> AudioBlock | Nothing:  # noqa: ARG002 - a file never makes one wait
        while not self._ready:
            file = self._file
            if file is None:
                return Nothing.ENDED
            self._read_chunk(file)
        pcm = self._ready.popleft()
        block = AudioBlock(pcm, self._at)
        self._at += pcm.shape[1] / SAMPLE_RATE_HZ
        return block

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
        self._ready.clear()

    def _read_chunk(self, file: soundfile.SoundFile) -> None:
        try:
            frames = file.read(self._chunk, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if file.closed:
                return
            raise self._broken(file, str(error.error_string).rstrip(".")) from error
        if len(frames):
            self._frames_read += len(frames)
            self._ready.extend(self._cutter.push(self._numbers_only(frames)))
            return
        if file.frames < UNKNOWN_LENGTH and self._frames_read < file.frames * (1 - TOLERATED_SHORTFALL):
            raise self._broken(file, f"it promises {file.frames / file.samplerate:.2f} s")
        self._file = None
        file.close()
        self._ready.extend(self._cutter.finish())

    def _broken(self, file: soundfile.SoundFile, why: str) -> InputError:
        self._file = None
        after_s = self._frames_read / file.samplerate
        file.close()
        return InputError(
            f"the sound breaks off after {after_s:.2f} s ({why})",
            where=self._path,
            remedy="the file is damaged or incomplete: copy or record it again",
        )

    def _numbers_only(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        usable = np.isfinite(frames)
        if usable.all():
            return frames
        if not self._warned:
            log.warning("%s: samples that are not numbers (NaN or infinite) are taken as silence", self._path)
            self._warned = True
        return np.where(usable, frames, np.float32(0))


def _open(path: str) -> soundfile.SoundFile:
    place = Path(path)
    if not place.exists():
        raise InputError("there is no such file", where=path, remedy="check the path")
    if place.is_dir():
        raise InputError("this is a folder, not a sound file", where=path, remedy="name the files in it")
    if not os.access(path, os.R_OK):
        raise InputError("the file may not be read", where=path, remedy="check its permissions")
    if place.is_file() and place.stat().st_size == 0:
        raise InputError("the file is empty", where=path, remedy="record it again")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a .raw name, which tells no format
        raise InputError(
            "this is not a sound file that can be read", where=path, remedy="convert it to WAV or FLAC first"
        ) from error
    try:
        _check(file, path)
    except InputError:
        file.close()
        raise
    return file


def _check(file: soundfile.SoundFile, path: str) -> None:
    if file.channels > MAX_CHANNELS:
        raise InputError(
            f"it has {file.channels} channels, more than {MAX_CHANNELS}",
            where=path,
            remedy=f"keep the microphones you need, at most {MAX_CHANNELS}",
        )
    if not LOWEST_RATE_HZ <= file.samplerate <= HIGHEST_RATE_HZ:
        raise InputError(
            f"its rate of {file.samplerate} Hz is not one of sound",
            where=path,
            remedy=f"resample it to {SAMPLE_RATE_HZ} Hz",
        )
    if file.frames == 0:
        raise InputError("the file holds no sound", where=path, remedy="record it again")
