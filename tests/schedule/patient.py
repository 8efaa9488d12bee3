"""An engine that can be adjusted and decodes until it is late: it runs in the recogniser's own process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from assistant.recognize.engine import Prepared
from assistant.recognize.text import TextRecognizer, recognize_text
from assistant.types import SOUND_ONLY, Effort, Transcript, Utterance
from tests.daemon.engines import WORDS, Obedient, ObedientSession

PATIENCE_S = 30.0


class Patient(Obedient):
    """With an effort it hears `WORDS` once it is late, and its variant says how hard it tried."""

    name, variant = "patient", "tiny/int8"

    def open_with(self, prepared: Prepared, effort: Effort, late: Callable[[], bool]) -> PatientSession:
        return PatientSession(self, prepared, effort, late)

    def open_sound(self, prepared: Prepared) -> EncodedSession:
        return EncodedSession(self, prepared)

    def rest(self) -> None:
        self.words = "turn off the kitchen lights"

    def ready(self, effort: Effort) -> str:
        return "" if effort.encoder == "int8" else "not loaded"


class EncodedSession(ObedientSession):
    def finish(self, utterance: Utterance) -> Transcript:
        return Transcript((), "", "patient", SOUND_ONLY, np.ones((len(utterance.pcm) // 384, 2), np.float32))


class PatientSession(ObedientSession):
    def __init__(self, engine: Patient, prepared: Prepared, effort: Effort, late: Callable[[], bool]) -> None:
        super().__init__(engine, prepared)
        self._heard, self._effort, self._late = prepared, effort, late

    def finish(self, utterance: Utterance) -> Transcript:
        until = time.monotonic() + PATIENCE_S
        while not self._late() and time.monotonic() < until:
            time.sleep(0.001)
        heard = recognize_text(TextRecognizer().prepare(self._heard.context), WORDS)
        return replace(heard, variant=f"beam{self._effort.width}", truncated=self._late())


def create() -> Patient:
    return Patient()
