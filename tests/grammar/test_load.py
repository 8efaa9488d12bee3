"""Contexts as authors write them become the tree that readers see."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import ContextError
from assistant.grammar.load import context_names, find_context, load_context
from assistant.grammar.match import match
from assistant.grammar.tree import Choice, Context, ListRef, NumberList, RuleRef, Sequence, Text, TextList, Wildcard

ContextOf = Callable[..., Context]
WriteContext = Callable[..., Path]

LAMPS = """
language: en
intents:
  SwitchOn:
    data:
      - sentences: ["turn on [the] {name}"]
        requires_context: {domain: light}
      - sentences: ["start [the] {name}"]
        excludes_context: {domain: [light]}
lists:
  name:
    values:
      - {in: desk lamp, out: desk lamp, context: {domain: light}}
      - {in: "(TV|television)", out: television, context: {domain: media}}
      - kettle
"""


def meanings(context: Context, text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(found.intent, dict(found.slots)) for found in match(context, text)]


def test_an_optional_is_a_choice_with_nothing_and_spaces_are_kept(tmp_path: Path, context_of: ContextOf) -> None:
    context = context_of(tmp_path, "intents: {Go: {data: [{sentences: ['go [now] light[s]']}]}}")
    node = context.templates[0].node
    assert node == Sequence(
        (
            Text("go "),
            Choice((Text("now"), Text(""))),
            Text(" light"),
            Choice((Text("s"), Text(""))),
        )
    )


def test_a_permutation_is_expanded_to_its_orders(tmp_path: Path, context_of: ContextOf) -> None:
    context = context_of(tmp_path, "intents: {Go: {data: [{sentences: ['(red;green;blue) light']}]}}")
    node = context.templates[0].node
    assert isinstance(node, Sequence)
    assert isinstance(node.items[0], Choice)
    assert len(node.items[0].items) == 6
    assert meanings(context, "blue red green light") == [("Go", {})]
    assert meanings(context, "blue red light") == []


def test_an_optional_permutation_may_be_left_out_as_a_whole(tmp_path: Path, context_of: ContextOf) -> None:
    context = context_of(tmp_path, "intents: {Go: {data: [{sentences: ['go [red;green] home']}]}}")
    assert meanings(context, "go green red home") == meanings(context, "go home") == [("Go", {})]
    assert meanings(context, "go red home") == []


def test_conditions_on_values_become_lists_of_the_values_that_fit(tmp_path: Path, context_of: ContextOf) -> None:
    context = context_of(tmp_path, LAMPS)
    assert meanings(context, "turn on the desk lamp") == [("SwitchOn", {"name": "desk lamp"})]
    assert meanings(context, "turn on the television") == []
    assert meanings(context, "start the kettle") == [("SwitchOn", {"name": "kettle"})]
    assert meanings(context, "start the desk lamp") == []
    derived = context.lists["name [domain: light]"]
    assert isinstance(derived, TextList)
    assert [value.value for value in derived.values] == ["desk lamp"]


def test_conditions_reach_lists_inside_rules(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = LAMPS.replace("[the] {name}", "<thing>") + "expansion_rules:\n  thing: '[the|my] {name}'\n"
    context = context_of(tmp_path, sentences)
    assert meanings(context, "turn on my desk lamp") == [("SwitchOn", {"name": "desk lamp"})]
    assert meanings(context, "turn on my kettle") == []


def test_a_branch_that_no_value_fits_is_cut_and_the_rest_stays(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      Open:
        data:
          - sentences: ["open (it|{name})", "raise {name}"]
            requires_context: {domain: cover}
          - sentences: ["see {name}"]
    lists:
      name: {values: [{in: desk lamp, out: lamp, context: {domain: light}}]}
    """
    context = context_of(tmp_path, sentences)
    assert meanings(context, "open it") == [("Open", {})]
    assert meanings(context, "open desk lamp") == []
    assert [str(place) for place, note in context.notes if "never matches" in note] == ["sentences/main.yaml:4"]


def test_lists_and_rules_of_a_group_shadow_those_of_the_context(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      A: {data: [{sentences: ["paint it {color}"]}]}
      B:
        data:
          - sentences: ["<verb> it {color}"]
            lists: {color: {values: [beige]}}
            expansion_rules: {verb: "(dye|stain)"}
    lists:
      color: {values: [red]}
    expansion_rules:
      verb: paint
    """
    context = context_of(tmp_path, sentences)
    assert meanings(context, "paint it red") == [("A", {"color": "red"})]
    assert meanings(context, "dye it beige") == [("B", {"color": "beige"})]
    assert meanings(context, "paint it beige") == meanings(context, "dye it red") == []


def test_weights_are_natural_logs_on_groups_values_and_rare_alternatives(tmp_path: Path, context_of: ContextOf) -> None:
    context = context_of(
        tmp_path,
        """
        intents:
          Off:
            data:
              - sentences: ["turn (off|out) the {lamp}"]
                weight: 0.5
        lists:
          lamp: {values: [{in: lamp, out: lamp, weight: 0.25}]}
        """,
        context="rare: {Out: 0.02}",
    )
    template = context.templates[0]
    assert isinstance(template.node, Sequence)
    choice = next(item for item in template.node.items if isinstance(item, Choice))
    lamp = context.lists["lamp"]
    assert template.weight == pytest.approx(math.log(0.5))
    assert choice.weights == pytest.approx((0.0, math.log(0.02)))
    assert isinstance(lamp, TextList)
    assert lamp.values[0].weight == pytest.approx(math.log(0.25))


def test_words_to_skip_may_stand_before_and_after(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = "skip_words: [please, could you]\nintents: {Go: {data: [{sentences: [go home]}]}}"
    context = context_of(tmp_path, sentences)
    for text in ("go home", "please go home", "could you go home please"):
        assert meanings(context, text) == [("Go", {})]
    assert meanings(context, "go please home") == []


def test_lists_of_numbers_and_wildcards_are_read_with_all_their_settings(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents:
      Set: {data: [{sentences: ["set {level} {1..9,2:n} {thing}"]}]}
    lists:
      level: {range: {from: -10, to: 10, step: 5, fractions: halves, multiplier: 2, type: temperature}}
      thing: {wildcard: true}
    """
    context = context_of(tmp_path, sentences)
    level, inline = context.lists["level"], context.lists["1..9,2"]
    assert isinstance(level, NumberList)
    assert isinstance(inline, NumberList)
    assert (level.start, level.stop, level.step, level.halves, level.multiplier) == (-10, 10, 5, True, 2)
    assert (inline.start, inline.stop, inline.step) == (1, 9, 2)
    assert isinstance(context.lists["thing"], Wildcard)


def test_on_and_off_are_words_not_truth_values(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents: {Set: {data: [{sentences: ["turn it {state}"]}]}}
    lists: {state: {values: [on, {in: no, out: off}]}}
    """
    context = context_of(tmp_path, sentences)
    assert meanings(context, "turn it on") == [("Set", {"state": "on"})]
    assert meanings(context, "turn it no") == [("Set", {"state": "off"})]


def test_signs_of_the_syntax_are_said_when_escaped(tmp_path: Path, context_of: ContextOf) -> None:
    context = context_of(tmp_path, r"intents: {Go: {data: [{sentences: ['press \[enter\]']}]}}")
    assert context.templates[0].node == Text("press [enter]")


def test_the_hash_follows_the_sentences_and_not_the_replies(tmp_path: Path, context_of: ContextOf) -> None:
    def hash_of(name: str, sentences: str, **others: str) -> str:
        return context_of(tmp_path / name, sentences, **others).hash

    plain = hash_of("a", LAMPS)
    responses = "responses: {intents: {SwitchOn: {default: Done.}}}"
    assert hash_of("b", LAMPS, responses=responses) == plain
    assert hash_of("c", "# moved by a line\n" + LAMPS) == plain
    assert hash_of("d", LAMPS.replace("kettle", "toaster")) != plain
    assert hash_of("e", LAMPS, context="spellings: {lamp: [lump]}") != plain


def test_what_calibration_fitted_wins_over_what_is_written(tmp_path: Path, context_of: ContextOf) -> None:
    settings = context_of(
        tmp_path,
        LAMPS,
        context="{lambda: 0.3, ask_margin: 3, confusable: [[fifteen, fifty]]}",
        **{"calibration.json": '{"lambda": 0.45, "accept": {"slope": 2.5}, "about": {"files": 120}}'},
    ).settings
    assert settings.lambda_ == 0.45
    assert settings.ask_margin == 3
    assert settings.accept == {"slope": 2.5}
    assert settings.confusable == (("fifteen", "fifty"),)


def test_a_context_is_found_by_path_by_the_users_name_and_by_the_packages_name(
    tmp_path: Path, write_context: WriteContext
) -> None:
    own, folders = write_context(tmp_path / "barista", LAMPS), (tmp_path / "absent", tmp_path)
    assert find_context("barista", folders) == own  # the user's hides the package's
    assert find_context("barista") != own
    assert find_context(own) == own
    assert load_context("home", folders).name == "home"
    assert context_names((write_context(tmp_path / "more/attic", LAMPS).parent,)) == ("attic", "barista", "home")


def test_an_unknown_context_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ContextError, match=r"no context 'barrista' \(did you mean 'barista'\?\)"):
        find_context("barrista")


def test_a_folder_without_sentences_is_no_context(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="has no folder sentences/"):
        find_context(tmp_path)


def test_the_examples_are_the_contexts_that_ship() -> None:
    examples = Path(__file__).parents[2] / "examples"
    for name in ("barista", "home"):
        assert load_context(examples / name).hash == load_context(name).hash


def test_every_name_of_home_has_one_meaning_and_no_wording_that_turns_into_its_opposite() -> None:
    context = load_context("home")
    assert meanings(context, "turn on the kitchen light") == [("HassTurnOn", {"domain": "light", "area": "kitchen"})]
    assert meanings(context, "turn out the kitchen light") == []
    assert meanings(context, "kitchen lights out") == []


def test_references_in_the_tree_can_all_be_followed() -> None:
    for name in ("barista", "home"):
        context = load_context(name)
        todo = [template.node for template in context.templates] + list(context.rules.values())
        while todo:
            node = todo.pop()
            if isinstance(node, (Sequence, Choice)):
                todo += node.items
            elif isinstance(node, ListRef):
                assert node.list in context.lists
            elif isinstance(node, RuleRef):
                assert node.rule in context.rules


def test_loading_does_not_expand_what_is_large(tmp_path: Path, write_context: WriteContext) -> None:
    options = "|".join(f"w{number}" for number in range(100))
    rule = f"a: '({options})'"
    sentences = f"intents: {{Go: {{data: [{{sentences: ['<a> <a> <a> <a>']}}]}}}}\nexpansion_rules: {{{rule}}}"
    write_context(tmp_path, sentences)
    started = time.process_time()
    assert len(load_context(tmp_path).templates) == 1
    assert time.process_time() - started < 60  # a hundred million sentences would take hours
