"""From what was understood to what is done and said: answers, follow-ups, confirmations, undo.

    decided ─► interpret ─► Plan ─► carry_out ─► (understanding, reply)
                 │ open question?      │ skills, one command after another
                 └ follow-up?          └ a question, an undo, what is remembered

`interpret` does nothing to the world: a plan that cannot be taken back may wait until it is clear that nobody speaks
on. There is one `Answering` for each conversation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from assistant.act.skill import Question, Result
from assistant.act.skills import Skills
from assistant.clock import Clock
from assistant.grammar.together import Command as Part
from assistant.grammar.together import commands
from assistant.grammar.tree import Context
from assistant.speak.replies import Replies
from assistant.types import Outcome, Reply, Transcript, Understanding
from assistant.understand.answers import ANSWERS, Meaning, Pending
from assistant.understand.confirm import Dialogue
from assistant.understand.memory import Command, FollowUp, Memory, follow, follow_up, remembered

NOTHING_SAID = "You haven't said anything yet."
NOTHING_TO_FOLLOW = "I don't know what you mean by that."
FAILED = "Sorry, that did not work."


class Active(Protocol):
    """What a conversation needs of the assistant: the active context, its replies, the skills, and a clock."""

    skills: Skills
    clock: Clock
    replies: Replies

    @property
    def context(self) -> Context: ...

    def refusal(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done.

    understanding: what the dialogue made of it. reply: already known, None where a skill has to act first.
    confirmed: yes was said to exactly this. kind: the follow-up that the dialogue answers itself.
    undo_first: take back what was done last before ("no, I meant …"). reversible: what it does can be taken back.
    then: the other commands of a sentence, where no was said to one of them.
    """

    understanding: Understanding
    reply: Reply | None = None
    confirmed: bool = False
    kind: FollowUp | None = None
    undo_first: bool = False
    reversible: bool = True
    then: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class _Done:
    """One command that was carried out: what was said about it, and whether it can be taken back."""

    part: Part
    text: str
    undo: bool


class Answering:
    """The turns of one conversation.

    hush: ends speech and ringing at once.
    """

    def __init__(self, active: Active, hush: Callable[[], None] = lambda: None) -> None:
        self._active, self._hush = active, hush
        self.dialogue = Dialogue(active.clock)
        self.memory = Memory()
        self._before = self.memory
        self._done: tuple[_Done, ...] = ()
        self._rest: tuple[Part, ...] = ()

    def answers(self) -> Context | None:
        """The context to listen with while a question is open, None when none is."""
        return self.dialogue.answers()

    def forget(self) -> None:
        """Another context is active: forget what was asked and said in the one before."""
        self.dialogue.forget()
        self.memory, self._done, self._rest = Memory(), (), ()

    # -- what it means -------------------------------------------------------------------------------------------------

    def interpret(
        self, decided: Understanding, transcript: Transcript, context: Context, *, spoken_to: bool = True
    ) -> Plan:
        """What is to be done about `decided`, heard under `context`.

        spoken_to: False where it is open whether anybody spoke to the assistant: a refusal is then silent.
        """
        active = self._active.context
        understanding = self.dialogue.follow(decided, context)
        meaning = self.dialogue.resolved
        if understanding.outcome is Outcome.ASK:
            self._rest = self._rest if self.dialogue.repeating else ()
            self.dialogue.note(understanding, transcript, active)
            return Plan(understanding, Reply(understanding.question, expects_answer=True))
        if understanding.outcome is Outcome.REFUSE:
            return Plan(understanding, Reply(self._active.refusal() if spoken_to else ""))
        if meaning is not None:
            return self._plan(understanding, confirmed=meaning.confirmed)
        return self._commanded(understanding)

    def _commanded(self, understanding: Understanding) -> Plan:
        """The plan of what is no answer."""
        rest, self._rest = self._rest, ()
        if understanding.intent in ANSWERS:  # no: nothing is done but what else was commanded
            no = Reply(self._active.replies.reply(understanding.intent, understanding.slots))
            return Plan(understanding, no, reversible=self._reversible(rest), then=rest)
        kind = follow_up(self._active.context, understanding.intent)
        if kind in (FollowUp.STOP, FollowUp.UNDO, FollowUp.HEARD, FollowUp.SAID):
            return Plan(understanding, kind=kind)
        return self._plan(understanding) if kind is None else self._followed(understanding, kind)

    def _followed(self, understanding: Understanding, kind: FollowUp) -> Plan:
        """The plan of a follow-up: what it means after what is remembered, or a refusal."""
        said = Command(understanding.intent, understanding.slots, understanding.response, understanding.text)
        memory = self.memory.fresh(self._active.clock.monotonic())
        command = follow(memory, self._active.context, said)
        if command is None:
            reason = f"“{said.text}” follows nothing that was said"
            refused = replace(understanding, outcome=Outcome.REFUSE, reason=reason)
            return Plan(refused, Reply(NOTHING_TO_FOLLOW if memory.command else self._active.refusal()))
        before = f" after “{memory.whole.text}”" if memory.whole else ""
        followed = replace(
            understanding,
            intent=command.intent,
            slots=command.slots,
            response=command.response,
            reason=f"“{said.text}”{before}",
        )
        return self._plan(followed, undo_first=kind is FollowUp.INSTEAD)

    def _plan(self, understanding: Understanding, *, confirmed: bool = False, undo_first: bool = False) -> Plan:
        parts = commands(understanding.intent, understanding.slots, understanding.response)
        return Plan(understanding, confirmed=confirmed, undo_first=undo_first, reversible=self._reversible(parts))

    def _reversible(self, parts: tuple[Part, ...]) -> bool:
        return all(self._active.skills.reversible(self._active.context, part.intent) for part in parts)

    # -- doing it ------------------------------------------------------------------------------------------------------

    def carry_out(self, plan: Plan, *, revises: bool = False) -> tuple[Understanding, Reply]:
        """Do it and say so.

        revises: the sentence before was the beginning of this one. What it did is taken back, except what this one
        begins with, too.
        """
        understanding = plan.understanding
        kept = self._retract(plan) if revises else ()
        if not revises:
            self._before = self.memory
            if plan.undo_first:
                self._take_back()
        if plan.reply is not None and not plan.then:
            self._done = kept
            return self._said(understanding, plan.reply)
        if plan.kind is not None:
            return self._said(understanding, self._own(plan.kind))
        return self._act(plan, kept)

    def _act(self, plan: Plan, kept: tuple[_Done, ...]) -> tuple[Understanding, Reply]:
        understanding = plan.understanding
        whole = Command(understanding.intent, understanding.slots, understanding.response, understanding.text)
        if plan.then:
            parts = plan.then
            whole = Command(parts[0].intent, parts[0].slots, parts[0].response, understanding.text)
        else:
            parts = commands(understanding.intent, understanding.slots, understanding.response)
        parts, self._rest = (*parts, *self._rest), ()
        done = list(kept)
        for number, part in enumerate(parts[len(kept) :], len(kept) + 1):
            result = self._active.skills.act(
                self._active.context,
                part.intent,
                part.slots,
                response=part.response,
                text=understanding.text,
                confirmed=plan.confirmed and number == 1,
                doubtful=understanding.partial,
            )
            text = self._words(result, part)
            done.append(_Done(part, text, undo=result.undo is not None))
            command = Command(part.intent, part.slots, part.response, understanding.text)
            self.memory = remembered(self.memory, whole, command, result.values, self._active.clock.monotonic())
            if result.question is not None:
                self._rest = parts[number:]
                self._ask(result.question, part, text, understanding.text)
                break
        self._done = tuple(done)
        texts = [plan.reply.text if plan.reply else "", *(item.text for item in done)]
        text = " ".join(filter(None, texts))
        return self._said(understanding, Reply(text, expects_answer=bool(done) and self.dialogue.answers() is not None))

    def _ask(self, question: Question, part: Part, text: str, sentence: str) -> None:
        """Open the question of a skill."""
        meanings = tuple(
            Meaning(part.intent, option.slots, option.text, part.response, option.also, sentence, question.confirms)
            for option in question.options
        )
        slot = "" if meanings else question.slot
        if not meanings:
            meanings = (Meaning(part.intent, part.slots, sentence, part.response, (), sentence),)
        self.dialogue.ask(Pending(self._active.context, meanings, (), text, slot))

    def _words(self, result: Result, part: Part) -> str:
        """What is said about a result: the context's own words for it, else the skill's."""
        replies = self._active.replies
        if result.response and replies.has(part.intent, result.response):
            return replies.reply(part.intent, part.slots, key=result.response, values=result.values)
        if result.text:
            return result.text
        if not result.ok:
            return FAILED
        return replies.reply(part.intent, part.slots, key=part.response, values=result.values)

    def _own(self, kind: FollowUp) -> Reply:
        """What the dialogue itself answers."""
        if kind is FollowUp.STOP:
            self._active.skills.quiet()
            self._hush()
            return Reply("")
        if kind is FollowUp.UNDO:
            return Reply(self._take_back())
        memory = self.memory.fresh(self._active.clock.monotonic())
        said = memory.heard if kind is FollowUp.HEARD else memory.said
        if not said:
            return Reply(NOTHING_SAID)
        return Reply(f"You said: {said.rstrip('.!?,')}." if kind is FollowUp.HEARD else said)

    # -- taking back ---------------------------------------------------------------------------------------------------

    def _take_back(self) -> str:
        """Take back what the last sentence did; what is said about it."""
        number = max(sum(item.undo for item in self._done), 1)
        self._done = ()
        texts = [self._active.skills.undo().text for _ in range(number)]
        return texts[0]

    def _retract(self, plan: Plan) -> tuple[_Done, ...]:
        """Undo what the beginning of the sentence did, as far as `plan` does not do the same; what was kept."""
        understanding = plan.understanding
        parts = commands(understanding.intent, understanding.slots, understanding.response)
        if plan.reply is not None or plan.kind is not None:
            parts = ()
        same = 0
        while same < min(len(parts), len(self._done)) and parts[same] == self._done[same].part:
            same += 1
        for item in reversed(self._done[same:]):
            if item.undo:
                self._active.skills.undo()
        if plan.reply is None or not plan.reply.expects_answer:
            self.dialogue.forget()
        self.memory, self._rest = self._before, ()
        return self._done[:same]

    def _said(self, understanding: Understanding, reply: Reply) -> tuple[Understanding, Reply]:
        """Remember the words of both sides."""
        kind = follow_up(self._active.context, understanding.intent)
        words = understanding.text
        if words and understanding.intent not in ANSWERS and kind not in (FollowUp.HEARD, FollowUp.SAID):
            now = self._active.clock.monotonic()
            at = now if self.memory.command is None else self.memory.at
            self.memory = replace(self.memory, heard=words, at=at)
        if reply.text and kind is not FollowUp.HEARD:
            self.memory = replace(self.memory, said=reply.text)
        return understanding, reply
