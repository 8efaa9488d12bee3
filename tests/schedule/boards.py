"""Boards made of files below a temporary root, as a Pi, a Jetson and a container show themselves."""

from __future__ import annotations

from pathlib import Path

STAT = "cpu  {user} {nice} 0 {idle} 0 0 0 0 0 0\n{cores}procs_running {running}\n"
CORES = "".join(f"cpu{number} 0 0 0 0 0 0 0 0 0 0\n" for number in range(2))
PSI = "some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={full}\n"


class FakeBoard:
    """A root to write signals into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/self/cgroup", "0::/\n")

    def write(self, name: str, text: str) -> None:
        """Make a file below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def cpu(self, *, busy_s: float, running: int = 1, some_s: float = 0.0, niced_s: float = 0.0) -> None:
        """Cores and how they were used since boot; two cores. niced_s: the part of busy_s that yields."""
        ticks = {"user": int((busy_s - niced_s) * 100), "nice": int(niced_s * 100)}
        self.write("proc/stat", STAT.format(**ticks, idle=0, cores=CORES, running=running))
        self.write("proc/pressure/cpu", PSI.format(some=int(some_s * 1e6), full=0))

    def memory(self, available_mb: float) -> None:
        """MemAvailable."""
        self.write("proc/meminfo", f"MemTotal: 999999 kB\nMemAvailable: {int(available_mb * 1024)} kB\n")

    def zone(self, number: int, celsius: float | str, trip_c: float | None = 80.0) -> None:
        """A thermal zone with a passive trip point."""
        zone = f"sys/class/thermal/thermal_zone{number}"
        self.write(f"{zone}/temp", celsius if isinstance(celsius, str) else f"{int(celsius * 1000)}\n")
        if trip_c is not None:
            self.write(f"{zone}/trip_point_0_type", "passive\n")
            self.write(f"{zone}/trip_point_0_temp", f"{int(trip_c * 1000)}\n")
