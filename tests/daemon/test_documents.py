"""What the pages say about the daemon is what it does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from assistant.daemon import clients, supervision
from assistant.daemon.main import EAR, INTEGRATION, MOUTH, RECOGNIZER
from assistant.daemon.metrics import TOTALS, Metrics

DOCS = Path(__file__).resolve().parents[2] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")


def exported() -> set[str]:
    """All names that Prometheus would see, without the suffixes of histograms."""
    metrics = Metrics("1.2.3")
    metrics.totals = dict.fromkeys(TOTALS, 0.0)
    kinds = re.findall(r"^# TYPE (\S+)", metrics.text(), flags=re.MULTILINE)
    return set(kinds)


def test_every_metric_is_explained_and_no_other() -> None:
    named = set(re.findall(r"`(assistant_[a-z_]+?)(?:\{[^}]*\})?`", OPERATIONS))
    assert exported() - named - {"assistant_info"} == set()
    assert named - exported() == set()


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((DOCS / "grafana/assistant.json").read_text(encoding="utf-8"))
    asked = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    names = {name for expression in asked for name in re.findall(r"assistant_[a-z_]+", expression)}
    assert names
    assert {name.removesuffix("_bucket") for name in names} - exported() == set()


def test_the_diagrams_are_the_tables() -> None:
    assert f"```mermaid\n{supervision.diagram()}\n```" in OPERATIONS
    assert clients.diagram() in (DOCS / "control-socket.md").read_text(encoding="utf-8")


def test_the_back_offs_are_those_of_the_policies() -> None:
    rows = {row.split(" ")[1]: row for row in OPERATIONS.splitlines() if row.startswith("| ")}
    for name, policy in (("recogniser", RECOGNIZER), ("ear", EAR), ("mouth", MOUTH), ("integrations", INTEGRATION)):
        assert f"{policy.first_s:g} s" in rows[name]
        assert f"{policy.longest_s:g} s" in rows[name]
    assert f"after {RECOGNIZER.limit} in a row" in rows["recogniser"]
    assert f"sign of life for {RECOGNIZER.stuck_s:g} s" in rows["recogniser"]
    assert f"no frame for {EAR.stuck_s:g} s" in rows["ear"]
    assert f"still {EAR.stuck_limit} times in a row" in rows["ear"]
