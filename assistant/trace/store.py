"""Keeps decision records beside the conversation: `note` returns at once, a thread writes, no failure reaches a caller.

What cannot be written (disk full, read-only, too fast) is counted, and said once until it works again.
"""

from __future__ import annotations

import io
import logging
import queue
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assistant.clock import Clock
from assistant.errors import StorageError
from assistant.trace.file import Limits, TraceFile
from assistant.trace.writing import record_of
from assistant.types import SAMPLE_RATE_HZ, Decision

if TYPE_CHECKING:
    from typing_extensions import Self

QUEUE_LENGTH = 64
"""Decisions waiting to be written; a disk that hangs loses the newest."""
CLOSE_TIMEOUT_S = 3.0

log = logging.getLogger(__name__)


class TraceStore:
    """Records decisions into `folder`. From any thread.

    sound: keep the utterances too, as FLAC. clock: says what is too old.
    """

    def __init__(self, folder: Path, limits: Limits, clock: Clock, *, sound: bool = False) -> None:
        self._folder, self._limits, self._clock, self._sound = folder, limits, clock, sound
        self._queue: queue.Queue[Decision | None] = queue.Queue(QUEUE_LENGTH)
        self._thread = threading.Thread(target=self._work, name="trace", daemon=True)
        self._file: TraceFile | None = None
        self._lock = threading.Lock()
        self._lost = 0
        self._failing = False
        self._closed = False

    @property
    def lost(self) -> int:
        """Decisions that could not be recorded."""
        with self._lock:
            return self._lost

    def note(self, decision: Decision) -> None:
        """Record `decision`. Returns at once and raises nothing; after `close` it does nothing."""
        with self._lock:
            if self._closed:
                return
            if self._thread.ident is None:
                self._thread.start()
        try:
            self._queue.put_nowait(decision)
        except queue.Full:
            self._lose("the disk is too slow")

    def flush(self) -> None:
        """Return when everything noted so far is written or lost."""
        self._queue.join()

    def close(self) -> None:
        """Write what is waiting, within three seconds."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._thread.ident is None:
                return
        try:
            self._queue.put(None, timeout=CLOSE_TIMEOUT_S)
        except queue.Full:
            return
        self._thread.join(CLOSE_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            decision = self._queue.get()
            if decision is not None:
                self._write(decision)
            self._queue.task_done()
            if decision is None:
                break
        self._drop_file()

    def _write(self, decision: Decision) -> None:
        try:
            file = self._open()
            sound = None
            if self._sound and decision.utterance is not None:
                sound = as_flac(decision.utterance.pcm)
            file.add(partial(record_of, decision), decision.at, self._clock.wall(), sound)
        except StorageError as error:
            self._drop_file()
            self._lose(str(error))
        except Exception as error:  # noqa: BLE001  a fault in here must end neither the trace nor anything else
            # Not the error's own text: it may quote what was said.
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._lose(f"{type(error).__name__} in {place.filename}:{place.lineno}; please report it")
        else:
            self._works_again()

    def _open(self) -> TraceFile:
        """The file, opened anew when it was removed."""
        if self._file is not None and not self._file.current:
            self._drop_file()
        if self._file is None:
            self._file = TraceFile(self._folder, self._limits)
        return self._file

    def _drop_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lose(self, why: str) -> None:
        with self._lock:
            self._lost += 1
            first, self._failing = not self._failing, True
        if first:
            log.warning("decisions are not recorded: %s", why)

    def _works_again(self) -> None:
        with self._lock:
            before, self._failing = self._failing, False
            lost = self._lost
        if before:
            log.warning("decisions are recorded again; %d were lost", lost)


def as_flac(pcm: NDArray[np.int16]) -> bytes:
    """Mono 16 kHz sound as FLAC."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def from_flac(data: bytes) -> NDArray[np.int16]:
    """The sound in `as_flac`'s bytes, int16, shape [samples], 16 kHz. Raises StorageError when it does not decode."""
    import soundfile

    try:
        pcm, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    except soundfile.LibsndfileError as error:
        raise StorageError("the sound is damaged", where="trace", remedy="`assistant forget` removes it") from error
    return np.asarray(pcm, np.int16)
