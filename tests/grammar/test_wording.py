"""Saying a meaning: the sentence is of the grammar and means just that; what no sentence says is not said."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.grammar.load import load_context
from assistant.grammar.match import matcher_of
from assistant.grammar.sample import sample
from assistant.grammar.tree import Context, ListRef
from assistant.grammar.wording import Wordings, article_for, places_of, values_of

LIGHTS = """
language: en
intents:
  dim:
    data:
      - sentences: ["dim the {room} light[s] to {level} [percent]"]
      - sentences: ["make it cosy in the {room}"]
        slots: {level: 20}
        response: cosy
lists:
  room:
    values:
      - {in: "(kitchen|cooking area)", out: kitchen}
      - {in: hall, out: hall}
  level:
    range: {from: 0, to: 100, step: 10}
"""


@pytest.fixture
def lights(tmp_path: Path) -> Context:
    (tmp_path / "context.yaml").write_text("name: lights\nlanguage: en\n")
    (tmp_path / "sentences").mkdir()
    (tmp_path / "sentences" / "all.yaml").write_text(LIGHTS)
    return load_context(str(tmp_path))


def test_what_is_said_means_what_was_wanted() -> None:
    context = load_context("barista")
    wordings, matcher = Wordings(context), matcher_of(context)
    for drawn in sample(context, 60, seed=5):
        said = wordings.say(drawn.intent, drawn.slots)
        assert said is not None
        assert [dict(m.slots) for m in matcher.match(said[0])] == [dict(drawn.slots)]


def test_the_article_goes_with_the_word_behind_it() -> None:
    wordings = Wordings(load_context("barista"))

    def said(**slots: str) -> str:
        found = wordings.say("orderDrink", slots)
        assert found is not None
        return found[0]

    assert " an eight ounce latte" in said(size="eight ounce", coffeeDrink="latte")
    assert " a large latte" in said(size="large", coffeeDrink="latte")
    assert " an espresso" in said(coffeeDrink="espresso")


@pytest.mark.parametrize(
    ("word", "article"),
    [
        ("eight", "an"),
        ("8", "an"),
        ("11", "an"),
        ("one", "a"),
        ("hour", "an"),
        ("unit", "a"),
        ("Americano", "an"),
        ("", "a"),
    ],
)
def test_an_article_follows_the_sound_and_not_the_letter(word: str, article: str) -> None:
    assert article_for(word) == article


def test_what_no_sentence_says_is_not_said(lights: Context) -> None:
    wordings = Wordings(lights)
    assert wordings.say("dim", {"room": "hall"}) is None  # to what level?
    assert wordings.say("dim", {"room": "cellar", "level": 30}) is None
    assert wordings.say("dim", {"room": "hall", "level": 35}) is None
    assert wordings.say("brew", {}) is None


def test_a_value_is_said_as_its_list_says_it(lights: Context) -> None:
    said = Wordings(lights).say("dim", {"room": "kitchen", "level": 30})
    assert said is not None
    assert said[0] == "dim the kitchen lights to thirty percent"


def test_a_template_s_own_slots_need_no_words(lights: Context) -> None:
    lower = Wordings(lights).say("dim", {"room": "hall", "level": 20})
    assert lower is not None  # both templates say it; the first does
    assert lower[0].startswith("dim the hall")


def test_lists_tell_their_values_where_they_are_few(lights: Context) -> None:
    assert places_of(lights) == (ListRef("room", "room"), ListRef("level", "level"))
    assert values_of(lights, ListRef("room", "room"), 5) == ("kitchen", "hall")
    assert values_of(lights, ListRef("level", "level"), 20) == tuple(range(0, 101, 10))
    assert values_of(lights, ListRef("level", "level"), 5) is None
