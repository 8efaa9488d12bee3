"""Joins the rooms: blocks of sound become decisions and replies.

    source ─► front end ─► segmenter ─► recogniser ─► decide ─► skill and reply
                               ▲  pause: decode now │
                               └── complete? final? ┘  (speculation: the endpoint falls sooner)

`Conversation` runs a source through segmenter, worker and `assistant.understander`, and yields the decisions; the same
code serves a file and a microphone. What is done about a decision is `assistant.answering`.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Union

from assistant.answering import Answering, Plan
from assistant.audio.frontend import FrontEnd
from assistant.audio.resting import RestfulReader
from assistant.audio.source import Nothing, Source
from assistant.listen.joining import GOES_ON_S, goes_on, joined
from assistant.listen.segment import Abandoned, Began, Ended, Paused, Resumed, Segmenter
from assistant.listen.wake_segment import Hailed, WakeEvent, WakeSegmenter, Woke
from assistant.listen.waking import State
from assistant.recognize.engine import Prepared, Session
from assistant.types import (
    SAMPLE_RATE_HZ,
    AudioBlock,
    Decision,
    Outcome,
    Pick,
    Reply,
    Transcript,
    Understanding,
    Utterance,
)
from assistant.understand.decide import decide
from assistant.understander import Understander
from assistant.work import Worker

__all__ = ["Conversation", "Notable", "Understander"]

READ_TIMEOUT_S = 0.02
MOST_WAITING = 2
"""Utterances that may wait to be decoded; of more, the oldest is refused."""
ONE_MOMENT = "One moment, please."
KNOWN_AFTER_S = 0.3
"""How late it is known that speech has begun (`assistant.listen.waking`): so much longer is waited for it."""


@dataclass(slots=True)
class _Job:
    """An utterance under decoding: the context that it is decoded under and how long it took.

    utterance: set when it has ended. rest: the part that was just said, where it was joined to a sentence before it.
    pick: what the scheduler chose.
    """

    prepared: Prepared
    began: float = 0.0
    recognize_ms: float = 0.0
    utterance: Utterance | None = None
    transcript: Transcript | None = None
    rest: Utterance | None = None
    session: Session | None = None
    pick: Pick | None = None

    @property
    def waits(self) -> bool:
        """It has ended and is not decoded yet."""
        return self.utterance is not None and self.transcript is None


@dataclass(frozen=True, slots=True)
class _Held:
    """A decision whose action waits until it is clear that the sentence does not go on. until: time of the sound."""

    plan: Plan
    decision: Decision
    until: float


Notable = Union[Began, Woke, Hailed]
"""What `Conversation` tells those beside it while it listens."""


class Conversation:
    """A source's utterances as decisions, with speculation, open questions and follow-ups.

    deaf: asked before each frame; while it is true (a reply is being played) sound is dropped.
    notice: told at once when speech begins, when a wake word was said, and when somebody waits after one; it returns
        how long the sound is that it plays about it, seconds, which is then not listened to.
    hush: ends speech and ringing.
    lost: what is said when recognition failed over an utterance, by the error; None raises it.
    """

    def __init__(
        self,
        source: Source,
        front_end: FrontEnd,
        segmenter: Segmenter | WakeSegmenter,
        understander: Understander,
        worker: Worker,
        deaf: Callable[[], bool] = lambda: False,
        notice: Callable[[Notable], float] = lambda _event: 0.0,
        hush: Callable[[], None] = lambda: None,
        *,
        lost: Callable[[BaseException], str] | None = None,
    ) -> None:
        self._reader, self._front_end, self._segmenter = RestfulReader(source), front_end, segmenter
        self._understander, self._worker = understander, worker
        self._deaf, self._notice, self._lost = deaf, notice, lost
        self._answering = Answering(understander, hush)
        self._answers: Prepared | None = None
        self._held: _Held | None = None
        self._now = 0.0
        self._session: Session | None = None
        self._open: Utterance | None = None
        self._jobs: dict[int, _Job] = {}
        self._number = 0
        self._cuts: dict[int, int] = {}
        self._was_deaf = False
        self._under_way = False
        self._calls: queue.SimpleQueue[Callable[[], tuple[WakeEvent, ...]]] = queue.SimpleQueue()
        self._next: tuple[FrontEnd, Segmenter | WakeSegmenter] | None = None

    def press(self) -> None:
        """The button goes down: an utterance begins (from any thread)."""
        self._calls.put(self._segmenter.press)

    def release(self) -> None:
        """The button goes up: the utterance ends (from any thread)."""
        self._calls.put(self._segmenter.release)

    def invite(self) -> None:
        """Something was said that may be answered without a wake word: it rings (from any thread)."""
        if isinstance(self._segmenter, WakeSegmenter):
            self._calls.put(self._segmenter.asked)

    def exchange(self, front_end: FrontEnd, segmenter: Segmenter | WakeSegmenter) -> None:
        """Hear on with these, from the first frame before which nobody speaks; no frame is lost (from any thread)."""
        self._next = front_end, segmenter

    def hearing(self) -> bool:
        """True while an utterance is under way or being decoded."""
        return self._under_way or self._worker.busy

    def _rests(self) -> bool:
        """Only a wake word is listened for, and nothing sounds or waits: sound may be taken in longer pieces."""
        if not isinstance(self._segmenter, WakeSegmenter) or self._expects():
            return False
        return not (self._worker.busy or self._held is not None or self._deaf())

    def _expects(self) -> bool:
        """True while a command is expected after a wake word, or an answer."""
        return isinstance(self._segmenter, WakeSegmenter) and self._segmenter.state is not State.ASLEEP

    def decisions(self) -> Iterator[Decision]:
        """All decisions until the source ends; then what was still under way."""
        while True:
            block = self._reader.read_at_rest() if self._rests() else self._reader.read(READ_TIMEOUT_S)
            if block is Nothing.ENDED:
                break
            if isinstance(block, AudioBlock):
                yield from self._hear(block)
            while not self._calls.empty():
                yield from self._take(self._calls.get()())
            yield from self._collect(0.0)
            yield from self._settle()
        yield from self._take(self._segmenter.flush())
        while self._worker.busy:
            yield from self._collect(1.0)
        yield from self._act_now()

    def _hear(self, block: AudioBlock) -> Iterator[Decision]:
        if self._next is not None and not self.hearing() and not self._expects():
            (self._front_end, self._segmenter), self._next = self._next, None
        frame = self._front_end.process(block)
        self._now = frame.at + len(frame.pcm) / SAMPLE_RATE_HZ
        if self._deaf():
            self._was_deaf = True
            return
        if self._was_deaf:
            self._was_deaf = False
            self._open = None
            yield from self._take(self._segmenter.reset())
        if self._session is not None:
            self._session.feed(frame)
        yield from self._take(self._segmenter.feed(frame))

    def _take(self, events: tuple[WakeEvent, ...]) -> Iterator[Decision]:
        for event in events:
            if isinstance(event, Woke | Hailed):
                yield from self._wake(event)
                continue
            self._under_way = isinstance(event, Began | Paused | Resumed)
            if isinstance(event, Began):
                self._notice(event)
                if self._understander.scheduler is not None:
                    self._understander.scheduler.begin()
                self._session = self._understander.recognizer.open(self._prepared())
            elif isinstance(event, Paused):
                self._cuts[event.cut] = self._submit(event.utterance)
            elif isinstance(event, Resumed | Abandoned):
                self._drop()
            elif isinstance(event, Ended):
                yield from self._ended(event)

    def _wake(self, event: Woke | Hailed) -> Iterator[Decision]:
        """A wake word was said, or somebody waits after one."""
        u = self._understander
        if isinstance(event, Woke) and u.contexts.get(event.context, u.prepared) is not u.prepared:
            # What was said before belongs to the other context, and so does what was asked.
            while self._worker.busy:
                yield from self._collect(1.0)
            yield from self._act_now()
            u.switch(event.context)
            self._answering.forget()
        sound_s = self._notice(event)
        if sound_s and isinstance(self._segmenter, WakeSegmenter):
            self._segmenter.ignore(sound_s)

    def _prepared(self) -> Prepared:
        """The context to decode under: the open question's answers, or the active context."""
        answers = self._answering.answers()
        if answers is None:
            return self._understander.prepared
        if self._answers is None or self._answers.context.hash != answers.hash:
            self._answers = self._understander.recognizer.prepare(answers)
        return self._answers

    def _submit(self, utterance: Utterance, prepared: Prepared | None = None) -> int:
        """Decode `utterance` in the worker, under `prepared` or what is listened for now; the job's number."""
        self._number += 1
        if prepared is None and self._open is not None and goes_on(self._open, utterance):
            # One sentence, so that it is no answer to what its beginning asked.
            job = _Job(self._understander.prepared, rest=utterance)
            utterance = joined(self._open, utterance)
        else:
            job = _Job(prepared or self._prepared())
        u = self._understander
        session, job.pick = u.open(job.prepared, utterance, sum(other.waits for other in self._jobs.values()))
        self._jobs[self._number] = job
        job.session = self._session = session

        def decode() -> Transcript:
            job.began = time.perf_counter()
            transcript = u.in_time(session, job.prepared, job.pick).finish(utterance)
            fused = "" if job.pick is None else job.pick.fused
            transcript = u.compare(utterance, transcript, job.prepared.context, fused)
            job.recognize_ms = 1000 * (time.perf_counter() - job.began)
            job.pick = u.took(job.pick, transcript, job.recognize_ms)
            return transcript

        self._worker.submit(self._number, decode)
        return self._number

    def _drop(self) -> None:
        """Speech goes on: whatever is being decoded is worthless."""
        if self._session is not None:
            self._session.cancel()
        for number in self._cuts.values():
            self._jobs.pop(number, None)
        self._cuts.clear()

    def _ended(self, event: Ended) -> Iterator[Decision]:
        number = self._cuts.pop(event.cut, None) if event.cut is not None else None
        if number is None or number not in self._jobs:
            self._drop()
            number = self._submit(event.utterance)
        self._cuts.clear()
        job = self._jobs[number]
        if job.rest is None or self._open is None:
            job.utterance = event.utterance
        else:
            job.utterance = joined(self._open, event.utterance)
        if job.transcript is not None:
            yield from self._conclude(self._jobs.pop(number))
        elif (waiting := [n for n, other in self._jobs.items() if other.waits])[MOST_WAITING:]:
            yield self._refused(self._jobs.pop(waiting[0]))

    def _collect(self, timeout_s: float) -> Iterator[Decision]:
        """Take finished jobs: an ended utterance is decided, a pause tells the segmenter what it may do."""
        while (done := self._worker.poll(timeout_s)) is not None:
            timeout_s = 0.0
            if done.error is not None:
                yield from self._failed(done.number, done.error)
                continue
            job = self._jobs.get(done.number)
            if job is None:
                continue
            job.transcript = done.result
            if job.utterance is not None:
                yield from self._conclude(self._jobs.pop(done.number))
                continue
            cut = next((cut for cut, number in self._cuts.items() if number == done.number), None)
            if cut is not None:
                yield from self._take(self._speculated(job, cut))

    def _failed(self, number: int, error: BaseException) -> Iterator[Decision]:
        """Recognition failed: an utterance that has ended is lost, and apologised for; a pause is not known about."""
        if self._lost is None or not isinstance(error, Exception):
            raise error
        job = self._jobs.pop(number, None)
        if job is None or job.utterance is None:
            return
        self._open = None
        yield self._given_up(job, job.utterance, f"recognition failed: {error}", self._lost(error))

    def _refused(self, job: _Job) -> Decision:
        """Too much was said while this waited: whoever said it will say it again."""
        assert job.utterance is not None
        if job.session is not None:
            job.session.cancel()
        return self._given_up(job, job.utterance, "too many utterances were waiting", ONE_MOMENT)

    def _given_up(self, job: _Job, utterance: Utterance, why: str, reply: str) -> Decision:
        """The decision about what was not recognised."""
        u, context = self._understander, job.prepared.context
        transcript = Transcript((), "", u.recognizer.name, u.recognizer.variant)
        understanding = replace(u.understand(transcript, context, 0.0), reason=why)
        return u.decision(utterance, transcript, context, understanding, understanding, Reply(reply), job.pick)

    def _speculated(self, job: _Job, cut: int) -> tuple[WakeEvent, ...]:
        complete, terminal = _completeness(job)
        return self._segmenter.speculation(complete=complete, terminal=terminal, cut=cut)

    def _conclude(self, job: _Job) -> Iterator[Decision]:
        """Decide about an ended utterance; what does not answer an open question is heard again as a command."""
        assert job.transcript is not None
        assert job.utterance is not None
        u, utterance, transcript = self._understander, job.utterance, job.transcript
        context = job.prepared.context
        understanding = u.understand(transcript, context, job.recognize_ms)
        if understanding.outcome is Outcome.REFUSE and job.rest is not None:
            yield from self._hear_again(job.rest)
            return
        if job.prepared is not u.prepared and not self._answering.dialogue.is_answer(understanding, context):
            self._open = None
            self._jobs[self._submit(utterance, u.prepared)].utterance = utterance
            return
        provisional = _may_go_on(understanding, transcript)
        decision = replace(
            u.decision(utterance, transcript, context, understanding, understanding, Reply(""), job.pick),
            felt_ms=1000 * (u.clock.monotonic() - utterance.at - utterance.speech_end_s),
            provisional=provisional,
            revises=job.rest is not None,
        )
        if self._held is not None:  # it was the beginning of this sentence, and nothing was done about it yet
            yield self._held.decision
            self._held = None
        plan = self._answering.interpret(understanding, transcript, context, spoken_to=bool(transcript.text))
        self._open = utterance if provisional else None
        if provisional and not plan.reversible:
            until = utterance.at + utterance.speech_end_s + GOES_ON_S + KNOWN_AFTER_S
            self._held = _Held(plan, replace(decision, understanding=plan.understanding), until)
        else:
            yield self._carry_out(plan, decision)

    def _hear_again(self, rest: Utterance) -> Iterator[Decision]:
        """What seemed to go on does not: it is a sentence of its own."""
        self._open = None
        yield from self._act_now()
        self._jobs[self._submit(rest, self._prepared())].utterance = rest

    def _carry_out(self, plan: Plan, decision: Decision) -> Decision:
        understanding, reply = self._answering.carry_out(plan, revises=decision.revises)
        self._prepared()  # while the question is being said, so that nobody who answers waits for it
        if reply.expects_answer and isinstance(self._segmenter, WakeSegmenter):
            self._calls.put(self._segmenter.asked)
        return replace(decision, understanding=understanding, reply=reply)

    def _settle(self) -> Iterator[Decision]:
        """Do what waited, once nobody spoke on for long enough."""
        if self._held is not None and self._now >= self._held.until and not self.hearing():
            yield from self._act_now()

    def _act_now(self) -> Iterator[Decision]:
        held, self._held = self._held, None
        if held is not None:
            yield self._carry_out(held.plan, held.decision)


def _may_go_on(understanding: Understanding, transcript: Transcript) -> bool:
    accepted = understanding.outcome is Outcome.ACCEPT
    return accepted and bool(transcript.hypotheses) and not transcript.hypotheses[0].terminal


def _completeness(job: _Job) -> tuple[bool, bool]:
    """(is it a complete sentence that would be acted on, can nothing longer begin with it)."""
    assert job.transcript is not None
    if decide(job.transcript, job.prepared.context).outcome is Outcome.REFUSE:
        return False, False
    best = job.transcript.hypotheses[0]
    # A comma at the end is the recogniser's word that the sentence is not over (measured: 25 of 43 pauses inside
    # spoken orders that would otherwise have ended them).
    more = job.prepared.context.settings.wait_for_more and best.text.endswith(",")
    return not more, best.terminal
