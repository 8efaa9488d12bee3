"""Positions between tokens: three modes, what punctuation leads to, and nothing made before it is visited."""

from __future__ import annotations

from assistant.grammar.load import load_context
from assistant.grammar.tokens import GLUED, PLAIN, START
from assistant.grammar.tree import Choice, ListRef, ListValue, NumberList, Sequence, Template, Text, TextList, Wildcard
from assistant.recognize.moonshine.tokenizer import Tokenizer
from tests.grammar.written_out import Letters, context_with, network_of

LETTERS = Letters()
COMMA, HYPHEN, STOP = (LETTERS.encode_word(mark, glued=True)[0] for mark in ",-.")

ON = context_with(Template("On", Text("TV on"), ""))


def first_letters(mode: int) -> set[str]:
    """What may begin at the node where "TV on" begins, in `mode`; "_" for the space before it."""
    network = network_of(ON, LETTERS)
    (node,) = [number for number, node in enumerate(network.network.nodes) for arc in node.words if arc.word == "TV"]
    arcs = network[network.at(node, mode)].arcs
    return {chr(token) if token < 100_000 else f"_{chr(token - 100_000)}" for token in arcs}


def test_a_word_may_be_written_small_and_at_the_start_with_a_capital() -> None:
    assert first_letters(PLAIN) == first_letters(START) == {"_T", "_t"}
    assert first_letters(GLUED) == {"T", "t"}


def test_a_capital_is_for_the_start_alone() -> None:
    context = context_with(Template("On", Text("go on"), ""))
    network = network_of(context, LETTERS)
    (node,) = [number for number, node in enumerate(network.network.nodes) for arc in node.words if arc.word == "on"]
    assert {chr(token - 100_000) for token in network[network.at(node, PLAIN)].arcs} == {"o"}
    assert {chr(token - 100_000) for token in network[network.at(node, START)].arcs} == {"o", "O"}


def test_after_a_name_a_comma_may_be_written_and_after_a_number_a_hyphen_too() -> None:
    values = TextList("a", (ListValue(Text("lamp"), "lamp"), ListValue(Text("both"), True)))
    context = context_with(
        Template("Set", Sequence((ListRef("a", "a"), Text(" "), ListRef("n", "n"), Text(" minutes"))), ""),
        lists={"a": values, "n": NumberList("n", 5, 5)},
    )
    network = network_of(context, LETTERS)
    marks = {
        node.value[0]: set(network[network.at(number, PLAIN)].arcs) & {COMMA, HYPHEN, STOP}
        for number, node in enumerate(network.network.nodes)
        if node.value
    }
    assert marks == {"lamp": {COMMA}, True: {COMMA}, 5: {COMMA, HYPHEN}}


def test_after_a_full_stop_nothing_follows() -> None:
    network = network_of(ON, LETTERS)
    (end,) = [number for number, node in enumerate(network.network.nodes) if node.template is not None]
    position = network[network.at(end, PLAIN)]
    assert position.final
    ((closed, _),) = position.arcs[STOP]
    assert network[closed].final
    assert not network[closed].arcs


def test_words_that_begin_alike_at_one_place_share_their_first_tokens() -> None:
    words = Choice(tuple(Text(word) for word in ("lamp", "lamps", "lane")))
    network = network_of(context_with(Template("On", words, "")), LETTERS)
    (number,) = [number for number, node in enumerate(network.network.nodes) if len(node.words) == 3]
    position = network[network.at(number, PLAIN)]
    for branches in (1, 1, 2):  # "_l", "a", then "m" or "n"
        assert len(position.arcs) == branches
        ((to, _), *others) = next(iter(position.arcs.values()))
        assert others == []
        position = network[to]


def test_a_wildcard_is_a_loop_of_at_least_one_token() -> None:
    context = context_with(Template("Say", ListRef("any", "text"), ""), lists={"any": Wildcard("any")})
    network = network_of(context, LETTERS)
    (caller,) = [number for number, node in enumerate(network.network.nodes) if node.calls]
    ((entry, _),) = network[network.at(caller, START)].calls
    outside = network[entry]
    assert outside.returns is None
    inside = network[outside.wildcard]
    assert inside.returns == PLAIN
    assert network[inside.wildcard] is inside


def test_positions_are_made_when_they_are_visited(tokenizer: Tokenizer) -> None:
    network = network_of(load_context("home"), tokenizer)
    before = len(network)
    assert before < 10
    network[network.start]
    assert before < len(network) < 400
