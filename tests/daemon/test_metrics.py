"""What is counted, and that Prometheus itself has nothing to say against it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from assistant.daemon.events import Announced, Decided, PartChanged, Reloaded, Woke
from assistant.daemon.metrics import TOTALS, Metrics, cpu_pressure, hottest_c, resident_bytes

WORDS = "turn on the lamp of Rumpelstiltskin"


def decided(outcome: str = "accept", felt_ms: float | None = 420.0) -> Decided:
    return Decided(
        at=1.0,
        context="home",
        outcome=outcome,
        intent="HassTurnOn",
        slots={"name": WORDS},
        text=WORDS,
        confidence=0.9,
        reason=WORDS,
        reply=WORDS,
        engine="moonshine",
        variant="tiny-en/int8/beam4",
        timings_ms={"recognize": 180.0, "decide": 1.0},
        felt_ms=felt_ms,
    )


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics("1.2.3")
    metrics.heard_by("moonshine", "tiny-en/int8/beam12")
    metrics.totals = dict.fromkeys(TOTALS, 7)
    metrics.connections_lost = {"mqtt": 2}
    for event in (
        Woke(at=1.0, word="hey_jarvis"),
        decided(),
        decided("refuse", None),
        Announced(at=1.0, text=WORDS, ring=True),
        Reloaded(at=1.0, ok=False, why=WORDS),
        PartChanged(at=1.0, part="ear", state="starting"),
        PartChanged(at=1.0, part="ear", state="running"),
        PartChanged(at=1.0, part="ear", state="waiting", why=WORDS),
        PartChanged(at=1.0, part="ear", state="starting"),
    ):
        metrics.count(event)
    return metrics


def test_events_become_numbers(metrics: Metrics) -> None:
    lines = metrics.text().splitlines()
    for line in (
        'assistant_connections_lost_total{part="mqtt"} 2.0',
        'assistant_intents_total{intent="HassTurnOn",outcome="accept"} 1.0',
        'assistant_intents_total{intent="HassTurnOn",outcome="refuse"} 1.0',
        'assistant_stage_duration_seconds_count{stage="recognize"} 2.0',
        "assistant_response_latency_seconds_count 1.0",
        "assistant_response_latency_seconds_sum 0.42",
        'assistant_response_latency_seconds_bucket{le="0.5"} 1.0',
        'assistant_model_variant_info{model="moonshine",variant="tiny-en/int8/beam4"} 1.0',
        'assistant_variant_switches_total{from="tiny-en/int8/beam12",reason="schedule",to="tiny-en/int8/beam4"} 1.0',
        "assistant_audio_overruns_total 7.0",
        "assistant_audio_reopens_total 7.0",
        'assistant_part_restarts_total{part="ear"} 1.0',
        'assistant_part_up{part="ear"} 0.0',
        'assistant_reloads_total{ok="false"} 1.0',
    ):
        assert line in lines, line


def test_nothing_that_was_said_is_in_them(metrics: Metrics) -> None:
    assert "Rumpelstiltskin" not in metrics.text()


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here (Debian: prometheus)")
def test_prometheus_own_tool_finds_no_fault(metrics: Metrics) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.text(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_is_there_whole_or_not_at_all(metrics: Metrics, tmp_path: Path) -> None:
    path = tmp_path / "assistant.prom"
    metrics.write(path)
    assert path.read_text() == metrics.text()
    assert [each.name for each in tmp_path.iterdir()] == ["assistant.prom"]


def test_the_board_is_read_below_a_root(tmp_path: Path) -> None:
    assert (hottest_c(tmp_path), cpu_pressure(tmp_path), resident_bytes(1, tmp_path)) == (None, None, 0)
    for zone, temperature in (("0", "51000"), ("1", "62500"), ("2", "asleep")):
        (tmp_path / f"sys/class/thermal/thermal_zone{zone}").mkdir(parents=True)
        (tmp_path / f"sys/class/thermal/thermal_zone{zone}/temp").write_text(temperature)
    (tmp_path / "proc/pressure").mkdir(parents=True)
    (tmp_path / "proc/pressure/cpu").write_text("some avg10=12.50 avg60=1.00 avg300=0.10 total=1\n")
    assert (hottest_c(tmp_path), cpu_pressure(tmp_path)) == (62.5, 0.125)
    assert resident_bytes() > 1_000_000
