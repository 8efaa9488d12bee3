"""One utterance, or one typed line, becomes a decision: engine, active context, skills and replies in one place."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace

from assistant.act.skills import Skills
from assistant.answering import Answering
from assistant.clock import Clock
from assistant.comparing import Nets
from assistant.errors import ModelError
from assistant.grammar.tree import Context
from assistant.recognize.engine import Adjustable, Encoding, Prepared, Recognizer, Session
from assistant.schedule.scheduler import Scheduler
from assistant.speak.questions import question
from assistant.speak.replies import Replies
from assistant.types import SOUND_ONLY, Decision, Effort, Outcome, Pick, Reply, Transcript, Understanding, Utterance
from assistant.understand.decide import decide, differing
from assistant.understand.fused.bundle import Bundle
from assistant.understand.fused.heads import Heads

log = logging.getLogger(__name__)

NO_NET = "none"
HURRIED_NET = "tiny"
"""What compares where time ran out: measured, it costs a quarter less than the dearest."""


class Understander:
    """One engine, one active context, its replies, and the skills. `use` switches the context between utterances.

    contexts: those that a wake word may switch to, prepared ahead, by what the word is bound to.
    find_bundle: opens the fused net that fits a context, if there is one; None compares with no net.
    scheduler: chooses how hard to try, where answers have to be in time; None always tries as configured.
    most_mb: memory for all open fused nets.
    find_heads: opens the net that understands a context from sound alone, if there is one.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        prepared: Prepared,
        skills: Skills,
        clock: Clock,
        find_bundle: Callable[[Context], Bundle | None] | None = None,
        scheduler: Scheduler | None = None,
        *,
        most_mb: float = math.inf,
        find_heads: Callable[[Context], Heads | None] | None = None,
    ) -> None:
        self.recognizer = recognizer
        self.scheduler = scheduler
        self.skills = skills
        self.clock = clock
        self.contexts: dict[str, Prepared] = {}
        self._replies: dict[int, Replies] = {}
        self._nets = Nets(find_bundle, most_mb)
        self._find_heads = find_heads
        self._heads: dict[str, Heads | None] = {}
        self.use(prepared)

    def use(self, prepared: Prepared) -> None:
        """Make `prepared` the active context; takes effect with the next utterance."""
        self.prepared = prepared
        self.replies = Replies(prepared.context)
        self._refusals = 0
        self._nets.open(prepared.context)
        self._open_heads(prepared.context)

    def bind(self, name: str, prepared: Prepared) -> None:
        """Let `switch(name)` make `prepared` the active context."""
        self.contexts[name] = prepared
        bound = {id(one) for one in self.contexts.values()}
        self._replies = {number: replies for number, replies in self._replies.items() if number in bound}
        self._replies[id(prepared)] = Replies(prepared.context)
        self._nets.open(prepared.context)
        self._open_heads(prepared.context)

    def switch(self, name: str) -> None:
        """Make the context that was bound to `name` the active one; one that was not bound changes nothing."""
        prepared = self.contexts.get(name)
        if prepared is not None and prepared is not self.prepared:
            self.prepared, self.replies, self._refusals = prepared, self._replies[id(prepared)], 0

    def renew(self, prepared: Prepared) -> None:
        """Put an edited context in the place of the one of the same name, active and bound."""
        for name, bound in tuple(self.contexts.items()):
            if bound.context.name == prepared.context.name:
                self.bind(name, prepared)
        if self.context.name == prepared.context.name:
            self.use(prepared)

    @property
    def context(self) -> Context:
        """The active context."""
        return self.prepared.context

    def recognize(self, utterance: Utterance) -> Transcript:
        """Hear one whole utterance."""
        transcript = self.recognizer.open(self.prepared).finish(utterance)
        return self.compare(utterance, transcript, self.context)

    def can_answer_from_sound(self, context: Context) -> bool:
        """Whether `context` is understood without decoding, from the encoder's states alone."""
        return isinstance(self.recognizer, Encoding) and self._heads.get(context.hash) is not None

    def check_sound(self) -> Encoding:
        """The recogniser, where it and a net can answer from sound alone. Raises ModelError where they cannot."""
        if not isinstance(self.recognizer, Encoding) or not self.can_answer_from_sound(self.context):
            raise ModelError(
                f"no net understands the context '{self.context.name}' from sound alone",
                where="--recognizer none",
                remedy=f"assistant-convert build --context {self.context.name}, or leave --recognizer out",
            )
        return self.recognizer

    def recognize_sound(self, utterance: Utterance) -> Transcript:
        """Understand one whole utterance from sound alone. Raises ModelError where that cannot be."""
        transcript = self.check_sound().open_sound(self.prepared).finish(utterance)
        return self.compare(utterance, transcript, self.context)

    def open(self, prepared: Prepared, utterance: Utterance, waiting: int = 0) -> tuple[Session, Pick | None]:
        """Begin to hear `utterance`, which has ended, with the plan that fits now; waiting: others before it."""
        engine, scheduler = self.recognizer, self.scheduler
        if scheduler is None or not isinstance(engine, Adjustable):
            return engine.open(prepared), None
        ended_s = utterance.at + utterance.speech_end_s
        pick = scheduler.choose(
            utterance.speech_end_s - utterance.speech_start_s,
            elapsed_ms=1000 * max(self.clock.monotonic() - ended_s, 0.0),
            waiting=waiting,
            from_sound=self.can_answer_from_sound(prepared.context),
            again=prepared.context.settings.look_again,
        )
        return self._session(prepared, pick.effort, lambda: scheduler.late(pick)), pick

    def hear(
        self, utterance: Utterance, prepared: Prepared, effort: Effort | None, fused: str, late: Callable[[], bool]
    ) -> Transcript:
        """Hear a whole utterance with this effort (None: by sound alone) and this variant of the net."""
        transcript = self._session(prepared, effort, late).finish(utterance)
        return self.compare(utterance, transcript, prepared.context, fused)

    def _session(self, prepared: Prepared, effort: Effort | None, late: Callable[[], bool]) -> Session:
        engine = self.recognizer
        if effort is not None and isinstance(engine, Adjustable):
            return engine.open_with(prepared, effort, late)
        if effort is None and isinstance(engine, Encoding) and self.can_answer_from_sound(prepared.context):
            return engine.open_sound(prepared)
        return engine.open(prepared)

    def in_time(self, session: Session, prepared: Prepared, pick: Pick | None) -> Session:
        """`session`, or where it is late before it began, one that needs no decoding, if there is a net for that."""
        engine, late = self.recognizer, pick is not None and self.scheduler is not None and self.scheduler.late(pick)
        if late and isinstance(engine, Encoding) and self.can_answer_from_sound(prepared.context):
            return engine.open_sound(prepared)
        return session

    def took(self, pick: Pick | None, transcript: Transcript, recognize_ms: float) -> Pick | None:
        """Tell the scheduler how long it took; `pick` with that. What ran otherwise than planned teaches nothing."""
        if pick is None or self.scheduler is None:
            return pick
        stopped = pick.effort is not None and recognize_ms >= pick.effort.stop_ms
        broken_off = transcript.truncated and not (stopped or self.scheduler.late(pick))
        never_begun = pick.effort is not None and transcript.variant == SOUND_ONLY and not transcript.truncated
        if broken_off or never_begun:
            self.scheduler.forget(pick)
            return pick
        return self.scheduler.note(pick, recognize_ms, cut_short=transcript.truncated)

    def compare(self, utterance: Utterance, transcript: Transcript, context: Context, fused: str = "") -> Transcript:
        """`transcript` re-ranked by the fused net, where there is one for `context`. From any thread.

        fused: variant of the net, "none" for no net, "" for the configured one. Where time ran out the cheapest looks,
        and where nothing was decoded by then, sound alone answers.
        """
        if transcript.variant == SOUND_ONLY or (transcript.truncated and not transcript.hypotheses):
            return self._from_sound(transcript, context)
        if fused == NO_NET:
            return transcript
        return self._nets.look(utterance, transcript, context, HURRIED_NET if transcript.truncated else fused)

    def _from_sound(self, transcript: Transcript, context: Context) -> Transcript:
        """The meanings of what was only encoded."""
        heads = self._heads.get(context.hash)
        if heads is None:
            return transcript
        try:
            return heads.answer(transcript)
        except ModelError as error:
            self._heads[context.hash] = None
            log.warning("%s; nothing is understood from sound alone any more", error)
            return transcript

    def _open_heads(self, context: Context) -> None:
        if context.hash not in self._heads:
            self._heads[context.hash] = self._find_heads(context) if self._find_heads else None

    def understand(self, transcript: Transcript, context: Context, recognize_ms: float) -> Understanding:
        """Decide about a transcript and note the times."""
        began = time.perf_counter()
        understanding = decide(transcript, context)
        if understanding.outcome is Outcome.ASK:
            understanding = replace(understanding, question=_question(transcript, understanding))
        decide_ms = 1000 * (time.perf_counter() - began)
        meanings_ms = sum(transcript.timings_ms.get(step, 0.0) for step in ("meanings", "fused", "sound"))
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
        """Do what was understood and say so, outside of any conversation; ask; or say that nothing fits.

        spoken_to: False where it is open whether anybody spoke to the assistant: a refusal is then silent.
        """
        answering = Answering(self)
        transcript = Transcript((), understanding.text, understanding.engine, understanding.variant)
        if understanding.outcome is Outcome.ASK:
            return Reply(understanding.question, expects_answer=True)
        plan = answering.interpret(understanding, transcript, self.context, spoken_to=spoken_to)
        return answering.carry_out(plan)[1]

    def refusal(self) -> str:
        """What is said this time when nothing fits."""
        self._refusals += 1
        return self.replies.refusal(self._refusals - 1)

    def decision(
        self,
        utterance: Utterance | None,
        transcript: Transcript,
        context: Context,
        decided: Understanding,
        understanding: Understanding,
        reply: Reply,
        pick: Pick | None = None,
    ) -> Decision:
        """Gather one utterance's way."""
        at = self.clock.wall()
        return Decision(utterance, transcript, understanding, reply, at, context, decided, pick=pick)


def _question(transcript: Transcript, understanding: Understanding) -> str:
    """What to ask, naming only what differs."""
    best, *others = transcript.hypotheses
    asked = (other for other in others if understanding.differs and differing(best, other) == understanding.differs)
    other = next(asked, None)
    return question(best, other, understanding.differs) if other else question(best)
