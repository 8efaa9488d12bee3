"""A user's own recordings join the training; what does not fit is named with its line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from assistant.errors import InputError
from assistant.grammar.load import load_context
from convert.own import own_takes
from convert.synthesize import CUT, FULL, TAIL, Company
from convert.voices import RECORDED

COMPANY = Company({"train": (), "valid": ()}, ("what a lovely day it is",), RECORDED)
GOOD = {"path": "a.wav", "text": "get me a large latte", "speaker": "anna"}


def folder(tmp_path: Path, *rows: object) -> Path:
    (tmp_path / "a.wav").touch()
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def test_a_recording_is_heard_whole_cut_and_talked_into(tmp_path: Path) -> None:
    takes = list(own_takes(folder(tmp_path, GOOD), load_context("barista"), COMPANY, 0))
    assert Counter(take.kind for take in takes) == {FULL: 2, CUT: 1, TAIL: 1}
    assert {take.intent for take in takes} == {"orderDrink"}
    assert dict(takes[0].slots) == {"size": "large", "coffeeDrink": "latte"}


def test_all_recordings_of_a_speaker_are_in_one_split(tmp_path: Path) -> None:
    takes = list(own_takes(folder(tmp_path, GOOD, GOOD, GOOD), load_context("barista"), COMPANY, 0))
    assert len({take.split for take in takes}) == 1


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (GOOD | {"path": "none.wav"}, "there is no file 'none.wav'"),
        (GOOD | {"text": "play some jazz"}, "is no sentence of barista"),
        (GOOD | {"intent": "orderTea", "slots": {}}, "does not mean orderTea"),
        (GOOD | {"intent": "orderDrink", "slots": {"size": "tiny"}}, "does not mean orderDrink"),
    ],
)
def test_a_label_that_does_not_fit_is_named(tmp_path: Path, row: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word) as found:
        list(own_takes(folder(tmp_path, GOOD, row), load_context("barista"), COMPANY, 0))
    assert "labels.jsonl:2" in str(found.value)


def test_a_folder_without_labels_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="labels.jsonl"):
        list(own_takes(tmp_path, load_context("barista"), COMPANY, 0))
