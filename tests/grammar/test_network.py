"""Sentences become words: glue, shared lists, weights, numbers."""

from __future__ import annotations

import pytest

from assistant.errors import ContextError
from assistant.grammar.network import MAX_NUMBERS, Network, build_network
from assistant.grammar.tree import (
    Choice,
    ListRef,
    ListValue,
    NumberList,
    Place,
    RuleRef,
    Sequence,
    Template,
    Text,
    TextList,
    Wildcard,
)
from tests.grammar.written_out import context_with

LAMPS = TextList("lamp", tuple(ListValue(Text(f"lamp number {n}"), n) for n in range(200)))


def words_from(network: Network, node: int) -> dict[tuple[str, bool], float]:
    """(word, glued) → weight of what can be said at `node`, skips followed, lists not entered."""
    found: dict[tuple[str, bool], float] = {}
    todo = [(node, 0.0)]
    while todo:
        at, weight = todo.pop()
        for arc in network.nodes[at].words:
            key = arc.word, arc.glued
            found[key] = max(found.get(key, -99.0), weight + arc.weight)
        todo += [(to, weight + more) for to, more in network.nodes[at].skips]
    return found


def test_pieces_without_a_space_are_one_word() -> None:
    context = context_with(Template("On", Sequence((Text("light"), Choice((Text("s"), Text(""))), Text(" on"))), ""))
    network = build_network(context)
    assert words_from(network, network.start) == {("light", False): 0.0, ("lights", False): 0.0}


def test_what_follows_a_list_without_a_space_is_glued_to_it() -> None:
    signs = Choice((Text("%"), Text(" percent")))
    context = context_with(
        Template("Dim", Sequence((ListRef("level", "level"), signs)), ""), lists={"level": NumberList("level", 1, 3)}
    )
    network = build_network(context)
    (call,) = [call for node in network.nodes for call in node.calls]
    assert words_from(network, call.to) == {("%", True): 0.0, ("percent", False): 0.0}


def test_words_before_a_list_without_a_space_do_not_run_on_into_what_stands_beside_it() -> None:
    beside = Choice((ListRef("level", "level"), Text("")))
    context = context_with(
        Template("Go", Sequence((Text("go"), beside, Text("ing"))), ""), lists={"level": NumberList("level", 1, 3)}
    )
    network = build_network(context)
    assert words_from(network, network.start) == {("going", False): 0.0, ("go", False): 0.0}
    (call_at,) = [number for number, node in enumerate(network.nodes) if node.calls]
    assert words_from(network, call_at) == {}


def test_a_list_is_stored_once_however_many_templates_use_it() -> None:
    def size(templates: int) -> int:
        made = [Template("On", Sequence((Text(f"w{n} "), ListRef("lamp", "name"))), "") for n in range(templates)]
        return len(build_network(context_with(*made, lists={"lamp": LAMPS})).nodes)

    assert size(1) > 600
    assert size(40) - size(1) < 39 * 10


def test_a_call_says_its_slot_and_a_list_value_its_canonical_form() -> None:
    values = TextList("size", (ListValue(Text("big"), "large"), ListValue(Text("12 oz"), 12)))
    context = context_with(Template("Order", ListRef("size", "cup"), ""), lists={"size": values})
    network = build_network(context)
    assert [call.slot for node in network.nodes for call in node.calls] == ["cup"]
    assert [node.value for node in network.nodes if node.value] == [("large",), (12,)]


def test_a_wildcard_has_no_words_of_its_own() -> None:
    context = context_with(Template("Say", ListRef("any", "text"), ""), lists={"any": Wildcard("any")})
    assert build_network(context).entries == {}


def test_weights_add_up_along_rules_choices_and_templates() -> None:
    node = Choice((RuleRef("rare"), Text("on")), (-1.0, 0.0))
    context = context_with(
        Template("On", node, "", weight=-0.5), rules={"rare": Choice((Text("lit"), Text("up")), (-2.0, 0.0))}
    )
    network = build_network(context)
    assert words_from(network, network.start) == {("on", False): -0.5, ("up", False): -1.5, ("lit", False): -3.5}


@pytest.mark.parametrize("multiplier", [1, 0.5, 60])
def test_numbers_are_multiplied_and_whole_results_are_whole(multiplier: float) -> None:
    numbers = NumberList("n", 2, 4, 2, multiplier=multiplier)
    network = build_network(context_with(Template("Set", ListRef("n", "n"), ""), lists={"n": numbers}))
    values = [node.value[0] for node in network.nodes if node.value]
    assert values == [2 * multiplier, 4 * multiplier]
    assert all(isinstance(value, int) for value in values)


def test_a_number_list_as_long_as_a_dictionary_is_refused_with_its_place() -> None:
    numbers = NumberList("n", 0, 5_000_000, place=Place("sentences/main.yaml", 7))
    context = context_with(Template("Set", ListRef("n", "n"), ""), lists={"n": numbers})
    with pytest.raises(ContextError) as caught:
        build_network(context)
    assert caught.value.where == "sentences/main.yaml:7"
    assert caught.value.what == f"list 'n' holds 5,000,001 numbers, more than {MAX_NUMBERS:,}"
    assert caught.value.remedy
