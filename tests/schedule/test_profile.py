"""Profiles: fitted lines with spread, kept with what they depend on, not trusted when damaged or from elsewhere."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from assistant.errors import InputError, StorageError
from assistant.schedule.plans import PLANS
from assistant.schedule.priors import completed, estimate
from assistant.schedule.profile import (
    Cost,
    Profile,
    board_name,
    fit,
    foreign,
    load,
    measured,
    save,
    scaled,
    stale,
    this_board,
)
from tests.schedule.boards import FakeBoard

COST = Cost(base_ms=20.0, per_s_ms=30.0, spread=0.2, n=9)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return measured({"beam-1": COST}, this_board(tmp_path), made_at=1.0)


def test_the_line_and_its_spread_are_found_again() -> None:
    rng = np.random.default_rng(0)
    seconds = rng.uniform(0.8, 5.0, 400)
    ms = (15 + 25 * seconds) * np.exp(rng.normal(0, 0.1, 400))
    cost = fit(list(zip(seconds, ms, strict=True)))
    assert cost.base_ms == pytest.approx(15, abs=3)
    assert cost.per_s_ms == pytest.approx(25, rel=0.05)
    assert cost.spread == pytest.approx(0.1, rel=0.15)
    assert cost.n == 400


def test_utterances_of_one_length_give_a_constant() -> None:
    cost = fit([(2.0, 50.0), (2.0, 52.0), (2.0, 48.0)])
    assert cost.per_s_ms == 0.0
    assert cost.time_ms(9.0) == pytest.approx(50.0, rel=0.02)


def test_a_line_never_gives_less_than_nothing() -> None:
    cost = fit([(1.0, 5.0), (2.0, 40.0), (4.0, 100.0), (5.0, 120.0)])
    assert cost.time_ms(0.0) > 0
    assert cost.base_ms >= 0


def test_two_utterances_are_too_few() -> None:
    with pytest.raises(InputError, match="too few"):
        fit([(1.0, 5.0), (2.0, 6.0)])


def test_it_is_kept_and_read_again(profile: Profile, tmp_path: Path) -> None:
    save(profile, tmp_path / "below" / "profile.json")
    assert load(tmp_path / "below" / "profile.json") == profile
    assert load(tmp_path / "none.json") is None


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "\x00\x01"])
def test_a_damaged_one_says_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(text)
    with pytest.raises(StorageError, match="damaged.*assistant calibrate"):
        load(tmp_path / "profile.json")


def test_numbers_that_cannot_be_are_damage(profile: Profile, tmp_path: Path) -> None:
    wrong = msgspec.structs.replace(COST, base_ms=-5.0)
    save(msgspec.structs.replace(profile, costs={"beam-1": wrong}), tmp_path / "profile.json")
    with pytest.raises(StorageError, match="cannot be"):
        load(tmp_path / "profile.json")


def test_a_full_disk_is_an_error_with_a_remedy(profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file.*disk space"):
        save(profile, tmp_path / "file" / "profile.json")


def test_what_changed_since_is_named(profile: Profile, tmp_path: Path) -> None:
    now = profile.identity
    assert stale(profile, now, ["beam-1"]) == ()
    changed = msgspec.structs.replace(now, kernel="9.9", versions={**now.versions, "onnxruntime": "0.1"})
    reasons = stale(profile, changed, ["beam-1", "beam-99"])
    assert [reason for reason in reasons if "the kernel" in reason]
    assert [reason for reason in reasons if "onnxruntime was" in reason]
    assert reasons[-1] == "the plan beam-99 was not measured"
    assert not foreign(profile, changed)


def test_another_board_makes_it_worthless(profile: Profile, tmp_path: Path) -> None:
    board = FakeBoard(tmp_path / "pi")
    board.write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    assert board_name(board.root) == "Raspberry Pi 5 Model B Rev 1.0"
    assert foreign(profile, this_board(board.root))


def test_plans_that_were_not_measured_are_estimated_from_those_that_were(profile: Profile) -> None:
    guessed = estimate(PLANS, profile.identity).costs
    slow = msgspec.structs.replace(profile, costs={"beam-1": scaled(guessed["beam-1"], 3.0)})
    found = completed(slow, PLANS)
    assert set(found.costs) == {plan.name for plan in PLANS}
    assert found.costs["sound"].time_ms(2.0) == pytest.approx(3.0 * guessed["sound"].time_ms(2.0), rel=0.01)
    assert found.costs["sound"].n == 0
    assert completed(profile, [plan for plan in PLANS if plan.name in profile.costs]) is profile
