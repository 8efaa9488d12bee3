"""Engines that do what no real one does on command: crash, hang, refuse to load. They run in the recogniser's process.

What an utterance's first sample says is done: `CRASH` kills the process, `HANG` never returns, `FAIL` raises; anything
else is heard as `WORDS`.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import numpy as np

from assistant.errors import ModelError
from assistant.grammar.tree import Context
from assistant.recognize.engine import Prepared
from assistant.recognize.text import PreparedText, TextRecognizer, recognize_text
from assistant.types import AudioFrame, Transcript, Utterance

CRASH, HANG, FAIL = 1, 2, 3
WORDS = "turn on the kitchen lights"


class Obedient:
    """Hears `words`, whatever was said; with a `fault`, does that instead."""

    name, variant = "obedient", "1"

    def __init__(self, words: str = WORDS, fault: int = 0) -> None:
        self.words, self.fault = words, fault
        self._text = TextRecognizer()

    def prepare(self, context: Context) -> PreparedText:
        return self._text.prepare(context)

    def open(self, prepared: Prepared) -> ObedientSession:
        return ObedientSession(self, prepared)


class ObedientSession:
    def __init__(self, engine: Obedient, prepared: Prepared) -> None:
        self._engine, self._prepared = engine, prepared

    def feed(self, frame: AudioFrame) -> str:
        del frame
        return ""

    def cancel(self) -> None:
        """There is nothing to stop."""

    def finish(self, utterance: Utterance) -> Transcript:
        told = self._engine.fault or int(utterance.pcm[0])
        if told == CRASH:
            os.abort()
        if told == HANG:
            threading.Event().wait()
        if told == FAIL:
            raise ModelError("the model is broken", where="model.onnx", remedy="fetch it again")
        return replace(recognize_text(self._prepared, self._engine.words), engine="obedient", variant="1")


def create(words: str = WORDS) -> Obedient:
    return Obedient(words)


def create_broken() -> Obedient:
    raise ModelError("the model is cut off", where="model.onnx", remedy="fetch it again")


def utterance(first_sample: int, seconds: float = 1.0) -> Utterance:
    """An utterance that tells an engine what to do."""
    pcm = np.zeros(int(16_000 * seconds), np.int16)
    pcm[0] = first_sample
    return Utterance(pcm, 0.0, 0.1, seconds - 0.1, np.ones(int(50 * seconds), np.float32))
