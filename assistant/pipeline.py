"""Joins the rooms: blocks of sound become decisions and replies. The only module that imports all of them.

    source ─► front end ─► segmenter ─► recogniser ─► decide ─► skill and reply
                               ▲  pause: decode now │
                               └── complete? final? ┘  (speculation: the endpoint falls sooner)

`Understander` turns one utterance, or one typed line, into a decision. `Conversation` runs a source through segmenter,
worker and understander and yields the decisions; the same code serves a file and a microphone.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from assistant.act.skills import Skills
from assistant.audio.frontend import FrontEnd
from assistant.audio.source import Nothing, Source
from assistant.clock import Clock
from assistant.grammar.tree import Context
from assistant.listen.segment import Abandoned, Began, Ended, ListenEvent, Paused, Resumed, Segmenter
from assistant.recognize.engine import Prepared, Recognizer, Session
from assistant.recognize.text import recognize_text
from assistant.speak.questions import question
from assistant.speak.replies import Replies
from assistant.types import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    AudioBlock,
    Decision,
    Outcome,
    Reply,
    Transcript,
    Understanding,
    Utterance,
    frozen_array,
)
from assistant.understand.confirm import Dialogue
from assistant.understand.decide import decide, differing
from assistant.work import Worker

READ_TIMEOUT_S = 0.02
GOES_ON_S = 0.8
"""Speech that begins so soon after a complete sentence may be the rest of it ("… a latte — with milk"): both are heard
as one. Measured on spoken orders: the pauses inside them end within 0.75 s."""


class Understander:
    """One engine, one context, its skills and replies. `use` switches the context between utterances."""

    def __init__(self, recognizer: Recognizer, prepared: Prepared, skills: Skills, clock: Clock) -> None:
        self.recognizer = recognizer
        self.skills = skills
        self.clock = clock
        self.use(prepared)

    def use(self, prepared: Prepared) -> None:
        """Make `prepared` the active context; takes effect with the next utterance."""
        self.prepared = prepared
        self.replies = Replies(prepared.context)
        self._refusals = 0

    @property
    def context(self) -> Context:
        """The active context."""
        return self.prepared.context

    def recognize(self, utterance: Utterance) -> Transcript:
        """Hear one whole utterance."""
        return self.recognizer.open(self.prepared).finish(utterance)

    def understand(self, transcript: Transcript, context: Context, recognize_ms: float) -> Understanding:
        """Decide about a transcript and note the times."""
        began = time.perf_counter()
        understanding = decide(transcript, context)
        if understanding.outcome is Outcome.ASK:
            understanding = replace(understanding, question=_question(transcript, understanding))
        decide_ms = 1000 * (time.perf_counter() - began)
        meanings_ms = transcript.timings_ms.get("meanings", 0.0)
        return replace(
            understanding,
            timings_ms={
                "recognize": recognize_ms - meanings_ms,
                "understand": meanings_ms,
                "decide": decide_ms,
                "total": recognize_ms + decide_ms,
            },
        )

    def reply(self, understanding: Understanding, *, spoken_to: bool = True) -> Reply:
        """Do what was understood and say so; ask; or say that nothing fits.

        spoken_to: False where it is open whether anybody spoke to the assistant: a refusal is then silent.
        """
        if understanding.outcome is Outcome.ASK:
            return Reply(understanding.question, expects_answer=True)
        if understanding.outcome is Outcome.REFUSE:
            self._refusals += 1
            return Reply(self.replies.refusal(self._refusals - 1) if spoken_to else "")
        values = self.skills.handle(self.context, understanding.intent, understanding.slots)
        text = self.replies.reply(understanding.intent, understanding.slots, key=understanding.response, values=values)
        return Reply(text)

    def decision(
        self,
        utterance: Utterance | None,
        transcript: Transcript,
        context: Context,
        decided: Understanding,
        understanding: Understanding,
        reply: Reply,
    ) -> Decision:
        """Gather one utterance's way."""
        return Decision(utterance, transcript, understanding, reply, self.clock.wall(), context, decided)


def _question(transcript: Transcript, understanding: Understanding) -> str:
    """What to ask, naming only what differs."""
    best, *others = transcript.hypotheses
    asked = (other for other in others if understanding.differs and differing(best, other) == understanding.differs)
    other = next(asked, None)
    return question(best, other, understanding.differs) if other else question(best)


@dataclass(slots=True)
class _Job:
    """An utterance under decoding: the context that it is decoded under and how long it took.

    utterance: set when it has ended. rest: the part that was just said, where it was joined to a sentence before it.
    """

    prepared: Prepared
    began: float = 0.0
    recognize_ms: float = 0.0
    utterance: Utterance | None = None
    transcript: Transcript | None = None
    rest: Utterance | None = None


class Conversation:
    """A source's utterances as decisions, with speculation and open questions.

    deaf: asked before each frame; while it is true (a reply is being played) sound is dropped.
    """

    def __init__(
        self,
        source: Source,
        front_end: FrontEnd,
        segmenter: Segmenter,
        understander: Understander,
        worker: Worker,
        deaf: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source, self._front_end, self._segmenter = source, front_end, segmenter
        self._understander, self._worker = understander, worker
        self._deaf = deaf
        self._dialogue = Dialogue(understander.clock)
        self._session: Session | None = None
        self._open: Utterance | None = None
        self._jobs: dict[int, _Job] = {}
        self._number = 0
        self._cuts: dict[int, int] = {}
        self._was_deaf = False
        self._under_way = False
        self._buttons: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def press(self) -> None:
        """The button goes down: an utterance begins (from any thread)."""
        self._buttons.put(True)

    def release(self) -> None:
        """The button goes up: the utterance ends (from any thread)."""
        self._buttons.put(False)

    def hearing(self) -> bool:
        """True while an utterance is under way or being decoded."""
        return self._under_way or self._worker.busy

    def decisions(self) -> Iterator[Decision]:
        """All decisions until the source ends; then what was still under way."""
        while True:
            block = self._source.read(READ_TIMEOUT_S)
            if block is Nothing.ENDED:
                break
            if isinstance(block, AudioBlock):
                yield from self._hear(block)
            while not self._buttons.empty():
                down = self._buttons.get()
                yield from self._take(self._segmenter.press() if down else self._segmenter.release())
            yield from self._collect(0.0)
        yield from self._take(self._segmenter.flush())
        while self._worker.busy:
            yield from self._collect(1.0)

    def _hear(self, block: AudioBlock) -> Iterator[Decision]:
        frame = self._front_end.process(block)
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

    def _take(self, events: tuple[ListenEvent, ...]) -> Iterator[Decision]:
        for event in events:
            self._under_way = isinstance(event, Began | Paused | Resumed)
            if isinstance(event, Began):
                self._session = self._understander.recognizer.open(self._prepared())
            elif isinstance(event, Paused):
                self._cuts[event.cut] = self._submit(event.utterance)
            elif isinstance(event, Resumed | Abandoned):
                self._drop()
            elif isinstance(event, Ended):
                yield from self._ended(event)

    def _prepared(self) -> Prepared:
        """The context to decode under: the open question's answers, or the active context."""
        answers = self._dialogue.answers()
        return self._understander.recognizer.prepare(answers) if answers else self._understander.prepared

    def _submit(self, utterance: Utterance, prepared: Prepared | None = None) -> int:
        """Decode `utterance` in the worker, under `prepared` or what is listened for now; the job's number."""
        self._number += 1
        job = _Job(prepared or self._prepared())
        if prepared is None and self._open is not None and goes_on(self._open, utterance):
            job.rest, utterance = utterance, joined(self._open, utterance)
        self._jobs[self._number] = job
        session = self._session = self._understander.recognizer.open(job.prepared)

        def decode() -> Transcript:
            job.began = time.perf_counter()
            transcript = session.finish(utterance)
            job.recognize_ms = 1000 * (time.perf_counter() - job.began)
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

    def _collect(self, timeout_s: float) -> Iterator[Decision]:
        """Take finished jobs: an ended utterance is decided, a pause tells the segmenter what it may do."""
        while (done := self._worker.poll(timeout_s)) is not None:
            timeout_s = 0.0
            if done.error is not None:
                raise done.error
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

    def _speculated(self, job: _Job, cut: int) -> tuple[ListenEvent, ...]:
        complete, terminal = _completeness(job)
        return self._segmenter.speculation(complete=complete, terminal=terminal, cut=cut)

    def _conclude(self, job: _Job) -> Iterator[Decision]:
        """Decide about an ended utterance; what does not answer an open question is heard again as a command."""
        assert job.transcript is not None
        assert job.utterance is not None
        u, utterance, transcript = self._understander, job.utterance, job.transcript
        understanding = u.understand(transcript, job.prepared.context, job.recognize_ms)
        unfit = understanding.outcome is Outcome.REFUSE and job.rest is not None
        answered = job.prepared is u.prepared or self._dialogue.is_answer(understanding, job.prepared.context)
        if unfit or not answered:
            again = job.rest if job.rest is not None else utterance
            self._open = None
            number = self._submit(again, u.prepared)
            self._jobs[number].utterance = again
            return
        decided, context = understanding, job.prepared.context
        understanding = self._dialogue.follow(decided, context)
        reply = u.reply(understanding, spoken_to=bool(transcript.text))
        self._dialogue.note(understanding, transcript, u.context)
        provisional = _may_go_on(understanding, transcript)
        self._open = utterance if provisional else None
        felt_ms = 1000 * (u.clock.monotonic() - utterance.at - utterance.speech_end_s)
        yield replace(
            u.decision(utterance, transcript, context, decided, understanding, reply),
            felt_ms=felt_ms,
            provisional=provisional,
            revises=job.rest is not None,
        )


def goes_on(before: Utterance, after: Utterance) -> bool:
    """Whether `after` follows `before` so closely that it may be the rest of the same sentence."""
    pause_s = after.at + after.speech_start_s - before.at - before.speech_end_s
    return 0 <= pause_s <= GOES_ON_S


def joined(before: Utterance, after: Utterance) -> Utterance:
    """Two utterances as one; what lies between them, and was not kept, is silence."""
    offset = round((after.at - before.at) * SAMPLE_RATE_HZ / FRAME_SAMPLES)
    samples = offset * FRAME_SAMPLES
    pcm = np.zeros(samples + len(after.pcm), np.int16)
    pcm[: min(len(before.pcm), samples)] = before.pcm[:samples]
    pcm[samples:] = after.pcm
    voice = np.zeros(offset + len(after.voice), np.float32)
    voice[: min(len(before.voice), offset)] = before.voice[:offset]
    voice[offset:] = after.voice
    return replace(
        after,
        pcm=frozen_array(pcm),
        at=before.at,
        speech_start_s=before.speech_start_s,
        speech_end_s=samples / SAMPLE_RATE_HZ + after.speech_end_s,
        voice=frozen_array(voice),
    )


def _may_go_on(understanding: Understanding, transcript: Transcript) -> bool:
    accepted = understanding.outcome is Outcome.ACCEPT
    return accepted and bool(transcript.hypotheses) and not transcript.hypotheses[0].terminal


class TypedConversation:
    """Typed lines instead of sound: the same decisions, questions and replies."""

    def __init__(self, understander: Understander) -> None:
        self._understander = understander
        self._dialogue = Dialogue(understander.clock)

    def line(self, text: str) -> Decision:
        """Understand one typed line."""
        u = self._understander
        answers = self._dialogue.answers()
        if answers is not None:
            transcript, understanding = self._match(text, u.recognizer.prepare(answers))
            if self._dialogue.is_answer(understanding, answers):
                return self._decision(transcript, understanding, answers)
        transcript, understanding = self._match(text, u.prepared)
        return self._decision(transcript, understanding, u.context)

    def _match(self, text: str, prepared: Prepared) -> tuple[Transcript, Understanding]:
        began = time.perf_counter()
        transcript = recognize_text(prepared, text)
        elapsed_ms = 1000 * (time.perf_counter() - began)
        return transcript, self._understander.understand(transcript, prepared.context, elapsed_ms)

    def _decision(self, transcript: Transcript, decided: Understanding, context: Context) -> Decision:
        u = self._understander
        understanding = self._dialogue.follow(decided, context)
        reply = u.reply(understanding)
        self._dialogue.note(understanding, transcript, u.context)
        return u.decision(None, transcript, context, decided, understanding, reply)


def _completeness(job: _Job) -> tuple[bool, bool]:
    """(is it a complete sentence that would be acted on, can nothing longer begin with it)."""
    assert job.transcript is not None
    if decide(job.transcript, job.prepared.context).outcome is Outcome.REFUSE:
        return False, False
    best = job.transcript.hypotheses[0]
    # A comma at the end is the recogniser's word that the sentence is not over (measured: 25 of 43 pauses inside
    # spoken orders that would otherwise have ended them).
    return not best.text.endswith(","), best.terminal
