"""Typed lines instead of sound: the same decisions, questions, follow-ups and replies as `assistant.pipeline` makes."""

from __future__ import annotations

import time
from collections.abc import Callable

from assistant.answering import Answering
from assistant.grammar.tree import Context
from assistant.recognize.engine import Prepared
from assistant.recognize.text import recognize_text
from assistant.types import Decision, Transcript, Understanding
from assistant.understander import Understander


class TypedConversation:
    """One conversation, line by line."""

    def __init__(self, understander: Understander, hush: Callable[[], None] = lambda: None) -> None:
        self._understander = understander
        self._answering = Answering(understander, hush)

    def line(self, text: str) -> Decision:
        """Understand one typed line and act on it."""
        u = self._understander
        answers = self._answering.answers()
        if answers is not None:
            transcript, understanding = self._match(text, u.recognizer.prepare(answers))
            if self._answering.dialogue.is_answer(understanding, answers):
                return self._decision(transcript, understanding, answers)
        transcript, understanding = self._match(text, u.prepared)
        return self._decision(transcript, understanding, u.context)

    def _match(self, text: str, prepared: Prepared) -> tuple[Transcript, Understanding]:
        began = time.perf_counter()
        transcript = recognize_text(prepared, text)
        elapsed_ms = 1000 * (time.perf_counter() - began)
        return transcript, self._understander.understand(transcript, prepared.context, elapsed_ms)

    def _decision(self, transcript: Transcript, decided: Understanding, context: Context) -> Decision:
        plan = self._answering.interpret(decided, transcript, context)
        understanding, reply = self._answering.carry_out(plan)
        return self._understander.decision(None, transcript, context, decided, understanding, reply)
