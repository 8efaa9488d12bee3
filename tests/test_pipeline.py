"""Sound through all rooms: speech in a stream becomes decisions, questions are answered, silence costs nothing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.act.skills import built_in
from assistant.audio.frontend import Mean
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.endpoint import EndpointSettings
from assistant.listen.joining import GOES_ON_S, goes_on, joined
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import Conversation, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.recognize.text import TextRecognizer
from assistant.testing import HeldClock
from assistant.typed import TypedConversation
from assistant.types import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    Decision,
    EndReason,
    Outcome,
    Utterance,
    frozen_array,
)
from assistant.work import InlineWorker, ThreadWorker, Worker
from tests.blocks import Blocks, Pcm, frames, silence, voiced

Spoken = Callable[[str], Pcm]

LATTE = "Can I have a large latte with soy milk?"
ESPRESSO = "Give me a double shot espresso with sugar and cream."
MINUTES = 5
FOREIGN = "The train to the airport leaves every twenty minutes."


class Noting(InlineWorker):
    """Counts what is decoded."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = 0

    def submit(self, number: int, job: Callable[[], Any]) -> None:
        self.jobs += 1
        super().submit(number, job)


@pytest.fixture(scope="module")
def barista() -> Context:
    return load_context("barista")


@pytest.fixture
def hear(moonshine: Moonshine, clock: HeldClock) -> Callable[..., list[Decision]]:
    """`hear(context, *sounds)` is the decisions of a whole conversation."""

    def run(context: Context, *parts: Pcm, worker: Worker | None = None, **more: Any) -> list[Decision]:
        understander = Understander(moonshine, moonshine.prepare(context), built_in(clock), clock)
        conversation = Conversation(
            Blocks(frames(*parts), clock),
            Mean(1),
            Segmenter(open_vad("silero")),
            understander,
            worker or InlineWorker(),
            **more,
        )
        return [*conversation.decisions()]

    return run


Hear = Callable[..., list[Decision]]


def outcomes(decisions: list[Decision]) -> list[tuple[Outcome, dict[str, Any]]]:
    return [(d.understanding.outcome, dict(d.understanding.slots)) for d in decisions]


EXPECTED = [
    (Outcome.ACCEPT, {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}),
    (
        Outcome.ACCEPT,
        {"numberOfShots": "double shot", "coffeeDrink": "espresso", "sugarAmount": "sugar", "milkAmount": "cream"},
    ),
]


def test_two_orders_in_one_stream_give_two_decisions(hear: Hear, barista: Context, spoken: Spoken) -> None:
    decisions = hear(barista, spoken(LATTE), spoken(ESPRESSO))
    assert outcomes(decisions) == EXPECTED
    for decision in decisions:
        assert decision.utterance is not None
        assert decision.reply.text
        assert not decision.reply.expects_answer
        assert set(decision.understanding.timings_ms) == {"recognize", "understand", "decide", "total"}
        assert decision.felt_ms is not None
        assert 100 < decision.felt_ms < 1500  # on the clock of the sound: the endpoint's waiting alone
    first, second = (decision.utterance for decision in decisions)
    assert first is not None
    assert second is not None
    assert first.at + first.duration_s <= second.at + second.speech_start_s


def test_a_thread_beside_the_listener_decides_the_same(hear: Hear, barista: Context, spoken: Spoken) -> None:
    worker = ThreadWorker()
    decisions = hear(barista, spoken(LATTE), spoken(ESPRESSO), worker=worker)
    worker.close()
    assert outcomes(decisions) == EXPECTED


def test_recognition_begins_in_the_pause_and_its_answer_ends_the_utterance(
    hear: Hear, barista: Context, spoken: Spoken
) -> None:
    worker = Noting()
    (decision,) = hear(barista, spoken(LATTE), worker=worker)
    assert worker.jobs == 1  # what was decoded in the pause is the answer
    assert decision.utterance is not None
    assert decision.utterance.end is EndReason.COMPLETE
    waited_s = decision.utterance.duration_s - decision.utterance.speech_end_s
    assert waited_s < EndpointSettings().incomplete_s - 0.2


def test_what_was_decoded_in_a_pause_is_thrown_away_when_speech_goes_on(
    hear: Hear, barista: Context, spoken: Spoken
) -> None:
    worker = Noting()
    begun, rest = (voiced(spoken(part)) for part in ("Can I have a large", "latte with soy milk"))
    (decision,) = hear(barista, silence(0.5), begun, silence(0.2), rest, silence(1.2), worker=worker)
    assert worker.jobs > 1
    assert outcomes([decision]) == EXPECTED[:1]
    assert not decision.revises


def test_what_follows_a_complete_sentence_closely_revises_it(hear: Hear, barista: Context, spoken: Spoken) -> None:
    begun, rest = (voiced(spoken(part)) for part in ("Can I have a large latte", "with soy milk"))
    first, second = hear(barista, silence(0.5), begun, silence(0.6), rest, silence(1.2))
    assert outcomes([first]) == [(Outcome.ACCEPT, {"size": "large", "coffeeDrink": "latte"})]
    assert (first.provisional, first.revises) == (True, False)
    assert outcomes([second]) == EXPECTED[:1]
    assert second.revises


def test_after_a_sentence_that_nothing_can_follow_nothing_is_provisional(
    hear: Hear, barista: Context, spoken: Spoken
) -> None:
    (decision,) = hear(barista, spoken(ESPRESSO))
    assert not decision.provisional


def test_speech_from_outside_the_context_is_refused_and_nothing_is_done(
    hear: Hear, barista: Context, spoken: Spoken
) -> None:
    (decision,) = hear(barista, spoken(FOREIGN))
    assert decision.understanding.outcome is Outcome.REFUSE
    assert not decision.understanding.accepted
    assert decision.understanding.heard < 0.3


def test_a_stream_that_ends_in_mid_word_is_decided_as_far_as_it_went(
    hear: Hear, barista: Context, spoken: Spoken
) -> None:
    order = spoken(LATTE)
    end = int(np.nonzero(np.abs(order) > 200)[0][-1])
    (decision,) = hear(barista, order[:end])
    assert decision.utterance is not None
    assert decision.utterance.end is EndReason.STREAM_END
    assert outcomes([decision]) == EXPECTED[:1]


def test_while_a_reply_is_heard_the_assistant_does_not_listen(hear: Hear, barista: Context, spoken: Spoken) -> None:
    first = len(list(frames(spoken(ESPRESSO))))
    heard = iter(range(10_000))
    decisions = hear(barista, spoken(ESPRESSO), spoken(LATTE), deaf=lambda: next(heard) < first)
    assert outcomes(decisions) == EXPECTED[:1]


def test_switching_the_context_takes_effect_with_the_next_utterance(
    moonshine: Moonshine, barista: Context, spoken: Spoken, clock: HeldClock
) -> None:
    home = moonshine.prepare(load_context("home"))
    understander = Understander(moonshine, moonshine.prepare(barista), built_in(clock), clock)
    source = Blocks(frames(spoken(LATTE), spoken("Turn on the kitchen lights."), spoken(LATTE)), clock)
    segmenter = Segmenter(open_vad("silero"))
    found = []
    for decision in Conversation(source, Mean(1), segmenter, understander, InlineWorker()).decisions():
        found.append(decision.understanding)
        understander.use(home)
    assert found[0].accepted
    assert (found[1].intent, found[1].accepted) == ("HassTurnOn", True)
    assert found[2].outcome is Outcome.REFUSE


# -- asking back -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Two things that sound the same, which ask for a wide margin."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "sentences").mkdir()
    (folder / "sentences/all.yaml").write_text("""
language: en
intents: {Buy: {data: [{sentences: ["please bring me the {thing} today"]}]}}
lists: {thing: {values: [{in: red pear, out: fruit}, {in: red pair, out: socks}]}}
""")
    context = load_context(folder)
    return replace(context, settings=replace(context.settings, ask_margin=8.0))


def doubting(context: Context) -> Context:
    """It asks about everything whether it was meant."""
    return replace(context, settings=replace(context.settings, accept={"doubt": 1.1}, ask_margin=0.0))


@pytest.mark.parametrize("answer", ["Yes please.", "That's right."])
def test_a_doubt_that_is_confirmed_is_acted_on(answer: str, hear: Hear, barista: Context, spoken: Spoken) -> None:
    asked, answered = hear(doubting(barista), spoken(LATTE), spoken(answer))
    assert asked.understanding.outcome is Outcome.ASK
    assert asked.reply.expects_answer
    assert asked.reply.text == asked.understanding.question
    assert outcomes([answered]) == EXPECTED[:1]
    assert answered.understanding.intent == "orderDrink"
    assert not answered.reply.expects_answer


@pytest.mark.parametrize("answer", ["No thank you.", "No thanks."])
def test_a_doubt_that_is_denied_is_dropped_and_not_asked_about_again(
    answer: str, hear: Hear, barista: Context, spoken: Spoken
) -> None:
    asked, answered = hear(doubting(barista), spoken(LATTE), spoken(answer))
    assert asked.understanding.outcome is Outcome.ASK
    assert answered.understanding.intent == "answer.no"
    assert answered.understanding.accepted
    assert dict(answered.understanding.slots) == {}
    assert not answered.reply.expects_answer


@pytest.mark.parametrize(("answer", "number"), [("The first one.", 0), ("The second one.", 1)])
def test_which_of_two_is_answered_by_naming_one(
    answer: str, number: int, hear: Hear, shop: Context, spoken: Spoken
) -> None:
    asked, answered = hear(shop, spoken("Please bring me the red pear today."), spoken(answer))
    assert asked.understanding.outcome is Outcome.ASK
    assert asked.understanding.differs == ("thing",)
    meant = (asked.understanding.slots, asked.understanding.alternatives[0].slots)[number]
    assert {slots["thing"] for slots in (asked.understanding.slots, asked.understanding.alternatives[0].slots)} == {
        "fruit",
        "socks",
    }
    assert outcomes([answered]) == [(Outcome.ACCEPT, dict(meant))]
    assert "confirmed" in answered.understanding.reason


def test_a_new_command_replaces_an_open_question(hear: Hear, barista: Context, spoken: Spoken) -> None:
    asked, replaced = hear(doubting(barista), spoken(LATTE), spoken(ESPRESSO))
    assert asked.understanding.outcome is Outcome.ASK
    assert dict(replaced.understanding.slots) == EXPECTED[1][1]
    assert replaced.understanding.outcome is Outcome.ASK


def test_nobody_answers_and_the_question_is_forgotten(hear: Hear, barista: Context, spoken: Spoken) -> None:
    asked, later = hear(doubting(barista), spoken(LATTE), silence(20.0), spoken("Yes please."))
    assert asked.understanding.outcome is Outcome.ASK
    assert not later.understanding.accepted


# -- parts -----------------------------------------------------------------------------------------------------------


def cut(at: float, start_s: float, end_s: float, seconds: float, level: int) -> Utterance:
    samples = int(seconds * SAMPLE_RATE_HZ) // FRAME_SAMPLES * FRAME_SAMPLES
    return Utterance(
        pcm=frozen_array(np.full(samples, level, np.int16)),
        at=at,
        speech_start_s=start_s,
        speech_end_s=end_s,
        voice=frozen_array(np.full(samples // FRAME_SAMPLES, level, np.float32)),
    )


@given(pause_s=st.floats(0.01, GOES_ON_S - 0.05), overlap_s=st.floats(0, 1.5), length_s=st.floats(0.5, 3))
def test_two_utterances_join_into_one_with_everything_where_it_was(
    pause_s: float, overlap_s: float, length_s: float
) -> None:
    overlap_s = min(overlap_s, length_s + pause_s)  # a pre-roll reaches no further back than the stream
    before = cut(100.0, 0.4, length_s, length_s + 0.3, 1)
    after = cut(100.0 + length_s + pause_s - overlap_s, overlap_s, overlap_s + 1.0, overlap_s + 1.3, 2)
    assert goes_on(before, after)
    both = joined(before, after)
    assert both.at == before.at
    assert both.speech_start_s == before.speech_start_s
    assert both.at + both.speech_end_s == pytest.approx(after.at + after.speech_end_s, abs=0.02)
    assert len(both.pcm) == len(both.voice) * FRAME_SAMPLES
    assert both.pcm[-len(after.pcm) :].tolist() == after.pcm.tolist()
    assert set(both.pcm[: -len(after.pcm)].tolist()) <= {0, 1}
    assert not both.pcm.flags.writeable


def test_what_comes_too_late_is_a_sentence_of_its_own() -> None:
    before = cut(100.0, 0.4, 1.0, 1.3, 1)
    assert not goes_on(before, cut(101.0 + GOES_ON_S, 0.1, 1.0, 1.3, 2))
    assert not goes_on(before, cut(99.0, 0.1, 1.0, 1.3, 2))


def test_five_minutes_of_silence_take_no_more_memory_than_one(
    moonshine: Moonshine, barista: Context, clock: HeldClock
) -> None:
    rng = np.random.default_rng(5)
    hiss = [rng.normal(0, 3, FRAME_SAMPLES).astype(np.int16) for _ in range(50)]
    sizes: list[int] = []

    def quiet() -> Iterator[Pcm]:
        for number in range(MINUTES * 60 * 50):
            if number % 3000 == 2999:
                sizes.append(tracemalloc.get_traced_memory()[0])
            yield hiss[number % len(hiss)]

    understander = Understander(moonshine, moonshine.prepare(barista), built_in(clock), clock)
    segmenter = Segmenter(open_vad("webrtc"))
    conversation = Conversation(Blocks(quiet(), clock), Mean(1), segmenter, understander, InlineWorker())
    tracemalloc.start()
    try:
        assert [*conversation.decisions()] == []
    finally:
        tracemalloc.stop()
    assert len(sizes) == MINUTES
    assert max(sizes) - sizes[0] < 200_000  # a minute of sound is 1.9 MB


def test_typed_lines_are_asked_about_and_answered_like_spoken_ones(clock: HeldClock) -> None:
    text = TextRecognizer()
    home = load_context("home")
    conversation = TypedConversation(Understander(text, text.prepare(home), built_in(clock), clock))
    done = conversation.line("turn on teh kitchen lihgts")
    assert (done.understanding.intent, done.understanding.outcome) == ("HassTurnOn", Outcome.ACCEPT)
    assert done.utterance is None
    asked = conversation.line("turn of the desk lamp")
    assert asked.understanding.outcome is Outcome.ASK
    answered = conversation.line("the first one")
    assert answered.understanding.intent == asked.understanding.intent
    assert answered.understanding.outcome is Outcome.ACCEPT
    assert conversation.line("colourless green ideas sleep furiously").understanding.outcome is Outcome.REFUSE
