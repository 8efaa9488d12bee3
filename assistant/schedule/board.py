"""What the board says of itself, read from files below a root that tests replace: one reading of everything.

Whatever is missing, unreadable or nonsense is None, and nothing else suffers. Counters are as the kernel keeps them;
`assistant.schedule.signals` makes rates of two readings. Reading all takes well under a millisecond.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SANE_C = (-30.0, 130.0)
"""Zones outside, and those at exactly 0, are broken sensors."""
MOST_BYTES = 65_536
UNLIMITED_BYTES = 1 << 60
"""cgroup v1 writes "no limit" as a number about so large."""
JETSON_RAILS = ("VDD_IN", "POM_5V_IN", "VDD_CPU_CV", "VDD_CPU_GPU_CV")
"""Whole-board rails first."""


@dataclass(frozen=True, slots=True)
class Counters:
    """One reading; every field but the time may be None.

    at: monotonic, seconds. some_s, full_s: CPU stall (PSI), seconds since boot; memory_full_s: the same of memory.
    busy_s: of all cores, since boot; niced_s: the part of programs that yield to us (nice). own_s: this process's CPU
    time. cores: that it may run on. running: tasks that run or want to, this one left out. quota_cores: CPU limit of
    its control groups. throttled_s: time held back by it. available_mb: memory, the least of the machine's and the
    group's. temperature_c: hottest sane zone. trip_c: where that zone starts to throttle. frequency_share: highest
    allowed clock over the highest possible. throttled_bits: get_throttled of a Raspberry Pi. power_w: of the board.
    battery: 0..1. on_battery: nothing charges. power_mode: nvpmodel's, of a Jetson. under_voltage: the supply is too
    weak now.
    """

    at: float
    some_s: float | None = None
    full_s: float | None = None
    memory_full_s: float | None = None
    busy_s: float | None = None
    niced_s: float | None = None
    own_s: float | None = None
    cores: float | None = None
    running: int | None = None
    quota_cores: float | None = None
    throttled_s: float | None = None
    available_mb: float | None = None
    temperature_c: float | None = None
    trip_c: float | None = None
    frequency_share: float | None = None
    throttled_bits: int | None = None
    power_w: float | None = None
    battery: float | None = None
    on_battery: bool | None = None
    power_mode: str | None = None
    under_voltage: bool | None = None


class Board:
    """Reads below `root`. The places of what does not move are looked for once; `rescan` looks again."""

    def __init__(
        self, root: Path = Path("/"), own_s: Callable[[], float] | None = None, niceness: int | None = None
    ) -> None:
        self._root = root
        self._own_s = own_s or _own_s
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self._goes_first = (os.getpriority(os.PRIO_PROCESS, 0) if niceness is None else niceness) <= 0
        self.rescan()

    def rescan(self) -> None:
        """Find control groups, zones, clocks, sensors and batteries again (a group may be changed under a service)."""
        self._groups_v2, self._groups_v1, self._memory_groups = _groups(self._root)
        self._zones = sorted(self._root.glob("sys/class/thermal/thermal_zone*"))
        self._trips = {zone: _trip_c(zone) for zone in self._zones}
        self._clocks = sorted(self._root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq"))
        self._sensors = [*_power_sensors(self._root)]
        self._supplies = sorted(self._root.glob("sys/class/power_supply/*"))
        self._alarms = [
            alarm
            for alarm in sorted(self._root.glob("sys/class/hwmon/hwmon*/in0_lcrit_alarm"))
            if _text(alarm.parent / "name") == "rpi_volt"
        ]
        self._throttled = self._root / "sys/devices/platform/soc/soc:firmware/get_throttled"

    def read(self, at: float) -> Counters:
        """Everything now. at: monotonic time, seconds."""
        some_s, full_s = _stall(f"{self._root}/proc/pressure/cpu")
        _, memory_full_s = _stall(f"{self._root}/proc/pressure/memory")
        busy_s, niced_s, running = self._stat()
        temperature_c, trip_c = self._hottest()
        battery, on_battery = self._battery()
        return Counters(
            at=at,
            some_s=some_s,
            full_s=full_s,
            memory_full_s=memory_full_s,
            busy_s=busy_s,
            niced_s=niced_s,
            own_s=self._own_s(),
            cores=_cores(self._root),
            running=running,
            quota_cores=self._quota(),
            throttled_s=self._throttled_s(),
            available_mb=self._available_mb(),
            temperature_c=temperature_c,
            trip_c=trip_c,
            frequency_share=self._frequency_share(),
            throttled_bits=_hex(self._throttled),
            power_w=self._power_w(),
            battery=battery,
            on_battery=on_battery,
            power_mode=_text(f"{self._root}/var/lib/nvpmodel/status") or None,
            under_voltage=self._under_voltage(),
        )

    def _stat(self) -> tuple[float | None, float | None, int | None]:
        """Busy seconds of all cores, those of programs that yield to us, and how many tasks want a core."""
        busy_s, niced_s, running = None, None, None
        for line in _text(f"{self._root}/proc/stat").splitlines():
            words = line.split()
            if words[:1] == ["cpu"] and len(words) >= 6:
                ticks = [n for n in map(_number, words[1:9]) if n is not None]
                if len(ticks) >= 5:
                    busy_s = (sum(ticks) - ticks[3] - ticks[4]) * self._tick_s
                    niced_s = ticks[1] * self._tick_s if self._goes_first else 0.0
            elif words[:1] == ["procs_running"] and len(words) == 2 and (count := _number(words[1])) is not None:
                running = max(int(count) - 1, 0)
        return busy_s, niced_s, running

    def _quota(self) -> float | None:
        """The tightest limit of the group and those around it, cores."""
        limits = []
        for group in self._groups_v2:
            words = _text(f"{group}/cpu.max").split()
            if len(words) == 2 and words[0] != "max":
                limits.append((_number(words[0]), _number(words[1])))
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        limits.extend((_number(_text(f"{g}/{names[0]}")), _number(_text(f"{g}/{names[1]}"))) for g in self._groups_v1)
        return min((quota / period for quota, period in limits if quota and period and quota > 0), default=None)

    def _throttled_s(self) -> float | None:
        """Time that the group was held back, seconds since it was made; of the group that was longest."""
        found = []
        for group, name, scale in (
            *((group, "throttled_usec", 1e-6) for group in self._groups_v2),
            *((group, "throttled_time", 1e-9) for group in self._groups_v1),
        ):
            value = _field(_text(f"{group}/cpu.stat"), name)
            if value is not None:
                found.append(value * scale)
        return max(found, default=None)

    def _available_mb(self) -> float | None:
        """MemAvailable, or what a tighter control group leaves, in MB of 1,048,576 bytes."""
        machine = _field(_text(f"{self._root}/proc/meminfo"), "MemAvailable:")
        free = [] if machine is None else [machine / 1024]
        for group, limit_name, usage_name in self._memory_groups:
            limit, usage = (_number(_text(f"{group}/{name}")) for name in (limit_name, usage_name))
            if limit is not None and usage is not None and limit < UNLIMITED_BYTES:
                cache = _field(_text(f"{group}/memory.stat"), "inactive_file") or 0.0
                free.append(max(limit - usage + cache, 0.0) / 1048576)
        return min(free, default=None)

    def _hottest(self) -> tuple[float | None, float | None]:
        """The hottest zone that makes sense, and where it throttles."""
        sane = []
        for zone in self._zones:
            milli = _number(_text(f"{zone}/temp"))
            if milli and SANE_C[0] <= milli / 1000 <= SANE_C[1]:
                sane.append((milli / 1000, self._trips[zone]))
        return max(sane, key=lambda pair: pair[0], default=(None, None))

    def _frequency_share(self) -> float | None:
        shares = []
        for clock in self._clocks:
            allowed, possible = (_number(_text(f"{clock}/{f}")) for f in ("scaling_max_freq", "cpuinfo_max_freq"))
            if allowed and possible and 0 < allowed <= possible:
                shares.append(allowed / possible)
        return min(shares, default=None)

    def _power_w(self) -> float | None:
        for power, current, scale in self._sensors:
            value = _number(_text(power))
            other = 1.0 if current is None else _number(_text(current))
            if value and other and value > 0 and other > 0:
                return value * other * scale
        return None

    def _battery(self) -> tuple[float | None, bool | None]:
        for supply in self._supplies:
            if _text(f"{supply}/type") == "Battery" and (percent := _number(_text(f"{supply}/capacity"))) is not None:
                return min(max(percent, 0.0), 100.0) / 100, _text(f"{supply}/status") == "Discharging"
        return None, None

    def _under_voltage(self) -> bool | None:
        values = [_number(_text(alarm)) for alarm in self._alarms]
        return any(values) if values else None


def _own_s() -> float:
    times = os.times()
    return times.user + times.system


def _cores(root: Path) -> float | None:
    """Cores that this process may run on; below another root, those that it lists."""
    if root == Path("/"):
        return float(len(os.sched_getaffinity(0)))
    return float(_text(root / "proc/stat").count("\ncpu")) or None


def _groups(root: Path) -> tuple[list[Path], list[Path], list[tuple[Path, str, str]]]:
    """This process's control groups and those around them: CPU in v2, CPU in v1, memory with its file names."""
    v2: list[Path] = []
    v1: list[Path] = []
    memory: list[tuple[Path, str, str]] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        parts = path.strip("/").split("/") if path.strip("/") else []
        names = [Path(*parts[:count]) for count in range(len(parts), -1, -1)]
        if controllers == "":
            bases = (root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified")
            here = [base / name for base in bases for name in names]
            v2 += [group for group in here if (group / "cpu.max").is_file()]
            memory += [(g, "memory.max", "memory.current") for g in here if (g / "memory.max").is_file()]
        elif "cpu" in controllers.split(","):
            bases = (root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu")
            v1 += dict.fromkeys(b / n for b in bases for n in names if (b / n / "cpu.cfs_quota_us").is_file())
        elif controllers == "memory":
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            here = [root / "sys/fs/cgroup/memory" / name for name in names]
            memory += [(group, *files) for group in here if (group / files[0]).is_file()]
    return v2, v1, memory


def _trip_c(zone: Path) -> float | None:
    """Where a zone begins to throttle: its lowest passive trip point, else its lowest hot or critical one."""
    for kinds in (("passive",), ("hot", "critical")):
        found = []
        for kind in sorted(zone.glob("trip_point_*_type")):
            if _text(kind) in kinds:
                milli = _number(_text(kind.with_name(kind.name.replace("_type", "_temp"))))
                if milli and 30_000 <= milli <= 130_000:
                    found.append(milli / 1000)
        if found:
            return min(found)
    return None


def _power_sensors(root: Path) -> Iterator[tuple[Path, Path | None, float]]:
    """Files whose value (times a second one) times a scale is watts: INA sensors, a Jetson's rails."""
    for sensor in sorted(root.glob("sys/class/hwmon/hwmon*")):
        name = _text(sensor / "name")
        if name == "ina3221":
            labels = {_text(file): file for file in sorted(sensor.glob("in*_label"))}
            rail = next((labels[rail] for rail in JETSON_RAILS if rail in labels), None)
            if rail is not None:
                number = rail.name.removeprefix("in").removesuffix("_label")
                yield sensor / f"in{number}_input", sensor / f"curr{number}_input", 1e-6
        elif name.startswith("ina2"):
            yield sensor / "power1_input", None, 1e-6


def _stall(path: str) -> tuple[float | None, float | None]:
    """PSI's totals of "some" and "full", seconds."""
    totals: dict[str, float | None] = {}
    for line in _text(path).splitlines():
        kind, _, rest = line.partition(" ")
        value = _number(rest.rpartition("total=")[2])
        totals[kind] = None if value is None else value * 1e-6
    return totals.get("some"), totals.get("full")


def _field(text: str, name: str) -> float | None:
    """The number behind `name` at the beginning of a line."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == name:
            return _number(words[1])
    return None


def _number(text: str) -> float | None:
    """A finite number, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _hex(path: Path) -> int | None:
    text = _text(path)
    try:
        return int(text, 16) if text else None
    except ValueError:
        return None


def _text(path: Path | str) -> str:
    """What a small file says, "" where it says nothing. Through the descriptor: a third of what a stream costs."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, MOST_BYTES).decode(errors="replace").strip("\0\n ")
        finally:
            os.close(descriptor)
    except OSError:
        return ""
