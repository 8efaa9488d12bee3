"""Decisions to record: arbitrary ones, and those about typed lines."""

from __future__ import annotations

import string
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from hypothesis import strategies as st

from assistant.grammar.tree import Context, ListRef, Settings, Template, Wildcard
from assistant.recognize.text import TextRecognizer, recognize_text
from assistant.trace.file import Limits
from assistant.types import (
    EMPTY,
    FRAME_SAMPLES,
    Decision,
    Effort,
    EndReason,
    Hypothesis,
    Pick,
    Reply,
    Transcript,
    Utterance,
    Word,
    frozen_array,
)
from assistant.understand.decide import decide

ROOMY = Limits(max_bytes=50_000_000, max_age_s=1e9)
AT = 1_700_000_000.0

EMPTY_CONTEXT = Context("empty", "", (), EMPTY, EMPTY, EMPTY, EMPTY, Settings(), "empty")

texts = st.text(max_size=12)
scores = st.floats(-40, 40, width=32)
names = st.text(string.ascii_lowercase, min_size=1, max_size=4)
values = st.one_of(
    texts, st.booleans(), st.integers(-1000, 1000), st.floats(-9, 9), st.none(), st.lists(texts, max_size=2)
)
meanings = st.dictionaries(names, values, max_size=3)
picks = st.builds(
    Pick,
    number=st.integers(1, 99),
    plan=names,
    policy=names,
    reason=texts,
    effort=st.just(Effort(4, 8.0)),
    likely_ms=st.floats(1, 900),
    late_ms=st.floats(1, 900),
    budget_ms=st.floats(20, 400),
    deadline_at=st.just(9.0),
    signals=st.dictionaries(names, st.floats(0, 100), max_size=3),
    measured_ms=st.one_of(st.none(), st.floats(1, 900)),
)
words = st.builds(Word, texts, st.floats(0, 3), st.floats(3, 6), st.floats(0, 1))


@st.composite
def hypotheses(draw: st.DrawFn) -> Hypothesis:
    """A hypothesis with tokens, words or neither."""
    count = draw(st.integers(0, 5))

    def floats() -> Any:
        drawn = draw(st.lists(st.floats(-30, 0, width=32), min_size=count, max_size=count))
        return frozen_array(np.array(drawn, np.float32))

    tokens = draw(st.lists(st.integers(0, 32767), min_size=count, max_size=count))
    attention = draw(st.sampled_from((None, np.full((count, 9), 1 / 9, np.float32))))
    return Hypothesis(
        intent=draw(names),
        slots=MappingProxyType(draw(meanings)),
        text=draw(texts),
        score=draw(scores),
        rerank=draw(scores),
        tokens=frozen_array(np.array(tokens, np.int32)),
        log_p=floats(),
        ilm=floats(),
        prior=draw(st.floats(-5, 0)),
        attention=attention,
        words=tuple(draw(st.lists(words, max_size=3))),
        terminal=draw(st.booleans()),
        response=draw(names),
        spelt=tuple(range(draw(st.integers(0, len(tokens))))),
    )


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    """A context as far as decisions depend on it: thresholds, confusable pairs, slots of free words."""
    free = draw(st.frozensets(names, max_size=2))
    number = st.floats(-5, 5)
    keys = ("heard.bias", "heard.per_token", "right.bias", "right.margin")
    accept = {key: draw(number) for key in keys if draw(st.booleans())}
    accept |= {key: draw(st.floats(0, 1)) for key in ("refuse", "doubt") if draw(st.booleans())}
    return Context(
        name=draw(names),
        folder="",
        templates=tuple(Template("i", ListRef(slot, slot), "") for slot in free),
        rules=EMPTY,
        lists={slot: Wildcard(slot) for slot in free},
        responses=EMPTY,
        actions=EMPTY,
        settings=Settings(
            accept=MappingProxyType(accept),
            ask_margin=draw(st.one_of(st.none(), st.floats(0, 10))),
            confusable=tuple(draw(st.lists(st.tuples(texts, texts), max_size=2))),
        ),
        hash=f"drawn {sorted(free)}",
    )


@st.composite
def utterances(draw: st.DrawFn) -> Utterance:
    """A short utterance, its last frame cut anywhere."""
    frames = draw(st.integers(1, 20))
    samples = frames * FRAME_SAMPLES - draw(st.integers(0, FRAME_SAMPLES - 1))
    pcm = np.random.default_rng(samples).integers(-32768, 32767, samples, dtype=np.int16)
    voice = draw(st.lists(st.floats(0, 1, width=32), min_size=frames, max_size=frames))
    start = draw(st.floats(0, 0.1))
    return Utterance(
        frozen_array(pcm),
        5.0,
        start,
        start + draw(st.floats(0, 0.3)),
        frozen_array(np.array(voice, np.float32)),
        draw(st.sampled_from(EndReason)),
    )


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Any decision, as `decide` makes it of any transcript."""
    transcript = Transcript(
        hypotheses=tuple(draw(st.lists(hypotheses(), max_size=4))),
        text=draw(texts),
        engine="moonshine",
        variant="tiny",
        decoded_start_s=draw(st.floats(0, 2)),
        timings_ms={"encode": 20.0, "search": 30.5},
        truncated=draw(st.booleans()),
    )
    context = draw(contexts())
    decided = decide(transcript, context)
    turned = replace(decided, question=draw(texts), timings_ms={"total": 60.0})
    if draw(st.booleans()):
        turned = replace(turned, reason="“yes” confirmed it", intent="another")
    return Decision(
        utterance=draw(st.one_of(st.none(), utterances())),
        transcript=transcript,
        understanding=turned,
        reply=Reply(draw(texts), expects_answer=draw(st.booleans())),
        at=draw(st.floats(0, 4e9)),
        context=context,
        decided=decided,
        felt_ms=draw(st.one_of(st.none(), st.floats(0, 5000))),
        provisional=draw(st.booleans()),
        revises=draw(st.booleans()),
        pick=draw(st.one_of(st.none(), picks)),
    )


def decision_about(
    transcript: Transcript, context: Context, *, at: float = AT, utterance: Utterance | None = None
) -> Decision:
    """What `decide` makes of `transcript`."""
    decided = decide(transcript, context)
    return Decision(utterance, transcript, decided, Reply("Coming up."), at, context, decided)


def typed(text: str, context: Context, *, at: float = AT) -> Decision:
    """The decision about a typed line."""
    return decision_about(recognize_text(TextRecognizer().prepare(context), text), context, at=at)
