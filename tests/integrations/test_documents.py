"""docs/integrations.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.integrations import commands, connecting, wyoming_stream
from assistant.integrations.commands import BURST, PER_S
from assistant.integrations.outbox import MOST_WAITING

PAGE = (Path(__file__).resolve().parents[2] / "docs/integrations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", [connecting, wyoming_stream], ids=lambda table: str(table.__name__))
def test_diagrams_are_drawn_from_the_tables(table: object) -> None:
    assert table.diagram() in PAGE  # type: ignore[attr-defined]


def test_every_topic_that_is_obeyed_is_named() -> None:
    for topic in commands.topics("SITE", ("speak", "listen", "mute", "query", "say")):
        name = topic.rpartition("/")[2]
        assert topic in PAGE or name.endswith("Off"), topic


def test_limits_are_those_of_the_code() -> None:
    assert f"more than {BURST} commands at once, or {PER_S:g} a second" in PAGE
    assert f"{MOST_WAITING:,} messages" in PAGE
