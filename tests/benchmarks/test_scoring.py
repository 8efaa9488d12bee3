"""Answers are scored by the public rule, intervals and tests by their formulas."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.recordings import Order, Recording, barista_orders, in_half_a
from benchmarks.scoring import auc, mark, mean_of_levels, paired, percentiles, share, shares_by_bin, wilson
from benchmarks.systems import Answer

ORDER = Order(Recording(Path("a.flac"), "barista"), "orderDrink", {"coffeeDrink": "iced mocha", "size": "twelve ounce"})


def answer(slots: dict[str, Any], *, intent: str = "orderDrink", accepted: bool = True) -> Answer:
    return Answer("", intent, slots, accepted)


def test_every_labelled_slot_must_have_its_value() -> None:
    assert mark(answer({"coffeeDrink": "Iced-Mocha", "size": "twelve ounce"}), ORDER).strict
    assert not mark(answer({"coffeeDrink": "iced mocha"}), ORDER).right
    assert not mark(answer({"coffeeDrink": "mocha", "size": "twelve ounce"}), ORDER).right
    assert not mark(answer(dict(ORDER.slots), intent="cancel"), ORDER).right


def test_an_invented_slot_is_right_but_not_strictly() -> None:
    found = mark(answer(dict(ORDER.slots) | {"milkAmount": "milk"}), ORDER)
    assert found.right
    assert not found.strict


def test_what_is_refused_is_not_right_however_well_it_was_heard() -> None:
    found = mark(answer(dict(ORDER.slots), accepted=False), ORDER)
    assert (found.right, found.strict, found.decoded_right, found.decoded_strict) == (False, False, True, True)


ANSWERS = st.tuples(
    st.booleans(),
    st.sampled_from(["orderDrink", "other"]),
    st.dictionaries(st.sampled_from(["coffeeDrink", "roast", "size"]), st.sampled_from(["latte", "small", "dark"])),
)


@given(st.lists(ANSWERS, min_size=1, max_size=8))
def test_shares_lie_within_their_intervals(answers: list[tuple[bool, str, dict[str, str]]]) -> None:
    marks = [mark(Answer("", intent, slots, accepted), ORDER).right for accepted, intent, slots in answers]
    found = share(marks)
    low, high = found["interval"]
    assert 0 <= low <= found["rate"] <= high <= 1


def test_scores_are_those_of_the_published_scorer(
    recordings: Callable[[str], Path], data: Path, tmp_path: Path
) -> None:
    scorer = data.parent / "tools" / "score_intents.py"
    if not scorer.is_file():
        pytest.skip(f"no {scorer}")
    orders = barista_orders()
    results, marks = [], []
    for i, order in enumerate(orders):
        slots = dict(order.slots)
        if i % 3 == 1:
            slots["roast"] = "burnt roast"  # wrong where it is labelled, extra where it is not
        if i % 5 == 0:
            slots.pop("coffeeDrink")
        found = answer(slots, accepted=i % 7 != 0)
        row = {"path": order.recording.name, "intent": found.intent, "slots": slots, "accepted": found.accepted}
        results.append(json.dumps(row))
        marks.append(mark(found, order))
    (tmp_path / "results.jsonl").write_text("\n".join(results))
    labels = recordings("barista") / "labels.jsonl"
    command = [sys.executable, str(scorer), str(labels), str(tmp_path / "results.jsonl")]
    theirs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert theirs["right"] == sum(m.right for m in marks)
    assert theirs["strict_rate"] == round(sum(m.strict for m in marks) / len(marks), 4)


def test_wilsons_interval_is_the_textbooks() -> None:
    low, high = wilson(81, 263)  # Newcombe 1998, table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_mean_of_levels_draws_whole_recordings() -> None:
    found = mean_of_levels([[True, False] * 50, [True, False] * 50])
    assert found["rate"] == 0.5
    low, high = found["interval"]
    assert high - low > 0.15  # as for 100 recordings, not 200 independent answers: that would be 0.14


def test_pairs_count_what_only_one_got_right() -> None:
    found = paired([True] * 10 + [False] * 2, [False] * 8 + [True] * 4)
    assert (found["only_ours"], found["only_theirs"]) == (8, 2)
    assert found["p"] == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert paired([True], [True])["p"] == 1.0


def test_the_area_under_the_curve_counts_ties_half() -> None:
    assert auc([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert auc([0.0], [1.0]) == 0.0
    assert auc([1.0, 2.0], [1.0]) == 0.75


def test_a_reliability_bin_holds_what_was_stated_in_it() -> None:
    rows = shares_by_bin([0.05, 0.05, 1.0], [False, True, True])
    assert rows == [{"stated": 0.05, "true": 0.5, "n": 2}, {"stated": 1.0, "true": 1.0, "n": 1}]


def test_percentiles_of_nothing_are_none() -> None:
    assert percentiles([]) == {"n": 0}
    assert percentiles([1.0, 2.0, 3.0])["p50"] == 2.0


def test_halves_are_about_as_large_and_stay_what_they_are() -> None:
    names = [f"{i}.flac" for i in range(1000)]
    assert 450 < sum(map(in_half_a, names)) < 550
    assert in_half_a("0.flac") == in_half_a("0.flac")
