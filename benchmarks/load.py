"""Real load on this machine for a while: other programs, a limit on our own control group, heat replayed from files.

Everything is undone at the end: programs are ended, the process goes back to the group it came from.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

PERIOD_US = 10_000
"""Short periods keep the gaps of a limited process short, as a slower processor would."""
SPIN = "while True: pass"
STRESS = "stress-ng"


class Others:
    """Other programs that use the processor or the memory; `want` starts and ends them to fit."""

    def __init__(self) -> None:
        self._running: dict[str, list[subprocess.Popen[bytes]]] = {"cpu": [], "memory": []}

    def want(self, cpu: int, memory: int) -> None:
        """Have so many programs of each kind at work."""
        for kind, count in (("cpu", cpu), ("memory", memory)):
            running = self._running[kind]
            while len(running) > count:
                _end(running.pop())
            while len(running) < count:
                running.append(subprocess.Popen(_command(kind), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def close(self) -> None:
        """End them all."""
        self.want(0, 0)


def load_by() -> str:
    """What makes the load."""
    return STRESS if shutil.which(STRESS) else "loops in Python (stress-ng is not installed)"


def _command(kind: str) -> Sequence[str]:
    if shutil.which(STRESS) is None:
        return (sys.executable, "-c", SPIN if kind == "cpu" else "a = bytearray(1 << 28)\nwhile True: a[:] = a[::-1]")
    if kind == "cpu":
        return (STRESS, "--cpu", "1", "--cpu-method", "matrixprod", "--quiet")
    return (STRESS, "--vm", "1", "--vm-bytes", "256M", "--vm-keep", "--quiet")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Limit:
    """A control group of our own whose CPU limit can be set; `available` is False where that is not permitted."""

    def __init__(self, group: Path | None) -> None:
        self._group = group
        self._v2 = group is not None and (group / "cpu.max").is_file()

    @property
    def available(self) -> bool:
        """Whether limits can be set."""
        return self._group is not None

    def set(self, cores: float | None) -> None:
        """Limit this process to so many cores; None takes the limit off."""
        if self._group is None:
            return
        quota = -1 if cores is None else max(int(cores * PERIOD_US), 1000)
        if self._v2:
            (self._group / "cpu.max").write_text(f"{'max' if quota < 0 else quota} {PERIOD_US}")
            return
        (self._group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self._group / "cpu.cfs_quota_us").write_text(str(quota))


@contextlib.contextmanager
def limit() -> Iterator[Limit]:
    """Put this process into a control group of its own, and back."""
    parent = _own_group()
    group = None if parent is None else parent / f"assistant-bench-{os.getpid()}"
    if group is not None and not _enter(group):
        _leave(group, parent)
        group = None
    try:
        yield Limit(group)
    finally:
        _leave(group, parent)


def _own_group() -> Path | None:
    """The CPU group that this process is in, None where there is none that can be written."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" and Path("/sys/fs/cgroup/cgroup.controllers").is_file():
            return Path("/sys/fs/cgroup") / path.strip("/")
        if "cpu" in controllers.split(","):
            base = next((b for b in (controllers, "cpu") if Path("/sys/fs/cgroup", b).is_dir()), None)
            return None if base is None else Path("/sys/fs/cgroup", base) / path.strip("/")
    return None


def _enter(group: Path) -> bool:
    """Make `group` and go into it; False where that is not permitted, or it has no CPU controller."""
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return False
    return any((group / name).is_file() for name in ("cpu.max", "cpu.cfs_quota_us"))


def _leave(group: Path | None, parent: Path | None) -> None:
    if group is None or parent is None or not group.is_dir():
        return
    with contextlib.suppress(OSError):
        (parent / "cgroup.procs").write_text(str(os.getpid()))
    with contextlib.suppress(OSError):
        group.rmdir()


class HeatFiles:
    """A root for `assistant.schedule.board.Board`: this machine's own files, but a thermal zone that we write."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="assistant-bench-")
        self.root = Path(self._folder.name)
        (self.root / "sys/class").mkdir(parents=True)
        for name in ("proc", "sys/fs"):
            (self.root / name).symlink_to(f"/{name}")
        self._zone = self.root / "sys/class/thermal/thermal_zone0"
        self._zone.mkdir(parents=True)
        (self._zone / "trip_point_0_type").write_text("passive")

    def write(self, celsius: float, trip_c: float) -> None:
        """What the zone says now."""
        (self._zone / "temp").write_text(str(int(celsius * 1000)))
        (self._zone / "trip_point_0_temp").write_text(str(int(trip_c * 1000)))

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()
