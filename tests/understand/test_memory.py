"""Follow-ups: what was said last gives them their sense, and without it they have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.tree import Context
from assistant.understand.memory import REMEMBER_S, Command, FollowUp, Memory, fitting, follow, follow_up

HOME = load_context("home")


def understood(text: str) -> Command:
    best = match(HOME, text)[0]
    return Command(best.intent, best.slots, HOME.templates[best.template].response, text)


def after(text: str, **found: Any) -> Memory:
    """What is remembered after `text` was done."""
    command = understood(text)
    return Memory(command, command, found, at=100.0)


def followed(memory: Memory, text: str) -> tuple[str, dict[str, Any], str] | None:
    command = follow(memory, HOME, understood(text))
    return None if command is None else (command.intent, dict(command.slots), command.response)


@pytest.mark.parametrize(
    ("before", "said", "means"),
    [
        ("turn on the kitchen lights", "and the bedroom too", "turn on the bedroom lights"),
        ("turn on the kitchen lights", "also the desk lamp", "turn on the desk lamp"),
        ("turn off the desk lamp", "and the kettle too", "turn off the kettle"),
        ("set the bedroom lights to fifty percent", "and in the kitchen", "set the kitchen lights to fifty percent"),
        ("make the desk lamp blue", "and the floor lamp too", "make the floor lamp blue"),
        ("turn on the kitchen ceiling light", "and the bedroom too", "turn on the bedroom ceiling light"),
        ("set a timer for five minutes", "and another one for ten minutes", "set a timer for ten minutes"),
        ("set a pasta timer for ten minutes", "another one for two minutes", "set a timer for two minutes"),
        ("add milk to the shopping list", "add eggs too", "add eggs to the shopping list"),
        ("put soap on the packing list", "also add a tent", "put a tent on the packing list"),
        ("turn on the kitchen lights", "no I meant the bedroom", "turn on the bedroom lights"),
        ("turn on the desk lamp", "turn it off", "turn off the desk lamp"),
        ("turn off the kitchen lights", "turn it back on", "turn on the kitchen lights"),
        ("turn on the desk lamp", "make it blue", "make the desk lamp blue"),
        ("turn on the kettle", "again", "turn on the kettle"),
    ],
)
def test_a_follow_up_means_what_a_whole_sentence_would_have_meant(before: str, said: str, means: str) -> None:
    wanted = understood(means)
    found = followed(after(before), said)
    assert found is not None
    assert found[:2] == (wanted.intent, dict(wanted.slots))
    assert found[2] == wanted.response or wanted.intent == "HassLightSet"


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("set a timer for five minutes", "and the bedroom too"),
        ("turn on the desk lamp", "another one for ten minutes"),
        ("turn on the desk lamp", "add eggs too"),
        ("make the desk lamp blue", "and the kettle too"),
        ("what time is it", "turn it off"),
        ("what time is it", "and the bedroom too"),
    ],
)
def test_what_no_whole_sentence_could_say_no_follow_up_can(before: str, said: str) -> None:
    assert followed(after(before), said) is None


@pytest.mark.parametrize("said", ["and the bedroom too", "again", "turn it off", "no the bedroom", "add eggs too"])
def test_without_a_command_before_it_a_follow_up_means_nothing(said: str) -> None:
    assert followed(Memory(), said) is None


def test_warmer_and_more_time_carry_what_the_skill_found_out() -> None:
    assert followed(after("set a timer for five minutes", timer_id=7), "two more minutes") == (
        "HassIncreaseTimer",
        {"timer_id": 7, "minutes": 2},
        "default",
    )
    warmer = followed(after("set the temperature in the bedroom to 20 degrees"), "make it warmer")
    assert warmer is not None
    assert warmer[1] == {"area": "bedroom", "domain": "climate", "temperature_step": 1}


def test_what_can_stand_alone_does() -> None:
    assert followed(Memory(), "make it warmer") == (
        "HassClimateSetTemperature",
        {"domain": "climate", "temperature_step": 1},
        "here",
    )


@given(st.floats(0, 10 * REMEMBER_S))
def test_a_command_is_remembered_for_two_minutes(later_s: float) -> None:
    memory = after("turn on the desk lamp")
    assert memory.fresh(memory.at + later_s) == (memory if later_s <= REMEMBER_S else Memory())


def test_every_follow_up_of_the_home_is_a_known_one_and_every_kind_has_one() -> None:
    kinds = {follow_up(HOME, intent) for intent, action in HOME.actions.items() if action.skill == "dialogue"}
    assert kinds == set(FollowUp)


def test_a_sentence_fits_only_with_values_that_its_lists_have() -> None:
    assert fitting(HOME, "HassTurnOn", {"area": "bedroom", "domain": "light"}) is not None
    assert fitting(HOME, "HassTurnOn", {"area": "attic", "domain": "light"}) is None
    assert fitting(HOME, "HassTurnOn", {"area": "bedroom", "minutes": 5}) is None


def test_a_context_without_follow_ups_has_none(tmp_path: Path) -> None:
    (tmp_path / "sentences").mkdir()
    (tmp_path / "sentences/all.yaml").write_text("language: en\nintents: {Go: {data: [{sentences: [go]}]}}\n")
    context: Context = load_context(tmp_path)
    assert follow_up(context, "Go") is None
    assert follow(replace(after("turn on the desk lamp")), context, Command("Go", {})) is None
