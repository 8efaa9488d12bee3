"""Asking back: while a question is open its answers are understood, and nothing is done but what was asked about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.recognize.text import TextRecognizer, recognize_text
from assistant.testing import HeldClock
from assistant.types import Alternative, Outcome, Transcript, Understanding
from assistant.understand.answers import NO, YES, Meaning, Pending, answer_context
from assistant.understand.confirm import (
    ANSWER_TIMEOUT_S,
    MAX_REPEATS,
    TABLE,
    Asked,
    Chose,
    Commanded,
    Dialogue,
    Effect,
    Event,
    Gave,
    No,
    State,
    TimedOut,
    Turn,
    Unclear,
    Unheard,
    Yes,
    event_of,
    pending_of,
    resolve,
    step,
    table,
)
from assistant.understand.decide import decide

HOME = """
language: en
intents:
  TurnOn: {data: [{sentences: ["turn on [the] {name}"], response: lit}]}
  TurnOff: {data: [{sentences: ["turn off [the] {name}"]}]}
  Timer: {data: [{sentences: ["set a timer for {minutes} minute[s]", "set a timer for {hours} hour[s]"]}]}
  Add: {data: [{sentences: ["add {item} to the list"]}]}
lists:
  name:
    values: ["desk lamp", {in: "(hall|hallway) light[s]", out: hallway light}, ceiling light, second lamp]
  minutes: {range: {from: 1, to: 100}}
  hours: {range: {from: 1, to: 12, fractions: halves}}
  item: {wildcard: true}
"""


@pytest.fixture(scope="module")
def barista(repository: Path) -> Context:
    return load_context(repository / "examples/barista")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("contexts")
    (folder / "sentences").mkdir()
    (folder / "sentences/all.yaml").write_text(HOME)
    return load_context(folder)


def heard(context: Context, *texts: str) -> Transcript:
    """What a recogniser makes of a sound that may be any of `texts`, the earlier ones a little likelier."""
    prepared = TextRecognizer().prepare(context)
    transcripts = [recognize_text(prepared, text) for text in texts]
    found = [replace(t.hypotheses[0], rerank=-0.1 * rank) for rank, t in enumerate(transcripts) if t.hypotheses]
    return replace(transcripts[0], hypotheses=tuple(found))


def understood(context: Context, *texts: str) -> Understanding:
    return decide(heard(context, *texts), context)


def question(context: Context, *texts: str) -> Pending:
    """The open question about which of `texts` was said, or whether the only one was."""
    transcript = heard(context, *texts)
    understanding = replace(decide(transcript, context), outcome=Outcome.ASK, question="Which?")
    return pending_of(understanding, transcript, context)


def answered(pending: Pending, text: str) -> tuple[Effect, int | None]:
    """What `text`, heard under the answers, does, and which meaning it confirms."""
    resolution = resolve(pending, understood(answer_context(pending), text))
    return resolution.effect, None if resolution.meaning is None else pending.meanings.index(resolution.meaning)


# -- which ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "twenty",
        "20",
        "Twenty ounces.",
        "20 oz",
        "the twenty ounce one",
        "the twenty please",
        "I said twenty",
        "can I have a twenty ounce latte",
        "the second one",
        "second",
        "the last one",
        "number two",
    ],
)
def test_twelve_ounces_or_twenty_is_answered_with_the_value_or_its_place(barista: Context, text: str) -> None:
    pending = question(barista, "can I have a twelve ounce latte", "can I have a twenty ounce latte")
    assert pending.differs == ("size",)
    assert answered(pending, text) == (Effect.ACT, 1)
    assert dict(pending.meanings[1].slots) == {"size": "twenty ounce", "coffeeDrink": "latte"}


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("no", Effect.DROP),
        ("neither", Effect.DROP),
        ("never mind the bollocks", Effect.REPEAT),
        ("yes", Effect.REPEAT),
        ("sixteen", Effect.REPEAT),
        ("ounces", Effect.REPEAT),
        ("", Effect.WAIT),
    ],
)
def test_what_names_none_of_them_confirms_none(barista: Context, text: str, effect: Effect) -> None:
    pending = question(barista, "can I have a twelve ounce latte", "can I have a twenty ounce latte")
    assert answered(pending, text) == (effect, None)


def test_each_of_several_slots_answers_and_so_do_all_together(barista: Context) -> None:
    pending = question(barista, "get me a large latte with milk", "get me a small iced mocha with milk")
    for text in ("small", "iced mocha", "ice mocha", "the small iced mocha"):
        assert answered(pending, text) == (Effect.ACT, 1)
    assert answered(pending, "large") == (Effect.ACT, 0)
    assert answered(pending, "large iced mocha") == (Effect.REPEAT, None)


@pytest.mark.parametrize(
    ("texts", "answers"),
    [
        (
            ("set a timer for fifteen minutes", "set a timer for fifty minutes"),
            {"fifteen": 0, "15 minutes": 0, "50": 1, "fifty minutes please": 1},
        ),
        (
            ("set a timer for two hours", "set a timer for two and a half hours"),
            {"two": 0, "two hours": 0, "two and a half": 1, "two and a half hours": 1},
        ),
        (
            ("turn on the desk lamp", "turn off the desk lamp"),
            {"on": 0, "turn it on": 0, "off": 1, "turn off": 1, "turn off the desk lamp": 1},
        ),
        (
            ("turn on the hall light", "turn on the ceiling light", "turn on the desk lamp"),
            {"hall": 0, "hallway lights": 0, "the ceiling one": 1, "the third one": 2, "last": 2, "light": None},
        ),
        (
            ("turn on the desk lamp", "turn on the second lamp"),
            {"second": 1, "the second lamp": 1, "the second one": 1, "first": 0, "desk": 0},
        ),
    ],
)
def test_values_are_said_as_their_lists_say_them_or_shorter(
    home: Context, texts: tuple[str, ...], answers: dict[str, int | None]
) -> None:
    pending = question(home, *texts)
    assert {text: answered(pending, text)[1] for text in answers} == answers


def test_no_wording_of_an_answer_names_two_alternatives(home: Context, barista: Context) -> None:
    for pending in (
        question(home, "turn on the hall light", "turn on the ceiling light", "turn on the desk lamp"),
        question(barista, "brew a latte with a bit of soy milk", "brew a latte with a lot of milk"),
        question(barista, "brew a large house coffee", "brew a medium iced coffee"),
    ):
        answers = answer_context(pending)
        for template in answers.templates:
            for wording in template.source.split(" | "):
                meanings = recognize_text(TextRecognizer().prepare(answers), wording).hypotheses
                assert [dict(meaning.slots) for meaning in meanings] == [dict(template.slots)], wording


# -- with or without, yes or no ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", [("brew a latte with milk", "brew a latte"), ("brew a latte", "brew a latte with milk")]
)
@pytest.mark.parametrize(
    ("texts", "milk"),
    [
        (("yes", "with milk", "milk please", "I want milk"), "milk"),
        (("no", "not", "without", "no milk", "without milk"), None),
    ],
)
def test_with_milk_or_not_takes_yes_and_no_for_with_and_without(
    barista: Context, order: tuple[str, str], texts: tuple[str, ...], milk: str | None
) -> None:
    pending = question(barista, *order)
    for text in texts:
        effect, number = answered(pending, text)
        assert effect is Effect.ACT, text
        assert number is not None
        assert pending.meanings[number].slots.get("milkAmount") == milk


@pytest.mark.parametrize(
    ("text", "effect"),
    [("yes", Effect.ACT), ("that's right", Effect.ACT), ("turn on the desk lamp", Effect.ACT), ("nope", Effect.DROP)],
)
def test_did_you_say_takes_yes_and_no(home: Context, text: str, effect: Effect) -> None:
    assert answered(question(home, "turn on the desk lamp"), text)[0] is effect


def test_an_answer_that_may_be_another_answer_is_not_taken(home: Context) -> None:
    pending = question(home, "set a timer for fifteen minutes", "set a timer for fifty minutes")
    assert resolve(pending, understood(answer_context(pending), "fifteen", "fifty")).effect is Effect.REPEAT


# -- the conversation ----------------------------------------------------------------------------------------------


def asked(dialogue: Dialogue, context: Context, *texts: str) -> Understanding:
    """Let the dialogue follow an understanding that asks back."""
    transcript = heard(context, *texts)
    understanding = replace(decide(transcript, context), outcome=Outcome.ASK, question="Which?")
    followed = dialogue.follow(understanding, context)
    dialogue.note(followed, transcript, context)
    return followed


def said(dialogue: Dialogue, active: Context, text: str) -> Understanding:
    """What is said next, heard as the pipeline hears it: as an answer if it is one, else as a command."""
    context = dialogue.answers() or active
    transcript = heard(context, text)
    understanding = decide(transcript, context)
    if not dialogue.is_answer(understanding, context):
        command = heard(active, text)
        if command.hypotheses:
            transcript, context = command, active
            understanding = decide(transcript, context)
    followed = dialogue.follow(understanding, context)
    dialogue.note(followed, transcript, active)
    return followed


def test_the_answer_becomes_the_order_with_its_reply(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the hall light", "turn on the desk lamp")
    result = said(dialogue, home, "the desk lamp")
    assert (result.outcome, result.intent, dict(result.slots)) == (Outcome.ACCEPT, "TurnOn", {"name": "desk lamp"})
    assert (result.response, result.question, result.text) == ("lit", "", "turn on the desk lamp")
    assert dialogue.answers() is None


def test_a_new_command_replaces_the_question(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the hall light", "turn on the desk lamp")
    result = said(dialogue, home, "set a timer for five minutes")
    assert (result.outcome, result.intent) == (Outcome.ACCEPT, "Timer")
    assert dialogue.answers() is None


def test_an_unclear_answer_is_asked_about_again_and_then_given_up(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the hall light", "turn on the desk lamp")
    for _ in range(MAX_REPEATS):
        again = said(dialogue, home, "the purple one")
        assert (again.outcome, again.question) == (Outcome.ASK, "Which?")
        assert dialogue.answers() is not None
    assert said(dialogue, home, "the purple one").outcome is Outcome.REFUSE
    assert dialogue.answers() is None


def test_after_asking_again_the_same_answers_are_understood(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the hall light", "turn on the desk lamp")
    said(dialogue, home, "the purple one")
    assert dict(said(dialogue, home, "hall").slots) == {"name": "hallway light"}


def test_no_ends_the_question_and_does_nothing(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the hall light", "turn on the desk lamp")
    result = said(dialogue, home, "no thanks")
    assert (result.intent, dict(result.slots)) == (NO, {})
    assert dialogue.answers() is None


def test_silence_lets_the_question_go(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the hall light", "turn on the desk lamp")
    clock.advance(ANSWER_TIMEOUT_S - 0.1)
    assert dialogue.answers() is not None
    clock.advance(0.2)
    assert dialogue.answers() is None
    assert said(dialogue, home, "the desk lamp").outcome is Outcome.REFUSE


def test_a_noise_neither_answers_nor_counts(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the hall light", "turn on the desk lamp")
    for _ in range(MAX_REPEATS + 2):
        assert said(dialogue, home, "").outcome is Outcome.REFUSE
    assert dialogue.answers() is not None


def test_an_answer_that_comes_too_late_does_nothing(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the desk lamp")
    answers = dialogue.answers()
    assert answers is not None
    late = understood(answers, "yes")
    assert late.intent == YES
    clock.advance(ANSWER_TIMEOUT_S + 1)
    assert dialogue.answers() is None
    assert dialogue.follow(late, answers).outcome is Outcome.REFUSE


def test_an_answer_to_an_earlier_question_does_not_answer_this_one(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    asked(dialogue, home, "turn on the desk lamp")
    earlier = dialogue.answers()
    assert earlier is not None
    asked(dialogue, home, "turn off the hall light")
    assert dialogue.follow(understood(earlier, "yes"), earlier).outcome is Outcome.REFUSE
    assert said(dialogue, home, "yes").intent == "TurnOff"


def test_without_a_question_everything_passes_unchanged(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    for text in ("turn on the desk lamp", "yes", "the first one", ""):
        understanding = understood(home, text)
        assert dialogue.follow(understanding, home) is understanding
        assert dialogue.answers() is None


def test_a_risky_action_can_be_confirmed_the_same_way(home: Context, clock: HeldClock) -> None:
    dialogue = Dialogue(clock)
    dialogue.ask(Pending(home, (Meaning("TurnOff", {"name": "desk lamp"}, "turn off the desk lamp"),), (), "Really?"))
    assert said(dialogue, home, "yes").intent == "TurnOff"


# -- the table -----------------------------------------------------------------------------------------------------

PENDING = Pending(
    Context("c", "", (), {}, {}, {}, {}, load_context("barista").settings, ""),
    (Meaning("a", {"x": 1}, "one"), Meaning("a", {"x": 2}, "two")),
    ("x",),
    "One or two?",
)
EVENTS: list[Event] = [
    Asked(PENDING),
    Yes(),
    No(),
    Chose(0),
    Chose(1),
    Gave({"x": 3}),
    Unclear(),
    Unheard(),
    Commanded(),
    TimedOut(),
]


def test_the_table_has_an_effect_for_every_event_in_every_state() -> None:
    kinds = {type(event) for event in EVENTS}
    assert {state: set(row) for state, row in TABLE.items()} == dict.fromkeys(State, kinds)


@given(st.lists(st.sampled_from(EVENTS)))
def test_whatever_happens_only_an_open_question_is_acted_on_and_it_always_ends(events: list[Event]) -> None:
    turn = Turn()
    for event in events:
        was_open = turn.pending is not None
        resolution = step(turn, event)
        assert (resolution.meaning is not None) == (resolution.effect is Effect.ACT)
        assert was_open or resolution.meaning is None
        turn = resolution.turn
        assert (turn.state is State.IDLE) == (turn.pending is None)
        assert turn.repeats <= MAX_REPEATS
    for _ in range(MAX_REPEATS + 1):
        turn = step(turn, Unclear()).turn
    assert turn.state is State.IDLE


def test_the_table_in_the_documents_is_current(repository: Path) -> None:
    assert table() in (repository / "docs/dialogue.md").read_text(encoding="utf-8")


def test_of_a_yes_and_a_no_that_sound_alike_no_is_taken_for_it_does_no_harm() -> None:
    said = {YES: "yeah", NO: "no"}

    def near(first: str, second: str) -> Understanding:
        other = Alternative(said[second], second, {}, -1.0)
        reason = "nearly equal"
        return Understanding(
            Outcome.ASK, first, {}, said[first], 0.6, reason, "", "", differs=("intent",), alternatives=(other,)
        )

    assert event_of(near(NO, YES)) == No()
    assert event_of(near(YES, NO)) == Unclear()
