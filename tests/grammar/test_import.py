"""Grammars of other systems become contexts that accept the same sentences."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from assistant.errors import InputError, StorageError
from assistant.grammar.count import count
from assistant.grammar.import_home_assistant import reply_template
from assistant.grammar.import_rhino import ordinal_words, rhino_template
from assistant.grammar.importers import import_context
from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.responses import render
from assistant.grammar.sample import sample
from assistant.grammar.test_sentences import read_expected, run_expected
from assistant.grammar.tree import Context, TextList


def meanings(context: Context, text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(found.intent, dict(found.slots)) for found in match(context, text)]


@pytest.fixture
def rhino(data: Path, tmp_path: Path) -> Path:
    import_context(data / "barista/coffee_maker.rhino.yaml", tmp_path / "coffee")
    return tmp_path / "coffee"


def test_barista_accepts_exactly_what_the_rhino_grammar_accepts(rhino: Path) -> None:
    theirs, ours = load_context(rhino), load_context("barista")
    assert count(theirs) == count(ours) == 120_130_920
    for source, other in ((theirs, ours), (ours, theirs)):
        for drawn in sample(source, 400, seed=3):
            assert meanings(other, drawn.text) == [(drawn.intent, dict(drawn.slots))]
    for text in ("a latte", "brew a large small latte", "get me a latte with milk and cream", "get me a latte with"):
        assert meanings(theirs, text) == meanings(ours, text) == []


def test_barista_knows_every_value_of_the_labels(data: Path) -> None:
    lists = load_context("barista").lists
    values = {n: {v.value for v in known.values} for n, known in lists.items() if isinstance(known, TextList)}
    lines = (data / "barista/labels.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 200
    for line in lines:
        label = json.loads(line)
        assert label["intent"] == "orderDrink"
        for slot, value in label["slots"].items():
            assert value in values[slot]


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("brew a 12 oz latte", {"size": "twelve ounce", "coffeeDrink": "latte"}),
        ("brew a 12-ounce latte", {"size": "twelve ounce", "coffeeDrink": "latte"}),
        ("brew a twelve ounce latte", {"size": "twelve ounce", "coffeeDrink": "latte"}),
        ("brew an ice mocha", {"coffeeDrink": "iced mocha"}),
        ("brew an ice coffee", {"coffeeDrink": "iced coffee"}),
    ],
)
def test_barista_takes_every_spelling_for_the_same_value(text: str, slots: dict[str, Any]) -> None:
    assert meanings(load_context("barista"), text) == [("orderDrink", slots)]


def test_barista_answers_in_a_natural_sentence() -> None:
    reply = load_context("barista").responses["orderDrink"]["default"]
    assert render(reply, {"coffeeDrink": "latte"}) == "One latte, coming up."
    slots = {
        "size": "large",
        "roast": "dark roast",
        "coffeeDrink": "mocha",
        "milkAmount": "milk",
        "sugarAmount": "sugar",
    }
    assert render(reply, slots) == "One large dark roast mocha with milk and sugar, coming up."


@pytest.mark.parametrize(
    ("expression", "template"),
    [
        ("[turn, switch] (the) $location:room lights", "(turn|switch) [the] {location:room} lights"),
        ("set (all, both, the [left, right]) lamp", "set [all|both|the (left|right)] lamp"),
        ("@verb it in $pv.TwoDigitInteger:n minutes", "<verb> it in {two_digit_integer:n} minutes"),
        ("dim $percent to half", "dim {percent} to half"),
        ("5 < 6", "5 \\< 6"),
    ],
)
def test_rhino_expressions_are_written_in_our_syntax(expression: str, template: str) -> None:
    assert rhino_template(expression, set()) == template


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("turn [on, off", "'[' at column 6 is never closed"),
        ("turn on]", "']' at column 8 closes nothing"),
        ("turn $", "'$' at column 6 names nothing"),
    ],
)
def test_a_broken_rhino_expression_is_said_with_its_column(expression: str, fault: str) -> None:
    with pytest.raises(InputError, match=f"^x.yaml:3: {fault.replace('[', chr(92) + '[').replace('$', chr(92) + '$')}"):
        rhino_template(expression, set(), "x.yaml:3")


def test_rhinos_macros_and_built_in_slots_become_rules_and_lists(tmp_path: Path) -> None:
    source = tmp_path / "clock.rhino.yaml"
    source.write_text(
        dedent("""
        context:
          expressions:
            setTimer: ["@start a timer for $pv.TwoDigitInteger:minutes minutes", "the $pv.TwoDigitOrdinal:place one"]
          macros:
            start: [set, start]
          slots: {}
        """)
    )
    report = import_context(source, tmp_path / "clock")
    context = load_context(tmp_path / "clock")
    assert meanings(context, "start a timer for 25 minutes") == [("setTimer", {"minutes": 25})]
    assert meanings(context, "the twenty first one") == [("setTimer", {"place": 21})]
    assert len(report.notes) == 2


def test_ordinals_are_english() -> None:
    assert [ordinal_words(n) for n in (1, 12, 20, 23, 40, 99)] == [
        "first",
        "twelfth",
        "twentieth",
        "twenty third",
        "fortieth",
        "ninety ninth",
    ]


def test_csv_lines_become_sentences_slots_and_tests(tmp_path: Path) -> None:
    source = tmp_path / "lamps.csv"
    source.write_text(
        "sentence;intent\n"
        "Turn on the [desk lamp](name).;SwitchOn\n"
        "turn on the [floor lamp](name);SwitchOn\n"
        "what time is it (roughly)?;GetTime\n"
    )
    report = import_context(source, tmp_path / "lamps")
    context = load_context(tmp_path / "lamps")
    assert report.intents == ("SwitchOn", "GetTime")
    assert meanings(context, "turn on the floor lamp") == [("SwitchOn", {"name": "floor lamp"})]
    results = run_expected(context, read_expected(tmp_path / "lamps/tests.yaml"))
    assert [result for result in results if not result.passed] == []


@pytest.mark.parametrize(("text", "separator"), [("a b,C\nd e,C\n", ","), ("a b\tC\n", "\t"), ("\ufeffa b;C\n", ";")])
def test_csv_may_be_separated_by_comma_tab_or_semicolon(tmp_path: Path, text: str, separator: str) -> None:
    source = tmp_path / "x.csv"
    source.write_text(text, encoding="utf-8")
    import_context(source, tmp_path / "x")
    assert meanings(load_context(tmp_path / "x"), "a b") == [("C", {})]


def test_a_csv_line_without_intent_is_said_with_its_number(tmp_path: Path) -> None:
    source = tmp_path / "x.csv"
    source.write_text("a;B\nno intent\n")
    with pytest.raises(InputError, match=r"x\.csv:2: needs a sentence and an intent; sentence;intent"):
        import_context(source, tmp_path / "x")


@pytest.fixture
def custom_sentences(tmp_path: Path) -> Path:
    folder = tmp_path / "cabin" / "custom_sentences" / "en"
    folder.mkdir(parents=True)
    (folder / "lights.yaml").write_text(
        dedent("""
        language: en
        intents:
          HassTurnOn:
            data:
              - sentences: ["<turn> on [<the>] {name}", "brighten [<the>] {area}"]
                requires_context: {domain: light}
                metadata: {slot_combination: name_only}
                response: done
          SetLevel:
            data:
              - sentences: ["level {level}"]
        lists:
          level: {range: {from: 1, to: 3}}
        responses:
          intents:
            HassTurnOn: {done: "Turned on {{ slots.name }}", other: "{% if x %}a{% endif %}"}
        """)
    )
    return folder.parent


def test_home_assistants_sentences_are_completed_with_what_it_adds_itself(
    custom_sentences: Path, tmp_path: Path
) -> None:
    pytest.importorskip("home_assistant_intents")
    report = import_context(custom_sentences, tmp_path / "out")
    context = load_context(tmp_path / "out")
    assert context.name == "cabin"
    assert meanings(context, "switch on my desk lamp") == [("HassTurnOn", {"name": "desk lamp"})]
    assert meanings(context, "level two") == [("SetLevel", {"level": 2})]
    assert context.responses["HassTurnOn"]["done"] == "Turned on {name}"
    assert any("Jinja" in note for note in report.notes)
    assert any("'name' came from the home" in note for note in report.notes)


def test_home_assistants_own_grammar_loads(tmp_path: Path) -> None:
    """All templates of its English grammar, without its own names."""
    package = pytest.importorskip("home_assistant_intents")
    grammar = json.loads((Path(package.__file__).parent / "data/en.json").read_text(encoding="utf-8"))
    folder = tmp_path / "en"
    folder.mkdir()
    kept = {name: grammar[name] for name in ("language", "intents", "lists", "expansion_rules", "skip_words")}
    (folder / "all.yaml").write_text(yaml.safe_dump(kept))
    import_context(folder, tmp_path / "out")
    context = load_context(tmp_path / "out")
    assert len(context.templates) > 400
    assert ("HassTurnOn", {"name": "desk lamp"}) in meanings(context, "turn on the desk lamp")


@pytest.mark.parametrize(
    ("jinja", "template"),
    [
        ("Added {{ slots.item }}", "Added {item}"),
        ("{{ slots.name | trim }} (on)", "{name} \\(on\\)"),
        ("{% if slots.x %}a{% endif %}", None),
        ("It is {{ state.state }}", None),
    ],
)
def test_replies_of_home_assistant_are_taken_over_where_they_are_only_slots_in_text(
    jinja: str, template: str | None
) -> None:
    assert reply_template(jinja) == template


def test_nothing_is_overwritten(custom_sentences: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious").touch()
    with pytest.raises(StorageError, match="is there already; choose a new folder"):
        import_context(custom_sentences, tmp_path / "out")


@pytest.mark.parametrize("name", ["missing.yaml", "picture.png", "empty.csv", "other.yaml", "folder"])
def test_what_is_no_grammar_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    if name == "folder":
        source.mkdir()
    elif name != "missing.yaml":
        source.write_text("a: b\n" if name == "other.yaml" else "")
    with pytest.raises(InputError) as caught:
        import_context(source, tmp_path / "out")
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)
