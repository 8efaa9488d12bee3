"""Shopping and to-do lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.act.lists import MOST_ITEMS, Lists
from assistant.act.skill import Result
from tests.act.house import fill

Run = Callable[..., Any]
ADD = "HassShoppingListAddItem"


def open_items(lists: Lists, name: str = "shopping") -> list[str]:
    return [item.text for item in lists.store.items(name) if not item.done]


def test_items_are_added_read_and_ticked_off(run: Run) -> None:
    lists = Lists()
    assistant = run(lists)
    for item in ("milk", "two  pounds of flour", "eggs"):
        assert assistant.ask("lists", ADD, item=item).ok
    read = assistant.ask("lists", "ShoppingListRead")
    assert read.text == "There are 3 items on the shopping list: milk, two pounds of flour and eggs."
    assert assistant.ask("lists", "HassShoppingListCompleteItem", item="Milk").ok
    assert open_items(lists) == ["two pounds of flour", "eggs"]


def test_each_list_has_its_own_items_whatever_it_is_called(run: Run) -> None:
    lists = Lists()
    assistant = run(lists)
    assistant.ask("lists", "HassListAddItem", item="passport", name="Packing list")
    assistant.ask("lists", ADD, item="milk")
    assert (open_items(lists, "packing"), open_items(lists)) == (["passport"], ["milk"])
    assert lists.store.names() == ("packing", "shopping")


def test_items_survive_a_restart(run: Run) -> None:
    first = run(Lists())
    first.ask("lists", ADD, item="milk")
    first.skills.close()
    assert "milk" in run(Lists()).ask("lists", "ShoppingListRead").text


def test_an_item_is_on_the_list_once_and_comes_back_after_it_was_ticked_off(run: Run) -> None:
    lists = Lists()
    assistant = run(lists)
    assistant.ask("lists", ADD, item="milk")
    assert assistant.ask("lists", ADD, item="Milk").text == "Milk is on the shopping list already."
    assistant.ask("lists", "HassShoppingListCompleteItem", item="milk")
    assert open_items(lists) == []
    assistant.ask("lists", ADD, item="milk")
    assert open_items(lists) == ["milk"]


def test_an_item_that_is_only_like_one_is_asked_about(run: Run) -> None:
    lists = Lists()
    assistant = run(lists)
    assistant.ask("lists", ADD, item="oat milk")
    asked = assistant.ask("lists", "HassListRemoveItem", item="oak milk")
    assert asked.text == "I can't find oak milk on the shopping list. Do you mean oat milk?"
    assert open_items(lists) == ["oat milk"]
    assistant.answer("lists", "HassListRemoveItem", asked)
    assert open_items(lists) == []


def test_an_item_that_is_nothing_like_any_is_said_to_be_missing(run: Run) -> None:
    assistant = run(Lists())
    assistant.ask("lists", ADD, item="milk")
    result = assistant.ask("lists", "HassShoppingListCompleteItem", item="a bicycle")
    assert (result.ok, result.question, result.text) == (False, None, "I can't find a bicycle on the shopping list.")


def test_a_list_is_cleared_only_after_a_yes_and_can_be_had_back(run: Run) -> None:
    lists = Lists()
    assistant = run(lists)
    for item in ("milk", "eggs"):
        assistant.ask("lists", ADD, item=item)
    asked = assistant.ask("lists", "ShoppingListClear")
    assert asked.text == "Shall I take all 2 items off the shopping list?"
    assert open_items(lists) == ["milk", "eggs"]
    assert assistant.answer("lists", "ShoppingListClear", asked).ok
    assert open_items(lists) == []
    assert assistant.skills.undo().ok
    assert open_items(lists) == ["milk", "eggs"]


@pytest.mark.parametrize(("intent", "slots"), [(ADD, {"item": "eggs"}), ("HassListRemoveItem", {"item": "milk"})])
def test_the_last_change_is_taken_back(run: Run, intent: str, slots: dict[str, Any]) -> None:
    lists = Lists()
    assistant = run(lists)
    assistant.ask("lists", ADD, item="milk")
    assert assistant.ask("lists", intent, **slots).ok
    assert open_items(lists) != ["milk"]
    assistant.skills.undo()
    assert open_items(lists) == ["milk"]


def test_an_item_of_500_words_is_refused_politely(run: Run) -> None:
    lists = Lists()
    result = run(lists).ask("lists", ADD, item=" ".join(["word"] * 500))
    assert not result.ok
    assert "fewer words" in result.text
    assert open_items(lists) == []


def test_what_was_ticked_off_long_ago_makes_room_and_a_list_that_is_full_says_so(run: Run) -> None:
    lists = Lists()
    assistant = run(lists)
    with lists.store.database.transaction() as connection:
        rows = [(f"thing {number}", number % 2) for number in range(2 * MOST_ITEMS)]
        connection.executemany("INSERT INTO items (list, text, done) VALUES ('shopping', ?, ?)", rows)
    assert "is full" in assistant.ask("lists", ADD, item="milk").text
    assistant.ask("lists", "HassShoppingListCompleteItem", item="thing 0")
    assert assistant.ask("lists", ADD, item="milk").ok
    assert len(open_items(lists)) == MOST_ITEMS
    assert len(lists.store.items("shopping")) == MOST_ITEMS + 1


def test_a_long_list_is_read_as_far_as_anybody_listens(run: Run) -> None:
    assistant = run(Lists())
    for number in range(25):
        assistant.ask("lists", ADD, item=f"thing {number}")
    assert assistant.ask("lists", "ShoppingListRead").text.endswith("thing 19 and 5 more.")


def test_an_add_without_an_item_asks_what(run: Run) -> None:
    result = run(Lists()).ask("lists", ADD)
    assert result.question is not None
    assert result.question.slot == "item"


def test_on_a_full_disk_nothing_is_added_and_the_reason_is_said(run: Run) -> None:
    lists = Lists()
    assistant = run(lists)
    fill(lists.store.database, "INSERT INTO items (list, text) VALUES ('other', ?)")
    result: Result = assistant.ask("lists", ADD, item="something long enough to need another page")
    assert not result.ok
    assert "disk is full" in result.text
    assert open_items(lists) == []


def test_where_nothing_can_be_written_items_are_kept_in_memory_and_the_user_is_told(run: Run) -> None:
    result = run(Lists(), state=Path("/proc/nothing")).ask("lists", ADD, item="milk")
    assert result.ok
    assert "forget it" in result.text
