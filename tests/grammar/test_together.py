"""Two commands in one sentence: both meanings, one acceptor of a bearable size, and no echo taken for a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from assistant.grammar.acceptor import compile_acceptor
from assistant.grammar.load import load_context
from assistant.grammar.match import match, matcher_of
from assistant.grammar.meaning import MeaningParser
from assistant.grammar.network import build_network
from assistant.grammar.sample import sample
from assistant.grammar.together import TOGETHER, Command, commands, repeats
from assistant.grammar.tokens import TokenNetwork
from assistant.grammar.tree import Context
from assistant.recognize.moonshine.tokenizer import Tokenizer
from benchmarks.make_home import make_home

FaultsOf = Callable[..., list[str]]

SENTENCES = """
    language: en
    skip_words: [please]
    intents:
      On:
        data:
          - sentences: ["turn on [the] {name}"]
          - sentences: ["turn on all lights"]
            slots: {area: all}
            response: everything
      Timer:
        data:
          - sentences: ["set a timer for <duration>"]
      Add:
        data:
          - sentences: ["add {item} to the list"]
    expansion_rules:
      duration: "({hours} hours|{hours} hours and {minutes} minutes)"
    lists:
      name: {values: [lamp, fan]}
      hours: {range: {from: 1, to: 24}}
      minutes: {range: {from: 1, to: 59}}
      item: {wildcard: true}
    """
JOINED = "together: {first: [On], then: [On, Timer, Add], joined_by: [and, then], weight: 0.5}"


@pytest.fixture
def context(tmp_path: Path, context_of: Callable[..., Context]) -> Context:
    """Two intents that may be joined, and one that may not because of its free words."""
    return context_of(tmp_path, SENTENCES, context=JOINED)


def both(context: Context, text: str) -> list[tuple[Command, ...]]:
    return [commands(found.intent, found.slots) for found in match(context, text)]


@pytest.mark.parametrize("word", ["and", "then"])
def test_both_commands_are_understood_in_their_order(context: Context, word: str) -> None:
    (found,) = both(context, f"please turn on the lamp {word} set a timer for two hours and five minutes please")
    assert found == (Command("On", {"name": "lamp"}), Command("Timer", {"hours": 2, "minutes": 5}))


def test_fixed_slots_and_reply_keys_stay_with_their_command(context: Context) -> None:
    (found,) = both(context, "turn on all lights and turn on the fan")
    assert found == (Command("On", {"area": "all"}, "everything"), Command("On", {"name": "fan"}))


def test_one_command_is_itself(context: Context) -> None:
    (found,) = match(context, "turn on the lamp")
    assert commands(found.intent, found.slots) == (Command("On", {"name": "lamp"}),)


def test_free_words_are_not_joined_since_they_could_be_the_other_command(context: Context) -> None:
    assert both(context, "turn on the lamp and add soap to the list") == []
    assert both(context, "add soap to the list and turn on the lamp") == []


@pytest.mark.parametrize("text", ["turn on the lamp and turn on the lamp", "turn on the lamp then turn on lamp"])
def test_the_same_thing_twice_is_no_command(context: Context, text: str) -> None:
    assert match(context, text) == ()


def test_a_recogniser_that_writes_the_same_command_twice_is_not_believed(
    context: Context, tokenizer: Tokenizer
) -> None:
    network = build_network(context)
    parser = MeaningParser(TokenNetwork(network, tokenizer), tokenizer.decode)

    def parsed(text: str) -> list[str]:
        words = text.split()
        tokens = [token for word in words for token in tokenizer.encode_word(word)]
        return [meaning.intent for meaning in parser.parse(tuple(tokens))]

    assert parsed("turn on the lamp and turn on the fan") == [TOGETHER]
    assert parsed("turn on the lamp and turn on the lamp") == []
    assert parsed("add olive oil to the list") == ["Add"]
    assert parsed("add olive oil to the list and add olive oil to the list") == []


def test_switching_one_thing_on_and_off_in_one_breath_is_an_echo_misheard() -> None:
    slots = {"first.intent": "On", "first.name": "lamp", "then.intent": "Off", "then.name": "lamp"}
    assert repeats(TOGETHER, slots)
    assert not repeats(TOGETHER, {**slots, "then.name": "fan"})
    assert not repeats("On", {"name": "lamp"})


def test_typed_slips_are_repaired_in_both(context: Context) -> None:
    found = matcher_of(context).match_within("turn on teh lmap and turn on the fan", 4.0)
    assert commands(found[0].intent, found[0].slots) == (
        Command("On", {"name": "lamp"}),
        Command("On", {"name": "fan"}),
    )


def test_no_sample_asks_for_the_same_thing_twice(context: Context) -> None:
    drawn = [item for item in sample(context, 400) if item.intent == TOGETHER]
    assert drawn
    assert not any(repeats(item.intent, item.slots) for item in drawn)


def test_an_intent_that_is_not_there_is_said_with_the_nearest(tmp_path: Path, faults_of: FaultsOf) -> None:
    found = faults_of(tmp_path, SENTENCES, context="language: en\ntogether: {first: [Onn], then: [Timer]}")
    assert found == [
        "context.yaml:2: together: there is no intent 'Onn' (did you mean 'On'?); name intents that have sentences"
    ]


def test_joined_commands_cost_less_than_three_times_the_states(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder = make_home(60, 8, tmp_path / "home")

    def states() -> int:
        return len(compile_acceptor(TokenNetwork(build_network(load_context(folder)), tokenizer)))

    joined = states()
    (folder / "sentences/together.yaml").unlink()
    settings = folder / "context.yaml"
    written = yaml.safe_load(settings.read_text(encoding="utf-8"))
    del written["together"]
    settings.write_text(yaml.safe_dump(written), encoding="utf-8")
    assert states() < joined < 3 * states()
