"""When free pages are given back."""

from __future__ import annotations

from assistant.daemon.memory import EVERY_S, QUIET_S, Tidying, give_back


def test_it_is_tidied_once_when_work_has_been_over_for_a_while() -> None:
    tidying = Tidying(0.0, worked_at=10.0)
    assert not tidying.due(10.0 + QUIET_S - 0.1)
    assert tidying.due(10.0 + QUIET_S)
    assert not tidying.due(10.0 + QUIET_S + 1.0)


def test_work_that_goes_on_puts_it_off_but_not_for_ever() -> None:
    tidying = Tidying(0.0)
    done = []
    for second in range(1, 2 * int(EVERY_S) + 1):
        tidying.worked_at = float(second)
        if tidying.due(float(second)):
            done.append(float(second))
    assert done == [EVERY_S, 2 * EVERY_S]


def test_it_is_tidied_now_and_then_although_nothing_is_known_to_have_happened() -> None:
    tidying = Tidying(0.0)
    assert [second for second in range(1, 130) if tidying.due(float(second))] == [60, 120]


def test_giving_back_does_no_harm() -> None:
    kept = [bytes(1000) for _ in range(1000)]
    give_back()
    assert {len(each) for each in kept} == {1000}
