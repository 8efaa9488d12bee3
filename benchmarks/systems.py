"""The recognisers that are compared: ours, and peers on the same sound, cut by the same voice activity.

`hear` costs time and gives a row that the store keeps; `answer` makes a decision of it.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from assistant.errors import PluginError
from assistant.grammar.match import Match, matcher_of
from assistant.grammar.tree import Context
from assistant.recognize.engine import Prepared, Recognizer
from assistant.recognize.moonshine.engine import voiced_stretch
from assistant.recognize.moonshine.model import Model
from assistant.types import EMPTY, Outcome, Transcript, Utterance
from assistant.understand.decide import decide
from assistant.understand.fused.bundle import Bundle
from benchmarks import free, jsgf, store

FUZZY_EDITS = 14.0
"""Slips within which the fuzzy match looks for the nearest sentence; more finds no more right ones on clean orders."""

SPHINX_STATES = 3000
"""States a frame: on 20 orders as many right as without a limit, at half the time in loud noise."""
SPHINX_TAIL_SAMPLES = 4800
"""Silence after the speech, without which its best path often lacks the last word (15 instead of 13 of 20 right)."""

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system made of an utterance.

    intent, slots: its best meaning, refusal aside; "" where it has none.
    accepted: it is taken as heard (also where the better of two near meanings is taken). asked: it asks back first.
    heard, confidence: its probabilities that it was spoken to, and that the meaning is right; 1 where it has none.
    """

    text: str = ""
    intent: str = ""
    slots: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    accepted: bool = False
    asked: bool = False
    heard: float = 1.0
    confidence: float = 1.0


class System(Protocol):
    """One recogniser under one context."""

    @property
    def name(self) -> str:
        """As tables show it."""
        ...

    @property
    def key(self) -> str:
        """Changes whenever `hear` would give something else."""
        ...

    def hear(self, utterance: Utterance) -> dict[str, Any]:
        """A row of JSON for the store."""
        ...

    def answer(self, row: dict[str, Any]) -> Answer:
        """The decision about a row."""
        ...


class Ours:
    """The assistant: the context's grammar in the beam, the fused net where there is one, then `decide`."""

    name = "assistant"

    def __init__(self, recognizer: Recognizer, prepared: Prepared, key: str, bundle: Bundle | None = None) -> None:
        self._recognizer, self._prepared, self._bundle = recognizer, prepared, bundle
        self.context = context = prepared.context
        settings = context.settings
        tuned = (settings.lambda_, settings.prune, settings.rerank, settings.token_penalty)
        net = f" looked at by {bundle.name} {bundle.manifest}" if bundle else ""
        looks = "" if settings.look_again else " once"
        self.key = f"{store.code_key()} {recognizer.variant} {context.hash} {tuned} {key}{looks}{net}"

    def hear(self, utterance: Utterance) -> dict[str, Any]:
        """All meanings with their scores."""
        transcript = self._recognizer.open(self._prepared).finish(utterance)
        return store.transcript_row(self._bundle.look(utterance, transcript) if self._bundle else transcript)

    def answer(self, row: dict[str, Any]) -> Answer:
        """As `assistant understand` gives it: of two nearly equal meanings the better one counts as accepted."""
        return decided(store.transcript_of(row), self.context)


class FreeTranscript:
    """Moonshine without a grammar, its text matched with the context: exactly, or with repairs."""

    def __init__(self, model: Model, context: Context, max_edits: float) -> None:
        self._model, self._matcher, self._max_edits = model, matcher_of(context), max_edits
        self.name = "free transcript, fuzzy match" if max_edits else "free transcript, exact parse"
        self.key = f"{store.code_key(_HERE / 'free.py')} free {model.id}"

    def hear(self, utterance: Utterance) -> dict[str, Any]:
        """The transcript."""
        return {"text": free.transcribe(self._model, utterance)}

    def answer(self, row: dict[str, Any]) -> Answer:
        """The nearest meaning of the transcript."""
        return _matched(row["text"], self._matcher.match_within(row["text"], self._max_edits))


class PocketSphinx:
    """CMU PocketSphinx 5 with its US English model and the context as a JSGF grammar. Needs the extra `bench`."""

    name = "PocketSphinx, same grammar"

    def __init__(self, context: Context) -> None:
        import pocketsphinx

        self._matcher = matcher_of(context)
        grammar = jsgf.to_jsgf(context)
        with tempfile.NamedTemporaryFile("w", suffix=".jsgf") as file:
            file.write(grammar)
            file.flush()
            self._decoder = pocketsphinx.Decoder(jsgf=file.name, loglevel="FATAL", maxhmmpf=SPHINX_STATES)
        self.key = f"{store.sound_key(_HERE / 'jsgf.py')} pocketsphinx {version('pocketsphinx')} {grammar}"

    def hear(self, utterance: Utterance) -> dict[str, Any]:
        """The best sentence of the grammar, on the same stretch of sound that ours hears."""
        sound, _ = voiced_stretch(utterance)
        pcm = np.clip(np.pad(sound, (0, SPHINX_TAIL_SAMPLES)) * 32768, -32768, 32767).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return {"text": hypothesis.hypstr if hypothesis else ""}

    def answer(self, row: dict[str, Any]) -> Answer:
        """The sentence's meaning."""
        return _matched(row["text"], self._matcher.match(row["text"]))


PEERS = ("exact", "fuzzy", "pocketsphinx")
INSTALL = "pip install 'assistant-voice[bench]'"


def open_peers(names: tuple[str, ...], recognizer: Recognizer, context: Context) -> list[System]:
    """The peers called `names`. Raises PluginError where one is not installed."""
    peers: list[System] = []
    for name in names:
        if name == "pocketsphinx":
            if importlib.util.find_spec("pocketsphinx") is None:
                raise PluginError("not installed", where="peer pocketsphinx", remedy=INSTALL)
            peers.append(PocketSphinx(context))
            continue
        model = getattr(recognizer, "model", None)
        if not isinstance(model, Model):
            raise PluginError("needs the engine moonshine", where=f"peer {name}", remedy="--engine moonshine")
        peers.append(FreeTranscript(model, context, FUZZY_EDITS if name == "fuzzy" else 0.0))
    return peers


def decided(transcript: Transcript, context: Context) -> Answer:
    """The assistant's decision about `transcript` with the thresholds of `context`."""
    u = decide(transcript, context)
    return Answer(u.text, u.intent, u.slots, u.taken, u.outcome is Outcome.ASK, u.heard, u.confidence)


def _matched(text: str, matches: tuple[Match, ...]) -> Answer:
    if not matches:
        return Answer(text)
    return Answer(text, matches[0].intent, matches[0].slots, accepted=True)
