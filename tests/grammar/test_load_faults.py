"""Whatever is wrong with a context is said with its line and the nearest right name, all of it at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ContextError
from assistant.grammar.load import load_context
from assistant.grammar.places import ContextFaults
from assistant.grammar.template import TemplateError, parse_template
from assistant.grammar.tree import Context

ContextOf = Callable[..., Context]
WriteContext = Callable[..., Path]
FaultsOf = Callable[..., list[str]]

GOOD = """
language: en
intents:
  Paint:
    data:
      - sentences:
          - "paint <it> {color}"
expansion_rules:
  it: "(it|the wall)"
lists:
  color:
    values: [red, green]
"""


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_all_faults_are_reported_together_in_the_order_of_their_lines(tmp_path: Path, faults_of: FaultsOf) -> None:
    sentences = """
    intents:
      Paint:
        data:
          - sentences:
              - "paint {colour}"
              - "paint (red|green"
            respons: done
    lists:
      color: {values: []}
    """
    assert faults_of(tmp_path, sentences) == [
        "sentences/main.yaml:5: list 'colour' is not defined (did you mean 'color'?)",
        "sentences/main.yaml:6: the template \"paint (red|green\" has '(' at column 7 that is never closed",
        "sentences/main.yaml:7: unknown key 'respons' in a group of intent 'Paint' (did you mean 'response'?)",
        "sentences/main.yaml:9: list 'color' has no values; add one, or delete the list",
    ]


def test_the_message_begins_with_the_folder_as_it_was_given(tmp_path: Path, write_context: WriteContext) -> None:
    folder = write_context(tmp_path / "paint", changed("{color}", "{colour}"))
    with pytest.raises(ContextFaults) as caught:
        load_context(folder)
    assert str(caught.value) == f"{folder}/sentences/main.yaml:6: list 'colour' is not defined (did you mean 'color'?)"
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("<it>", "<iit>", "6: rule 'iit' is not defined (did you mean 'it'?)"),
        ("{color}", "<color>", "6: rule 'color' is not defined (did you mean the list {color}?)"),
        ("<it>", "{it}", "6: list 'it' is not defined (did you mean the rule <it>?)"),
        ("<it>", "<xyz>", "6: rule 'xyz' is not defined; define it under expansion_rules:"),
        ("the wall", "<it>", "8: rule 'it' needs itself: it → it; break the circle"),
        ("lists:", "list:", "9: unknown key 'list' in a sentences file (did you mean 'lists'?)"),
        ("language: en", "language: de", "1: language 'de' differs from the context's 'en'; make them the same"),
        ("[red, green]", "[red, [green]]", "11: 'in' in a value of list 'color': expected text, got a list"),
        ("values: [red, green]", "range: {from: 9, to: 1}", "11: the range of list 'color' is empty: from 9 to 1"),
        ("values: [red, green]", "range: {from: 1, to: many}", "11: 'to' in the range of list 'color': expected"),
        ("[red, green]", "[red, green, 5]", "11: 'in' in a value of list 'color': expected text, got a whole nu"),
        ("[red, green]", '["(red|crimson)"]', "11: the value \"(red|crimson)\" of list 'color' has several word"),
        ("[red, green]", "[{in: red, out: 1}, {in: Red, out: 2}]", "11: 'red' in list 'color' means both '1' an"),
        ("[red, green]", '[{in: "{color}", out: 1}]', "11: a value of list 'color' names the list {color}; use "),
        ("paint <it> {color}", "[paint] [it]", '6: "[paint] [it]" can be said with no words at all; make a word'),
        ("paint <it> {color}", "paint [] {color}", "6: the template \"paint [] {color}\" has an empty '[]' at c"),
        ("paint <it> {color}", "paint it) {color}", "6: the template \"paint it) {color}\" has ')' at column 9 "),
        ("paint <it> {color}", "(a;b;c;d;e;f) {color}", '6: the template "(a;b;c;d;e;f) {color}" has 6 parts in'),
        ("paint <it> {color}", "(a;b|c) {color}", '6: the template "(a;b|c) {color}" mixes | and ; in one group'),
        ("paint <it> {color}", "paint {5..1:n}", "6: the range {5..1} is empty"),
        ("paint <it> {color}", "", '6: the template "" is empty'),
    ],
)  # fmt: skip
def test_a_fault_names_its_line_and_what_to_do(
    tmp_path: Path, old: str, new: str, fault: str, faults_of: FaultsOf
) -> None:
    lines = faults_of(tmp_path, changed(old, new))
    assert [line for line in lines if line.startswith(f"sentences/main.yaml:{fault}")]


def test_a_circle_of_several_rules_is_shown_as_a_whole(tmp_path: Path, faults_of: FaultsOf) -> None:
    sentences = GOOD.replace('it: "(it|the wall)"', 'it: "<a>"\n  a: "x <b>"\n  b: "y <it>"')
    assert faults_of(tmp_path, sentences) == [
        "sentences/main.yaml:8: rule 'it' needs itself: it → a → b → it; break the circle"
    ]


def test_broken_yaml_is_one_line_with_its_place(tmp_path: Path, faults_of: FaultsOf) -> None:
    (fault,) = faults_of(tmp_path, "intents:\n  Go: {data: [\n")
    assert fault.startswith("sentences/main.yaml:3: not YAML: ")


def test_a_file_that_is_not_text_is_said_to_be_so(tmp_path: Path, write_context: WriteContext) -> None:
    write_context(tmp_path, GOOD)
    (tmp_path / "sentences/zzz.yaml").write_bytes(b"lists: {caf\xe9: {wildcard: true}}")
    with pytest.raises(ContextFaults, match=r"zzz\.yaml:1: not UTF-8 text \(byte 11\); save the file as UTF-8"):
        load_context(tmp_path)


def test_a_key_written_twice_is_a_fault_and_not_a_silent_loss(tmp_path: Path, faults_of: FaultsOf) -> None:
    assert faults_of(tmp_path, GOOD + "  color: {values: [blue]}\n") == [
        "sentences/main.yaml:12: 'color' is written twice (first in line 10)"
    ]


def test_a_list_defined_in_two_files_is_a_fault(tmp_path: Path, faults_of: FaultsOf) -> None:
    other = {"sentences/other.yaml": "lists: {color: {values: [blue]}}"}
    assert faults_of(tmp_path, GOOD, **other) == [
        "sentences/other.yaml:1: list 'color' is defined twice (first in sentences/main.yaml:10)"
    ]


def test_yaml_aliases_are_refused_because_they_can_grow_without_end(tmp_path: Path, faults_of: FaultsOf) -> None:
    sentences = "intents: &a\n  Go: {data: [{sentences: [go]}]}\nlists: *a\n"
    assert any("YAML aliases (*name) are not supported" in fault for fault in faults_of(tmp_path, sentences))


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"context": "nam: x"}, "context.yaml:1: unknown key 'nam' in context.yaml (did you mean 'name'?)"),
        ({"context": "lambda: much"}, "context.yaml:1: 'lambda' in context.yaml: expected a number, got text"),
        ({"context": "rare: {crimson: 0.1}"}, "context.yaml:1: rare: no alternative in (…|…) or […] reads 'crim"),
        ({"actions": "Paint: {skil: say}"}, "actions.yaml:1: unknown key 'skil' in the action of 'Paint' (did y"),
        ({"actions": "Paint: {skill: say, risk: high}"}, "actions.yaml:1: 'risk' in the action of 'Paint': inva"),
        ({"responses": "responses: {intents: {Paint: {default: 'It is {color.'}}}"}, "responses/main.yaml:1: re"),
        ({"calibration.json": '{"accept": {"a": "b"}}'}, "calibration.json:1: 'accept' in calibration.json: exp"),
    ],
)  # fmt: skip
def test_the_other_files_are_checked_as_closely(
    tmp_path: Path, files: dict[str, str], fault: str, faults_of: FaultsOf
) -> None:
    lines = faults_of(tmp_path, GOOD, **files)
    assert [line for line in lines if line.startswith(fault)]


def test_a_context_in_which_nothing_can_be_said_is_refused(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents: {Go: {data: [{sentences: ["open {name}"], requires_context: {domain: cover}}]}}
    lists: {name: {values: [{in: lamp, out: lamp, context: {domain: light}}]}}
    """
    with pytest.raises(ContextError, match="nothing can be said in it; add an intent with sentences"):
        context_of(tmp_path, sentences)


def test_a_misspelt_condition_is_a_fault(tmp_path: Path, faults_of: FaultsOf) -> None:
    sentences = """
    intents:
      Go:
        data:
          - sentences: ["open {name}"]
            requires_context: {domian: light}
    lists: {name: {values: [{in: lamp, out: lamp, context: {domain: light}}]}}
    """
    assert faults_of(tmp_path, sentences) == [
        "sentences/main.yaml:4: no list has 'domian' in a value's context (did you mean 'domain'?)"
    ]


@given(st.text(alphabet="ab |;()[]{}<>\\:.@1", max_size=12))
def test_any_text_is_a_template_or_a_fault_and_never_a_crash(text: str) -> None:
    with contextlib.suppress(TemplateError):
        parse_template(text)
