"""Sentences that were spoken before: the sound, kept in memory and, if they recur, on disk.

On disk lies one WAV per sentence, named by a hash of voice and text, written atomically and readable by its owner only.
A sentence reaches the disk when it is rendered ahead or said a second time, so that what is private and said once (an
item of a list) is not kept. A disk that cannot be written costs a warning, never a reply.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import time
import wave
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.types import frozen_array

MEMORY_BYTES = 2 * 2**20
"""Some twenty sentences; the others are read from the disk: the page cache has them as long as there is room."""
DISK_BYTES = 32 * 2**20

# Part of every key: raise it when the sound made from a sentence changes (level, cleaning).
FORMAT = 1

# One sentence may fill this part of the memory at most, so that a long one does not push out all short ones.
LARGEST_SHARE = 0.25

# Sentences said once are remembered by hash only, and only so many of them.
SEEN_ONCE = 4_096

# A file's time of last use is written this seldom, to spare the SD card.
TOUCH_AFTER_S = 24 * 3600.0

SAMPLE_BYTES = 2

log = logging.getLogger(__name__)

Samples = NDArray[np.int16]


class PhraseCache:
    """The least recently used sentences of one voice leave first. Safe to use from several threads.

    folder: where WAVs are kept; None keeps them in memory only. voice, sample_rate: whose sound it is, and in Hz.
    memory_bytes, disk_bytes: bounds on what is kept in each.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        voice: str,
        sample_rate: int,
        memory_bytes: int = MEMORY_BYTES,
        disk_bytes: int = DISK_BYTES,
    ) -> None:
        self._folder = folder
        self._voice = voice
        self._sample_rate = sample_rate
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._memory: OrderedDict[str, Samples] = OrderedDict()
        self._held_bytes = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._files: OrderedDict[str, int] | None = None  # key to size in bytes, longest unused first; read when needed
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # one writer at a time, while `get` goes on

    def get(self, text: str) -> Samples | None:
        """The sound of `text`, int16, shape [samples], read-only; None when it is not kept."""
        key = self._key(text)
        with self._lock:
            samples = self._memory.get(key)
            if samples is not None:
                self._memory.move_to_end(key)
                return samples
            samples = self._read(key)
            if samples is not None:
                self._hold(key, samples)
            return samples

    def keep(self, text: str, samples: Samples, *, ahead: bool = False) -> None:
        """Keep the sound of `text`; called each time it was said, after it was handed on, for this may write a file.

        ahead: it was rendered because it is expected, so that it goes to disk at once.
        """
        key = self._key(text)
        with self._lock:
            self._hold(key, samples)
            if key in self._index():
                return
            if not ahead and key not in self._seen:
                self._seen[key] = None
                if len(self._seen) > SEEN_ONCE:
                    self._seen.popitem(last=False)
                return
            self._seen.pop(key, None)
        with self._writing:
            self._write(key, samples)

    @property
    def memory_bytes(self) -> int:
        """Bytes of samples held in memory now."""
        with self._lock:
            return self._held_bytes

    @property
    def disk_bytes(self) -> int:
        """Bytes of the files on disk now."""
        with self._lock:
            return sum(self._index().values())

    def _key(self, text: str) -> str:
        parts = (str(FORMAT), self._voice, str(self._sample_rate), text)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _hold(self, key: str, samples: Samples) -> None:
        if samples.nbytes > self._memory_bytes * LARGEST_SHARE or key in self._memory:
            return
        if samples.flags.writeable or samples.base is not None:
            samples = frozen_array(samples.copy())
        self._memory[key] = samples
        self._held_bytes += samples.nbytes
        while self._held_bytes > self._memory_bytes:
            self._held_bytes -= self._memory.popitem(last=False)[1].nbytes

    def _index(self) -> OrderedDict[str, int]:
        if self._files is None:
            self._files = OrderedDict()
            found: list[tuple[float, str, int]] = []
            try:
                for path in self._folder.glob("*.wav") if self._folder else ():
                    status = path.stat()
                    found.append((status.st_mtime, path.stem, status.st_size))
            except OSError as error:
                self._give_up_disk(error)
            self._files.update((key, size) for _, key, size in sorted(found))
        return self._files

    def _read(self, key: str) -> Samples | None:
        files = self._index()
        if self._folder is None or key not in files:
            return None
        path = self._folder / f"{key}.wav"
        try:
            with wave.open(str(path), "rb") as file:
                whole = file.getnframes()
                right = (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (
                    self._sample_rate,
                    1,
                    SAMPLE_BYTES,
                )
                samples = np.frombuffer(file.readframes(whole), dtype="<i2").astype(np.int16)
            if right and len(samples) == whole > 0:
                if time.time() - path.stat().st_mtime > TOUCH_AFTER_S:
                    os.utime(path)
                files.move_to_end(key)
                return frozen_array(samples)
        except (OSError, EOFError, wave.Error, ValueError) as error:
            log.info("phrase %s is not readable and is rendered again: %s", path.name, error)
        files.pop(key, None)  # torn, emptied or removed behind our back
        return None

    def _write(self, key: str, samples: Samples) -> None:
        folder = self._folder
        if folder is None or samples.nbytes > self._disk_bytes * LARGEST_SHARE:
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for oldest in self._evicted(samples.nbytes):
                (folder / f"{oldest}.wav").unlink(missing_ok=True)
            size = _write_wav(folder / f"{key}.wav", samples, self._sample_rate)
        except OSError as error:
            self._give_up_disk(error)
            return
        with self._lock:
            self._index()[key] = size

    def _evicted(self, size: int) -> list[str]:
        """Strike the longest unused files off the index until `size` more bytes fit; returns their keys."""
        gone = []
        with self._lock:
            files = self._index()
            while files and sum(files.values()) + size > self._disk_bytes:
                gone.append(files.popitem(last=False)[0])
        return gone

    def _give_up_disk(self, error: OSError) -> None:
        log.warning("%s: spoken phrases are kept in memory only (%s)", self._folder, error.strerror or error)
        self._folder = None


def _write_wav(path: Path, samples: Samples, sample_rate: int) -> int:
    """Write atomically: whole after a power cut, or not there. Returns the size in bytes."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as raw:
            with wave.open(raw, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(SAMPLE_BYTES)
                file.setframerate(sample_rate)
                file.writeframes(samples.astype("<i2").tobytes())
            raw.flush()
            os.fsync(raw.fileno())
            size = raw.tell()
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return size
