"""The embedded default engine: Moonshine tiny-en decoded under the context's grammar, n-best of meanings out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.errors import AssistantError, ModelError
from assistant.grammar.meaning import Meaning
from assistant.grammar.tree import Context
from assistant.recognize.engine import Prepared, Session
from assistant.recognize.moonshine.beam import Beam, BeamOptions, SearchResult, Sentence
from assistant.recognize.moonshine.grammar import MoonshineGrammar, Progress, cache_file, load_grammar
from assistant.recognize.moonshine.model import Encoded, Model, discard_model, prepare_model
from assistant.recognize.moonshine.rerank import RerankOptions, rerank
from assistant.recognize.moonshine.table import encode_silence
from assistant.recognize.moonshine.views import doubtful, look_again
from assistant.types import (
    SAMPLE_RATE_HZ,
    SOUND_ONLY,
    AudioFrame,
    Effort,
    Hypothesis,
    Transcript,
    Utterance,
    frozen_array,
)

log = logging.getLogger(__name__)

MARGIN_S = 0.1
"""Kept before the first and after the last voiced instant (measured: more lets noise in, less cuts consonants)."""
KEPT_SENTENCES = 16
"""Finished token sequences whose meanings are looked up, and so many again while none of them has one."""
MOST_SENTENCES = 64


@dataclass(frozen=True, slots=True)
class MoonshineOptions:
    """cache: folder for prepared models and compiled contexts. threads: of onnxruntime.

    beam: search width and pruning; a context's own settings come first. background: compile new contexts in a thread.
    precision: "int8" (as published), "block" or "float" (see graph.py). again: look at doubtful sound twice (views.py).
    """

    cache: Path
    threads: int = 1
    beam: BeamOptions = field(default_factory=BeamOptions)
    rerank: RerankOptions = field(default_factory=RerankOptions)
    background: bool = False
    precision: str = "int8"
    again: bool = True


class Moonshine:
    """Recogniser `moonshine`. One object serves many contexts and sessions; sessions may run in other threads."""

    name = "moonshine"

    def __init__(self, options: MoonshineOptions) -> None:
        self.options = options
        self.model = open_model(options)
        self._silence: Encoded | None = None

    @property
    def variant(self) -> str:
        """Model, precision and search width."""
        return f"tiny-en/{self.options.precision}/beam{self.options.beam.width}"

    def prepare(self, context: Context, progress: Progress | None = None) -> MoonshineGrammar:
        """Compile `context`, or take it from the cache. With `options.background` it is usable at once."""
        grammar = MoonshineGrammar(context, self.model)
        file = cache_file(context, self.model, self.options.cache / "contexts")
        compiled = load_grammar(file, self.model)
        if compiled is not None:
            grammar.use(compiled)
        elif self.options.background:
            grammar.compile_in_background(file)
        else:
            grammar.compile(file, progress)
        return grammar

    def open(self, prepared: Prepared) -> MoonshineSession:
        """Begin an utterance."""
        if not isinstance(prepared, MoonshineGrammar):
            raise AssistantError("a context prepared for another engine", where=self.name)
        self._wake()
        return MoonshineSession(self, prepared)

    def open_with(self, prepared: Prepared, effort: Effort, late: Callable[[], bool]) -> MoonshineSession:
        """Begin an utterance with another search than the configured one; the weights are the same."""
        if not isinstance(prepared, MoonshineGrammar):
            raise AssistantError("a context prepared for another engine", where=self.name)
        return MoonshineSession(self, prepared, effort, late)

    def open_sound(self, prepared: Prepared) -> Session:
        """Begin an utterance that is encoded only."""
        del prepared
        self._wake()
        return SoundSession(self)

    def rest(self) -> None:
        """Give the model's memory back until somebody speaks."""
        self.model.unload()

    def _wake(self) -> None:
        """Load the model again while the person is still speaking."""
        if not self.model.loaded:
            threading.Thread(target=self.model.load, name="load-model", daemon=True).start()

    def ready(self, effort: Effort) -> str:
        """Any search is; another encoder than the configured one would have to be loaded."""
        held = self.options.precision
        return "" if effort.encoder == held else f"its encoder ({effort.encoder}) is not loaded, but {held}"

    def silence(self) -> Encoded:
        """Encoded silence, computed once."""
        if self._silence is None:
            self._silence = encode_silence(self.model)
        return self._silence

    def beam_options(self, context: Context, effort: Effort | None = None) -> BeamOptions:
        """Search options for `context`: its own settings first; before these, `effort`."""
        o, settings = self.options.beam, context.settings
        if effort is not None:
            lambda_ = o.lambda_ if settings.lambda_ is None else settings.lambda_
            prune = effort.prune if settings.prune is None else settings.prune
            return BeamOptions(effort.width, prune, lambda_, o.late)
        return BeamOptions(
            o.width,
            o.prune if settings.prune is None else settings.prune,
            o.lambda_ if settings.lambda_ is None else settings.lambda_,
            o.late,
        )

    def rerank_options(self, context: Context) -> RerankOptions:
        """Re-ranking options for `context`: its own settings first."""
        o, settings = self.options.rerank, context.settings
        return RerankOptions(
            o.lambda_ if settings.rerank is None else settings.rerank,
            o.token_penalty if settings.token_penalty is None else settings.token_penalty,
        )


def open_model(options: MoonshineOptions) -> Model:
    """The model; prepared files that do not load (a disk that was full, a power cut) are built again once."""
    files = prepare_model(options.cache, options.precision)
    try:
        return Model(files, options.threads)
    except ModelError as error:
        log.warning("%s; building it again", error.what)
        discard_model(files)
        return Model(prepare_model(options.cache, options.precision), options.threads)


class SoundSession:
    """One utterance that is encoded and not decoded."""

    def __init__(self, engine: Moonshine) -> None:
        self._engine = engine

    def feed(self, frame: AudioFrame) -> str:
        """No partials."""
        del frame
        return ""

    def cancel(self) -> None:
        """The encoder runs in one go."""

    def finish(self, utterance: Utterance) -> Transcript:
        """Encode the voiced stretch of `utterance`."""
        pcm, start_s = voiced_stretch(utterance)
        if not len(pcm):
            return Transcript((), "", self._engine.name, SOUND_ONLY)
        began = time.perf_counter()
        states = frozen_array(self._engine.model.encode(pcm).states)
        timings_ms = {"encode": 1000 * (time.perf_counter() - began)}
        return Transcript((), "", self._engine.name, SOUND_ONLY, states, start_s, timings_ms)


class MoonshineSession:
    """One utterance. The encoder sees it whole, so `feed` keeps nothing."""

    def __init__(
        self,
        engine: Moonshine,
        grammar: MoonshineGrammar,
        effort: Effort | None = None,
        late: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine, self._grammar = engine, grammar
        self._effort, self._late = effort, late
        self._cancelled = threading.Event()

    def feed(self, frame: AudioFrame) -> str:
        """No partials: the model hears the utterance as a whole."""
        del frame
        return ""

    def cancel(self) -> None:
        """Stop decoding at the next step."""
        self._cancelled.set()

    def finish(self, utterance: Utterance) -> Transcript:
        """Decode the voiced stretch of `utterance`."""
        return self.decode(utterance, self._cancelled.is_set)

    def decode(self, utterance: Utterance, stop: Callable[[], bool]) -> Transcript:
        """Decode, asking `stop` before each step; what has finished by then is the answer."""
        engine = self._engine
        pcm, start_s = voiced_stretch(utterance)
        if not len(pcm):
            return Transcript((), "", engine.name, self._variant)
        began = time.perf_counter()
        sound = engine.model.encode(pcm)
        encoded = time.perf_counter()
        if self._effort is not None:
            stop = _until(began + self._effort.stop_ms / 1000, stop)
        context = self._grammar.context
        space = self._grammar.space(engine.silence)
        options = engine.beam_options(context, self._effort)
        result = Beam(engine.model, space, options).search(sound, stop, MOST_SENTENCES, self._late)
        searched = time.perf_counter()
        hypotheses = self._hypotheses(result)
        parsed = time.perf_counter()
        timings_ms = {
            "encode": 1000 * (encoded - began),
            "search": 1000 * (searched - encoded),
            "meanings": 1000 * (parsed - searched),
        }
        if self._looks_again and not result.stopped and doubtful(hypotheses):
            hypotheses = look_again(engine.model, pcm, sound, hypotheses, lambda: stop() or self._late())
            timings_ms["again"] = 1000 * (time.perf_counter() - parsed)
        return Transcript(
            hypotheses=hypotheses,
            text=hypotheses[0].text if hypotheses else "",
            engine=engine.name,
            variant=self._variant,
            states=frozen_array(sound.states),
            decoded_start_s=start_s,
            timings_ms=timings_ms,
            truncated=result.stopped,
        )

    @property
    def _looks_again(self) -> bool:
        """Whether doubtful meanings are scored on further views of the sound."""
        allowed = self._effort.again if self._effort else self._engine.options.again
        return allowed and self._grammar.context.settings.look_again

    @property
    def _variant(self) -> str:
        """As the engine's, with the width that was used."""
        width = self._effort.width if self._effort else self._engine.options.beam.width
        return f"tiny-en/{self._engine.options.precision}/beam{width}"

    def _hypotheses(self, result: SearchResult) -> tuple[Hypothesis, ...]:
        """Group finished sentences by meaning, best meaning first after re-ranking."""
        groups: dict[object, list[Sentence]] = {}
        first: dict[object, Hypothesis] = {}
        spelt: dict[object, object] = {}
        spans: dict[tuple[object, bytes], tuple[int, ...]] = {}
        options = self._engine.rerank_options(self._grammar.context)
        for read, meanings in self._read(result.sentences):
            for meaning in meanings:
                sentence = _as_meant(read, meaning, meanings)
                # Another spelling of free words is not another meaning: the first, which scores best, stands.
                if spelt.setdefault(meaning.apart_from_spelling, meaning.key) != meaning.key and meaning.free:
                    continue
                if meaning.key not in first:
                    first[meaning.key] = self._hypothesis(sentence, meaning)
                groups.setdefault(meaning.key, []).append(sentence)
                free = tuple(at for span in meaning.free.values() for at in range(*span))
                spans[meaning.key, sentence.tokens.tobytes()] = free
        vectors = self._engine.model.vectors_of
        ranked = []
        for key, sentences in groups.items():
            [hypothesis] = rerank([(first[key], sentences)], options)
            free = spans[key, hypothesis.tokens.tobytes()]
            ranked.append(replace(hypothesis, spelt=free, vectors=frozen_array(vectors(hypothesis.tokens))))
        return tuple(sorted(ranked, key=lambda hypothesis: -hypothesis.rerank))

    def _read(self, sentences: tuple[Sentence, ...]) -> Iterator[tuple[Sentence, list[Meaning]]]:
        """The best sentences with their meanings; further ones only as long as none has any."""
        kept = self._effort.sentences if self._effort else KEPT_SENTENCES
        for start in range(0, len(sentences), kept):
            some = sentences[start : start + kept]
            meanings = self._grammar.meanings([tuple(sentence.tokens[:-1].tolist()) for sentence in some])
            yield from zip(some, meanings, strict=True)
            if any(meanings):
                break

    def _hypothesis(self, sentence: Sentence, meaning: Meaning) -> Hypothesis:
        return Hypothesis(
            intent=meaning.intent,
            slots=meaning.slots,
            text=self._engine.model.tokenizer.decode(sentence.tokens.tolist()),
            score=sentence.score,
            rerank=sentence.score,
            tokens=sentence.tokens,
            log_p=sentence.log_p,
            ilm=sentence.ilm,
            prior=sentence.weight,
            attention=sentence.attention,
            terminal=sentence.terminal,
            response=self._grammar.context.templates[meaning.template].response,
        )


def _until(at_s: float, stop: Callable[[], bool]) -> Callable[[], bool]:
    """`stop`, or that it is `at_s` by the performance counter."""
    return lambda: stop() or time.perf_counter() >= at_s


def _as_meant(sentence: Sentence, meaning: Meaning, meanings: list[Meaning]) -> Sentence:
    """`sentence` with the weight of this one of its meanings: the rarer wording of the same words is less likely."""
    less = meaning.weight - meanings[0].weight
    return replace(sentence, score=sentence.score + less, weight=sentence.weight + less) if less else sentence


def voiced_stretch(utterance: Utterance) -> tuple[NDArray[np.float32], float]:
    """Sound from just before the first to just after the last voiced instant, float32 in ±1; its start in seconds.

    Empty when nothing was voiced.
    """
    if utterance.speech_end_s <= utterance.speech_start_s:
        return np.zeros(0, np.float32), 0.0
    start = max(int((utterance.speech_start_s - MARGIN_S) * SAMPLE_RATE_HZ), 0)
    end = int((utterance.speech_end_s + MARGIN_S) * SAMPLE_RATE_HZ)
    return utterance.pcm[start:end].astype(np.float32) / np.float32(32768), start / SAMPLE_RATE_HZ
