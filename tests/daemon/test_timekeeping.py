"""What is noticed about time: a process that stood still and a clock that was set are told apart, and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.timekeeping import JUMP_S, STALL_S, Look, Timekeeping

EVERY_S = 1.0


def noted(*looks: Look) -> tuple[Timekeeping, list[str]]:
    keeping = Timekeeping(EVERY_S)
    return keeping, [keeping.note(look) for look in looks]


@pytest.mark.parametrize(
    ("passed_s", "wall_s", "words", "counts"),
    [
        (1.0, 1.0, "", (0, 0)),
        (31.0, 31.0, "the process stood still for 30 s", (1, 0)),
        (1.0, 86_401.0, "the clock was set forward by 86400 s", (0, 1)),
        (1.0, -86_399.0, "the clock was set back by 86400 s", (0, 1)),
        (31.0, 1.0, "the process stood still for 30 s; the clock was set back by 30 s", (1, 1)),
    ],
)
def test_stalls_and_jumps_are_told_apart(passed_s: float, wall_s: float, words: str, counts: tuple[int, int]) -> None:
    keeping, said = noted(Look(100.0, 5000.0), Look(100.0 + passed_s, 5000.0 + wall_s))
    assert said == ["", words]
    assert (keeping.stalls, keeping.jumps) == counts


@given(st.lists(st.floats(0, EVERY_S + STALL_S - 0.1), max_size=20), st.floats(-JUMP_S / 50, JUMP_S / 50))
def test_a_crowded_machine_and_a_drifting_clock_are_neither(pauses_s: list[float], drift: float) -> None:
    at = 0.0
    looks = [Look(0.0, 0.0)]
    for pause_s in pauses_s:
        at += pause_s
        looks.append(Look(at, at * (1 + drift)))
    keeping, _ = noted(*looks)
    assert (keeping.stalls, keeping.jumps) == (0, 0)
