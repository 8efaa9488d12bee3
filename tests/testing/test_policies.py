"""The conformance check of policies passes ours and names each way to break the protocol."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from assistant.schedule.policy import Choice, Fixed, Greedy, Policy, Situation, Slo, switched
from assistant.testing import NonConformance, check_policy


@pytest.mark.parametrize("policy", [Slo(), Greedy(), Fixed()], ids=lambda policy: policy.name)
def test_ours_conform(policy: Policy) -> None:
    check_policy(policy)


class Broken:
    """A policy that does what it is given."""

    name = "broken"

    def __init__(self, choose: Callable[[Situation], Choice]) -> None:
        self._choose = choose

    def choose(self, situation: Situation) -> Choice:
        return self._choose(situation)


def cheapest(situation: Situation) -> Choice:
    first = next(f for f in situation.forecasts if not f.missing)
    return Choice(first, "the cheapest", switched(situation.history, first.plan.name, situation.at))


def forgetful(situation: Situation) -> Choice:
    return replace(cheapest(situation), history=situation.history)


def silent(situation: Situation) -> Choice:
    return replace(cheapest(situation), reason="")


def wilful(situation: Situation) -> Choice:
    gone = next((f for f in situation.forecasts if f.missing), situation.forecasts[0])
    return Choice(gone, "out of spite", switched(situation.history, gone.plan.name, situation.at))


def restless(situation: Situation) -> Choice:
    present = [f for f in situation.forecasts if not f.missing and f.plan.name != situation.history.plan]
    return Choice(present[0], "for a change", switched(situation.history, present[0].plan.name, situation.at))


def moody() -> Callable[[Situation], Choice]:
    turns = itertools.count()
    return lambda situation: replace(cheapest(situation), reason=f"mood {next(turns)}")


@pytest.mark.parametrize(
    ("choose", "fault"),
    [
        (forgetful, "does not name the plan that runs"),
        (silent, "no reason"),
        (wilful, "a plan that cannot run"),
        (restless, "times in a minute"),
        (moody(), "the same situation gives another choice"),
    ],
)
def test_each_fault_is_named(choose: Callable[[Situation], Choice], fault: str) -> None:
    with pytest.raises(NonConformance, match=fault):
        check_policy(Broken(choose))


def test_what_is_no_policy_is_said() -> None:
    with pytest.raises(NonConformance, match="`choose`"):
        check_policy(object())  # type: ignore[arg-type]
