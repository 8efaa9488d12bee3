"""Vosk (Kaldi) as an engine: for languages that Moonshine does not speak; it has partials and words with times.

    prepare   context ─► sentences drawn until no new pair of words comes ─► grammar list (Kaldi: a bigram)
    feed      frame ─► decoder ─► partial
    finish    n-best texts ─► those that are sentences of the context, grouped by meaning ─► share of the n-best mass

A bigram lets nearly any order of the context's words pass, so what was said outside the context comes out as a text
that is no sentence of it, and takes its mass away from those that are: that share is the confidence, and below
MIN_SHARE the utterance is refused. (Where the model knows `[unk]`, the grammar holds that too.)
"""

from __future__ import annotations

import importlib
import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import ContextError, ModelError, PluginError
from assistant.grammar.meaning import Meaning, MeaningParser
from assistant.grammar.network import build_network
from assistant.grammar.sample import sample
from assistant.grammar.spelling import number_words
from assistant.grammar.tokens import TokenNetwork
from assistant.grammar.tree import Context
from assistant.recognize.engine import Prepared
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame, Hypothesis, Transcript, Utterance, Word

UNKNOWN = "[unk]"
N_BEST = 10

# Measured with the Korean model and a context of lights: the command's meaning holds 0.7 of the mass; of 120 recordings
# of other speech 118 are no sentence of the context and two hold 0.2 and 0.3 (tests/recognize/test_vosk.py).
MIN_SHARE = 1 / 3

# The grammar list: drawn in rounds until a round brings no new pair of neighbouring words.
ROUND_SENTENCES = 500
MAX_SENTENCES = 30_000

# After speculation went on, frames are decoded again; so many at once, to let no single `feed` take long.
CATCH_UP_FRAMES = 8

MODEL_FILES = ("am/final.mdl", "conf/model.conf", "graph", "ivector/final.ie")

log = logging.getLogger(__name__)

_EMPTY_INT = np.zeros(0, np.int32)
_EMPTY_FLOAT = np.zeros(0, np.float32)
_EMPTY_INT.setflags(write=False)
_EMPTY_FLOAT.setflags(write=False)


def create(*, model: str | Path | None = None, name: str = "", **_more: Any) -> Vosk:
    """Entry point. model: the folder of a Kaldi model; name: what it is called (its folder's name)."""
    if model is None:
        raise ModelError(
            "no model was chosen", where="recogniser vosk", remedy="assistant models list shows those for vosk"
        )
    return Vosk(Path(model), name=name)


@dataclass(frozen=True, slots=True, eq=False)
class VoskGrammar:
    """A context made ready.

    phrases: the grammar list as Kaldi takes it (JSON). unknown: words that the model cannot hear; sentences with
    them were left out. meanings: text to what it means, best first.
    """

    context: Context
    phrases: str
    unknown: tuple[str, ...]
    meanings: Callable[[str], Sequence[Meaning]]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One text of the n-best list; score in nats."""

    text: str
    score: float
    words: tuple[Word, ...]


class Vosk:
    """The engine. The model (0.2 to 0.6 GB in memory) is loaded by the first `prepare` and shared by all sessions."""

    name = "vosk"

    def __init__(self, folder: Path, *, name: str = "") -> None:
        missing = [part for part in MODEL_FILES if not (folder / part).exists()]
        if missing:
            raise ModelError(
                f"lacks {missing[0]}", where=str(folder), remedy="fetch it again: assistant models pull NAME --again"
            )
        self._folder = folder
        self._variant = name or folder.name
        self._vosk: Any = None
        self._model: Any = None
        self._loading = threading.Lock()

    @property
    def variant(self) -> str:
        """Name of the model."""
        return self._variant

    def prepare(self, context: Context) -> VoskGrammar:
        """Make the grammar list. Raises ContextError when the model knows none of it, ModelError, PluginError."""
        self._load()
        words = _Words()
        parser = MeaningParser(TokenNetwork(build_network(context), words), words.decode)
        lock = threading.Lock()

        def meanings(text: str) -> Sequence[Meaning]:
            with lock:
                found = parser.parse(words.encode(text))
                parser.forget()
            return found

        phrases, unknown = grammar_phrases(context, self._knows)
        if not phrases:
            raise ContextError(
                f"the model {self.variant} has no word for it: {', '.join(unknown[:5])}",
                where=f"context {context.name}",
                remedy="spell words as the model does, or choose a model of the context's language",
            )
        if unknown:
            log.warning("context %s: vosk cannot hear %s, nor sentences with it", context.name, ", ".join(unknown))
        if self._knows(UNKNOWN):
            phrases.append(UNKNOWN)
        return VoskGrammar(context, json.dumps(phrases, ensure_ascii=False), unknown, meanings)

    def open(self, prepared: Prepared) -> VoskSession:
        """Begin an utterance. Raises TypeError for what another engine prepared."""
        if not isinstance(prepared, VoskGrammar):
            raise TypeError(f"{type(prepared).__name__} was not prepared by vosk")
        return VoskSession(self, prepared)

    def decoder(self, grammar: VoskGrammar) -> Any:
        """A fresh Kaldi recogniser.

        One is made for each utterance (1 ms for 100 phrases, 30 ms for 5,000): used again it grows (vosk-api #209),
        its times run on, and what it adapted to the last speaker makes the same sound give another answer.
        """
        made = self._vosk.KaldiRecognizer(self._model, SAMPLE_RATE_HZ, grammar.phrases)
        made.SetMaxAlternatives(N_BEST)
        made.SetWords(True)
        return made

    def _knows(self, word: str) -> bool:
        return bool(self._model.vosk_model_find_word(word) >= 0)

    def _load(self) -> None:
        with self._loading:
            if self._model is not None:
                return
            self._vosk = _import_vosk()
            self._vosk.SetLogLevel(-1)
            try:
                self._model = self._vosk.Model(str(self._folder))
            except Exception as error:  # the package raises nothing more specific
                raise ModelError(
                    "does not load", where=str(self._folder), remedy="check it: assistant models verify"
                ) from error


class VoskSession:
    """One utterance. `feed` and `finish` may be called from two threads; a `feed` never waits for a `finish`."""

    def __init__(self, engine: Vosk, grammar: VoskGrammar) -> None:
        self._engine = engine
        self._grammar = grammar
        self._pieces: list[bytes] = []
        self._taken = 0
        self._decoder: Any = None
        self._partial = ""
        self._using = threading.Lock()
        self._cancelled = threading.Event()

    def feed(self, frame: AudioFrame) -> str:
        """Decode one frame; returns the words so far."""
        self._pieces.append(frame.pcm.tobytes())
        if self._using.acquire(blocking=False):
            try:
                self._catch_up(CATCH_UP_FRAMES)
                self._partial = str(json.loads(self._decoder.PartialResult()).get("partial", "")).replace(UNKNOWN, "…")
            finally:
                self._using.release()
        return self._partial

    def finish(self, utterance: Utterance) -> Transcript:
        """The meanings of what was fed (of `utterance`, if nothing was)."""
        began = time.perf_counter()
        with self._using:
            if not self._pieces:
                self._pieces = [piece.tobytes() for piece in np.split(utterance.pcm, _cuts(len(utterance.pcm)))]
            self._catch_up(len(self._pieces))
            result = json.loads(self._decoder.FinalResult()) if not self._cancelled.is_set() else {}
            self._decoder, self._taken = None, 0  # a finished decoder takes no more: what follows starts over
        decoded = time.perf_counter()
        alternatives = tuple(_alternatives(result))
        hypotheses = meanings_of(alternatives, self._grammar)
        heard = max(alternatives, key=lambda alternative: alternative.score, default=None)
        return Transcript(
            hypotheses=hypotheses,
            text=hypotheses[0].text if hypotheses else heard.text if heard else "",
            engine=self._engine.name,
            variant=self._engine.variant,
            timings_ms={"decode": 1000 * (decoded - began), "meanings": 1000 * (time.perf_counter() - decoded)},
            truncated=self._cancelled.is_set(),
        )

    def cancel(self) -> None:
        """Stop between two frames."""
        self._cancelled.set()

    def _catch_up(self, limit: int) -> None:
        """Decode at most `limit` of the frames not yet decoded. The caller holds `_using`."""
        if self._decoder is None:
            self._decoder = self._engine.decoder(self._grammar)
        for piece in self._pieces[self._taken : self._taken + limit]:
            if self._cancelled.is_set():
                return
            # True means that Kaldi would end the sentence here; our endpointer decides that, so decoding goes on.
            self._decoder.AcceptWaveform(piece)
            self._taken += 1


def grammar_phrases(context: Context, known: Callable[[str], bool]) -> tuple[list[str], tuple[str, ...]]:
    """Sentences that hold every pair of words that may follow each other, and the words for which `known` is false.

    Kaldi estimates a bigram from the list, so that pairs are all it can learn from it. A wildcard's words are `[unk]`.
    Sentences with a word that is not known are left out.
    """
    phrases: dict[str, None] = {}
    pairs: set[tuple[str, str]] = set()
    vocabulary: dict[str, bool] = {}
    for round_ in range(MAX_SENTENCES // ROUND_SENTENCES):
        before = len(pairs)
        for drawn in sample(context, ROUND_SENTENCES, seed=round_, names=(UNKNOWN,)):
            words = [word for written in drawn.text.split() for word in spoken_words(written)]
            for word in words:
                if word not in vocabulary:
                    vocabulary[word] = known(word)
            ends = ["", *words, ""]
            new = set(pairwise(ends)) - pairs
            if new and all(vocabulary[word] for word in words):
                phrases[" ".join(words)] = None
            pairs |= new
        if len(pairs) == before:
            break
    return list(phrases), tuple(word for word, heard in vocabulary.items() if not heard and word != UNKNOWN)


def spoken_words(written: str) -> list[str]:
    """One written word as the words of a pronouncing dictionary: lower case, without marks, numbers spelled out."""
    if written == UNKNOWN:
        return [written]
    words = re.findall(r"\d+|%|[^\W\d_]+(?:['’][^\W\d_]+)*['’]?", written.lower())
    spelled = (number_words(int(word)) if word.isdecimal() and len(word) < 7 else word for word in words)
    return " ".join("percent" if word == "%" else word.replace("’", "'") for word in spelled).split()


def meanings_of(alternatives: Sequence[Alternative], grammar: VoskGrammar) -> tuple[Hypothesis, ...]:
    """The meanings among an n-best list, best first; none when together they hold less than MIN_SHARE of its mass.

    A meaning's score is the natural log of its share: the posterior of its texts under the n-best list.
    """
    if not alternatives:
        return ()
    top = max(alternative.score for alternative in alternatives)
    mass = [math.exp(alternative.score - top) for alternative in alternatives]
    shares: dict[object, float] = {}
    first: dict[object, tuple[Alternative, Meaning]] = {}
    for alternative, own in zip(alternatives, mass, strict=True):
        for meaning in grammar.meanings(alternative.text):
            shares[meaning.key] = shares.get(meaning.key, 0.0) + own / sum(mass)
            first.setdefault(meaning.key, (alternative, meaning))
    if max(shares.values(), default=0.0) < MIN_SHARE:
        return ()
    ranked = sorted(first, key=lambda key: -shares[key])
    return tuple(_hypothesis(*first[key], shares[key], alternatives, mass, grammar.context) for key in ranked)


def _hypothesis(
    alternative: Alternative,
    meaning: Meaning,
    share: float,
    alternatives: Sequence[Alternative],
    mass: Sequence[float],
    context: Context,
) -> Hypothesis:
    words = tuple(_with_confidence(word, alternatives, mass) for word in alternative.words)
    return Hypothesis(
        intent=meaning.intent,
        slots=meaning.slots,
        text=alternative.text,
        score=math.log(share),
        rerank=math.log(share),
        tokens=_EMPTY_INT,
        log_p=_EMPTY_FLOAT,
        ilm=_EMPTY_FLOAT,
        prior=meaning.weight,
        words=words,
        response=context.templates[meaning.template].response,
    )


def _with_confidence(word: Word, alternatives: Sequence[Alternative], mass: Sequence[float]) -> Word:
    """`word` with the share of the mass whose text has the same word at the same time."""
    middle = (word.start_s + word.end_s) / 2
    agreeing = sum(
        own
        for other, own in zip(alternatives, mass, strict=True)
        if any(same.text == word.text and same.start_s <= middle <= same.end_s for same in other.words)
    )
    return Word(word.text, word.start_s, word.end_s, min(agreeing / sum(mass), 1.0))


def _alternatives(result: Mapping[str, Any]) -> Iterator[Alternative]:
    """Kaldi's n-best list; its "confidence" is the negated cost of graph and acoustics, in nats."""
    for entry in result.get("alternatives", ()):
        if entry.get("text"):
            words = tuple(Word(w["word"], float(w["start"]), float(w["end"])) for w in entry.get("result", ()))
            yield Alternative(str(entry["text"]), float(entry["confidence"]), words)


def _cuts(samples: int) -> range:
    return range(FRAME_SAMPLES, samples, FRAME_SAMPLES)


def _import_vosk() -> Any:
    try:
        return importlib.import_module("vosk")
    except ImportError as error:
        raise PluginError(
            f"the package vosk is not installed ({error})",
            where="recogniser vosk",
            remedy="pip install 'assistant-voice[vosk]'",
        ) from error
    except OSError as error:  # the shared library does not load; on arm64 it needs libatomic
        raise PluginError(
            f"the package vosk does not load ({error})",
            where="recogniser vosk",
            remedy="apt-get install libatomic1" if "libatomic" in str(error) else "reinstall it",
        ) from error


class _Words:
    """Words as tokens: what lets the grammar's readers read a transcript instead of a tokenizer's output."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._words: list[str] = []

    def encode_word(self, word: str, *, glued: bool = False) -> tuple[int, ...]:
        """Numbers of the words that `word` is spoken as; a mark that is not spoken has a number of its own."""
        del glued  # "{brightness}%" is heard as two words
        return tuple(self._number(spoken) for spoken in spoken_words(word) or (word,))

    def encode(self, text: str) -> tuple[int, ...]:
        """Numbers of the words of a transcript."""
        return tuple(self._number(word) for word in text.split())

    def decode(self, numbers: Sequence[int]) -> str:
        """The words of a wildcard."""
        return " ".join(self._words[number] for number in numbers)

    def _number(self, word: str) -> int:
        if word not in self._numbers:
            self._numbers[word] = len(self._words)
            self._words.append(word)
        return self._numbers[word]
