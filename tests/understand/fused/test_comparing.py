"""Nets by variant: opened beside the answers, closed by their worth, passed over where they fail."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
from assistant.comparing import RESIDENT_MB, Nets, Resident, too_many
from assistant.grammar.tree import Context
from assistant.understand.fused.bundle import open_bundle
from tests.understand.fused.conftest import Heard

SHIPPED = Path(models.__file__).parent / "generic"


class Later:
    """What is opened beside the answers, when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def catch_up(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()


def nets(folder: Path, context: Context, later: Later, most_mb: float = math.inf) -> Nets:
    """The shipped nets, the dearest open."""
    found = Nets(lambda _: open_bundle(folder), most_mb, later)
    found.open(context)
    return found


def test_another_variant_looks_once_it_is_open_and_nobody_waits_for_it(order: Heard, barista: Context) -> None:
    later = Later()
    opened = nets(SHIPPED, barista, later)
    assert opened.look(*order, barista, "tiny").fused == "generic/full"
    later.catch_up()
    assert opened.look(*order, barista, "tiny").fused == "generic/tiny"
    assert opened.look(*order, barista, "full").fused == "generic/full"
    assert opened.look(*order, barista).fused == "generic/full"
    assert later.jobs == []
    assert sum(resident.mb for resident in opened.resident()) == pytest.approx(
        RESIDENT_MB["full"] + RESIDENT_MB["tiny"]
    )


def test_a_variant_that_no_bundle_has_is_the_one_that_is_open(order: Heard, barista: Context) -> None:
    later = Later()
    assert nets(SHIPPED, barista, later).look(*order, barista, "huge").fused == "generic/full"
    assert later.jobs == []


def test_a_variant_whose_file_is_gone_leaves_the_others(
    order: Heard, barista: Context, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "generic"
    shutil.copytree(SHIPPED, folder)
    (folder / "tiny.tflite").unlink()
    later = Later()
    opened = nets(folder, barista, later)
    for _ in range(3):
        assert opened.look(*order, barista, "tiny").fused == "generic/full"
        later.catch_up()
    assert len(caplog.records) == 1
    assert "another variant is used" in caplog.text


def test_where_memory_is_short_the_variant_that_is_asked_for_less_is_closed(order: Heard, barista: Context) -> None:
    later = Later()
    opened = nets(SHIPPED, barista, later, RESIDENT_MB["full"] + RESIDENT_MB["tiny"])
    for _ in range(5):
        opened.look(*order, barista, "tiny")
        later.catch_up()
    opened.look(*order, barista, "lite")
    later.catch_up()
    assert sorted(key[1] for key in (resident.key for resident in opened.resident())) == ["full", "tiny"]
    for _ in range(9):  # asked for more and more, it takes the other's place
        opened.look(*order, barista, "lite")
        later.catch_up()
    assert sorted(key[1] for key in (resident.key for resident in opened.resident())) == ["full", "lite"]


RESIDENTS = st.lists(
    st.builds(
        lambda number, mb, worth: Resident((str(number), "tiny"), mb, worth),
        st.integers(),
        st.floats(0.1, 50.0),
        st.one_of(st.floats(0.0, 100.0), st.just(math.inf)),
    ),
    max_size=10,
    unique_by=lambda resident: resident.key,
)


@given(RESIDENTS, st.floats(0.0, 100.0))
def test_what_is_left_fits_or_is_needed_and_the_least_worth_goes_first(
    residents: list[Resident], most_mb: float
) -> None:
    closed = set(too_many(residents, most_mb))
    left = [resident for resident in residents if resident.key not in closed]
    gone = [resident for resident in residents if resident.key in closed]
    assert all(math.isfinite(resident.worth) for resident in gone)
    assert sum(r.mb for r in left) <= most_mb or all(math.isinf(r.worth) for r in left)
    for one in gone:
        for other in left:
            assert one.worth / one.mb <= other.worth / other.mb
