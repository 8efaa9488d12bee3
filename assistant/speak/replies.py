"""What is answered: a context's reply templates filled with slots, and the wordings the assistant has of its own.

Templates are written as `assistant.grammar.responses` documents. A context in another language, or in another tone,
brings its own wordings as the responses of the pseudo-intent "assistant":

    assistant:  {done: …, unheard: …, refused: …, refused_2: …}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.errors import ContextError
from assistant.grammar.responses import ReplyError, render, slots_of
from assistant.grammar.tree import Context
from assistant.types import EMPTY

DEFAULT_KEY = "default"
WORDINGS_INTENT = "assistant"

DONE = "Okay."
UNHEARD = "I didn't hear anything."
REFUSALS = (
    "Sorry, I didn't get that.",
    "Sorry, I don't know that one.",
    "I didn't understand. Please say it again.",
)


class Replies:
    """The replies of one context.

    Raises ContextError at once, naming intent and key, when a template cannot be read.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._fixed: list[str] = []
        for intent, keys in context.responses.items():
            for key, template in keys.items():
                with _Located(context, intent, key):
                    if not slots_of(template):
                        self._fixed.append(render(template, EMPTY))
        wordings: Mapping[str, str] = context.responses.get(WORDINGS_INTENT, {})
        self._done = wordings.get("done", DONE)
        self._unheard = wordings.get("unheard", UNHEARD)
        self._refusals = tuple(wordings[key] for key in sorted(wordings) if key.startswith("refused")) or REFUSALS

    def reply(
        self, intent: str, slots: Mapping[str, Any], *, key: str = DEFAULT_KEY, values: Mapping[str, Any] = EMPTY
    ) -> str:
        """The reply to `intent`, one line of text; "" when the context answers it with silence.

        key: which of the intent's replies; one that does not exist falls back to "default", that to `done`.
        values: what a skill found out, named in the template like slots.
        """
        replies = self._context.responses.get(intent, {})
        used = key if key in replies else DEFAULT_KEY
        if used not in replies:
            return self._done
        with _Located(self._context, intent, used):
            return render(replies[used], {**slots, **values})

    def has(self, intent: str, key: str = DEFAULT_KEY) -> bool:
        """True if the context brings a reply for exactly this intent and key."""
        return key in self._context.responses.get(intent, {})

    def refusal(self, turn: int) -> str:
        """What is said when nothing fits; `turn` (a count of refusals) walks through the wordings in order."""
        return self._refusals[turn % len(self._refusals)]

    @property
    def unheard(self) -> str:
        """What is said when there was no speech."""
        return self._unheard

    @property
    def done(self) -> str:
        """What is said after an action for which the context has no reply."""
        return self._done

    def fixed_phrases(self) -> tuple[str, ...]:
        """Everything that is always said in the same words, to be rendered ahead."""
        return tuple(dict.fromkeys(filter(None, (self._done, *self._refusals, self._unheard, *self._fixed))))


class _Located:
    """Turns a ReplyError inside into a ContextError that says where the template is."""

    def __init__(self, context: Context, intent: str, key: str) -> None:
        self._where = f"context {context.name}: responses of {intent}"
        self._key = key

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ReplyError):
            raise ContextError(
                f"reply '{self._key}' {error}", where=self._where, remedy="see docs/contexts.md, replies"
            ) from error
