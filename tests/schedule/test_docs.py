"""The policy that docs/scheduler.md shows is one, and the figures it gives of the plans are the program's."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from assistant.schedule.plans import BY_NAME, PLANS
from assistant.testing import check_policy


def page(repository: Path) -> str:
    return (repository / "docs/scheduler.md").read_text(encoding="utf-8")


def test_the_policy_in_the_page_is_one_in_about_twenty_lines(repository: Path, tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", page(repository), flags=re.DOTALL)
    file = tmp_path / "thrifty.py"
    file.write_text(source, encoding="utf-8")
    check_policy(runpy.run_path(str(file))["create"]())
    body = source[source.index("class ") : source.index("def create")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20


def test_the_table_of_plans_is_the_programs(repository: Path) -> None:
    rows = re.findall(
        r"^\| (beam-[\w-]+) \| (\d+), (\d+)(?: nats)? \| (\w+) \| ([\d.]+) % \|", page(repository), flags=re.MULTILINE
    )
    found = [(name, int(width), float(prune), net, float(accuracy)) for name, width, prune, net, accuracy in rows]
    assert found == [
        (p.name, p.effort.width, p.effort.prune, p.fused, round(100 * p.accuracy, 1)) for p in PLANS if p.effort
    ]
    assert f"| sound | none | its own | {100 * BY_NAME['sound'].accuracy:.1f} % |" in page(repository)
