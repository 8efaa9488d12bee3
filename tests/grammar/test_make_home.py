"""Homes of any size for measurements: as many devices and areas as asked for, all of them reachable by voice."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.grammar.lint import Severity, lint
from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.tree import TextList
from benchmarks.make_home import make_home


@pytest.mark.parametrize(("devices", "areas"), [(20, 6), (200, 20)])
def test_every_device_and_area_of_a_made_home_has_exactly_one_meaning(tmp_path: Path, devices: int, areas: int) -> None:
    context = load_context(make_home(devices, areas, tmp_path / "home"))
    home, rooms = context.home, context.lists["area"]
    assert home is not None
    assert isinstance(rooms, TextList)
    assert len(home.devices) == devices
    assert len({value.value for value in rooms.values}) == areas
    assert [finding for finding in lint(context) if finding.severity is Severity.ERROR] == []
    for device in home.devices[::25]:
        wording = {"lock": "lock", "cover": "open"}.get(device.domain, "turn on")
        (found,) = match(context, f"{wording} the {device.name} in the {device.area}")
        assert found.slots["name"] == device.full_name


def test_the_same_numbers_make_the_same_home(tmp_path: Path) -> None:
    hashes = {load_context(make_home(50, 5, tmp_path / name)).hash for name in ("a", "b")}
    assert len(hashes) == 1
    assert load_context(make_home(50, 5, tmp_path / "c", seed=1)).hash not in hashes


def test_more_than_can_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at most"):
        make_home(10, 10_000, tmp_path / "home")
