"""What a source of sound is to the rest: opened once, read block by block, closed; a file runs through the same code as
a microphone.

    read() ─► AudioBlock          20 ms of sound
           ─► Nothing.NOT_YET     nothing within the time-out; ask again
           ─► Nothing.ENDED       nothing will ever come again
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from assistant.types import AudioBlock

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_CHANNELS = 8
ITERATION_TIMEOUT_S = 0.5


class Nothing(enum.Enum):
    """Why `Source.read` returned no block."""

    NOT_YET = "not yet"
    ENDED = "ended"


@runtime_checkable
class Source(Protocol):
    """A microphone, a file, a pipe or a queue. Read by one thread; `close` may be called from any other.

    Ours inherit the iteration and the context manager; a stranger's may write its own.
    """

    @property
    def name(self) -> str:
        """What the user calls it: device name, path, "stdin"."""
        ...

    @property
    def channels(self) -> int:
        """Microphones in every block, 1 to 8."""
        ...

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        """Return the next block, waiting at most `timeout_s` for it.

        Raises InputError when a file or pipe turns out to be broken (the blocks before the fault were delivered),
        DeviceError when a device cannot be used at all; a device that is lost is not an error, it is reopened.
        """
        ...

    def close(self) -> None:
        """End it and free what it holds; `read` returns ENDED from then on. May be called twice, and by any thread."""
        ...

    def __iter__(self) -> Iterator[AudioBlock]:
        """All blocks until the end, waiting as long as it takes."""
        while True:
            block = self.read(ITERATION_TIMEOUT_S)
            if block is Nothing.ENDED:
                return
            if isinstance(block, AudioBlock):
                yield block

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
