"""Typed commands as an engine: the same contexts, the same n-best of meanings, repairs of slips in place of sound.

A text is matched as it stands; only if the context does not have it, with repairs. Their cost becomes a score, so that
the same decision accepts, asks back or refuses: two slips are accepted, a word too many or too few is asked about.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from assistant.grammar.match import Match, Matcher, matcher_of
from assistant.grammar.tree import Context
from assistant.recognize.engine import Prepared
from assistant.types import AudioFrame, Hypothesis, Transcript, Utterance, frozen_array

NAME = "text"

NATS_PER_SLIP = 1.2
"""A decision without token scores trusts a hypothesis by exp(score / 4): two slips 0.55, a missing word 0.47."""

MAX_COST = 4.0
"""Slips; what costs more would be refused in any case."""

VARIANT = f"slips{MAX_COST:g}"


@dataclass(frozen=True, slots=True, eq=False)
class PreparedText:
    """A context with its matcher."""

    context: Context
    matcher: Matcher


class TextRecognizer:
    """The engine "text". It hears nothing: typed texts go through `recognize_text`."""

    @property
    def name(self) -> str:
        """Engine name."""
        return NAME

    @property
    def variant(self) -> str:
        """How far repairs may go."""
        return VARIANT

    def prepare(self, context: Context) -> PreparedText:
        """Make `context` ready. Raises ContextError for number lists that are too long."""
        return PreparedText(context, matcher_of(context))

    def open(self, prepared: Prepared) -> TextSession:
        """Begin an utterance, of which nothing will be understood."""
        del prepared
        return TextSession()


class TextSession:
    """An utterance of sound: heard as silence."""

    def feed(self, frame: AudioFrame) -> str:
        """No partial transcript."""
        del frame
        return ""

    def finish(self, utterance: Utterance) -> Transcript:
        """An empty transcript."""
        del utterance
        return Transcript((), "", NAME, VARIANT)

    def cancel(self) -> None:
        """Nothing runs."""


def create() -> TextRecognizer:
    """The entry point `assistant.recognizers`, name "text"."""
    return TextRecognizer()


def recognize_text(prepared: Prepared, text: str) -> Transcript:
    """The meanings of a typed text, best first, whichever engine `prepared` was made for.

    Without any, the transcript's text is what was typed. Raises ContextError as `TextRecognizer.prepare`.
    """
    began = time.perf_counter()
    matcher = prepared.matcher if isinstance(prepared, PreparedText) else matcher_of(prepared.context)
    matches = matcher.match(text) or matcher.match_within(text, MAX_COST)
    hypotheses = tuple(_hypothesis(match, prepared.context) for match in matches)
    return Transcript(
        hypotheses=hypotheses,
        text=hypotheses[0].text if hypotheses else text.strip(),
        engine=NAME,
        variant=VARIANT,
        timings_ms={"match": 1000 * (time.perf_counter() - began)},
    )


def _hypothesis(match: Match, context: Context) -> Hypothesis:
    """A match as a hypothesis; it has no tokens, and its whole score is the cost of its repairs."""
    score = -NATS_PER_SLIP * match.cost
    return Hypothesis(
        intent=match.intent,
        slots=match.slots,
        text=match.text,
        score=score,
        rerank=score,
        tokens=frozen_array(np.zeros(0, np.int32)),
        log_p=frozen_array(np.zeros(0, np.float32)),
        ilm=frozen_array(np.zeros(0, np.float32)),
        prior=match.weight,
        terminal=True,
        response=context.templates[match.template].response,
    )
