"""The time to the first sound of a reply is taken where the sound goes out."""

from __future__ import annotations

import json

import pytest

from benchmarks.reply import TARGETS_MS, FirstSound, main, measure


def test_every_reply_is_timed_fresh_and_again() -> None:
    again, fresh = measure("espeak", ("One.", "Two and a bit."))
    assert (again.kind, fresh.kind) == tuple(TARGETS_MS)
    for measured in (again, fresh):
        assert len(measured.ms) == 2
        assert all(ms > 0 for ms in measured.ms)
        assert measured.row["worst_ms"] >= measured.row["median_ms"]


def test_the_first_sound_counts() -> None:
    sink = FirstSound()
    sink.play(None, 0)  # type: ignore[arg-type]
    first = sink.at
    sink.play(None, 0)  # type: ignore[arg-type]
    assert sink.at == first


def test_the_command_prints_a_line_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--voice", "espeak", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["kind"] for row in rows] == list(TARGETS_MS)
