"""Asking back names only what differs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.speak.questions import question
from assistant.types import Hypothesis, frozen_array
from assistant.understand.decide import differing

NONE = frozen_array(np.zeros(0, np.float32))


def meaning(text: str, intent: str = "order", **slots: Any) -> Hypothesis:
    return Hypothesis(intent, slots, text, 0.0, 0.0, NONE.astype(np.int32), NONE, NONE)


@pytest.mark.parametrize(
    ("best", "other", "asked"),
    [
        (
            meaning("a twelve ounce latte", size="twelve ounce", drink="latte"),
            meaning("a twenty ounce latte", size="twenty ounce", drink="latte"),
            "Twelve ounces or twenty?",
        ),
        (meaning("", size="12 oz"), meaning("", size="20 oz"), "12 ounces or 20?"),
        (meaning("", minutes=15), meaning("", minutes=50), "15 minutes or 50?"),
        (meaning("", time="one hour"), meaning("", time="two hour"), "One hour or two hours?"),
        (meaning("", level=0.5), meaning("", level=1), "0.5 or 1?"),
        (meaning("", room="living_room"), meaning("", room="bath"), "Living room or bath?"),
        (meaning("", light="kitchen light"), meaning("", light="hall light"), "Kitchen light or hall?"),
        (meaning("", iced=True), meaning("", iced=False), "Iced or not iced?"),
        (
            meaning("turn on the lights in the kitchen", area="kitchen"),
            meaning("turn on the lights"),
            "In the kitchen, or not?",
        ),
        (meaning("a latte"), meaning("a latte with milk", milk="milk"), "With milk, or not?"),
        (meaning("brew"), meaning("go and make it sweet", sugar="sugar"), "With sugar, or not?"),
        (
            meaning("large latte with milk", drink="latte", size="large", milk="milk"),
            meaning("small mocha with milk", drink="mocha", size="small", milk="milk"),
            "Large latte or small mocha?",
        ),
        (
            meaning("turn on the lamp.", intent="on"),
            meaning("turn out the lamp", intent="off"),
            "Turn on the lamp, or turn out the lamp?",
        ),
        (meaning("lights", intent="LightsOn"), meaning("Lights", intent="all_off"), "Lights on, or all off?"),
        (
            meaning("this", a="1", b="1", c="1", d="1"),
            meaning("that", a="2", b="2", c="2", d="2"),
            "This, or that?",
        ),
    ],
)
def test_the_question_names_what_differs(best: Hypothesis, other: Hypothesis, asked: str) -> None:
    assert question(best, other, differing(best, other)) == asked


def test_alone_it_asks_whether_that_was_said() -> None:
    assert question(meaning("turn on the kitchen lights.")) == "Did you say: turn on the kitchen lights?"


def test_two_meanings_that_do_not_differ_are_asked_about_as_one() -> None:
    assert question(meaning("lights", a=1), meaning("the lights", a=1), ()) == "Did you say: lights?"


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-100, 100), st.floats(-9, 9), st.text(max_size=12))
MEANINGS = st.builds(
    lambda text, intent, slots: meaning(text, intent, **slots),
    st.text(max_size=30),
    st.sampled_from(["On", "Off"]),
    st.dictionaries(st.sampled_from(["size", "minutes", "name", "room"]), VALUES),
)


@given(MEANINGS, MEANINGS)
def test_whatever_the_meanings_one_question_comes_out(best: Hypothesis, other: Hypothesis) -> None:
    asked = question(best, other, differing(best, other))
    assert asked.endswith("?")
    assert asked != question(meaning("", ""))
