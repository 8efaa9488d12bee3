"""What answers when time runs out: the best rows of the beam, a cheaper net, sound alone; and what loads meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import models
from assistant.act.skills import built_in
from assistant.audio.frontend import Mean
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import Conversation, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.schedule.board import Board
from assistant.schedule.plans import PLANS
from assistant.schedule.policy import Fixed, Objective
from assistant.schedule.priors import estimate
from assistant.schedule.profile import this_board
from assistant.schedule.scheduler import Scheduler
from assistant.testing import HeldClock
from assistant.types import SOUND_ONLY, Decision, Outcome
from assistant.understand.fused.bundle import open_bundle
from assistant.understand.fused.heads import find_heads
from assistant.work import InlineWorker
from tests.blocks import Blocks, Pcm, frames
from tests.schedule.boards import FakeBoard
from tests.schedule.test_in_the_pipeline import ESPRESSO, LATTE, Hurrying
from tests.understand.fused.test_heads import LATTE as HEARD_BY_SOUND
from tests.understand.fused.test_heads import logits, sound_bundle

ROOMY_MS = 60_000.0
"""The search ends by the real clock: so long that no machine decides."""


class Slow(HeldClock):
    """A clock on which 5 s pass whenever somebody looks: of a minute, decoding is late after a few steps."""

    def monotonic(self) -> float:
        self.advance(5.0)
        return super().monotonic()


@pytest.fixture(scope="module")
def barista() -> Context:
    return load_context("barista")


@dataclass
class Place:
    """An assistant on a board of files, that hears a large latte in the mere sound of everything."""

    understander: Understander
    scheduler: Scheduler
    clock: HeldClock

    def hear(self, *parts: Pcm) -> list[Decision]:
        source = Blocks(frames(*parts), self.clock)
        segmenter = Segmenter(open_vad("silero"))
        return [*Conversation(source, Mean(1), segmenter, self.understander, InlineWorker()).decisions()]


@pytest.fixture
def place(moonshine: Moonshine, barista: Context, clock: HeldClock, tmp_path: Path) -> Callable[..., Place]:
    FakeBoard(tmp_path).cpu(busy_s=0.0, running=1)
    folder = sound_bundle(tmp_path / "barista", barista, logits(barista, HEARD_BY_SOUND))

    def make(plan: str, *, p95_ms: float = ROOMY_MS, own: HeldClock | None = None, sound: bool = True) -> Place:
        scheduler = Scheduler(
            estimate(PLANS, this_board(tmp_path)),
            own or clock,
            Board(tmp_path, own_s=lambda: 0.0),
            policy=Fixed(plan),
            objective=Objective(p95_ms=p95_ms),
        )
        understander = Understander(
            moonshine,
            moonshine.prepare(barista),
            built_in(clock),
            clock,
            lambda _: open_bundle(Path(models.__file__).parent / "barista"),
            scheduler,
            find_heads=(lambda context: find_heads([folder], context, "moonshine/tiny-en")) if sound else None,
        )
        return Place(understander, scheduler, clock)

    return make


def test_the_cheapest_plan_decodes_nothing(place: Callable[..., Place], spoken: Callable[[str], Pcm]) -> None:
    (decision,) = place("sound").hear(spoken(LATTE))
    assert decision.pick is not None
    assert (decision.pick.plan, decision.transcript.variant) == ("sound", SOUND_ONLY)
    assert decision.understanding.outcome is Outcome.ACCEPT
    assert decision.understanding.partial  # what cannot be taken back is asked about
    assert decision.understanding.slots["coffeeDrink"] == "latte"


def test_without_a_net_for_sound_it_decodes_with_the_best_plan_that_there_is(
    place: Callable[..., Place], spoken: Callable[[str], Pcm]
) -> None:
    (decision,) = place("sound", sound=False).hear(spoken(ESPRESSO))
    assert decision.pick is not None
    assert decision.pick.effort is not None
    assert decision.understanding.slots["coffeeDrink"] == "espresso"


def test_what_is_late_before_it_begins_is_understood_from_sound_alone_and_teaches_nothing(
    place: Callable[..., Place], spoken: Callable[[str], Pcm]
) -> None:
    here = place("beam-16", p95_ms=20.0, own=Hurrying())
    before = here.scheduler.status().belief.seen
    (decision,) = here.hear(spoken(LATTE))
    assert decision.transcript.variant == SOUND_ONLY
    assert decision.understanding.partial
    assert here.scheduler.status().belief.seen == before


def test_a_search_that_runs_out_of_time_is_answered_from_sound_alone_and_teaches_that_it_takes_longer(
    place: Callable[..., Place], spoken: Callable[[str], Pcm]
) -> None:
    here = place("beam-16", p95_ms=1.0)
    before = here.scheduler.status().belief
    (decision,) = here.hear(spoken(LATTE))
    assert decision.transcript.variant == SOUND_ONLY
    assert decision.transcript.truncated
    assert decision.understanding.partial
    assert decision.understanding.slots["coffeeDrink"] == "latte"
    assert decision.pick is not None
    assert decision.pick.plan == "beam-16"
    assert here.scheduler.status().belief.seen == before.seen + 1


def test_what_is_late_on_its_way_is_compared_by_the_cheapest_net(
    place: Callable[..., Place], spoken: Callable[[str], Pcm]
) -> None:
    here = place("beam-16", own=Slow())
    first, *_ = here.hear(spoken(LATTE))
    assert first.transcript.truncated
    assert first.transcript.fused == "barista/full"  # the cheapest is being opened
    for thread in threading.enumerate():
        if thread.name == "open-net":
            thread.join()
    second, *_ = here.hear(spoken(LATTE))
    assert second.transcript.truncated
    assert second.transcript.fused == "barista/tiny"
    assert second.understanding.partial
    assert second.understanding.slots["coffeeDrink"] == "latte"


def test_a_recogniser_that_rests_is_loaded_again_while_somebody_speaks(
    moonshine: Moonshine, place: Callable[..., Place], spoken: Callable[[str], Pcm]
) -> None:
    moonshine.rest()
    states = [moonshine.model.loaded]
    session = moonshine.open(moonshine.prepare(load_context("barista")))  # somebody begins to speak
    for thread in threading.enumerate():
        if thread.name == "load-model":
            thread.join()
    states.append(moonshine.model.loaded)  # before anything was decoded
    assert states == [False, True]
    session.cancel()
    moonshine.rest()
    (decision,) = place("beam-4").hear(spoken(ESPRESSO))
    assert decision.understanding.slots["coffeeDrink"] == "espresso"
