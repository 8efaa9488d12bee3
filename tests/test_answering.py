"""What is done about what was understood: once, when it is certain, with consent where that is needed; and undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from assistant.act.skill import Question, Request, Result, Services, asked, failed
from assistant.act.skills import Skills
from assistant.audio.frontend import Mean
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import Conversation, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.recognize.text import TextRecognizer
from assistant.testing import HeldClock
from assistant.typed import TypedConversation
from assistant.types import Decision, Outcome
from assistant.work import InlineWorker
from tests.blocks import Blocks, Pcm, frames, silence, voiced

SENTENCES = """
language: en
intents:
  Start: {data: [{sentences: ["please start the {machine} [with {extra}]"]}]}
  Fill: {data: [{sentences: ["fill it for <length>", "fill it"]}]}
  Break: {data: [{sentences: ["break it"]}]}
  Undo: {data: [{sentences: ["cancel that"]}]}
  Stop: {data: [{sentences: ["stop"]}]}
  Also: {data: [{sentences: ["and the {machine} too"]}]}
expansion_rules: {length: "{minutes} minute[s]"}
lists:
  machine: {values: [coffee machine, washing machine]}
  extra: {values: [hot water, cold water]}
  minutes: {range: {from: 1, to: 100}}
"""
ACTIONS = """
Start: {skill: machine}
Fill: {skill: machine}
Break: {skill: machine, risk: confirm}
Undo: {skill: dialogue, parameters: {do: undo}}
Stop: {skill: dialogue, parameters: {do: stop}}
Also: {skill: dialogue, parameters: {do: also}}
"""


@dataclass
class Machine:
    """A skill that notes what it did. reversible: as skills say it."""

    reversible: bool = False
    name: str = "machine"
    did: list[Mapping[str, Any]] = field(default_factory=list)
    undone: int = 0
    quieted: int = 0

    def handle(self, request: Request) -> Result:
        if request.intent == "Fill" and "minutes" not in request.slots:
            return asked("For how long?", Question("minutes"))
        if request.slots.get("machine") == "washing machine" and request.intent == "Start" and not self.reversible:
            return failed("It is broken.")
        self.did.append(dict(request.slots))
        return Result(text="Done.", undo=self._undo if self.reversible else None)

    def quiet(self) -> bool:
        self.quieted += 1
        return True

    def _undo(self) -> Result:
        self.undone += 1
        return Result(text="Undone.")


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("machines")
    (folder / "sentences").mkdir()
    (folder / "sentences/all.yaml").write_text(SENTENCES)
    (folder / "actions.yaml").write_text(ACTIONS)
    return load_context(folder)


@pytest.fixture
def type_to(machines: Context, clock: HeldClock) -> Iterator[Callable[..., TypedConversation]]:
    """`type_to(machine)` is a conversation with an assistant that has only this skill."""
    opened: list[Skills] = []

    def start(machine: Machine, hush: Callable[[], None] = lambda: None) -> TypedConversation:
        skills = Skills(Services(clock))
        skills.add(machine)
        opened.append(skills)
        text = TextRecognizer()
        return TypedConversation(Understander(text, text.prepare(machines), skills, clock), hush)

    yield start
    for skills in opened:
        skills.close()


TypeTo = Callable[..., TypedConversation]


def test_what_is_risky_waits_for_a_yes(type_to: TypeTo) -> None:
    machine = Machine()
    conversation = type_to(machine)
    asks = conversation.line("break it")
    assert (asks.reply.text, asks.reply.expects_answer) == ("Shall I really do that: break it?", True)
    assert machine.did == []
    assert conversation.line("no").reply.text == "Okay."
    assert machine.did == []
    conversation.line("break it")
    assert conversation.line("yes").reply.text == "Done."
    assert machine.did == [{}]
    assert conversation.line("yes").understanding.outcome is Outcome.REFUSE
    assert machine.did == [{}]


def test_a_missing_value_is_asked_for_and_completes_the_command(type_to: TypeTo) -> None:
    machine = Machine()
    conversation = type_to(machine)
    assert conversation.line("fill it").reply.text == "For how long?"
    done = conversation.line("for five minutes please")
    assert (done.understanding.intent, dict(done.understanding.slots)) == ("Fill", {"minutes": 5})
    assert machine.did == [{"minutes": 5}]


def test_what_failed_is_said(type_to: TypeTo) -> None:
    decision = type_to(Machine()).line("please start the washing machine")
    assert decision.reply.text == "It is broken."


def test_what_was_done_is_taken_back_once(type_to: TypeTo) -> None:
    machine = Machine(reversible=True)
    conversation = type_to(machine)
    conversation.line("please start the coffee machine")
    assert conversation.line("cancel that").reply.text == "Undone."
    assert conversation.line("cancel that").reply.text == "There is nothing that I could take back."
    assert machine.undone == 1


def test_stop_ends_every_sound_and_says_nothing(type_to: TypeTo) -> None:
    machine, hushed = Machine(), []
    decision = type_to(machine, lambda: hushed.append(True)).line("stop")
    assert decision.reply.text == ""
    assert (machine.quieted, hushed) == (1, [True])


def test_a_follow_up_takes_the_values_that_were_said_and_keeps_the_others(type_to: TypeTo) -> None:
    machine = Machine(reversible=True)
    conversation = type_to(machine)
    conversation.line("please start the coffee machine with hot water")
    conversation.line("and the washing machine too")
    assert machine.did[1] == {"machine": "washing machine", "extra": "hot water"}


# -- sentences that go on --------------------------------------------------------------------------------------------


@pytest.fixture
def hear(moonshine: Moonshine, machines: Context, clock: HeldClock) -> Callable[..., list[Decision]]:
    """`hear(machine, *sounds)` is what is decided about them."""

    def run(machine: Machine, *parts: Pcm) -> list[Decision]:
        skills = Skills(Services(clock))
        skills.add(machine)
        understander = Understander(moonshine, moonshine.prepare(machines), skills, clock)
        segmenter = Segmenter(open_vad("silero"))
        try:
            return [
                *Conversation(
                    Blocks(frames(*parts), clock), Mean(1), segmenter, understander, InlineWorker()
                ).decisions()
            ]
        finally:
            skills.close()

    return run


Hear = Callable[..., list[Decision]]
Spoken = Callable[[str], Pcm]


@pytest.fixture
def in_two(spoken: Spoken) -> tuple[Pcm, ...]:
    """A sentence that goes on after a pause in which it seemed to be over."""
    begun, rest = (voiced(spoken(part)) for part in ("Please start the coffee machine", "with hot water"))
    return silence(0.5), begun, silence(0.6), rest, silence(2.0)


def test_what_cannot_be_taken_back_is_done_once_when_the_sentence_is_over(hear: Hear, in_two: tuple[Pcm, ...]) -> None:
    machine = Machine()
    first, second = hear(machine, *in_two)
    assert (first.provisional, first.reply.text) == (True, "")
    assert (second.revises, second.reply.text) == (True, "Done.")
    assert machine.did == [{"machine": "coffee machine", "extra": "hot water"}]


def test_a_sentence_that_does_not_go_on_is_acted_on_after_a_moment(hear: Hear, spoken: Spoken) -> None:
    machine = Machine()
    (decision,) = hear(machine, silence(0.5), voiced(spoken("Please start the coffee machine")), silence(2.0))
    assert (decision.provisional, decision.reply.text) == (True, "Done.")
    assert machine.did == [{"machine": "coffee machine"}]


def test_a_stream_that_ends_before_that_is_acted_on_too(hear: Hear, spoken: Spoken) -> None:
    machine = Machine()
    (decision,) = hear(machine, silence(0.5), voiced(spoken("Please start the coffee machine")), silence(0.5))
    assert decision.reply.text == "Done."
    assert len(machine.did) == 1


def test_what_can_be_taken_back_is_done_at_once_and_taken_back(hear: Hear, in_two: tuple[Pcm, ...]) -> None:
    machine = Machine(reversible=True)
    first, second = hear(machine, *in_two)
    assert (first.reply.text, second.reply.text) == ("Done.", "Done.")
    assert machine.did == [{"machine": "coffee machine"}, {"machine": "coffee machine", "extra": "hot water"}]
    assert machine.undone == 1
