"""What `assistant bench home` counts: right meanings, opposites, widened commands, and whether anything was done."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.grammar.load import load_context
from assistant.grammar.test_sentences import Expected
from assistant.grammar.tree import Context, Place
from benchmarks.home import acts, has_free_words, is_opposite, is_wider, same_meaning


@pytest.fixture(scope="module")
def home() -> Context:
    return load_context("home")


def said(intent: str, **slots: Any) -> Expected:
    return Expected("", intent, slots, Place("sentences", 1))


def test_a_meaning_is_right_only_with_exactly_its_slots() -> None:
    assert same_meaning("Add", {"item": "sun screen"}, "Add", {"item": "sun-screen"})
    assert same_meaning("Add", {"item": "Tea"}, "Add", {"item": "tea"})
    assert not same_meaning("Add", {"item": "tea"}, "Add", {"item": "tea", "name": "packing"})
    assert not same_meaning("Add", {"item": "tea"}, "Put", {"item": "tea"})


@pytest.mark.parametrize(
    ("one", "intent", "slots"),
    [
        (said("HassTurnOn", name="lamp"), "HassTurnOff", {"name": "lamp"}),
        (said("HassGetState", name="door", state="open"), "HassGetState", {"name": "door", "state": "closed"}),
        (said("HassStartTimer", minutes=15), "HassStartTimer", {"minutes": 50}),
        (said("HassSetVolumeRelative", volume_step=-18), "HassSetVolumeRelative", {"volume_step": -80}),
    ],
)
def test_opposites_and_teens_for_tens_are_counted_as_such(one: Expected, intent: str, slots: dict[str, Any]) -> None:
    assert is_opposite(one, intent, slots)


def test_another_device_or_another_number_is_no_opposite() -> None:
    assert not is_opposite(said("HassTurnOn", name="lamp"), "HassTurnOff", {"name": "fan"})
    assert not is_opposite(said("HassStartTimer", minutes=15), "HassStartTimer", {"minutes": 51})
    assert not is_opposite(said("HassTurnOn", name="lamp"), "HassTurnOff", {"area": "hall", "domain": "light"})


def test_a_command_is_wider_when_it_lost_its_name_or_its_room() -> None:
    lamp = said("HassTurnOff", name="wall lamp")
    assert is_wider(lamp, {"area": "hall", "domain": "light"})
    assert is_wider(lamp, {"domain": "light"})
    assert is_wider(said("HassTurnOff", area="hall", domain="light"), {"area": "all", "domain": "light"})
    both = Expected("", "Together", {"first.name": "lamp", "then.minutes": 5}, Place("sentences", 1))
    assert is_wider(both, {"first.domain": "light", "then.minutes": 5})
    assert not is_wider(lamp, {"name": "floor lamp"})
    assert not is_wider(said("HassTurnOff", area="all", domain="light"), {"area": "all", "domain": "light"})


@pytest.mark.parametrize(
    ("intent", "slots", "done"),
    [
        ("HassTurnOn", {"name": "desk lamp"}, True),
        ("HassTurnOn", {"name": "lamp"}, False),  # two are called so
        ("HassTurnOff", {"domain": "light"}, False),  # which room?
        ("HassTurnOff", {"area": "kitchen", "domain": "light"}, True),
        ("HassTurnOff", {"name": "front door"}, False),  # a lock: really?
        ("HassTurnOn", {"name": "movie night", "domain": "scene"}, True),
        ("HassStartTimer", {"minutes": 5}, True),
        ("AndThat", {"area": "kitchen"}, False),  # there is nothing to follow up
    ],
)
def test_something_is_done_only_where_the_skill_does_not_ask(
    home: Context, intent: str, slots: dict[str, Any], *, done: bool
) -> None:
    assert acts(intent, slots, home) is done


def test_a_thing_that_no_list_has_is_free_words(home: Context) -> None:
    assert has_free_words(said("HassShoppingListAddItem", item="rope ladder"), home)
    assert not has_free_words(said("HassShoppingListAddItem", item="oat milk"), home)
    assert not has_free_words(said("HassTurnOn", name="desk lamp"), home)
    assert not has_free_words(said("HassStartTimer", minutes=5), home)
