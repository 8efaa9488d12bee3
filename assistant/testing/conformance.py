"""Whether a plug-in keeps its protocol: signatures first, then behaviour, everything that is wrong at once.

`isinstance` on a protocol only compares names; a wrong signature or an unsorted n-best passes it and fails later.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.grammar.tree import Context
from assistant.recognize.engine import Recognizer, Session
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame, Hypothesis, Transcript, Utterance, frozen_array

# Arrays of a hypothesis: attribute and type.
_ARRAYS = (("tokens", np.int32), ("log_p", np.float32), ("ilm", np.float32))


class NonConformance(AssertionError):
    """What a plug-in does otherwise than its protocol says, one line each."""

    def __init__(self, name: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join([f"{name} does not conform:", *(f"- {fault}" for fault in self.faults)]))


def check_recognizer(recognizer: Recognizer, context: Context, utterance: Utterance) -> Transcript:
    """Check `recognizer` on a sentence of `context` spoken in `utterance`; returns what it heard.

    It checks names and signatures; that a context is prepared as itself; that an utterance can be finished
    speculatively, fed on and finished again; that two open sessions do not disturb each other; that the same sound
    gives the same answer; that silence, an empty utterance and a cancelled session are borne; and what is in the
    transcripts. Whether the sentence was understood is for the caller to compare.

    Raises NonConformance that lists every fault.
    """
    name = f"recognizer {getattr(recognizer, 'name', type(recognizer).__name__)!r}"
    faults = list(_signature_faults(recognizer, Recognizer, ("prepare", "open")))
    faults += [
        f"`{attribute}` is {getattr(recognizer, attribute, None)!r}, not a name"
        for attribute in ("name", "variant")
        if not (isinstance(getattr(recognizer, attribute, None), str) and getattr(recognizer, attribute))
    ]
    if faults:
        raise NonConformance(name, faults)

    prepared = recognizer.prepare(context)
    if prepared.context is not context:
        faults.append("`prepare(context).context` is not the context it was given")
    session = recognizer.open(prepared)
    faults += _signature_faults(session, Session, ("feed", "finish", "cancel"))
    if faults:
        raise NonConformance(name, faults)

    def heard(what: Utterance) -> Transcript:
        fresh = recognizer.open(prepared)
        faults.extend(_feed(fresh, what.pcm))
        return fresh.finish(what)

    faults += _speculation_faults(session, utterance)
    if faults:
        raise NonConformance(name, dict.fromkeys(faults))
    first, second = heard(utterance), heard(utterance)
    if _meaning(first) != _meaning(second):
        faults.append(f"the same sound gives {_meaning(first)} and then {_meaning(second)}")
    faults += _interleaving_faults(recognizer, prepared, utterance, _meaning(first))
    faults += _transcript_faults(first, recognizer, context)
    for what, silent in (("a second of silence", SAMPLE_RATE_HZ), ("an empty utterance", 0)):
        faults += [f"{what}: {fault}" for fault in _transcript_faults(heard(_silence(silent)), recognizer, context)]
    abandoned = recognizer.open(prepared)
    abandoned.cancel()
    abandoned.cancel()
    if _meaning(heard(utterance)) != _meaning(first):
        faults.append("after a cancelled session the same sound gives another answer")
    if faults:
        raise NonConformance(name, dict.fromkeys(faults))
    return first


def _signature_faults(candidate: object, protocol: type, methods: Iterable[str]) -> Iterator[str]:
    """Methods that are missing or cannot be called as the protocol calls them."""
    for method in methods:
        own = getattr(candidate, method, None)
        if not callable(own):
            yield f"it has no method `{method}`"
            continue
        expected = list(inspect.signature(getattr(protocol, method)).parameters.values())[1:]
        try:
            _bind(own, len(expected))
        except TypeError as error:
            arguments = ", ".join(parameter.name for parameter in expected)
            yield f"`{method}({arguments})` cannot be called so: {error}"


def _bind(function: Callable[..., Any], count: int) -> None:
    """Raise TypeError unless `function` takes `count` positional arguments."""
    inspect.signature(function).bind(*([None] * count))


def _speculation_faults(session: Session, utterance: Utterance) -> Iterator[str]:
    """Finish in the middle, feed the rest and finish again: the second answer must be that of the whole."""
    middle = len(utterance.pcm) // 2 // FRAME_SAMPLES * FRAME_SAMPLES
    yield from _feed(session, utterance.pcm[:middle])
    early = Utterance(
        pcm=utterance.pcm[:middle],
        at=utterance.at,
        speech_start_s=utterance.speech_start_s,
        speech_end_s=min(utterance.speech_end_s, middle / SAMPLE_RATE_HZ),
        voice=utterance.voice[: middle // FRAME_SAMPLES],
        final=False,
    )
    if not isinstance(session.finish(early), Transcript):
        yield "a speculative `finish` returns no Transcript"
    yield from _feed(session, utterance.pcm[middle:])
    if not isinstance(session.finish(utterance), Transcript):
        yield "`finish` after speculation returns no Transcript"


def _interleaving_faults(
    recognizer: Recognizer, prepared: Any, utterance: Utterance, expected: object
) -> Iterator[str]:
    """A second session that is open at the same time must not change the first one's answer."""
    one, other = recognizer.open(prepared), recognizer.open(prepared)
    for frame in _frames(utterance.pcm):
        one.feed(frame)
        other.feed(AudioFrame(pcm=frozen_array(np.zeros_like(frame.pcm)), at=frame.at))
    other.finish(_silence(len(utterance.pcm)))
    if _meaning(one.finish(utterance)) != expected:
        yield "a second open session changes the first one's answer"


def _transcript_faults(transcript: object, recognizer: Recognizer, context: Context) -> Iterator[str]:
    """What a transcript may not be."""
    if not isinstance(transcript, Transcript):
        yield f"`finish` returns {type(transcript).__name__}, not a Transcript"
        return
    if transcript.engine != recognizer.name:
        yield f"the transcript's engine is {transcript.engine!r}, the recognizer's name {recognizer.name!r}"
    ranks = [hypothesis.rerank for hypothesis in transcript.hypotheses]
    if ranks != sorted(ranks, reverse=True):
        yield "hypotheses are not sorted, best first"
    meanings = [(hypothesis.intent, tuple(sorted(hypothesis.slots.items()))) for hypothesis in transcript.hypotheses]
    if any(intent for intent, _ in meanings) and len(set(meanings)) < len(meanings):
        yield "two hypotheses have one meaning"
    if transcript.states is not None and transcript.states.flags.writeable:
        yield "`states` can be written to"
    negative = [step for step, ms in transcript.timings_ms.items() if ms < 0]
    if negative:
        yield f"timings are negative: {', '.join(negative)}"
    for hypothesis in transcript.hypotheses:
        yield from _hypothesis_faults(hypothesis, context)


def _hypothesis_faults(hypothesis: Hypothesis, context: Context) -> Iterator[str]:
    """What a hypothesis may not be."""
    if hypothesis.intent and hypothesis.intent not in context.intents:
        yield f"intent {hypothesis.intent!r} is not in the context"
    if not np.isfinite(hypothesis.score) or not np.isfinite(hypothesis.rerank):
        yield "a score is not finite"
    for attribute, kind in _ARRAYS:
        array: NDArray[Any] = getattr(hypothesis, attribute)
        if array.dtype != kind or array.ndim != 1:
            yield f"`{attribute}` is {array.dtype}{list(array.shape)}, not {np.dtype(kind)}[n]"
        if array.flags.writeable:
            yield f"`{attribute}` can be written to"
    if not len(hypothesis.tokens) == len(hypothesis.log_p) == len(hypothesis.ilm):
        yield "`tokens`, `log_p` and `ilm` differ in length"


def _feed(session: Session, pcm: NDArray[np.int16]) -> Iterator[str]:
    """Feed all of `pcm`; yields what is wrong with the partials."""
    wrong = {type(partial).__name__ for frame in _frames(pcm) if not isinstance(partial := session.feed(frame), str)}
    for kind in sorted(wrong):
        yield f"`feed` returns {kind}, not a text"


def _frames(pcm: NDArray[np.int16]) -> Iterator[AudioFrame]:
    """20 ms frames; the last may be short."""
    for start in range(0, len(pcm), FRAME_SAMPLES):
        yield AudioFrame(pcm=frozen_array(pcm[start : start + FRAME_SAMPLES].copy()), at=start / SAMPLE_RATE_HZ)


def _silence(samples: int) -> Utterance:
    """An utterance in which nothing was voiced."""
    return Utterance(
        pcm=frozen_array(np.zeros(samples, np.int16)),
        at=0.0,
        speech_start_s=0.0,
        speech_end_s=0.0,
        voice=frozen_array(np.zeros(samples // FRAME_SAMPLES, np.float32)),
    )


def _meaning(transcript: Transcript) -> tuple[str, str, tuple[tuple[str, Any], ...]]:
    """What was understood, comparable."""
    if not transcript.hypotheses:
        return transcript.text, "", ()
    best = transcript.hypotheses[0]
    return best.text, best.intent, tuple(sorted(best.slots.items()))
