"""Everything that crosses from one room to another: frozen dataclasses, units and shapes in the docstrings.

    AudioBlock ─► AudioFrame ─► Utterance ─► Transcript (of Hypothesis) ─► Understanding ─► Reply
      a source     front end      listen         recognize                   understand      act

A `Decision` gathers one utterance's whole way. Arrays are made read-only where they are made (`frozen_array`).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from assistant.grammar.tree import Context

SAMPLE_RATE_HZ = 16_000
FRAME_MS = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000

T = TypeVar("T", bound=np.generic)

EMPTY: Mapping[str, Any] = MappingProxyType({})

SOUND_ONLY = "sound"
"""The variant of a transcript that nothing was decoded for."""


def frozen_array(array: NDArray[T]) -> NDArray[T]:
    """Return `array` marked read-only (the same memory; the caller must own it)."""
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """20 ms of sound as a source delivers it, all microphones.

    pcm: int16, shape [channels, samples] at 16 kHz, 1 to 8 channels, read-only; the last block of a file may be short.
    at: monotonic time of the first sample, seconds.
    gap: samples (at 16 kHz, per channel) lost just before this block.
    """

    pcm: NDArray[np.int16]
    at: float
    gap: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """20 ms of sound as it left the front end.

    pcm: int16, shape [samples] at 16 kHz, full scale ±32767, read-only.
    at: monotonic time of the first sample, seconds.
    gap: samples lost just before this frame.
    """

    pcm: NDArray[np.int16]
    at: float
    gap: int = 0


class EndReason(enum.Enum):
    """Why an utterance ended."""

    SILENCE = "silence"
    COMPLETE = "complete"
    CAP = "cap"
    RELEASED = "released"
    STREAM_END = "stream_end"


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One stretch of speech with its pre-roll, as the endpointer cut it.

    pcm: int16, shape [samples] at 16 kHz, read-only; begins with the pre-roll.
    at: monotonic time of pcm[0], seconds.
    speech_start_s, speech_end_s: first and last voiced instant, seconds from pcm[0]; equal when nothing was voiced.
    voice: float32, shape [frames], voice activity probability per 20 ms frame of pcm, read-only.
    end: why it ended.
    final: False for a speculative cut that may still be thrown away.
    """

    pcm: NDArray[np.int16]
    at: float
    speech_start_s: float
    speech_end_s: float
    voice: NDArray[np.float32]
    end: EndReason = EndReason.SILENCE
    final: bool = True

    @property
    def duration_s(self) -> float:
        """Length of pcm, seconds."""
        return len(self.pcm) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word with its place in the utterance (seconds from pcm[0]) and confidence 0..1."""

    text: str
    start_s: float
    end_s: float
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the fused net's answers count beside the recogniser's scores; a bundle's own. The defaults change nothing.

    weight: nats that a logit of `right` adds to a hypothesis' score when re-ranking.
    right_cap: logits of `right` beyond ±this count as this when re-ranking.
    sound_weight: what a nat of `Agreement.sound` adds to a hypothesis' score when re-ranking.
    confidence: bias and weights, by name, of the probability that the best meaning is strictly right.
    whole: the same of the probability that it is all that was said, and that nobody else spoke.
    doubt: below this probability of `whole` it asks "did you say …?".
    ask_margin: nats between the two best, after re-ranking, below which it asks which was meant; None: the context's.
    offer: from this confidence on it asks "did you say …?" where the recogniser's score alone would refuse.
    taken: from this confidence on a meaning counts as heard (`Understanding.taken`) though more or less was heard.
    """

    weight: float = 0.0
    right_cap: float = 4.0
    confidence: Mapping[str, float] = field(default_factory=lambda: EMPTY)
    whole: Mapping[str, float] = field(default_factory=lambda: EMPTY)
    doubt: float = 0.0
    ask_margin: float | None = None
    offer: float = 1.0
    taken: float = 0.5
    sound_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    """How an answer from sound alone counts: nothing was decoded. A bundle's own.

    slope, bias: the logistic from the log-odds of a meaning to the probability that it is strictly right.
    accept: from this probability on it acts; ask: from this on it asks "did you say …?"; below, it refuses.
    """

    accept: float
    ask: float
    slope: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the fused net says of a hypothesis beside the sound.

    right, whole: logits that this meaning was said, and that no speech is left over and no word was invented.
    decoded: `Hypothesis.rerank` as the recogniser gave it, before anything was added, nats.
    sound, faintest: log-probability of this meaning by the net for sound alone, and of its least likely part relative
    to what that net holds likeliest there, nats; None where that net was not asked.
    """

    right: float
    whole: float
    decoded: float
    sound: float | None = None
    faintest: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """One meaning that the recogniser holds possible, with its best token sequence.

    intent, slots: canonical values, empty intent when the engine gives text only.
    text: the best wording.
    score: logsumexp over the meaning's token sequences of sum(log p - lambda * ilm), nats.
    rerank: the score after re-ranking (second lambda, token penalty, weights, the fused net), nats; equals `score`
        where not used.
    tokens: int32, shape [n], the best sequence, its end token included; empty where the engine has no tokens.
    log_p: float32, shape [n], decoder log-probability of each token, nats.
    ilm: float32, shape [n], internal-language-model log-probability of each token, nats.
    prior: natural log of the wording's weight in the grammar (0 when unweighted).
    attention: float32, shape [n, frames], cross-attention of each token (mean of heads, layers 3-5) or None.
    vectors: float32, shape [n, dim], the decoder's embedding of each token or None.
    words: words with times, where the engine has them.
    terminal: True if no longer sentence of the grammar begins with this wording: nothing more can be said.
    response: key of the reply template that the wording asks for.
    agreement: what the fused net says of it, or None where it did not look.
    spelt: which of `tokens` are free words: no list has them, and the recogniser spelt them by the sound alone.
    """

    intent: str
    slots: Mapping[str, Any]
    text: str
    score: float
    rerank: float
    tokens: NDArray[np.int32]
    log_p: NDArray[np.float32]
    ilm: NDArray[np.float32]
    prior: float = 0.0
    attention: NDArray[np.float32] | None = None
    vectors: NDArray[np.float32] | None = None
    words: tuple[Word, ...] = ()
    terminal: bool = False
    response: str = "default"
    agreement: Agreement | None = None
    spelt: tuple[int, ...] = ()

    @property
    def score_per_token(self) -> float:
        """`score` over the number of tokens: the refusal signal S/n."""
        return self.score / max(len(self.tokens), 1)


@dataclass(frozen=True, slots=True, eq=False)
class Transcript:
    """What a recogniser heard in one utterance.

    hypotheses: meanings, best first; empty when nothing in the context fits.
    text: the best wording ("" when there is none); for engines without a grammar the free transcript.
    engine, variant: who heard it, e.g. "moonshine", "tiny-en/beam8".
    states: float32, shape [frames, dim], encoder states of the decoded stretch, or None.
    decoded_start_s: where states[0] begins, seconds from the utterance's pcm[0].
    timings_ms: computing time of each step, milliseconds.
    truncated: True when a deadline stopped decoding early.
    fused: bundle and variant of the fused net that re-ranked, e.g. "generic/full"; "" where none did.
    fusion: how its answers count, None where none re-ranked.
    gate: how these hypotheses count that nothing decoded: their scores are log-probabilities; None where it decoded.
    """

    hypotheses: tuple[Hypothesis, ...]
    text: str
    engine: str
    variant: str
    states: NDArray[np.float32] | None = None
    decoded_start_s: float = 0.0
    timings_ms: Mapping[str, float] = field(default_factory=lambda: EMPTY)
    truncated: bool = False
    fused: str = ""
    fusion: Fusion | None = None
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a recogniser tries on one utterance.

    width, prune: of its search, as in the configuration. sentences: word sequences whose meanings are read.
    encoder: precision of the encoder ("int8", "block", "float"). again: score doubtful meanings on further views of
    the sound. stop_ms: from its beginning, the encoder included: the search ends then with what it has.
    """

    width: int
    prune: float
    sentences: int = 16
    encoder: str = "int8"
    again: bool = False
    stop_ms: float = math.inf


@dataclass(frozen=True, slots=True)
class Pick:
    """What the scheduler chose for one utterance, and why.

    number: which of its choices. plan, policy: names. effort: None where nothing is decoded.
    fused: variant of the fused net that looks; "none" for no net, "" for the configured one.
    likely_ms, late_ms: median and 95 % quantile of the computing time that it foresaw. budget_ms: what it had.
    deadline_at: monotonic time at which decoding answers with what it has. measured_ms: what it took, once known.
    signals: the board's state in numbers, by name (assistant.schedule.signals).
    """

    number: int
    plan: str
    policy: str
    reason: str
    effort: Effort | None
    likely_ms: float
    late_ms: float
    budget_ms: float
    deadline_at: float
    signals: Mapping[str, float]
    measured_ms: float | None = None
    fused: str = ""


class Outcome(enum.Enum):
    """What `decide` made of a transcript."""

    ACCEPT = "accept"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A meaning that competed and lost, for the user to see: score in nats below the best."""

    text: str
    intent: str
    slots: Mapping[str, Any]
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Understanding:
    """The decision about one utterance.

    outcome: accept, ask back or refuse; `accepted` is outcome is ACCEPT.
    confidence: calibrated probability that intent and all slots are strictly right, 0..1.
    question: what to ask the user when outcome is ASK, else "".
    differs: slot names (or "intent") in which the two best meanings differ, when asking.
    reason: in plain words, why.
    alternatives: competing meanings, best first.
    timings_ms: computing time: recognize, understand, decide, total.
    partial: True when a deadline cut decoding short: the best that was ready.
    response: key of the reply template that the wording asks for.
    heard: probability that the speech was meant for this context at all, 0..1.
    taken: this meaning counts as heard, though it may ask first: accepted, the better of two near ones, or one that it
        asks about only because more was heard.
    """

    outcome: Outcome
    intent: str
    slots: Mapping[str, Any]
    text: str
    confidence: float
    reason: str
    engine: str
    variant: str
    question: str = ""
    differs: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=lambda: EMPTY)
    partial: bool = False
    response: str = "default"
    heard: float = 1.0
    taken: bool = False

    @property
    def accepted(self) -> bool:
        """True when the assistant may act on it without asking."""
        return self.outcome is Outcome.ACCEPT


@dataclass(frozen=True, slots=True)
class Reply:
    """What the assistant answers.

    text: to be spoken; "" for silence.
    expects_answer: True when a question is open, so that "yes", "no" and values are listened for.
    """

    text: str
    expects_answer: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """One utterance's whole way through the rooms, as printed and traced.

    path: file the sound came from, "" for a microphone.
    utterance: None for typed text.
    context: what it was heard under: the active context, or the answers to an open question.
    decided: what `decide` said; `understanding` is what the dialogue made of it.
    at: wall-clock time, seconds since the epoch.
    felt_ms: last speech sample to decision, endpoint waiting included, milliseconds; None when not in real time.
    provisional: the sentence was complete but could go on; if speech follows at once, a decision that revises this one
        comes after it. Whatever cannot be undone waits until then (`assistant.listen.joining.GOES_ON_S`).
    revises: this decision is about the same sentence as the one before, heard further, and takes its place.
    pick: what the scheduler chose for it; None where nothing was chosen.
    """

    utterance: Utterance | None
    transcript: Transcript
    understanding: Understanding
    reply: Reply
    at: float
    context: Context
    decided: Understanding
    path: str = ""
    felt_ms: float | None = None
    provisional: bool = False
    revises: bool = False
    pick: Pick | None = None
