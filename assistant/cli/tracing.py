"""Where decisions are recorded, as configured: for verbs that decide something, and for those that look at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assistant.clock import Clock, SystemClock

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.trace.store import TraceStore

BYTES_A_MB = 1_000_000
SECONDS_A_DAY = 86_400.0


def trace_folder(config: Config) -> Path:
    """The folder of the records."""
    from assistant.folders import folders

    return folders(config.paths).state


def open_trace(config: Config, clock: Clock | None = None) -> TraceStore:
    """The store to `note` decisions in; with `trace.enabled` false it keeps nothing. Close it at the end."""
    from assistant.trace.file import Limits
    from assistant.trace.store import TraceStore

    limits = Limits(config.trace.max_mb * BYTES_A_MB, config.trace.max_days * SECONDS_A_DAY)
    store = TraceStore(trace_folder(config), limits, clock or SystemClock(), sound=config.trace.sound)
    if not config.trace.enabled:
        store.close()
    return store
