"""The doctor's checks of the board: disk, folders, memory, power, heat, clock. All read below `Subject.root`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from assistant.cli.examine import Finding, Subject
from assistant.daemon.metrics import hottest_c

LEAST_FREE_BYTES = 200_000_000
"""A context compiles to some 10 MB, a trace holds 20; below this a board has other troubles, too."""
LEAST_MEMORY_BYTES = 250_000_000
"""The daemon takes some 220 MB."""
HOT_C = 80.0
"""A Raspberry Pi begins to slow down here."""
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
UNDER_VOLTAGE_NOW, UNDER_VOLTAGE_BEFORE = 1 << 0, 1 << 16
EARLIEST_AT = 1_735_689_600.0
"""The beginning of 2025, seconds since the epoch: a board without a battery starts years before."""
LATEST_AT = 4_102_444_800.0
"""The year 2100."""


def disk(subject: Subject) -> Iterator[Finding]:
    """There is room where state and cache are."""
    for folder in _there(subject):
        usage = shutil.disk_usage(folder)
        if usage.free < min(LEAST_FREE_BYTES, usage.total // 20 + 1_000_000):
            yield Finding(
                "disk-nearly-full", f"{folder}: {usage.free / 1e6:.0f} MB of {usage.total / 1e6:.0f} MB are free"
            )
            return


def folders(subject: Subject) -> Iterator[Finding]:
    """State and cache can be written."""
    for folder in (subject.folders.state, subject.folders.cache):
        there = _existing(folder)
        try:
            if not there.is_dir():
                raise NotADirectoryError(20, "not a folder")
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            yield Finding("folder-not-writable", f"{there}: {error.strerror}")


def memory(subject: Subject) -> Iterator[Finding]:
    """There is memory left for it."""
    for line in _text(subject.root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            available = int(rest.split()[0]) * 1024
            if available < LEAST_MEMORY_BYTES:
                yield Finding("memory-low", f"{available / 1e6:.0f} MB are available")


def power(subject: Subject) -> Iterator[Finding]:
    """The supply holds its voltage."""
    bits = int(_text(subject.root / THROTTLED).strip() or "0", 16)
    if bits & UNDER_VOLTAGE_NOW:
        yield Finding("under-voltage", "it is too low at this moment")
    elif bits & UNDER_VOLTAGE_BEFORE:
        yield Finding("under-voltage", "it was too low since the board was switched on")


def heat(subject: Subject) -> Iterator[Finding]:
    """The board does not slow itself down."""
    hottest = hottest_c(subject.root)
    if hottest is not None and hottest >= HOT_C:
        yield Finding("too-hot", f"{hottest:.0f} °C")


def clock(subject: Subject) -> Iterator[Finding]:
    """The clock shows a time that can be."""
    import datetime as dt

    now = subject.clock.wall()
    if not EARLIEST_AT < now < LATEST_AT:
        shown = dt.datetime.fromtimestamp(now, dt.timezone.utc)
        yield Finding("clock-wrong", f"it shows {shown:%d %B %Y}")


def _there(subject: Subject) -> list[Path]:
    return [_existing(folder) for folder in (subject.folders.state, subject.folders.cache)]


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
