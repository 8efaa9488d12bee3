"""What the daemon counts, for Prometheus: from its events and its parts. Never a word, a name or a room in a label.

`text()` is the exposition format; it is read through the control socket, or from a file that node_exporter collects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from assistant.daemon.events import MICROPHONE, Announced, Decided, Event, PartChanged, Reloaded, Woke
from assistant.whole import write_whole

STAGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
RESPONSES_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


TOTALS = {
    "assistant_audio_frames": "Frames of 20 ms heard since the start.",
    "assistant_audio_overruns": "Frames of 20 ms lost before they were heard.",
    "assistant_audio_reopens": "Times that a lost microphone was opened again.",
    "assistant_trace_lost": "Decisions that could not be recorded.",
    "assistant_stalls": "Times that the daemon stood still for more than three seconds.",
    "assistant_clock_jumps": "Times that the wall clock was set, by more than ten seconds.",
    "assistant_schedule_picks": "Utterances for which a plan was chosen.",
    "assistant_schedule_late": "Utterances whose recognition took longer than there was time.",
    "assistant_schedule_too_slow": "Utterances for which even the cheapest plan was not sure to be in time.",
    "assistant_schedule_switches": "Changes of the plan.",
}
"""Counted elsewhere, and looked up when somebody asks."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside each counter, which nobody asked for


class Metrics:
    """All counters of one daemon, in a registry of their own. totals: the present values of TOTALS."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        Info("assistant", "The release that runs.", registry=registry).info({"version": version})
        self.stages = Histogram(
            "assistant_stage_duration_seconds",
            "Computing time of each step of an utterance.",
            ["stage"],
            buckets=STAGES_S,
            registry=registry,
        )
        self.response = Histogram(
            "assistant_response_latency_seconds",
            "From the last sound of speech to the decision, endpoint waiting included.",
            buckets=RESPONSES_S,
            registry=registry,
        )
        self.intents = Counter(
            "assistant_intents", "Decisions, by intent and outcome.", ["intent", "outcome"], registry=registry
        )
        self.wakes = Counter("assistant_wakes", "Wake words heard.", registry=registry)
        self.announcements = Counter("assistant_announcements", "Spoken unasked, timers included.", registry=registry)
        self.variant = Info("assistant_model_variant", "The recogniser in use.", registry=registry)
        self.switches = Counter(
            "assistant_variant_switches", "Changes of the model variant.", ["from", "to", "reason"], registry=registry
        )
        self.up = Gauge("assistant_part_up", "Whether a supervised part runs.", ["part"], registry=registry)
        self.restarts = Counter(
            "assistant_part_restarts", "Starts of a part after its first.", ["part"], registry=registry
        )
        self.cut = Counter("assistant_clients_cut", "Clients of the control socket cut.", ["why"], registry=registry)
        self.clients = Gauge("assistant_clients", "Clients of the control socket.", registry=registry)
        self.reloads = Counter("assistant_reloads", "Reloads of the configuration.", ["ok"], registry=registry)
        self.muted = Gauge("assistant_muted", "1 while it does not listen.", registry=registry)
        self.memory = Gauge("assistant_memory_bytes", "Resident memory.", ["process"], registry=registry)
        self.threads = Gauge("assistant_threads", "Threads of the daemon.", registry=registry)
        self.descriptors = Gauge("assistant_open_descriptors", "Open descriptors of the daemon.", registry=registry)
        self.temperature = Gauge(
            "assistant_soc_temperature_celsius", "The hottest thermal zone of the board.", registry=registry
        )
        self.pressure = Gauge(
            "assistant_cpu_pressure_ratio",
            "Share of the last 10 s in which something waited for a CPU.",
            registry=registry,
        )
        self._started: set[str] = set()
        self._heard_by = ("", "")
        self.totals: Mapping[str, float] = {}
        self.connections_lost: Mapping[str, int] = {}
        registry.register(_Totals(self))

    def count(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, Decided):
            self._decided(event)
        elif isinstance(event, Woke):
            self.wakes.inc()
        elif isinstance(event, Announced):
            self.announcements.inc()
        elif isinstance(event, Reloaded):
            self.reloads.labels(str(event.ok).lower()).inc()
        elif isinstance(event, PartChanged):
            self.up.labels(event.part).set(event.state == "running")
            if event.state == "starting":
                if event.part in self._started:
                    self.restarts.labels(event.part).inc()
                self._started.add(event.part)

    def text(self) -> str:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def write(self, path: Path) -> None:
        """As a file, replaced at once, so that a collector never reads half of it. Raises OSError."""
        write_whole(path, self.text().encode())

    def _decided(self, event: Decided) -> None:
        self.intents.labels(event.intent or "none", event.outcome).inc()
        for stage, milliseconds in event.timings_ms.items():
            self.stages.labels(stage).observe(milliseconds / 1000)
        if event.felt_ms is not None:
            self.response.observe(event.felt_ms / 1000)
        if event.source == MICROPHONE and event.variant:
            self.heard_by(event.engine, event.variant)

    def heard_by(self, model: str, variant: str) -> None:
        """The recogniser in use, and that it changed, where it did: the scheduler chooses among its variants."""
        engine, before = self._heard_by
        if (engine, before) == (model, variant):
            return
        if engine == model:
            self.switches.labels(before, variant, "schedule").inc()
        elif engine:
            self.switches.labels(f"{engine}/{before}", f"{model}/{variant}", "configuration").inc()
        self._heard_by = model, variant
        self.variant.info({"model": model, "variant": variant})


class _Totals(Collector):
    """What is counted elsewhere, as counters."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The present values."""
        for name, meaning in TOTALS.items():
            yield CounterMetricFamily(name, meaning, value=self._metrics.totals.get(name, 0.0))
        lost = CounterMetricFamily(
            "assistant_connections_lost", "Times that an integration lost its peer.", labels=["part"]
        )
        for part, times in self._metrics.connections_lost.items():
            lost.add_metric([part], times)
        yield lost


def resident_bytes(process: int | str = "self", root: Path = Path("/")) -> int:
    """Resident memory of a process, bytes; 0 where it is gone."""
    try:
        pages = int((root / f"proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    import resource

    return pages * resource.getpagesize()


def hottest_c(root: Path = Path("/")) -> float | None:
    """The hottest thermal zone, degrees Celsius; None where the board tells none."""
    zones = _numbers(sorted((root / "sys/class/thermal").glob("thermal_zone*/temp")))
    return max(zones) / 1000 if zones else None


def cpu_pressure(root: Path = Path("/")) -> float | None:
    """Share of the last 10 s in which something waited for a CPU, 0..1; None where the kernel does not count it."""
    try:
        first = (root / "proc/pressure/cpu").read_text(encoding="ascii").split()
    except OSError:
        return None
    return next((float(word[6:]) / 100 for word in first if word.startswith("avg10=")), None)


def _numbers(paths: Iterable[Path]) -> list[float]:
    found = []
    for path in paths:
        try:
            found.append(float(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # a zone whose sensor sleeps
            continue
    return found
