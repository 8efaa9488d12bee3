"""Heard takes as a net reads them: sound, alignment and vectors as its bundle's features say (assistant/…/source.py).

Reader        encoder states, the decoder's attention, its vectors of tokens
MelReader     log-mel of the same stretch, the rest the same
WordReader    log-mel, and of the recogniser only words with times and shares: what Vosk gives, or what is left of
              the default recogniser's answer when it gives no more than that (bare.py)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.errors import UsageError
from assistant.grammar.spelling import number_words
from assistant.recognize.moonshine.engine import MoonshineOptions, open_model
from assistant.recognize.moonshine.model import Model
from assistant.recognize.moonshine.tokenizer import END, SPACE
from assistant.types import Hypothesis, Word
from assistant.understand.fused.projection import LOG_MEL, WORDS, FeatureSpec
from assistant.understand.fused.source import END_OF_WORDS, MEL_DIM, SPELLING_DIM, Sound, WordTimes
from convert.bare import bare, timed
from convert.files import Places
from convert.mels import mel_file, read_mels
from convert.recognise import Heard, read_shard

Floats = NDArray[np.float32]
Mel = Callable[[], Floats]
"""Makes the log-mel of a decoded stretch, where it is wanted."""

STATES, LOG_MEL_WORDS = "states", "log-mel-words"
SPECS = {
    STATES: FeatureSpec(),
    LOG_MEL: FeatureSpec(audio=LOG_MEL, audio_dim=MEL_DIM, state_dim=48),
    LOG_MEL_WORDS: FeatureSpec(
        audio=LOG_MEL,
        alignment=WORDS,
        covered=1e-3,
        audio_dim=MEL_DIM,
        state_dim=48,
        vector_width=SPELLING_DIM,
        vector_dim=48,
    ),
}
"""What a net may hear, as `--audio` names it."""


class Reader:
    """Takes with encoder states. places: where the prepared recogniser and what was heard are kept."""

    def __init__(self, places: Places, spec: FeatureSpec = SPECS[STATES]) -> None:
        self.spec = spec
        self.model: Model = open_model(MoonshineOptions(places.models))
        self._places = places
        self._pieces: dict[int, str] = {}

    def read(self, shard: Path) -> Iterator[Heard]:
        """The takes of a shard."""
        for heard in read_shard(shard):
            sound, hypotheses = self.shown(heard.sound, heard.hypotheses, _none)
            yield replace(heard, sound=sound, hypotheses=hypotheses)

    def shown(self, sound: Sound, hypotheses: Sequence[Hypothesis], mel: Mel) -> tuple[Sound, tuple[Hypothesis, ...]]:
        """An utterance as the net has it. sound: with encoder states; mel: of the same stretch."""
        del mel
        return sound, self._with_vectors(hypotheses)

    def words_of(self, h: Hypothesis) -> tuple[list[str], list[int]]:
        """The words that a hypothesis says, plain; the number of each token's word (-1 for marks and the end)."""
        words: list[str] = []
        owner: list[int] = []
        for token in h.tokens.tolist():
            piece = self._piece(token)
            if token == END or not re.search(r"\w", piece):
                owner.append(-1)
                continue
            if piece.startswith(SPACE) or not words:
                words.append("")
            words[-1] += piece.strip(SPACE)
            owner.append(len(words) - 1)
        return [plain_word(word) for word in words], owner

    def _with_vectors(self, hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
        """The same with the decoder's embedding of each token."""
        return tuple(
            h if h.attention is None else replace(h, vectors=self.model.vectors_of(h.tokens)) for h in hypotheses
        )

    def _piece(self, token: int) -> str:
        if token not in self._pieces:
            # A leading space is dropped when text is decoded: seen behind another token it stays.
            anchor = self.model.tokenizer.encode_word("a")[0]
            both = self.model.tokenizer.decode([anchor, token])
            self._pieces[token] = both[1:].replace(" ", SPACE) if both.startswith("a") else both
        return self._pieces[token]


class MelReader(Reader):
    """Takes with log-mel."""

    def read(self, shard: Path) -> Iterator[Heard]:
        """The takes of a shard, with what mels.py has kept beside it."""
        mels = read_mels(mel_file(self._places, shard))
        for heard, mel in zip(read_shard(shard), mels, strict=True):
            sound, hypotheses = self.shown(heard.sound, heard.hypotheses, _made(mel))
            yield replace(heard, sound=sound, hypotheses=hypotheses)

    def shown(self, sound: Sound, hypotheses: Sequence[Hypothesis], mel: Mel) -> tuple[Sound, tuple[Hypothesis, ...]]:
        """Log-mel instead of states."""
        return replace(sound, states=mel()), self._with_vectors(hypotheses)


class WordReader(MelReader):
    """Takes with log-mel and words."""

    def read(self, shard: Path) -> Iterator[Heard]:
        """The takes of a shard; what Vosk heard has its log-mel with it."""
        if mel_file(self._places, shard).is_file():
            yield from super().read(shard)
            return
        for heard in read_shard(shard):
            aligned = WordTimes(self.spec.state_s).aligned(heard.hypotheses, heard.sound)
            yield replace(heard, hypotheses=aligned)

    def shown(self, sound: Sound, hypotheses: Sequence[Hypothesis], mel: Mel) -> tuple[Sound, tuple[Hypothesis, ...]]:
        """Log-mel instead of states, times of words instead of attention, shares instead of scores."""
        heard = replace(sound, states=mel())
        said = [h if h.attention is None else replace(h, words=self._timed(h, heard.start_s)) for h in hypotheses]
        return heard, WordTimes(self.spec.state_s).aligned(bare(said), heard)

    def words_of(self, h: Hypothesis) -> tuple[list[str], list[int]]:
        """Words are known; tokens name them."""
        return [plain_word(word.text) for word in h.words], [END_OF_WORDS if t < 0 else t for t in h.tokens.tolist()]

    def _timed(self, h: Hypothesis, start_s: float) -> tuple[Word, ...]:
        words, owner = super().words_of(h)
        return timed(h, words, owner, start_s, self.spec.state_s)


def reader_of(audio: str, places: Places) -> Reader:
    """The reader for `audio`, one of SPECS. Raises UsageError."""
    kinds = {STATES: Reader, LOG_MEL: MelReader, LOG_MEL_WORDS: WordReader}
    if audio not in kinds:
        raise UsageError(f"'{audio}' is none of {', '.join(kinds)}", where="--audio")
    return kinds[audio](places, SPECS[audio])


def plain_word(word: str) -> str:
    """A word as it is compared: lower case, no marks, numbers in words."""
    bare_word = re.sub(r"[^\w']|_", "", word.lower())
    short = bare_word.isdecimal() and len(bare_word) < 7
    return number_words(int(bare_word)).replace(" ", "") if short else bare_word


def _made(mel: Floats) -> Mel:
    """Where it is there already."""
    return lambda: mel


def _none() -> Floats:
    return np.zeros((0, MEL_DIM), np.float32)
