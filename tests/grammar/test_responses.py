"""Reply templates say what is known and leave out what is not."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.responses import ReplyError, render, slots_of

TIMER = "Timer set for [{hours:hour}][ {minutes:minute}][ {seconds:second}][, called {name}]."


@pytest.mark.parametrize(
    ("template", "slots", "said"),
    [
        ("The {name} is on.", {"name": "desk lamp"}, "The desk lamp is on."),
        ("The {name} is on.", {}, "The is on."),
        (TIMER, {"minutes": 1}, "Timer set for 1 minute."),
        (TIMER, {"hours": 2, "minutes": 30.0, "name": "tea"}, "Timer set for 2 hours 30 minutes, called tea."),
        ("{n:loaf/loaves}", {"n": 3}, "3 loaves"),
        ("A[ {size}] cup[ with {milk}[ and {sugar}]]", {"milk": "milk"}, "A cup with milk"),
        ("A[ {size}] cup[ with {milk}[ and {sugar}]]", {"sugar": "sugar"}, "A cup"),
        ("({a} and {b}|{a}|{b}|nothing)", {"b": 2}, "2"),
        ("({a} and {b}|{a}|{b}|nothing)", {"a": 1, "b": 2}, "1 and 2"),
        ("({a} and {b}|{a}|{b}|nothing)", {}, "nothing"),
        (r"\(not\) a | group", {}, "(not) a | group"),
        ("one ,  two", {}, "one, two"),
        ("", {}, ""),
    ],
)
def test_a_reply_is_said(template: str, slots: dict[str, Any], said: str) -> None:
    assert render(template, slots) == said


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("a {b", "has '{' at column 3 without a slot's name and '}'"),
        ("a [b", "has '[' at column 3 that is never closed"),
        ("a (b|c", "has '(' at column 3 that is never closed"),
        ("a b]", "has ']' at column 4 that closes nothing"),
        ("a [b|c]", "has '|' at column 5 inside [ ]; write ([…]|…) or (a|b)"),
    ],
)
def test_a_broken_reply_says_where(template: str, fault: str) -> None:
    with pytest.raises(ReplyError) as caught:
        render(template, {})
    assert str(caught.value) == fault


def test_the_slots_of_a_reply_are_named_once_in_order() -> None:
    assert slots_of("({b} {a}|{a}) [{c:cup}]") == ("b", "a", "c")


@given(st.text(alphabet="ab {}[]()|\\:/", max_size=14))
def test_any_text_is_a_reply_or_an_error(template: str) -> None:
    with contextlib.suppress(ReplyError):
        said = render(template, {"a": "x"})
        assert said == said.strip()
