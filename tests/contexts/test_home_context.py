"""The context `home` as it ships: clean, a skill behind every sentence, no wording that sounds like its opposite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assistant.act.skill import Services
from assistant.act.skills import open_skills
from assistant.grammar.lint import lint
from assistant.grammar.load import load_context
from assistant.grammar.match import match, matcher_of
from assistant.grammar.sample import sample
from assistant.grammar.test_sentences import read_expected, run_expected
from assistant.grammar.together import commands
from assistant.grammar.tree import Context
from assistant.testing import HeldClock
from benchmarks.home import SENTENCES
from benchmarks.make_home import make_home

DIALOGUE = "dialogue"


@pytest.fixture(scope="module")
def home() -> Context:
    """The context with its example home."""
    return load_context("home")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The same with the home that the benchmark's sentences are about."""
    return load_context(make_home(200, 20, tmp_path_factory.mktemp("homes") / "home"))


def test_it_is_clean(home: Context) -> None:
    assert lint(home) == ()


def test_every_sentence_of_the_benchmark_means_what_it_says(large: Context) -> None:
    expected = read_expected(SENTENCES)
    assert len(expected) >= 300
    assert {item.intent for item in expected} == set(large.intents)
    assert [str(result) for result in run_expected(large, expected) if not result.passed] == []


def test_every_sentence_has_a_skill_that_knows_what_to_do(tmp_path: Path, home: Context, clock: HeldClock) -> None:
    skills = open_skills(Services(clock, state=tmp_path))
    try:
        for drawn in sample(home, 10 * len(home.intents), seed=3):
            for command in commands(drawn.intent, drawn.slots):
                if home.actions[command.intent].skill == DIALOGUE:
                    continue  # follows up another command: tests/dialogue
                assert home.actions[command.intent].skill in skills
                result = skills.act(home, command.intent, command.slots, confirmed=True)
                assert "I don't know how" not in result.text, drawn.text
                assert "I don't know what to do" not in result.text, drawn.text
    finally:
        skills.close()


def test_nothing_is_turned_out(home: Context) -> None:
    # "Out" is one sound from "on" and means the opposite.
    for text in ("turn out the kitchen light", "lights out", "turn the lamp out", "kitchen lights out"):
        assert match(home, text) == ()


def test_a_command_that_lost_its_room_or_its_name_is_never_one_for_the_whole_home(home: Context) -> None:
    for text in ("turn off the lights", "turn off the light", "close the blinds", "pause the music", "turn it off"):
        for found in match(home, text):
            assert found.slots.get("area") != "all"
    every = [item for item in sample(home, 2_000, seed=5) if item.slots.get("area") == "all"]
    assert every
    for drawn in every:
        assert re.search(r"\b(all|every|any|which|what)\b", drawn.text), drawn.text


def test_an_unknown_name_is_not_understood_as_its_room(home: Context) -> None:
    for text in ("turn on the kitchen fountain", "turn off the bedroom chandelier", "open the bathroom skylight"):
        assert not [found for found in matcher_of(home).match_within(text, 2.0) if "name" not in found.slots]
