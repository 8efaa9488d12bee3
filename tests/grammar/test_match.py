"""Typed text to meanings: what is in the context is found however it is written, slips are repaired at a known cost."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assistant.errors import ContextError
from assistant.grammar.load import load_context
from assistant.grammar.match import MAX_MATCHES, Match, Matcher, match, matcher_of
from assistant.grammar.network import build_network
from assistant.grammar.repairs import (
    FILLER_COST,
    FUNCTION_WORD_COST,
    INSIDE_VALUE,
    KNOWN_WORD_COST,
    MISSING_WORD_COST,
    SLIP_COST,
    UNKNOWN_WORD_COST,
    Edit,
)
from assistant.grammar.sample import sample
from assistant.grammar.spelling import VALUES
from assistant.grammar.tree import Context
from assistant.grammar.typed import damerau

Meaning = tuple[str, dict[str, Any]]
MakeContext = Callable[[str], Context]

BUDGET = 4.0

FLAT = """
language: en
intents:
  TurnOn: {data: [{sentences: ["(turn|switch) on [the] {name}", "(turn|switch) [the] {name} on"]}]}
  TurnOff: {data: [{sentences: ["(turn|switch) off [the] {name}", "(turn|switch) [the] {name} off"]}]}
  Dim: {data: [{sentences: ["dim [the] {name} to {percent}%", "dim [the] {name} by {percent} percent"]}]}
  Alarm: {data: [{sentences: ["wake me in {hours} hour[s]", "wake me in {hours}-hour steps"]}]}
  Add: {data: [{sentences: ["add {item} to [the] [shopping] list", "add {item} to my {which} list"]}]}
  Never: {data: [{sentences: ["never( |-|)mind", "don't"]}]}
  Quiet: {data: [{sentences: ["be quiet"]}]}
  Both: {data: [{sentences: ["(stop|pause|halt) it"]}, {sentences: ["stop it"], weight: 0.2, slots: {how: hard}}]}
  Lamps: {data: [{sentences: ["count the {kind}s"]}]}
lists:
  name:
    values: [desk lamp, kitchen light, dining table light, dishwasher, TV, {in: "(hall|hallway) light[s]", out: hall}]
  kind: {values: [lamp, fan]}
  percent: {range: {from: 0, to: 100}}
  hours: {range: {from: 1, to: 12, fractions: halves}}
  which: {values: [to-do, packing]}
  item: {wildcard: true}
"""


@pytest.fixture(scope="module")
def make_context(tmp_path_factory: pytest.TempPathFactory) -> MakeContext:
    def make(sentences: str) -> Context:
        folder = tmp_path_factory.mktemp("context")
        (folder / "sentences").mkdir()
        (folder / "sentences/all.yaml").write_text(sentences)
        return load_context(folder)

    return make


@pytest.fixture(scope="module")
def flat(make_context: MakeContext) -> Matcher:
    return Matcher(build_network(make_context(FLAT)))


def meanings(matches: tuple[Match, ...]) -> list[Meaning]:
    return [(found.intent, dict(found.slots)) for found in matches]


# -- as it stands --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("turn on the desk lamp", ("TurnOn", {"name": "desk lamp"})),
        ("  Turn ON, the desk-lamp!! ", ("TurnOn", {"name": "desk lamp"})),
        ("switch the tv off.", ("TurnOff", {"name": "TV"})),
        ("turn on the dish washer", ("TurnOn", {"name": "dishwasher"})),
        ("turn on kitchenlight", ("TurnOn", {"name": "kitchen light"})),
        ("Turn off the hall lights", ("TurnOff", {"name": "hall"})),
        ("dim the TV to 30%", ("Dim", {"name": "TV", "percent": 30})),
        ("dim the TV to 30 percent", ("Dim", {"name": "TV", "percent": 30})),
        ("dim the TV to thirty-five per cent", ("Dim", {"name": "TV", "percent": 35})),
        ("dim the TV by a hundred %", ("Dim", {"name": "TV", "percent": 100})),
        ("wake me in 2.5 hours", ("Alarm", {"hours": 2.5})),
        ("wake me in two and a half hours", ("Alarm", {"hours": 2.5})),
        ("wake me in 2hour steps", ("Alarm", {"hours": 2})),
        ("add Oat-Milk, 2% to the shopping list", ("Add", {"item": "Oat-Milk, 2%"})),
        ("add salt to my todo list", ("Add", {"item": "salt", "which": "to-do"})),
        ("add a list to the list", ("Add", {"item": "a list"})),
        ("nevermind", ("Never", {})),
        ("never-mind", ("Never", {})),
        ("dont", ("Never", {})),
        ("Don’t!", ("Never", {})),
        ("count the lamps", ("Lamps", {"kind": "lamp"})),
    ],
)
def test_writing_does_not_matter(flat: Matcher, text: str, meaning: Meaning) -> None:
    (found,) = flat.match(text)
    assert meanings((found,)) == [meaning]
    assert (found.cost, found.differs) == (0.0, ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "turn on",
        "turn on the",
        "desk lamp",
        "turn on the desk lamp now",
        "dim the TV to 101%",
        "add to list",
    ],
)
def test_what_the_context_does_not_have_has_no_meaning(flat: Matcher, text: str) -> None:
    assert flat.match(text) == ()


def test_two_meanings_of_the_same_words_come_the_likelier_first(flat: Matcher) -> None:
    assert meanings(flat.match("stop it")) == [("Both", {}), ("Both", {"how": "hard"})]
    assert flat.match("stop it")[0].weight > flat.match("stop it")[1].weight


def test_the_wording_is_the_authors(flat: Matcher) -> None:
    assert flat.match("SWITCH ON TV")[0].text == "switch on TV"
    assert flat.match("dim the tv to 30 percent")[0].text == "dim the TV to 30%"


def test_a_wildcard_takes_as_few_words_as_it_can(make_context: MakeContext) -> None:
    context = make_context(
        "language: en\nintents: {Play: {data: [{sentences: ['play {song} [by {artist}]']}]}}\n"
        "lists: {song: {wildcard: true}, artist: {wildcard: true}}\n"
    )
    assert meanings(match(context, "play stand by me")) == [("Play", {"song": "stand", "artist": "me"})]
    assert meanings(match(context, "play the river by leon by night")) == [
        ("Play", {"song": "the river", "artist": "leon by night"})
    ]


@pytest.mark.parametrize("name", ["barista", "home"])
def test_every_sentence_of_a_context_has_its_meaning(repository: Path, name: str) -> None:
    context = load_context(repository / "examples" / name)
    for drawn in sample(context, 400, seed=3):
        assert (drawn.intent, dict(drawn.slots)) in meanings(match(context, drawn.text)), drawn.text


def test_a_list_of_too_many_numbers_is_refused(make_context: MakeContext) -> None:
    context = make_context(
        "language: en\nintents: {Dial: {data: [{sentences: ['dial {n}']}]}}\n"
        "lists: {n: {range: {from: 0, to: 99999}}}\n"
    )
    with pytest.raises(ContextError):
        match(context, "dial 5")


def test_matchers_are_kept_by_what_can_be_said(make_context: MakeContext) -> None:
    sentences = "language: en\nintents: {A: {data: [{sentences: ['%s']}]}}\n"
    first, same, other = (make_context(sentences % word) for word in ("one", "one", "two"))
    assert matcher_of(first) is matcher_of(same)
    assert matcher_of(first) is not matcher_of(other)


# -- with repairs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "repaired", "cost"),
    [
        ("turn on teh desk lamp", "turn on the desk lamp", SLIP_COST[1]),
        ("turn on the kitchen lihgt", "turn on the kitchen light", SLIP_COST[1]),
        ("turn on the kithcen lihgt", "turn on the kitchen light", 2 * SLIP_COST[1]),
        ("turn on the ktchn light", "turn on the kitchen light", SLIP_COST[2]),
        ("turn on the desk lamp please", "turn on the desk lamp", FILLER_COST),
        ("turn on to the desk lamp", "turn on the desk lamp", FUNCTION_WORD_COST),
        ("turn on the beautiful desk lamp", "turn on the desk lamp", UNKNOWN_WORD_COST),
        ("turn on the dining light", "turn on the dining table light", INSIDE_VALUE * MISSING_WORD_COST),
        ("wake me 2 hours", "wake me in 2 hours", MISSING_WORD_COST),
        ("add milk the list", "add milk to the list", FUNCTION_WORD_COST),
        ("wake me in twelv hours", "wake me in twelve hours", SLIP_COST[1]),
    ],
)
def test_each_repair_has_its_cost(flat: Matcher, text: str, repaired: str, cost: float) -> None:
    assert flat.match(text) == ()
    best = flat.match_within(text, BUDGET)[0]
    assert best.text == repaired
    assert best.cost == pytest.approx(cost)
    assert flat.match_within(text, cost - 0.01) == ()


def test_a_repair_says_what_it_changed(flat: Matcher) -> None:
    (found,) = flat.match_within("please turn on teh dining light", 5)
    assert found.differs == (Edit("please", ""), Edit("teh", "the"), Edit("", "table"))


@pytest.mark.parametrize("text", ["turn of the desk lamp", "turn the desk lamp"])
def test_an_ambiguous_repair_comes_out_as_two_meanings_of_equal_cost(flat: Matcher, text: str) -> None:
    first, second = flat.match_within(text, BUDGET)
    assert {first.intent, second.intent} == {"TurnOn", "TurnOff"}
    assert first.cost == second.cost


@pytest.mark.parametrize(
    "text",
    [
        "do not turn on the desk lamp",
        "turn on everything but the desk lamp",
        "turn on the desk lamp, no, the kitchen",
        "turn on",
        "turn on the",
        "kitchen",
        "dim the TV",
        "dim the TV to one hundred and five percent",
        "wake me in 13 hours",
        "wake me in fiften hours",
        "add to the list",
        "what is the weather like in the kitchen",
    ],
)
def test_a_meaning_is_never_made_up(flat: Matcher, text: str) -> None:
    assert flat.match_within(text, BUDGET) == ()


def test_a_word_of_the_context_is_hardly_taken_for_another(make_context: MakeContext) -> None:
    context = make_context(
        "language: en\nintents: {On: {data: [{sentences: ['turn on the {name}']}]}, "
        "Paint: {data: [{sentences: ['paint it red']}]}}\n"
        "lists: {name: {values: [bed lamp, desk lamp]}}\n"
    )
    (found,) = matcher_of(context).match_within("turn on the red lamp", BUDGET)
    assert found.cost == SLIP_COST[1] + KNOWN_WORD_COST


def test_what_fits_as_it_stands_comes_first_and_costs_nothing(flat: Matcher) -> None:
    found = flat.match_within("turn on the desk lamp", BUDGET)
    assert found[0] == flat.match("turn on the desk lamp")[0]
    assert [one.cost for one in found] == sorted(one.cost for one in found)


def test_however_many_values_fit_equally_the_answer_stays_short(make_context: MakeContext) -> None:
    names = ", ".join(f"room{letter} lamp" for letter in string.ascii_lowercase)
    context = make_context(
        "language: en\nintents: {On: {data: [{sentences: ['turn on the {name}']}]}}\n"
        f"lists: {{name: {{values: [{names}]}}}}\n"
    )
    assert len(matcher_of(context).match_within("turn on the lamp", BUDGET)) == MAX_MATCHES


@given(st.data())
def test_one_slip_in_one_long_word_is_repaired(flat: Matcher, data: st.DataObject) -> None:
    words = ["switch", "off", "the", "kitchen", "light"]
    at = data.draw(st.sampled_from([0, 3, 4]))
    word = words[at]
    place = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    slip = data.draw(
        st.sampled_from(
            [
                word[:place] + word[place + 1 :],
                word[:place] + letter + word[place:],
                word[:place] + letter + word[place + 1 :],
                word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
            ]
        )
    )
    assume(slip not in VALUES)  # "eight" is no slip for "light" but another word, which costs more
    found = flat.match_within(" ".join([*words[:at], slip, *words[at + 1 :]]), SLIP_COST[1])
    assert meanings(found)[:1] == [("TurnOff", {"name": "kitchen light"})]


@given(st.text(max_size=60))
def test_any_text_is_borne(flat: Matcher, text: str) -> None:
    for found in flat.match_within(text, BUDGET):
        assert found.cost <= BUDGET


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_distance_is_symmetric_and_counts_single_slips(a: str, b: str, c: str) -> None:
    assert damerau(a, b) == damerau(b, a)
    assert (damerau(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= damerau(a, b) <= max(len(a), len(b))
    assert damerau(a + c, b + c) <= damerau(a, b)
    assume(len(a) > 1 and a[0] != a[1])
    assert damerau(a, a[1] + a[0] + a[2:]) == 1
