"""The scheduler in a conversation: its choice is recorded with each decision, deadlines answer, overload is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from assistant.act.skill import Request, Result, Services
from assistant.act.skills import Skills, built_in
from assistant.answering import Answering
from assistant.audio.frontend import Mean
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import ONE_MOMENT, Conversation, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.recognize.text import TextRecognizer, recognize_text
from assistant.schedule.board import Board
from assistant.schedule.plans import PLANS
from assistant.schedule.policy import Fixed, Objective, Policy
from assistant.schedule.priors import estimate
from assistant.schedule.profile import this_board
from assistant.schedule.scheduler import Scheduler
from assistant.testing import HeldClock
from assistant.trace.explain import explain
from assistant.trace.record import decode, encode
from assistant.trace.writing import record_of
from assistant.types import Decision, Outcome
from assistant.work import Done, InlineWorker, Worker
from tests.blocks import Blocks, Pcm, frames
from tests.schedule.boards import FakeBoard

LATTE = "Can I have a large latte with soy milk?"
ESPRESSO = "Give me a double shot espresso with sugar and cream."
MOCHA = "Can I have a small mocha with cream?"


class Hurrying(HeldClock):
    """A clock on which 30 ms pass whenever somebody looks: decoding is late after a few steps."""

    def monotonic(self) -> float:
        self.advance(0.03)
        return super().monotonic()


class Stuck:
    """A worker that does nothing until the sound has ended."""

    def __init__(self) -> None:
        self._jobs: list[tuple[int, Callable[[], Any]]] = []

    def submit(self, number: int, job: Callable[[], Any]) -> None:
        self._jobs.append((number, job))

    def poll(self, timeout_s: float = 0.0) -> Done | None:
        if not self._jobs or timeout_s == 0.0:
            return None
        number, job = self._jobs.pop(0)
        return Done(number, job())

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    def close(self) -> None:
        self._jobs.clear()


@pytest.fixture(scope="module")
def barista() -> Context:
    return load_context("barista")


@pytest.fixture
def scheduled(tmp_path: Path, clock: HeldClock) -> Callable[..., Scheduler]:
    """`scheduled()` is a scheduler on a quiet board of files."""
    FakeBoard(tmp_path).cpu(busy_s=0.0, running=1)

    def make(policy: Policy | None = None, own: HeldClock | None = None, p95_ms: float = 400.0) -> Scheduler:
        profile = estimate(PLANS, this_board(tmp_path))
        board = Board(tmp_path, own_s=lambda: 0.0)
        return Scheduler(profile, own or clock, board, policy=policy, objective=Objective(p95_ms=p95_ms))

    return make


@pytest.fixture
def hear(moonshine: Moonshine, clock: HeldClock, barista: Context) -> Callable[..., list[Decision]]:
    """`hear(scheduler, *sounds)` is the decisions of a whole conversation."""

    def run(scheduler: Scheduler, *parts: Pcm, worker: Worker | None = None) -> list[Decision]:
        prepared = moonshine.prepare(barista)
        understander = Understander(moonshine, prepared, built_in(clock), clock, scheduler=scheduler)
        source = Blocks(frames(*parts), clock)
        segmenter = Segmenter(open_vad("silero"))
        conversation = Conversation(source, Mean(1), segmenter, understander, worker or InlineWorker())
        return [*conversation.decisions()]

    return run


Hear = Callable[..., list[Decision]]
Scheduled = Callable[..., Scheduler]


def test_each_decision_says_what_was_chosen_and_what_it_took(
    hear: Hear, scheduled: Scheduled, spoken: Callable[[str], Pcm]
) -> None:
    decisions = hear(scheduled(), spoken(LATTE), spoken(ESPRESSO))
    assert [d.understanding.outcome for d in decisions] == [Outcome.ACCEPT, Outcome.ACCEPT]
    for decision in decisions:
        pick = decision.pick
        assert pick is not None
        assert pick.effort is not None
        assert decision.transcript.variant == f"tiny-en/int8/beam{pick.effort.width}"
        assert pick.measured_ms is not None
        assert 0 < pick.budget_ms < 400  # waiting for the pause has cost some
        record = decode(encode(record_of(decision, "1")))
        assert record.pick is not None
        assert record.pick.plan == pick.plan
        time = next(section for section in explain(record) if section.title == "Time")
        assert f"Plan {pick.reason}." in time.sentences


def test_two_plans_hear_the_same_order_without_loading_anything(
    hear: Hear, scheduled: Scheduled, spoken: Callable[[str], Pcm]
) -> None:
    heard = [hear(scheduled(Fixed(name)), spoken(LATTE))[0] for name in ("beam-1", "beam-16")]
    assert [d.pick.plan for d in heard if d.pick] == ["beam-1", "beam-16"]
    assert heard[0].understanding.slots == heard[1].understanding.slots


def test_what_is_late_answers_with_a_whole_order_and_says_so(
    hear: Hear, scheduled: Scheduled, spoken: Callable[[str], Pcm]
) -> None:
    (decision,) = hear(scheduled(Fixed("beam-16"), Hurrying()), spoken(LATTE))
    assert decision.understanding.partial
    assert dict(decision.understanding.slots) == {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}
    heard = next(section for section in explain(record_of(decision, "1")) if section.title == "Heard")
    assert "Time ran out while it was being recognised; this is the best that was ready." in heard.sentences


def test_of_too_many_that_wait_the_oldest_is_asked_for_a_moment(
    hear: Hear, scheduled: Scheduled, spoken: Callable[[str], Pcm]
) -> None:
    decisions = hear(scheduled(), spoken(LATTE), spoken(ESPRESSO), spoken(MOCHA), worker=Stuck())
    assert [d.understanding.outcome for d in decisions] == [Outcome.REFUSE, Outcome.ACCEPT, Outcome.ACCEPT]
    assert decisions[0].reply.text == ONE_MOMENT
    assert "waiting" in decisions[0].understanding.reason
    assert decisions[2].understanding.slots["coffeeDrink"] == "mocha"


@dataclass
class Door:
    """A skill whose doing cannot be taken back."""

    reversible: bool
    name: str = "door"
    did: list[str] = field(default_factory=list)

    def handle(self, request: Request) -> Result:
        self.did.append(request.intent)
        return Result(text="Done.")


@pytest.fixture
def doors(tmp_path: Path) -> Context:
    folder = tmp_path / "doors"
    (folder / "sentences").mkdir(parents=True)
    sentences = 'language: en\nintents:\n  Open: {data: [{sentences: ["open the door"]}]}\n'
    (folder / "sentences/all.yaml").write_text(sentences)
    (folder / "actions.yaml").write_text("Open: {skill: door}\n")
    return load_context(folder)


@pytest.fixture
def skills(clock: HeldClock) -> Iterator[Skills]:
    skills = Skills(Services(clock))
    yield skills
    skills.close()


@pytest.mark.parametrize("reversible", [True, False])
@pytest.mark.parametrize("partial", [True, False])
def test_what_was_heard_in_a_hurry_and_cannot_be_taken_back_is_asked_about(
    *, reversible: bool, partial: bool, doors: Context, skills: Skills, clock: HeldClock
) -> None:
    door = Door(reversible)
    skills.add(door)
    text = TextRecognizer()
    understander = Understander(text, text.prepare(doors), skills, clock)
    transcript = recognize_text(understander.prepared, "open the door")
    decided = replace(understander.understand(transcript, doors, 1.0), partial=partial)
    answering = Answering(understander)
    _, reply = answering.carry_out(answering.interpret(decided, transcript, doors))
    asks = partial and not reversible
    assert reply.expects_answer is asks
    assert door.did == ([] if asks else ["Open"])
