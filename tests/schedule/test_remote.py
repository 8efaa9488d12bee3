"""The scheduler reaches an engine in a process of its own: with its effort, and with the word that it is late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.cli.scheduling import build_scheduler
from assistant.clock import SystemClock
from assistant.config import Config, Paths
from assistant.daemon.remote import RemoteRecognizer
from assistant.grammar.load import load_context
from assistant.recognize.engine import Adjustable, Encoding
from assistant.types import SOUND_ONLY, Effort
from tests.daemon.engines import WORDS, utterance
from tests.schedule.patient import PATIENCE_S

HEARD = 0


@pytest.fixture
def patient() -> Iterator[RemoteRecognizer]:
    recognizer = RemoteRecognizer("tests.schedule.patient:create", (), deadline_s=PATIENCE_S)
    recognizer.begin()
    yield recognizer
    recognizer.end()


def test_an_effort_is_used_there_and_lateness_ends_it(patient: RemoteRecognizer) -> None:
    prepared = patient.prepare(load_context("home"))
    asked = []

    def late() -> bool:
        asked.append(True)
        return len(asked) > 2

    transcript = patient.open_with(prepared, Effort(3, 8.0), late).finish(utterance(HEARD))
    assert (transcript.text, transcript.variant, transcript.truncated) == (WORDS, "beam3", True)
    assert patient.open(prepared).finish(utterance(HEARD)).variant == "1"


def test_it_rests_there(patient: RemoteRecognizer) -> None:
    patient.rest()
    prepared = patient.prepare(load_context("home"))
    assert patient.open(prepared).finish(utterance(HEARD)).text == "turn off the kitchen lights"  # how this one rests


def test_it_encodes_there_without_decoding(patient: RemoteRecognizer) -> None:
    prepared = patient.prepare(load_context("home"))
    transcript = patient.open_sound(prepared).finish(utterance(HEARD))
    assert (transcript.variant, transcript.hypotheses) == (SOUND_ONLY, ())
    assert transcript.states is not None
    assert transcript.states.shape[1] == 2
    assert isinstance(patient, Encoding)


def test_it_says_what_it_can_do(patient: RemoteRecognizer) -> None:
    assert isinstance(patient, Adjustable)
    assert patient.ready(Effort(3, 8.0)) == ""
    assert "float" in patient.ready(Effort(3, 8.0, encoder="float"))


def test_only_an_engine_that_can_be_adjusted_is_scheduled(patient: RemoteRecognizer, tmp_path: Path) -> None:
    config = Config(paths=Paths(state=str(tmp_path)))
    assert build_scheduler(config, patient, SystemClock()) is not None
    obedient = RemoteRecognizer("tests.daemon.engines:create", ())
    obedient.begin()
    assert build_scheduler(config, obedient, SystemClock()) is None
    obedient.end()
