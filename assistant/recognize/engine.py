"""What a recogniser is to the rest: prepared once per context, opened per utterance, fed frames, asked for meanings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from assistant.grammar.tree import Context
from assistant.types import AudioFrame, Effort, Transcript, Utterance


class Prepared(Protocol):
    """A context made ready for one engine (acceptor, table, grammar list); immutable, so switching is passing another.

    context: the context it was made from.
    """

    @property
    def context(self) -> Context: ...


class Session(Protocol):
    """One utterance under way."""

    def feed(self, frame: AudioFrame) -> str:
        """Take 20 ms of speech; return the partial transcript ("" if the engine has none). Also called for pre-roll."""
        ...

    def finish(self, utterance: Utterance) -> Transcript:
        """Decode. With `utterance.final` False it is speculation: more frames may be fed and finish called again."""
        ...

    def cancel(self) -> None:
        """Stop a `finish` that runs in another thread as soon as it can; its result is worthless then."""
        ...


@runtime_checkable
class Recognizer(Protocol):
    """An engine. Registered as entry point `assistant.recognizers`; conformance: assistant.testing.check_recognizer."""

    @property
    def name(self) -> str:
        """Engine name as in the configuration, e.g. "moonshine"."""
        ...

    @property
    def variant(self) -> str:
        """Model and search width, e.g. "tiny-en/beam8"."""
        ...

    def prepare(self, context: Context) -> Prepared:
        """Make `context` ready (cached on disk by its hash). Raises ContextError, ModelError."""
        ...

    def open(self, prepared: Prepared) -> Session:
        """Begin an utterance."""
        ...


@runtime_checkable
class Adjustable(Protocol):
    """A recogniser that can be told, for each utterance, how hard to try; the scheduler adjusts those that can."""

    def open_with(self, prepared: Prepared, effort: Effort, late: Callable[[], bool]) -> Session:
        """Begin an utterance that is decoded with `effort`, which must be `ready`.

        late: asked between steps; once it is true, decoding answers as soon as it can with the best that it has, and
        the transcript is `truncated`.
        """
        ...

    def ready(self, effort: Effort) -> str:
        """Why `effort` cannot be used at once, "" where it can. What it needs is loaded meanwhile, in a thread."""
        ...


@runtime_checkable
class Encoding(Protocol):
    """A recogniser that can stop after its encoder, for whoever understands encoder states without decoding."""

    def open_sound(self, prepared: Prepared) -> Session:
        """Begin an utterance that is not decoded: its transcript has states, no hypotheses, the variant SOUND_ONLY."""
        ...


@runtime_checkable
class Resting(Protocol):
    """A recogniser that can give its memory back while nobody speaks; `open` begins to load it again."""

    def rest(self) -> None:
        """Unload. May be called from any thread, also while something is decoded: that loads it again."""
        ...
