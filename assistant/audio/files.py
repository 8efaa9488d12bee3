"""Sound files as a source: whatever libsndfile reads, at any usual rate, 1 to 8 channels, in memory of one chunk."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import NDArray

from assistant.audio.resample import BlockCutter
from assistant.audio.source import MAX_CHANNELS, Nothing, Source
from assistant.clock import Clock, SystemClock
from assistant.errors import InputError
from assistant.types import SAMPLE_RATE_HZ, AudioBlock

if TYPE_CHECKING:
    from typing_extensions import Self

LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 768_000
CHUNK_S = 0.1
UNKNOWN_LENGTH = 2**60  # libsndfile gives a number near 2**63 where the header does not tell
TOLERATED_SHORTFALL = 0.01  # an MP3's own frame count is that inexact; lossless formats are exact or raise

log = logging.getLogger(__name__)


class FileReader:
    """A sound file as it is, chunk by chunk.

    Raises InputError when the file is absent, no sound, empty, or has more than 8 channels.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._file = _open(self.path)
        self.channels = int(self._file.channels)
        self.rate_hz = int(self._file.samplerate)
        self._chunk = max(1, round(self.rate_hz * CHUNK_S))
        self._frames_read = 0
        self._warned = False

    @property
    def duration_s(self) -> float | None:
        """Length in seconds as the header says; None where it does not."""
        frames = int(self._file.frames)
        return frames / self.rate_hz if frames < UNKNOWN_LENGTH else None

    def read(self) -> NDArray[np.float32] | None:
        """Return the next 0.1 s, float32 [frames, channels] in ±1 (beyond, if the file is), or None at the end.

        Samples that are not numbers become silence, with one warning. Raises InputError when the file breaks off or
        does not decode.
        """
        try:
            frames = self._file.read(self._chunk, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise self._broken(str(error.error_string).rstrip(".")) from error
        if len(frames):
            self._frames_read += len(frames)
            return self._numbers_only(frames)
        promised_s = self.duration_s
        if promised_s is not None and self._frames_read < promised_s * self.rate_hz * (1 - TOLERATED_SHORTFALL):
            raise self._broken(f"it promises {promised_s:.2f} s")
        return None

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _broken(self, why: str) -> InputError:
        return InputError(
            f"the sound breaks off after {self._frames_read / self.rate_hz:.2f} s ({why})",
            where=self.path,
            remedy="the file is damaged or incomplete: copy or record it again",
        )

    def _numbers_only(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        usable = np.isfinite(frames)
        if usable.all():
            return frames
        if not self._warned:
            log.warning("%s: samples that are not numbers (NaN or infinite) are taken as silence", self.path)
            self._warned = True
        return np.where(usable, frames, np.float32(0))


class FileSource(Source):
    """A sound file from its beginning to its end, as fast as it is read; what lies beyond full scale is clipped.

    Times count from the moment of opening. Raises what `FileReader` raises; when a file breaks off, `read` raises after
    the blocks that were whole have been delivered.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        self._reader = FileReader(path)
        self._cutter = BlockCutter(self._reader.rate_hz, self._reader.channels)
        self._ready: deque[NDArray[np.int16]] = deque()
        self._at = (clock or SystemClock()).monotonic()
        self._reading = threading.Lock()
        self._ended = False
        self._closed = False

    @property
    def name(self) -> str:
        return self._reader.path

    @property
    def channels(self) -> int:
        return self._reader.channels

    def read(self, timeout_s: float) -> AudioBlock | Nothing:  # noqa: ARG002 - a file never makes one wait
        with self._reading:
            block = Nothing.ENDED if self._closed else self._next()
        if self._closed:  # perhaps while it was read: then the file is still open
            self._reader.close()
            return Nothing.ENDED
        return block

    def close(self) -> None:
        self._closed = True
        # Never closed under a reader, in another thread or interrupted by this signal handler: it does so then.
        if self._reading.acquire(blocking=False):
            self._reader.close()
            self._reading.release()

    def _next(self) -> AudioBlock | Nothing:
        while not self._ready:
            if self._ended:
                return Nothing.ENDED
            self._read_chunk()
        pcm = self._ready.popleft()
        block = AudioBlock(pcm, self._at)
        self._at += pcm.shape[1] / SAMPLE_RATE_HZ
        return block

    def _read_chunk(self) -> None:
        try:
            frames = self._reader.read()
        except InputError:
            self._reader.close()
            self._ended = True
            raise
        if frames is None:
            self._reader.close()
            self._ended = True
            self._ready.extend(self._cutter.finish())
        else:
            self._ready.extend(self._cutter.push(frames))


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
