"""What a run leaves behind can be read again, and a quick one never replaces a whole one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.types import Agreement, Hypothesis, Transcript
from benchmarks import document, figures, tables
from benchmarks.recordings import spread
from benchmarks.scoring import mean_of_levels, share
from benchmarks.store import Store, transcript_of, transcript_row

SHARE = share([True, False, True])
RESULTS: dict[str, dict[str, Any]] = {
    "understand": {
        "orders": 3,
        "conditions": ["clean", "kitchen 6 dB"],
        "systems": {
            name: {
                condition: dict.fromkeys(
                    ("right", "strict", "accepted", "asked", "decoded_right", "decoded_strict"), SHARE
                )
                for condition in ("clean", "kitchen 6 dB")
            }
            for name in ("assistant", "peer")
        },
        "paired": {"peer": {c: {"only_ours": 2, "only_theirs": 1, "p": 1.0} for c in ("clean", "kitchen 6 dB")}},
        "published": {"snr_db": [6, 9], "right_percent": {"Picovoice Rhino": [96, 97]}},
        "errors": [
            {
                "file": "a.flac", "condition": "clean", "kind": "wrong", "heard": 0.9, "text": "a latte",
                "wrong_slots": {"size": ["small", None]},
            }
        ],
    },
    "start": {
        name: {"n": 2, "median_s": 1.5, "min_s": 1.4, "max_s": 1.6, "cpu_s": 1.2}
        for name in ("first", "again", "help", "version")
    },
    "memory": {
        "devices": 200,
        "areas": 20,
        "processes": [
            {
                "process": "without a voice", "listening_mb": 150.0, "steady_mb": 160.0, "peak_mb": 170.0,
                "commands": 4, "decisions": 4,
            }
        ],
    },
}  # fmt: skip


def test_a_limited_run_gets_a_name_of_its_own(tmp_path: Path) -> None:
    whole = document.write(document.document("start", "assistant bench start", RESULTS["start"]), tmp_path)
    quick = document.write(document.document("start", "assistant bench start", {}, "2 of each set"), tmp_path)
    assert whole != quick
    assert json.loads(whole.read_text())["results"] == RESULTS["start"]


def test_a_document_says_where_and_of_what_it_is() -> None:
    doc = document.document("start", "assistant bench start", {})
    assert doc["machine"]["cores"] >= 1
    assert doc["machine"]["processor"]
    assert doc["versions"]["numpy"] == np.__version__
    assert doc["date"].endswith("UTC")


def test_the_page_shows_what_was_measured_and_leaves_out_the_rest(tmp_path: Path) -> None:
    for name, results in RESULTS.items():
        document.write(document.document(name, f"assistant bench {name}", results), tmp_path)
    page = figures.page(tmp_path)
    assert "| kitchen 6 dB | 66.7 (20.8–93.9) |" in page
    assert "| 96 |" in page
    assert "`assistant bench memory`" in page
    assert "## Latency" not in page


def test_a_limited_run_stands_in_only_where_there_is_no_whole_one(tmp_path: Path) -> None:
    for limited in ("", "2 of each set"):
        document.write(document.document("memory", "assistant bench memory", RESULTS["memory"], limited), tmp_path)
    document.write(document.document("start", "assistant bench start", RESULTS["start"], "2 of each set"), tmp_path)
    page = figures.page(tmp_path)
    assert page.count("Only a part was measured: 2 of each set.") == 1
    assert page.index("Only a part") > page.index("## Start")


def test_errors_are_listed_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    doc = document.document("understand", "", RESULTS["understand"])
    tables.understanding(doc, errors=False)
    assert "a.flac" not in capsys.readouterr().out
    tables.understanding(doc, errors=True)
    assert "size: small → None" in capsys.readouterr().out


def test_the_mean_is_drawn_as_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    mean = mean_of_levels([[True, True, False]])
    summary = dict.fromkeys(("right", "strict", "accepted", "asked", "decoded_right", "decoded_strict"), mean)
    results = RESULTS["understand"] | {"systems": {"assistant": {"kitchen mean 6-24 dB": summary}}, "paired": {}}
    tables.understanding(document.document("understand", "", results), errors=False)
    assert "66.7" in capsys.readouterr().out


def test_what_was_heard_comes_back_as_it_was(tmp_path: Path) -> None:
    hypothesis = Hypothesis(
        "orderDrink", {"size": "small", "n": 2}, "a small latte", -1.5, -1.25, np.array([5, 2], np.int32),
        np.array([-0.5, -0.25], np.float32), np.array([-1.0, -2.0], np.float32), terminal=True,
        agreement=Agreement(1.5, -0.5, -1.25),
    )  # fmt: skip
    heard = Transcript((hypothesis,), "a small latte", "moonshine", "tiny-en/beam8")
    Store(tmp_path).open("clean", "key").put("a.flac", transcript_row(heard))
    back = transcript_of(Store(tmp_path).open("clean", "key").get("a.flac"))
    assert transcript_row(back) == transcript_row(heard)
    assert back.hypotheses[0].score_per_token == hypothesis.score_per_token
    assert back.hypotheses[0].agreement == hypothesis.agreement
    assert Store(tmp_path).open("clean", "another key").get("a.flac") is None


def test_a_broken_off_line_is_heard_again(tmp_path: Path) -> None:
    shelf = Store(tmp_path).open("clean", "key")
    shelf.put("a.flac", {"text": "one"})
    file = next(tmp_path.iterdir())
    file.write_text(file.read_text() + '["b.flac", {"te')
    again = Store(tmp_path).open("clean", "key")
    assert again.get("a.flac") == {"text": "one"}
    assert again.get("b.flac") is None


@pytest.mark.parametrize(("limit", "expected"), [(None, [0, 1, 2, 3, 4]), (2, [0, 2]), (9, [0, 1, 2, 3, 4])])
def test_a_limit_takes_items_from_all_over_the_list(limit: int | None, expected: list[int]) -> None:
    assert spread(list(range(5)), limit) == expected
