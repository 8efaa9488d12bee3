"""The linter finds what will disappoint whoever speaks, and shows the sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.grammar.count import count, largest
from assistant.grammar.lint import Finding, Severity, lint
from assistant.grammar.load import load_context
from assistant.grammar.sounds import alike, distance, phonemes
from assistant.grammar.tree import Context

ContextOf = Callable[..., Context]


def lines(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{finding.place}: {finding.severity.value}: {finding.message}; {finding.remedy}" for finding in findings]


COMPLETE = {
    "responses": "responses: {intents: {A: {default: Done.}, B: {default: Done.}}}",
    "actions": "{A: {skill: say}, B: {skill: say}}",
}


@pytest.mark.parametrize("name", ["barista", "home"])
def test_the_contexts_that_ship_are_clean(name: str) -> None:
    assert lines(lint(load_context(name))) == []


def test_words_with_two_intents_are_shown_with_the_shortest_sentence(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      A:
        data:
          - sentences:
              - "switch (on|up) the {name}"
      B:
        data:
          - sentences:
              - "[please] switch on [the] kitchen light now"
              - "switch on the kitchen light"
    lists: {name: {values: [kitchen light, bell]}}
    """
    findings = lint(context_of(tmp_path, sentences, **COMPLETE))
    assert lines(findings) == [
        (
            'sentences/main.yaml:5: error: "switch on the kitchen light" means both A(name: kitchen light) and B() '
            "(sentences/main.yaml:10); reword one of them"
        )
    ]


def test_one_intent_with_two_readings_of_its_slots_is_ambiguous_too(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      A:
        data:
          - sentences:
              - "turn on the {area} light"
              - "turn on the {name}"
    lists:
      area: {values: [kitchen]}
      name: {values: [kitchen light]}
    """
    (finding,) = (f for f in lint(context_of(tmp_path, sentences)) if f.severity is Severity.ERROR)
    assert finding.message == (
        '"turn on the kitchen light" means both A(area: kitchen) and A(name: kitchen light) (sentences/main.yaml:6)'
    )


def test_a_wildcard_that_swallows_another_intents_words_is_found(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      A: {data: [{sentences: ["add {item} to the list"]}]}
      B: {data: [{sentences: ["add milk to the list"]}]}
    lists: {item: {wildcard: true}}
    """
    (finding,) = lint(context_of(tmp_path, sentences, **COMPLETE))
    assert finding.message.startswith('"add milk to the list" means both ')


def test_the_same_words_for_two_values_of_a_list_are_found_through_their_templates(
    tmp_path: Path, context_of: ContextOf
) -> None:
    sentences = """
    intents: {A: {data: [{sentences: ["set {level}"]}]}}
    lists:
      level:
        values: [{in: "(half|fifty)", out: 50}, {in: "[about] half", out: 5}]
    """
    errors = [f for f in lint(context_of(tmp_path, sentences)) if f.severity is Severity.ERROR]
    assert [finding.message for finding in errors if "list" in finding.message] == [
        "'half' in list 'level' means both '5' and '50'"
    ]


OPPOSITES = """
intents:
  A: {data: [{sentences: ["turn on the lamp"]}]}
  B: {data: [{sentences: ["turn %s the lamp"]}]}
"""


def test_a_rare_synonym_one_word_from_an_opposite_must_go(tmp_path: Path, context_of: ContextOf) -> None:
    findings = lint(context_of(tmp_path, OPPOSITES % "(off|out)", **COMPLETE))
    assert (
        'sentences/main.yaml:3: warning: "turn on the lamp" (A) and "turn out the lamp" (B) sound alike; '
        "'off' says the same as 'out': drop the rarer, or give it a small weight under rare:"
    ) in lines(findings)


def test_a_pair_that_must_stay_is_listed_as_confusable_and_no_longer_reported(
    tmp_path: Path, context_of: ContextOf
) -> None:
    context = context_of(tmp_path / "a", OPPOSITES % "off", **COMPLETE)
    assert [finding.remedy for finding in lint(context)] == [
        "put [on, off] under confusable: in context.yaml, so that a larger margin is asked for"
    ]
    listed = context_of(tmp_path / "b", OPPOSITES % "off", **COMPLETE, context="confusable: [[turn on, turn off]]")
    assert lint(listed) == ()


def test_words_that_mean_the_same_may_sound_alike(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      A: {data: [{sentences: ["(dim|din) the lamp", "set it to (fifteen|fifty) please"]}]}
    """
    assert lint(context_of(tmp_path, sentences, responses=COMPLETE["responses"], actions="{A: {skill: say}}")) != ()
    findings = [f for f in lint(context_of(tmp_path, sentences)) if "sound alike" in f.message]
    assert findings == []


def test_numbers_that_sound_alike_are_named_once_for_all_lists(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents: {A: {data: [{sentences: ["{x} and {y}"]}]}}
    lists:
      x: {range: {from: 10, to: 20}}
      y: {range: {from: 10, to: 60, step: 5}}
      z: {values: [fifteen, fifty]}
    """
    messages = [finding.message for finding in lint(context_of(tmp_path, sentences)) if "alike" in finding.message]
    assert messages == ['values that sound alike: "fifteen" / "fifty"']


def test_a_word_that_the_recogniser_cannot_write_is_an_error_at_its_first_place(
    tmp_path: Path, context_of: ContextOf
) -> None:
    sentences = """
    intents: {A: {data: [{sentences: ["brew a {drink}"]}]}}
    lists:
      drink:
        values:
          - tea
          - {in: kölsch, out: beer}
    """
    findings = lint(context_of(tmp_path, sentences), spell=str.isascii)
    assert lines(findings)[0] == (
        "sentences/main.yaml:6: error: the recognizer cannot write 'kölsch', so it will never be heard; "
        "write it as it is spoken, in plain letters"
    )


def test_what_names_nothing_and_what_nothing_names_is_reported(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      A:
        data:
          - sentences: ["go {place}"]
            response: arived
    lists:
      place: {values: [home]}
      other: {values: [x]}
    expansion_rules: {spare: words}
    """
    context = context_of(
        tmp_path,
        sentences,
        responses="responses: {intents: {A: {arrived: 'At {places}.'}, Aa: {default: Hm.}}}",
        actions="Bb: {skill: say}",
    )
    assert [f"{finding.place.file.split('/')[-1]}: {finding.message}" for finding in lint(context)] == [
        "main.yaml: list 'other' is never used",
        "main.yaml: rule 'spare' is never used",
        "main.yaml: intent 'A' has no action; write one in actions.yaml",
        "main.yaml: intent 'A' has no reply 'arived' (did you mean 'arrived'?); write one in responses/",
        "main.yaml: reply 'arrived' of 'A' names 'places', which no sentence fills (did you mean 'place'?)",
        "main.yaml: a reply for 'Aa', which no sentence means (did you mean 'A'?)",
        "actions.yaml: an action for 'Bb', which no sentence means",
    ]


def test_ten_million_sentences_are_counted_exactly_and_their_cause_is_named(
    tmp_path: Path, context_of: ContextOf
) -> None:
    letters = "|".join("abcdefghij")
    sentences = f"""
    intents: {{A: {{data: [{{sentences: ["say <seven>", "be quiet"]}}]}}}}
    expansion_rules:
      digit: "({letters})"
      seven: "<digit> <digit> <digit> <digit> <digit> <digit> <digit>"
    """
    context = context_of(tmp_path, sentences)
    assert count(context) == 10_000_001
    cause = largest(context)
    assert (cause.template.source, cause.sentences) == ("say <seven>", 10_000_000)
    assert cause.parts == (("rule 'seven'", 10_000_000), ("rule 'digit'", 10))
    assert all("alike" in f.message or "no re" in f.message or "no ac" in f.message for f in lint(context))


def test_a_count_beyond_any_machine_number_is_exact(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = f"intents: {{A: {{data: [{{sentences: ['{' '.join(['(a|b)'] * 200)}']}}]}}}}"
    assert count(context_of(tmp_path, sentences)) == 2**200


@pytest.mark.parametrize(
    ("left", "right"),
    [("on", "out"), ("on", "off"), ("fifteen", "fifty"), ("bathroom", "bedroom"), ("hall", "all"), ("red", "bed")],
)
def test_pairs_that_people_mishear_sound_alike(left: str, right: str) -> None:
    assert alike(left, right)
    assert distance(left, right) == distance(right, left) > 0


@pytest.mark.parametrize(
    ("left", "right"),
    [("latte", "mocha"), ("kitchen", "chicken"), ("start", "stop"), ("five", "nine"), ("green", "orange")],
)
def test_pairs_that_people_keep_apart_do_not_sound_alike(left: str, right: str) -> None:
    assert not alike(left, right)


def test_words_written_differently_may_sound_the_same() -> None:
    assert phonemes("knight") == phonemes("night")
    assert distance("light", "lite") == 0
